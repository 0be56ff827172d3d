"""Three federations that run, alike in everything but one person t: the worlds of the attacks.

`rare` is world D (t has diagnosis X1), `mild` is D' (t has the flu), `gone` is D'' (no t). Each is
a gateway and a node as processes of their own, over gRPC with mutual TLS; contracts, policies,
handlers and the other 300 people are the same to the byte. What is seen of one request is kept as
it came over the wire.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import status_pb2  # type: ignore[import-untyped]

from landbridge.answers import Answer, Reply
from landbridge.evidence.entry import Entry
from landbridge.evidence.receipt import verify_receipt
from landbridge.federation.process import ServerProcess, spawn
from landbridge.federation.running import Federation
from landbridge.transport import CHANNEL_OPTIONS
from landbridge.v1 import evidence_pb2, gateway_pb2, gateway_pb2_grpc, problem_pb2
from landbridge.wire import read_answer, read_reply, write_literal
from tests import people
from tests.policies.documents import column

PURPOSE = people.PURPOSE
OTHER_PURPOSE = "dpv:ServiceProvision"
COMMON = (*people.TARGET[:6], "flu", *people.TARGET[7:])
PEOPLE: dict[str, list[people.Row]] = {
    "rare": [*people.crowd(300), people.TARGET],
    "mild": [*people.crowd(300), COMMON],
    "gone": people.crowd(300),
}
EPSILON = 8.0
"""What one organisation may spend on a contract, ever."""
TERMS: dict[str, Any] = {
    "landbridgeBudget": {
        "recipient": {"epsilon": EPSILON, "delta": 1e-6},
        "overall": {"epsilon": 1e5, "delta": 1e-6},
        "period": "never",
    },
    "landbridgeEpsilon": {"default": 1.0, "maximum": EPSILON},
}
LARGEST_COST = 1_000.0
ACCESS = """
@id("attacks.everybody") permit (principal, action, resource);
@id("attacks.barred") forbid (principal in Organisation::"barred_by_{who}", action, resource);
@id("attacks.clearance")
forbid (principal, action, resource) unless {{ context.level <= principal.clearance }};
"""
BAND = """-- handler: {name}
-- version: 1
-- description: The band of one person's income
-- contract: people
-- subject: {subject}
-- arguments: {{{subject}: {kind}}}
-- codes: [LOW, MIDDLE, HIGH, UNKNOWN, NOBODY]
-- absent: NOBODY
-- level: internal
-- purposes: ["{purpose}"]
-- subjects_per_day: 12
SELECT CASE WHEN income IS NULL THEN 'UNKNOWN' WHEN income < 40000 THEN 'LOW'
    WHEN income < 100000 THEN 'MIDDLE' ELSE 'HIGH' END
FROM people WHERE {subject} = ${subject}
"""
OVER = BAND.replace("{{{subject}: {kind}}}", "{{{subject}: {kind}, threshold: [40000, 100000]}}")
OVER = OVER.replace("income < 40000", "income < $threshold")
"""The same with an argument beside the subject, whose values the owner lists."""


ELIGIBLE = """-- handler: eligible
-- version: 1
-- description: Whether one person's income is under a line
-- contract: people
-- subject: person_id
-- arguments: {{person_id: integer}}
-- returns: verdict
-- reasons: [ABOVE, NOBODY]
-- absent: NOBODY
-- procedures: [help]
-- level: internal
-- purposes: ["{purpose}"]
-- subjects_per_day: 50
SELECT income < 900000, CASE WHEN income < 900000 THEN '' ELSE 'ABOVE' END
FROM people WHERE person_id = $person_id
"""
PROCEDURE = """procedure: help
version: 1
title: Help with the rent
purposes: ["{purpose}"]
form:
  person: {{type: integer, title: Number of the person}}
steps:
  north:
    title: The income is under the line
    handler: north.eligible
    form: {{person_id: person}}
    deadline: 2d
    silence: {{escalate: desk}}
decision: all
roles:
  desk: [university]
