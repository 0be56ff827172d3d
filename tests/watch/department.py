"""A department of the simulator with standing questions, which can crash and come back."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landbridge.identity.caller import Caller
from landbridge.v1 import watch_pb2
from nodes.guard import Asking, Rules
from nodes.load import load
from nodes.standing import StandingQuestions
from nodes.store import Store
from nodes.watch_memory import WatchMemory
from nodes.watch_servicer import read_wanted
from policies.access import AccessPolicy
from policies.noise import Draw
from tests.people import ACCESS, PURPOSE, contract, crowd, document, write
from tests.simulator import FederationSimulator, exact

WATCHES = """
@id("test.watch")
permit (principal in Organisation::"university", action == Action::"watch", resource);
"""

AT_LEAST = watch_pb2.Condition.RELATION_GREATER_OR_EQUAL


def requested(
    *,
    relation: watch_pb2.Condition.Relation.ValueType = AT_LEAST,
    number: float = 100.0,
    epsilon: float = 4.0,
    every: int = 60,
    alerts: int = 2,
    hours: int = 24,
    rest: int = 0,
) -> watch_pb2.StandRequest:
    """How many people there are, as the gateway would ask it."""
    request = watch_pb2.StandRequest(
        condition=watch_pb2.Condition(relation=relation, number=number),
        micro_epsilon=round(epsilon * 1_000_000),
        every_seconds=every,
        alerts=alerts,
        hours=hours,
        rest_seconds=rest,
    )
    request.question.contract = "people"
    request.question.measures.add().count.SetInParent()
    return request


@dataclass
class Department:
    """`people` changes how many there are; `crash` opens everything anew from the disk."""

    folder: Path
    draw: Draw = exact
    method: dict[str, Any] = field(default_factory=dict)
    revoked: bool = False

    def __post_init__(self) -> None:
        """A department with fifty people."""
        self.text = document(**self.method)
        rows = write(crowd(50), self.folder / "rows.csv")
        access = ACCESS + WATCHES
        self.world = FederationSimulator(
            self.folder, {"one": rows}, self.text, draw=self.draw, access=access
        )
        self.node = self.world.nodes["one"]
        self.memory: WatchMemory
        self.watches: StandingQuestions
        self.open()

    def open(self) -> None:
        """As a node that starts."""
        self.memory = WatchMemory(self.folder / "one" / "watches.sqlite", self.world.clock)
        self.watches = StandingQuestions(
            self.node.guard,
            self.node.ledger,
            self.node.tables,
            self.node.recorder,
            self.draw,
            self.node.history,
            self.memory,
            self._revoked,
            read_wanted,
        )

    def crash(self) -> None:
        """What was in memory is lost; what was on disk is there."""
        self.memory.close()
        self.node.log.wait_until_published()
        self.open()
        self.memory.recover(self.folder / "one" / "log")
        self.watches.recover()

    def people(self, count: int) -> None:
        """Loads so many."""
        rows = write(crowd(count), self.folder / "rows.csv")
        load(contract(**self.method), rows, Store(self.folder / "one" / "data"))

    def policy(self, text: str) -> None:
        """Takes another access policy."""
        rules = self.node.guard.rules
        access = AccessPolicy.load(text, "one", contracts=rules.contracts.keys(), handlers=())
        self.node.guard.follow(Rules(rules.contracts, rules.handlers, access))

    def stand(
        self, request: watch_pb2.StandRequest | None = None, identifier: str = "", **who: object
    ) -> str:
        """A watch; gives its id."""
        request = request or requested()
        identifier = identifier or secrets.token_hex(16)
        asking = Asking(self.world.token(**who), PURPOSE, identifier)  # type: ignore[arg-type]
        asked = request.SerializeToString(deterministic=True)
        self.watches.stand(asking, read_wanted(asked), asked, "")
        return identifier

    def evaluate(
        self, identifier: str, acknowledged: int = 0, *, after: float = 60.0
    ) -> watch_pb2.EvaluateResponse:
        """So many seconds later."""
        self.world.now += after
        return self.watches.evaluate(identifier, acknowledged, time_left=lambda: 20.0, trace_id="")

    @property
    def spent(self) -> int:
        """By the university, of its budget."""
        return self.node.ledger.accounts(contract(**self.method), "university")[0].spent

    def notes(self, kind: str) -> list[str]:
        """What the log says of that kind."""
        return [each.note for each in self.world.entries("one") if each.kind == kind]

    def close(self) -> None:
        """Lets go of everything."""
        self.memory.close()
        self.world.close()

    def _revoked(self, caller: Caller) -> bool:
        del caller
        return self.revoked
