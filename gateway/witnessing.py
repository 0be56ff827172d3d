"""The gateway before its witnesses, the nodes, and as the witness of each node's log.

Connections run from the gateway to the nodes only. So it puts its own checkpoints to them, and it
goes to each of them to look at theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import grpc

from gateway.connection import Connection, Member
from gateway.sight import Watched
from landbridge.edge.witness_wire import reply_from, reply_to
from landbridge.errors import LandbridgeError
from landbridge.evidence.cosignature import WitnessKey
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.oversight import MOST_REQUESTS, Ask
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness import INCONSISTENT, OK, STALE
from landbridge.evidence.witness_memory import Reply, Witness
from landbridge.status import from_rpc_error
from landbridge.v1 import witness_pb2, witness_pb2_grpc

SECONDS: Final = 2.0
"""For one request to a witness. A quick refusal to connect costs less."""

Tell = Callable[[str], None]
"""Takes a sentence for the operator."""


Connections = Callable[[], Mapping[str, Connection]]
"""Those to the members as they are now."""


def witnesses(members: Sequence[Member], connections: Connections) -> dict[WitnessKey, Ask]:
    """Who cosigns the gateway's log: every member whose witness key the manifest lists.

    EvidenceError for a key that is none.
    """
    return {
        WitnessKey.parse(member.witness_key): _asking(connections, member.department)
        for member in members
        if member.witness_key
    }


def logs(members: Sequence[Member], tell: Tell) -> list[Verifier]:
    """The logs of the members; one whose key cannot be read is told, and is not watched."""
    found = []
    for member in members:
        try:
            found.append(Verifier.parse(member.log_key))
        except EvidenceError:
            tell(
                f"the log of department {member.department} is not watched: its key is not its own"
            )
    return found


class Rounds:
    """Goes to every node, one after the other, and looks at its log. One thread at a time."""

    def __init__(
        self,
        witness: Witness,
        connections: Connections,
        tell: Tell,
        sight: Watched | None = None,
    ) -> None:
        self._witness = witness
        self._tell = tell
        self._sight = sight
        self._connections = connections
        self._complaints: dict[str, str] = {}

    def go(self, stopping: threading.Event | None = None) -> bool:
        """One conversation with each, until `stopping`; whether all came to an end.

        What a node says cannot make this fail.
        """
        whole = True
        for department, connection in self._connections().items():
            if stopping is not None and stopping.is_set():
                return False
            try:
                complaint = self._look(department, connection.witnessed)
            except grpc.RpcError as failure:
                # That it is down is said elsewhere; that it does not want a witness is its affair.
                said = from_rpc_error(failure)
                whole = whole and not _passing(said)
                complaint = "" if _passing(said) else f"wants no witness: {said.reason}"
            except ValueError:
                complaint = "is not watched: the connection to it is closed"
            except OSError as problem:
                complaint = f"is not cosigned: what was seen cannot be written: {problem.strerror}"
                whole = False
            if complaint != self._complaints.get(department, ""):
                self._complaints[department] = complaint
                if complaint:
                    self._tell(f"department {department}: its log {complaint}")
        return whole

    def _look(self, department: str, stub: witness_pb2_grpc.WitnessedLogStub) -> str:
        request = witness_pb2.ConverseRequest()
        declined = ""
        for _ in range(MOST_REQUESTS):
            body = stub.Converse(request, timeout=SECONDS).body
            if not body:
                return declined
            reply = self._witness.add_checkpoint(body)
            declined = _contradiction(reply)
            if self._sight is not None and reply.status in (OK, INCONSISTENT):
                # Believed against itself: only what its own key signed gets as far as 422.
                self._sight.found(department, contradicted=reply.status == INCONSISTENT)
            request = witness_pb2.ConverseRequest(reply=reply_to(reply))
        return "goes on asking"


def _contradiction(reply: Reply) -> str:
    """What an operator should know of a reply; a size that is merely not known yet is nothing."""
    if reply.status in (OK, STALE):
        return ""
    if reply.status == INCONSISTENT:
        # Only what the log's own key signed gets this far; a wrong proof alone would do it too.
        return (
            "shows, signed by its own key, what is not proved to extend the checkpoint that was "
            "cosigned before: it has two histories, was put back and continued, or proves wrongly; "
            "it is not cosigned, and the department not asked, until that is mended"
        )
    return f"was not cosigned: {reply.body.decode(errors='replace').strip()}"


def _asking(connections: Connections, department: str) -> Ask:
    def ask(body: bytes) -> Reply:
        connection = connections().get(department)
        if connection is None:
            raise ConnectionError("it is no member any more")
        try:
            request = witness_pb2.AddCheckpointRequest(body=body)
            return reply_from(connection.witness.AddCheckpoint(request, timeout=SECONDS))
        except grpc.RpcError as failure:
            raise ConnectionError(from_rpc_error(failure).reason) from None
        except ValueError:
            raise ConnectionError("the connection is closed") from None

    return ask


def _passing(said: LandbridgeError) -> bool:
    return said.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL")
