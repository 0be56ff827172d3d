"""Linked questions in worlds that differ in one person: nothing but noise may tell.

As `test_kinds_apart`, with noise that never looks at the gateway and at the departments. Replies,
plans, charges, all three logs, what noise is asked for and how many statements run are compared;
what is on the wire between gateway and departments is looked at in tests/linked/test_transcript.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from landbridge.errors import LandbridgeError
from landbridge.v1 import gateway_pb2
from policies.disclosure import Mechanism
from tests.audit.worlds_apart import SAID, difference
from tests.linked import world as linked
from tests.people import PURPOSE

PERSON = 4_711
PLANTED: dict[str, tuple[list[linked.Row], list[linked.Row]]] = {
    "rare": ([(PERSON, "high", "B", 3_000, 450.0)], [(PERSON, 3, 100)]),
    "common": ([(PERSON, "low", "A", 100, 100.0)], [(PERSON, 1, 50)]),
    "absent": ([], []),
}
JOIN = "FROM tax.earners JOIN school.pupils USING (person)"
TEXTS = (
    f"SELECT count(*) {JOIN} WHERE town='B' AND band='high' AND grade=3",
    f"SELECT band, count(*), sum(income), sum(marks) {JOIN} GROUP BY band",
    f"SELECT grade, avg(income) {JOIN} WHERE marks > 90 GROUP BY grade",
    f"SELECT count(*) {JOIN} WHERE town='B' AND income > 2000 AND marks > 90",
    f"SELECT count(*) {JOIN} WHERE person = {PERSON}",
    f"SELECT max(income) {JOIN}",
)


class World:
    """Two departments whose tables are linked, and all that is seen of one asking."""

    def __init__(self, name: str, folder: Path, *, look: bool = False) -> None:
        self._drawn: list[str] = []
        self._look = look
        earners, pupils = PLANTED[name]
        self.federation = linked.federation(
            folder,
            ("school", "tax"),
            contents={
                "earners": [*linked.rows("earners", 1), *earners],
                "pupils": [*linked.rows("pupils", 1), *pupils],
            },
            draw=self._blind,
        )

    def ask(self, text: str) -> tuple[str, ...]:
        """As `worlds_apart.World.ask`."""
        self._drawn = []
        before = self._runs()
        request = gateway_pb2.QueryRequest(
            sql=text, purpose=PURPOSE, question_id=secrets.token_hex(16)
        )
        try:
            reply = self.federation.gateway.Query(request, self.federation.context())
            reply.ClearField("receipt")
            if "sum(" in text or "avg(" in text:
                _unnumber(reply)
            ended = f"answered {reply.SerializeToString(deterministic=True)!r}"
        except LandbridgeError as refusal:
            ended = f"refused {type(refusal).__name__} {refusal!r} {refusal}"
        except Exception as fault:  # noqa: BLE001 - a fault is told apart by its type
            ended = f"fault {type(fault).__name__}"
        return (ended, *self._drawn, *self._logged(), f"runs {self._runs() - before}")

    def explained(self, text: str) -> str:
        """Everything that can be seen of a plan."""
        request = gateway_pb2.ExplainRequest(sql=text, purpose=PURPOSE)
        try:
            reply = self.federation.gateway.Explain(request, self.federation.context())
            return f"answered {reply.SerializeToString(deterministic=True)!r}"
        except LandbridgeError as refusal:
            return f"refused {refusal!r}"

    def _runs(self) -> int:
        return sum(node.runs for node in self.federation.nodes.values())

    def _logged(self) -> list[str]:
        logs = [self.federation.log, *(node.log for node in self.federation.nodes.values())]
        found = [
            repr([getattr(entry, name) for name in SAID]) for log in logs for entry in log.entries
        ]
        for log in logs:
            log.entries.clear()
        return found

    def _blind(self, cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        self._drawn.append(f"{len(cells)} of {mechanism!r}")
        if self._look:
            return [1_000 + cell for cell in cells]
        return [1_000 + 7 * place for place in range(len(cells))]


def _unnumber(reply: gateway_pb2.QueryResponse) -> None:
    """Sums come as shares, of which each is uniform: with noise that never looks they are too."""
    for row in reply.rows:
        for column, value in zip(reply.columns, row.values, strict=True):
            if column.released and value.HasField("value"):
                value.value.SetInParent()
                value.value.Clear()
                value.ClearField("half_width")


def test_no_linked_question_tells_the_worlds_apart(tmp_path: Path) -> None:
    """I8: asked, planned, charged, logged and refused alike, whoever is in both tables."""
    worlds = [World(name, tmp_path / name) for name in PLANTED]
    with ExitStack() as ends:
        for world in worlds:
            ends.callback(world.federation.close)
        answered = 0
        for text in TEXTS:
            found = [world.ask(text) for world in worlds]
            assert difference(found) == "", text
            assert len({world.explained(text) for world in worlds}) == 1, text
            answered += found[0][0].startswith("answered")
    assert 2 < answered < len(TEXTS)


def test_a_link_whose_noise_looks_is_told_apart(tmp_path: Path) -> None:
    """Positive control: a draw that adds nothing of its own."""
    worlds = [World(name, tmp_path / name, look=True) for name in ("rare", "absent")]
    with ExitStack() as ends:
        for world in worlds:
            ends.callback(world.federation.close)
        assert any(difference([world.ask(text) for world in worlds]) for text in TEXTS[:3])
