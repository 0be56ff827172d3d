"""Three worlds that must look the same: what anybody sees may depend on data through noise alone.

In place of the noise stands a function that never looks at the cells. So nothing at all is left
that may differ: answers, notes, costs, refusals, what the departments send, what logs hold, how
often an engine runs, and what the noise is asked for are compared to the last byte.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from landbridge.errors import LandbridgeError
from landbridge.v1 import gateway_pb2
from policies.disclosure import Mechanism
from tests.audit.crossing import EVERYBODY
from tests.audit.worlds import OTHERS, absent, planted, target
from tests.audit.worlds import World as Planting
from tests.audit.worlds import terms as usual
from tests.people import PURPOSE, crowd, document, write
from tests.simulator import FederationSimulator

WORLDS: dict[str, Planting] = {
    "rare": planted(target()),
    "common": planted(target(diagnosis="flu", income=None, height=None)),
    "absent": absent,
    "empty": lambda _: [],
}
SAID = (
    "kind", "purpose", "resource", "members", "policies", "outcome", "reason", "rule", "suppressed",
    "charged_micro_rho", "budget", "remembered", "note",
)  # fmt: skip
"""The fields of a log entry that must not tell the worlds apart."""


class World:
    """A federation over one world, and what is seen of it.

    `terms` are of its contract; `beside` are departments that serve it too, whoever is in the data;
    `more` are further contracts of the north with their rows. `sent`: what departments send is
    looked at too, where it is not masked.
    """

    def __init__(
        self, name: str, folder: Path, *, look: bool = False, sent: bool = True,
        terms: bytes = b"", beside: Sequence[str] = (),
        more: Mapping[str, Sequence[tuple[bytes, Path]]] | None = None,
    ) -> None:  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        self._asked: list[str] = []
        self._sent: list[str] = []
        self._look = look
        rows = WORLDS[name](OTHERS)
        files = {"north": write(rows, folder / "north.csv")}
        files |= {other: write(crowd(40, seed=11), folder / f"{other}.csv") for other in beside}
        self.federation = FederationSimulator(
            folder,
            files,
            terms or document(**usual(1.0)),
            more=more,
            draw=self._blind,
            access=EVERYBODY,
            gateway_access=EVERYBODY,
        )
        if sent:
            self.federation.nodes["north"].change = self._keep
        self._token = self.federation.token()

    @property
    def runs(self) -> int:
        """How many statements ran."""
        return self.federation.nodes["north"].runs

    def ask(self, text: str) -> tuple[str, ...]:
        """Everything that can be seen of one asking; the first part begins with how it ended."""
        self._asked, self._sent = [], []
        before = self.runs
        request = gateway_pb2.QueryRequest(
            sql=text, purpose=PURPOSE, question_id=secrets.token_hex(16)
        )
        try:
            reply = self.federation.gateway.Query(request, self.federation.context(self._token))
            reply.ClearField("receipt")
            ended = f"answered {reply.SerializeToString(deterministic=True)!r}"
        except LandbridgeError as refusal:
            ended = f"refused {type(refusal).__name__} {refusal!r} {refusal} {refusal.position}"
        except Exception as fault:  # noqa: BLE001 - a fault is told apart by its type
            ended = f"fault {type(fault).__name__}"
        return (ended, *self._asked, *self._sent, *self._logged(), f"runs {self.runs - before}")

    def explained(self, text: str) -> str:
        """Everything that can be seen of a plan."""
        request = gateway_pb2.ExplainRequest(sql=text, purpose=PURPOSE)
        try:
            reply = self.federation.gateway.Explain(request, self.federation.context(self._token))
            return f"answered {reply.SerializeToString(deterministic=True)!r}"
        except LandbridgeError as refusal:
            return f"refused {refusal!r}"

    def _logged(self) -> list[str]:
        """What both logs say of the last question, but for digests, whose keys differ."""
        logs = (self.federation.log, self.federation.nodes["north"].log)
        found = [
            repr([getattr(entry, name) for name in SAID])
            for log in logs
            for entry in log.entries[-1:]
        ]
        for log in logs:
            log.entries.clear()
        return found

    def close(self) -> None:
        """Lets go of everything."""
        self.federation.close()

    def _blind(self, cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        self._asked.append(f"{len(cells)} of {mechanism!r}")
        if self._look:  # what a node would do that answers empty cells without noise
            return [1_000 if cell else 0 for cell in cells]
        return [1_000 + 7 * place for place in range(len(cells))]

    def _keep(self, reply: Any) -> None:
        kept = type(reply)()
        kept.CopyFrom(reply)
        if hasattr(kept, "release"):
            kept.ClearField("receipt")
            kept.release.ClearField("data_version")
        self._sent.append(repr(kept.SerializeToString(deterministic=True)))


def difference(found: Sequence[tuple[str, ...]]) -> str:
    """What is wrong with what was seen in several worlds; empty if nothing is."""
    first = found[0]
    if len(set(found)) > 1:
        return "the worlds look different"
    if first[0].startswith("fault") or "'FAULT'" in first[0] or "'RUN_FAILED'" in first[0]:
        return f"it ended as {first[0]}"
    if first[0].startswith("refused") and first[-1] != "runs 0":
        return "an engine ran and then it was refused"
    return ""
