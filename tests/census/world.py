"""Two departments that measure households together, and contributors who hand in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from gateway.census import Census
from gateway.census_servicer import CensusServicer
from gateway.sight import Unwatched
from landbridge.answers import Answer, Value
from landbridge.census import exchanges
from landbridge.census.contribution import Split
from landbridge.census.exchanges import Contribution
from landbridge.errors import LandbridgeError
from landbridge.exchange import Exchange, Pause, Send, Steps, attempts
from landbridge.status import from_rpc_error, to_status
from landbridge.v1 import census_pb2
from tests.people import PURPOSE
from tests.policies.documents import column
from tests.simulator import FederationSimulator, _Failure, exact

OWNER, SECOND = "registry", "statistics"
HEATING = ("gas", "oil", "wood")
ACCESS = """
@id("test.census")
permit (principal in Organisation::"university", action == Action::"query", resource);
@id("test.census-elsewhere")
permit (principal in Organisation::"institute", action == Action::"query", resource);
@id("test.contribute")
permit (principal in Organisation::"university", action == Action::"submit", resource);
@id("test.clearance")
forbid (principal, action == Action::"query", resource)
unless { context.level <= principal.clearance };
"""
MINIMUM = 10


def measurements(each: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Of all three kinds."""
    return [
        {"column": name, "owner": OWNER, "with": SECOND, "minimum": MINIMUM, "each": each} | changes
        for name in ("heating", "persons", "lift")
    ]


def document(measured: Any = None, **changes: Any) -> bytes:
    """The contract that lies at both departments."""
    terms: dict[str, Any] = {
        "landbridgeProtectedUnit": "household_id",
        "landbridgeMethod": "dp",
        "landbridgeRowsPerUnit": 1,
        "landbridgeBudget": {
            "recipient": {"epsilon": 8, "delta": 1e-6},
            "overall": {"epsilon": 12, "delta": 1e-6},
            "period": "year",
        },
        "landbridgeEpsilon": {"default": 1.0, "maximum": 4.0},
        "landbridgePurposes": [PURPOSE],
        "landbridgeMeasurements": measurements() if measured is None else measured,
        **changes,
    }
    return json.dumps(
        {
            "version": "1.0.0",
            "kind": "DataContract",
            "apiVersion": "v3.2.0",
            "id": "household",
            "status": "active",
            "customProperties": [
                {"property": name, "value": value}
                for name, value in terms.items()
                if value is not None
            ],
            "schema": [
                {
                    "name": "household",
                    "properties": [
                        column("household_id", "integer", "sealed", required=True, unique=True),
                        column(
                            "heating", "string", required=True,
                            enum=[{"value": value} for value in HEATING],
                        ),
                        column(
                            "persons", "integer", required=True,
                            logicalTypeOptions={"minimum": 1, "maximum": 9},
                        ),
                        column("lift", "boolean", "internal", required=True),
                        column("note", "string"),
                    ],
                }
            ],
        }
    ).encode()  # fmt: skip


class World(FederationSimulator):
    """The federation, with what contributors and collectors call."""

    def __init__(self, folder: Path, **more: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rows = folder / "rows.csv"
        rows.write_text("household_id,heating,persons,lift,note\n1,gas,2,true,\n")
        text = more.pop("document", None) or document()
        more.setdefault("draw", exact)
        super().__init__(
            folder, {OWNER: rows, SECOND: rows}, text, access=ACCESS, gateway_access=ACCESS, **more
        )
        self.census = CensusServicer(
            Census(
                self.planning,
                self.departments,
                self._verifier(),
                self.recorder,
                self.log_key,
                self.signer,
                Unwatched(),
                lambda: self.manifest.signed(self.signer.key),
                self.clock,
            ),
            self.gateway.request,
        )
        self.on_the_way: Callable[[Any], None] = lambda _: None
        """What the gateway's relay does to a request before it works on it."""

    def carry(self, steps: Steps[Any], token: str | None = None, seconds: float = 30.0) -> Any:
        """What the steps lead to, as a driver of the SDK would do them."""
        came: Any = None
        while True:
            try:
                step = steps.send(came)
            except StopIteration as end:
                return end.value
            came = None
            if not isinstance(step, Pause):
                assert isinstance(step, Send)  # nothing here is a stream
                came = self._sent(step, token, seconds)

    def _sent(self, step: Send, token: str | None, seconds: float) -> Any:
        request = type(step.request)()
        request.CopyFrom(cast(Any, step.request))
        self.on_the_way(request)
        try:
            return getattr(self.census, step.method)(request, self.context(token, seconds))
        except LandbridgeError as refusal:
            return from_rpc_error(_Failure(to_status(refusal)))

    def _ask(self, asked: Exchange[Any]) -> Steps[Any]:
        return attempts(asked, 30.0, self.clock)

    def contribute(
        self,
        name: str,
        *values: Value,
        subject: str = "alice",
        pinned: bytes | None = None,
        queue: Path | None = None,
    ) -> Contribution:
        """As `Client.contribute`."""
        if queue is not None:
            kept = exchanges.queued(
                self._ask, "household", name, values, purpose=PURPOSE, pinned=pinned, queue=queue
            )
            waiting: Contribution = self.carry(kept, self.token(subject))
            return waiting
        steps = exchanges.contribution(
            self._ask, "household", name, values, purpose=PURPOSE, pinned=pinned
        )
        found: Contribution = self.carry(steps, self.token(subject))
        return found

    def collect(
        self, name: str, *, question_id: str = "", epsilon: float | None = None, **changes: Any
    ) -> Answer:
        """As `Client.collect`."""
        asked = exchanges.collecting("household", name, purpose=PURPOSE, epsilon=epsilon)
        if question_id:
            cast(Any, asked.request).question_id = question_id
        found: Answer = self.carry(self._ask(asked), self.token(**changes))
        return found

    def described(self, name: str) -> census_pb2.CensusDescribeResponse:
        """The terms as contributors get them."""
        asked = exchanges.describing("household", name, purpose=PURPOSE)
        found: census_pb2.CensusDescribeResponse = self.carry(self._ask(asked))
        return found

    def split(self, name: str) -> Split:
        """How values of that column are split."""
        return Split(self.described(name))

    def hand_in(
        self, name: str, reports: Sequence[census_pb2.CensusReport], subject: str = "alice"
    ) -> tuple[str, ...]:
        """Reports as they are; what came of each."""
        request = census_pb2.CensusContributeRequest(
            contract="household",
            column=name,
            purpose=PURPOSE,
            question_id=secrets.token_hex(16),
            reports=reports,
        )
        asked = exchanges.contributing(request)
        found: Contribution = self.carry(self._ask(asked), self.token(subject))
        return found.reasons


@contextmanager
def world(folder: Path, **more: Any) -> Iterator[World]:
    """A world that is put away."""
    made = World(folder, **more)
    try:
        yield made
    finally:
        made.close()