open: [university]
"""


def lay(folder: Path, world: str) -> Path:
    """The folder of one world's federation, for `landbridge.testing.federation`."""
    place = folder / world
    for part in ("gateway/procedures", "north/contracts", "north/handlers", "north/data"):
        (place / part).mkdir(parents=True)
    (place / "federation.toml").write_text(
        'name = "attacks"\n[issuer]\nissuer = "https://issuer.attacks.example"\n'
        'audience = "https://gateway.attacks.example"\n'
        '[[members]]\ndepartment = "north"\ntitle = "North"\n'
    )
    (place / "gateway" / "access.cedar").write_text(ACCESS.format(who="gateway"))
    (place / "gateway" / "callers.toml").write_text(
        f'[callers.alice]\norganisation = "university"\nclearance = "internal"\n'
        f'purposes = ["{PURPOSE}"]\n'
    )
    north = place / "north"
    (north / "access.cedar").write_text(ACCESS.format(who="north"))
    (north / "contracts" / "people.odcs.yaml").write_bytes(people.document(**TERMS))
    (north / "contracts" / "visits.odcs.yaml").write_bytes(_visits_document())
    for name, subject, kind in (
        ("income_band", "person_id", "integer"), ("band_by_name", "name", "string"),
    ):  # fmt: skip
        (north / "handlers" / f"{name}.sql").write_text(
            BAND.format(name=name, subject=subject, kind=kind, purpose=PURPOSE)
        )
    (north / "handlers" / "income_over.sql").write_text(
        OVER.format(name="income_over", subject="person_id", kind="integer", purpose=PURPOSE)
    )
    (north / "handlers" / "eligible.sql").write_text(ELIGIBLE.format(purpose=PURPOSE))
    (place / "gateway" / "procedures" / "help.yaml").write_text(PROCEDURE.format(purpose=PURPOSE))
    people.write(PEOPLE[world], north / "data" / "people.csv")
    lines = [",".join(map(str, row)) for row in visits(world)]
    (north / "data" / "visits.csv").write_text("\n".join(["person_id,district,day,cost", *lines]))
    return place


def visits(world: str) -> list[tuple[Any, ...]]:
    """Everybody's one visit in January 2026; t's is the only one of 1 February, and dear."""
    return [
        (row[0], row[2], "2026-02-01", 812.37)
        if row[0] == people.TARGET[0]
        else (row[0], row[2], f"2026-01-{place % 31 + 1:02d}", round(10 + place * 1.01, 2))
        for place, row in enumerate(PEOPLE[world])
    ]


def _visits_document() -> bytes:
    whole = json.loads(people.document(**TERMS))
    whole |= {"id": "visits", "name": "Visits", "description": {"purpose": "Who came when."}}
    districts = [{"value": name} for name in people.DISTRICTS]
    whole["schema"] = [
        {
            "name": "visits",
            "properties": [
                column("person_id", "integer", "sealed", required=True),
                column("district", "string", required=True, enum=districts),
                column("day", "date", required=True, period=["2026-01-01", "2026-12-31"]),
                column(
                    "cost", "number", required=True, step=0.01,
                    logicalTypeOptions={"minimum": 0, "maximum": LARGEST_COST},
                ),
            ],
        }
    ]  # fmt: skip
    return json.dumps(whole).encode()


@dataclass(frozen=True)
class Seen:
    """All that a caller sees of one request, and the entry that it left in the gateway's log."""

    code: str
    reply: Message | None
    problem: problem_pb2.Problem
    entry: Entry
    entry_bytes: int
    index: int = 0

    @property
    def reason(self) -> str:
        """The refusal's; empty for an answer."""
        return self.problem.reason

    @property
    def refusal(self) -> tuple[object, ...]:
        """Status, every byte of the refusal, and how long its log entry is."""
        return self.code, self.problem.SerializeToString(deterministic=True), self.entry_bytes

    @property
    def answer(self) -> Answer:
        """The answer, as the SDK reads it; a refusal is an assertion that fails."""
        assert isinstance(self.reply, gateway_pb2.QueryResponse), str(self.problem)
        return read_answer(self.reply)

    @property
    def number(self) -> float:
        """The one number of an answer."""
        value = self.answer.rows()[0][-1]
        assert isinstance(value, int | float)
        return float(value)


