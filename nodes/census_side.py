"""Which of the two departments this one is in a measurement, and what it says to the other.

Everything comes from the contract that lies here and from the manifest that is pinned here; the
gateway names a contract and a column, and nothing else of it is believed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from landbridge.census.task import OWNER, SECOND, Task, masking_digest
from landbridge.errors import LandbridgeError, error
from landbridge.literals import to_literal
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import Manifest, MemberEntry
from landbridge.protocols.envelope import Envelope, open_, seal
from landbridge.protocols.masks import Exchanges
from landbridge.v1.census_pb2 import CensusTerms
from policies.contract import Contract, Measurement
from policies.measurement import MeasurementPlan, chunk_of, measured, plan_measurement
from policies.review import not_available

Content = TypeVar("Content", bound=Message)
_KINDS: Final = {
    "count": CensusTerms.KIND_COUNT,
    "sum": CensusTerms.KIND_SUM,
    "histogram": CensusTerms.KIND_HISTOGRAM,
}


@dataclass(frozen=True, slots=True)
class Side:
    """This department's side of one measurement; `number` as in the protocol."""

    contract: Contract
    measurement: Measurement
    task: Task
    number: int
    other: MemberEntry

    def plan(self, micro_epsilon: int) -> MeasurementPlan:
        """What its total costs; raises EPSILON_OUT_OF_RANGE."""
        return plan_measurement(self.contract, self.measurement, micro_epsilon)

    def require(self, number: int) -> None:
        """Raises INVALID_ARGUMENT where the step is the other department's."""
        if self.number != number:
            raise error("INVALID_ARGUMENT", "This step is the other department's.")


class Sides:
    """One department's view of all measurements."""

    def __init__(
        self,
        department: str,
        federation: str,
        keys: MemberKeys,
        exchanges: Exchanges,
        manifest: Callable[[], Manifest],
    ) -> None:
        self._department = department
        self._federation = federation
        self.keys = keys
        self._exchanges = exchanges
        self._manifest = manifest

    def of(self, contract: Contract, column: str) -> Side:
        """Raises NOT_AVAILABLE, MEMBERS_DIFFER."""
        measurement = measured(contract, column)
        if measurement is None or self._department not in measurement.departments:
            raise not_available("measurement", f"{contract.id}.{column}")
        number = measurement.departments.index(self._department)
        other = self._manifest().member(measurement.departments[1 - number])
        if other is None or contract.id not in other.contracts:
            raise self._differs()
        return Side(contract, measurement, self._task(contract, measurement), number, other)

    def verify_key(self, side: Side) -> tuple[bytes, bytes]:
        """The verification key, and the digest of the keys that it was made of."""
        other = side.other.keys.masking
        try:
            key = side.task.verify_key(self._exchanges, other)
        except ValueError:
            raise self._differs() from None
        return key, masking_digest(self._exchanges.public, other)

    def require_keys(self, digest: bytes, own: bytes) -> None:
        """Raises MEMBERS_DIFFER where the other department has pinned other keys."""
        if digest != own:
            raise self._differs()

    def seal(self, side: Side, kind: str, content: Message) -> Envelope:
        """A message to the other department alone, signed by this one."""
        return seal(
            content.SerializeToString(deterministic=True),
            side.task.message_info(kind),
            side.other.keys.sealing,
            self.keys.signing,
        )

    def open(self, side: Side, kind: str, envelope: Envelope, into: type[Content]) -> Content:
        """A message of the other department; raises ANSWER_REJECTED for any other."""
        content = open_(
            envelope, side.task.message_info(kind), self.keys.opening, side.other.keys.signing
        )
        try:
            return into.FromString(content)
        except DecodeError:
            raise error("ANSWER_REJECTED", "A sealed message is none of this step.") from None

    def _task(self, contract: Contract, measurement: Measurement) -> Task:
        plan = plan_measurement(contract, measurement, 0)
        return Task.of(
            CensusTerms(
                federation=self._federation,
                contract=contract.id,
                contract_digest=bytes.fromhex(contract.digest),
                column=measurement.column,
                kind=_KINDS[plan.kind],
                low=plan.low,
                high=plan.high,
                labels=[to_literal(label) for label in plan.labels],
                chunk=chunk_of(len(plan.labels)) if plan.labels else 0,
                owner=measurement.owner,
                second=measurement.second,
                minimum=measurement.minimum,
            )
        )

    def _differs(self) -> LandbridgeError:
        return error(
            "MEMBERS_DIFFER",
            f"Department {self._department} has pinned another second department, or other keys.",
            hint="Its operator may have a manifest to look at; ask again later.",
            missing=(self._department,),
        )


__all__ = ["OWNER", "SECOND", "Side", "Sides"]