@dataclass
class World:
    """One running federation, as an attacker speaks to it: the stub and nothing else."""

    name: str
    running: Federation
    address: str = ""
    vkey: str = ""
    _tokens: dict[tuple[object, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.address = self.address or self.running.address
        self.vkey = self.vkey or (self.running.log() / "vkey").read_text().strip()
        self._channel = self.channel()
        self.stub = gateway_pb2_grpc.GatewayStub(self._channel)

    def channel(self) -> grpc.Channel:
        """A connection to the gateway."""
        credentials = grpc.ssl_channel_credentials(self.running.ca.read_bytes())
        return grpc.secure_channel(self.address, credentials, CHANNEL_OPTIONS)

    def second_gateway(self, folder: Path) -> tuple[World, ServerProcess]:
        """Another gateway process before the same node: an own log, the same certificate."""
        first = self.running.state / "gateway"
        settings = (first / "gateway.toml").read_text()
        # A replica has the gateway's own signing key; nodes would believe no other.
        (folder / "state").mkdir(mode=0o700)
        shutil.copy2(first / "signing.key", folder / "state" / "signing.key")
        path = folder / "gateway.toml"
        path.write_text(settings.replace(f'state = "{first}"', f'state = "{folder / "state"}"'))
        process = spawn("second gateway", "gateway", path)
        process.await_ready()
        address = f"127.0.0.1:{process.port}"
        return World(self.name, self.running, address, process.log_key), process

    def restart_node(self) -> None:
        """Ends the node in order and starts it again; returns when the gateway reaches it."""
        with temporary(self.running.state.parent / "tmp"):
            self.running.restart("north")
        self.await_node()

    def await_node(self) -> None:
        """Returns when this gateway reaches the node again."""
        for _ in range(100):
            if self.ask("SELECT count(*) FROM people", "waiting").code == "OK":
                return
            time.sleep(0.1)
        raise AssertionError("the restarted node is not found again")

    def token(self, organisation: str = "university", **changes: Any) -> str:
        """A caller's token; each kind is issued once."""
        subject = changes.pop("caller", "alice")
        key = (subject, organisation, repr(sorted(changes.items())))
        if key not in self._tokens:
            terms: dict[str, Any] = {"clearance": "internal", "purposes": [PURPOSE], **changes}
            issuer = self.running._ground.issuer
            self._tokens[key] = issuer.issue(subject, organisation=organisation, **terms)
        return self._tokens[key]

    def ask(
        self, sql: str, organisation: str = "university", *, epsilon: float = 0,
        purpose: str = PURPOSE, seconds: float = 30, token: str = "", question_id: str = "",
    ) -> Seen:  # fmt: skip
        """One question."""
        request = gateway_pb2.QueryRequest(
            sql=sql, purpose=purpose, micro_epsilon=round(epsilon * 1e6),
            question_id=question_id or secrets.token_hex(16),
        )  # fmt: skip
        return self.send(self.stub.Query, request, token or self.token(organisation), seconds)

    def call(
        self, handler: str, organisation: str = "university", *, purpose: str = PURPOSE,
        token: str = "", seconds: float = 30, **arguments: Any,
    ) -> Seen:  # fmt: skip
        """One handler, one subject."""
        request = gateway_pb2.CallRequest(
            handler=handler, purpose=purpose, question_id=secrets.token_hex(16)
        )
        for name, value in arguments.items():
            request.arguments[name].CopyFrom(write_literal(value, name))
        return self.send(self.stub.Call, request, token or self.token(organisation), seconds)

    def band(self, person: int, organisation: str = "university", **more: Any) -> Reply:
        """The reply of the handler `income_band`; a refusal is an assertion that fails."""
        seen = self.call("north.income_band", organisation, person_id=person, **more)
        assert isinstance(seen.reply, gateway_pb2.CallResponse), str(seen.problem)
        return read_reply(seen.reply)

    def send(
        self, method: Callable[..., Any], request: Message, token: str, seconds: float = 30
    ) -> Seen:
        """One request, whose log entry is proven by the receipt that comes with the reply."""
        metadata = (("authorization", f"Bearer {token}"),)
        try:
            reply = method(request, metadata=metadata, timeout=seconds)
        except grpc.RpcError as failure:
            call = cast(grpc.Call, failure)  # the stubs of gRPC do not say so
            problem = problem_of(call)
            code, receipt, reply = call.code().name, problem.receipt, None
        else:
            code, problem, receipt = "OK", problem_pb2.Problem(), reply.receipt
        kept = evidence_pb2.Receipt()
        kept.CopyFrom(receipt)
        for holder in (problem, reply):
            if holder is not None:
                holder.ClearField("receipt")
        index = verify_receipt(kept.entry, kept.proof, self.vkey).index
        entry = Entry.from_bytes(kept.entry)
        return Seen(code, reply, problem, entry, len(kept.entry), index)

    def node_entries(self) -> int:
        """How many entries the node's log has: one more for this, an answer of its own.

        A node asks its engine only for what it then logs, and the gateway asks the node only for
        what the node then logs: where the number did not grow, nothing ran.
        """
        sql = f"SELECT count(*) FROM people WHERE age <> {secrets.randbelow(10**9) + 1_000}"
        seen = self.ask(sql, f"counter{secrets.token_hex(8)}", epsilon=0.1)
        (part,) = seen.entry.parts
        index = part["index"]
        assert isinstance(index, int)
        return index

    def workers(self) -> list[int]:
        """The process ids of the engine's workers: the node's children."""
        node = self.running.process_id("north")
        found = []
        for task in Path(f"/proc/{node}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
                found += [int(pid) for pid in (task / "children").read_text().split()]
        return found

    def signal_workers(self, signal: int) -> list[int]:
        """Sends every worker that signal; gives their process ids."""
        pids = self.workers()
        for pid in pids:
            os.kill(pid, signal)
        return pids

    def close(self) -> None:
        """Ends the connection, not the federation."""
        self._channel.close()


@contextmanager
def temporary(folder: Path) -> Iterator[None]:
    """Processes that start in this block keep temporary files in that folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        yield


def problem_of(call: grpc.Call) -> problem_pb2.Problem:
    """What the server said, as it came; empty where a status came bare."""
    problem = problem_pb2.Problem()
    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                if detail.Is(problem.DESCRIPTOR):
                    detail.Unpack(problem)
    return problem
