"""Planning what officers decide: steps (2) to (4) for consultations, and for what a grant lifts.

As `gateway.planning`, but for what an officer of the owner may lift: level, purpose, policy. The
gateway's own policy has its say all the same: it permits the question itself, or `consult`. What a
grant lifts is what its owner signed; the gateway reads that, and cannot write it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gateway.catalogue import Catalogue, HandlerOffer, Served
from gateway.convert import question_to
from gateway.link_tables import require_together
from gateway.planning import Plan, Planning, require_presentable
from gateway.sql import read
from gateway.way import way
from landbridge.consultation.grant import Grant, invalid, matter_hash
from landbridge.edge.record import Draft
from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.levels import Level
from landbridge.v1 import consult_pb2
from policies.access import AccessPolicy, Request
from policies.canonical import masked, text
from policies.contract import Contract
from policies.joined import joined, level_in
from policies.moment import Moment
from policies.purpose import require_allowed, require_stated
from policies.review import review
from policies.sight import may_consult, request


class ConsultPlanning:
    """Plans for one caller at a time, by the gateway's own access policy."""

    def __init__(self, planning: Planning, clock: Callable[[], float]) -> None:
        self._planning = planning
        self._clock = clock

    def view(self, caller: Caller, known: Catalogue) -> Catalogue:
        """What the caller may know to exist, because they may have it considered."""
        return self._planning.rules.views.consultable(caller, known)

    def question(
        self, sql: str, purpose: str, micro_epsilon: int, caller: Caller, known: Catalogue,
        draft: Draft, grant: Grant | None = None,
    ) -> Plan:  # fmt: skip
        """The plan; raises as `Planning.question`, and GRANT_INVALID for another's grant."""
        rules = self._planning.begin(draft)
        require_stated(purpose, caller.purposes)
        draft.note(purpose=purpose)
        draft.note(question_hash=draft.recorder.digest("text", sql))
        seen = rules.views.consultable(caller, known)
        now = Moment.at(self._clock())
        ceiling = partial(_ceiling, rules.access, caller, purpose, now)
        found: list[Served] = []

        def resolve(table: str, department: str | None) -> Contract:
            served = seen.table(table, department)
            if found and department is None:
                require_together(found[0], served)
            found.append(served)
            # What lies above is not there, so that no refusal tells that it is.
            return _up_to(served.contract, ceiling(served.contract))

        reading = read(sql, resolve, Level.RESTRICTED, _names(seen, ceiling))  # (2)
        contract = joined([served.contract for served in found])
        departments = found[0].departments
        draft.note(resource=contract.id, members=list(departments))
        if len(departments) != 1:
            raise error(
                "INVALID_QUESTION",
                "A consultation is with one owner, and several departments serve this table.",
                hint=f"Name one: FROM {departments[0]}.{found[0].contract.id}.",
            )
        highest = min(ceiling(part) for part in contract.each)
        usage = review(reading.question, contract, highest)
        require_presentable(reading, contract, usage.cells)
        draft.note(
            question=masked(reading.question, contract, partial(draft.recorder.digest, "literal")),
            question_hash=draft.recorder.digest("question", text(reading.question)),
        )
        ids: set[str] = set()
        for part in contract.each:
            asked = request(
                caller, "contract", part.id, purpose, level_in(part, contract, usage), now
            )
            ids |= {*_permitted(rules.access, asked)}  # (3)
        draft.note(policies=sorted(ids))
        if grant is not None:
            matter = consult_pb2.Matter(question=question_to(reading.question))
            grant.require(caller, purpose, matter_hash(matter), micro_epsilon, self._clock())
            _require_lifted(grant, caller, usage.level, purpose, contract.purposes)
            if departments != (grant.department,):
                raise invalid()
        chosen = way(reading.question, contract, micro_epsilon, departments)  # (4)
        return Plan(
            contract,
            departments,
            reading.question,
            reading.presentation,
            usage,
            chosen,
            chosen.release,
            text(reading.question),
        )

    def handler(
        self, name: str, purpose: str, caller: Caller, known: Catalogue, draft: Draft
    ) -> tuple[str, HandlerOffer]:
        """The department and handler; raises as `Planning.handler`."""
        rules = self._planning.begin(draft)
        require_stated(purpose, caller.purposes)
        draft.note(purpose=purpose)
        # What lies above what may be lifted is not in the view.
        seen = rules.views.consultable(caller, known)
        department, offer = seen.handler(name, Level.RESTRICTED)
        full = f"{department}.{offer.name}"
        draft.note(resource=full, members=[department])
        now = Moment.at(self._clock())
        asked = request(caller, "handler", full, purpose, offer.level, now)
        ids = _permitted(rules.access, asked)
        draft.note(policies=list(ids))
        return department, offer

    def granted_handler(
        self, grant: Grant, name: str, matter: consult_pb2.Matter, purpose: str, caller: Caller,
        known: Catalogue, draft: Draft,
    ) -> tuple[str, HandlerOffer]:  # fmt: skip
        """The same under a grant; raises GRANT_INVALID too."""
        department, offer = self.handler(name, purpose, caller, known, draft)
        grant.require(caller, purpose, matter_hash(matter), 0, self._clock())
        _require_lifted(grant, caller, offer.level, purpose, offer.purposes)
        if department != grant.department:
            raise invalid()
        return department, offer


def _permitted(access: AccessPolicy, asked: Request) -> tuple[str, ...]:
    """The policies that permit it as it is, or as a consultation."""
    decision = access.decide(asked)
    if decision.permitted:
        return decision.policies
    return access.require(replace(asked, action="consult"))


def _ceiling(
    access: AccessPolicy, caller: Caller, purpose: str, now: Moment, contract: Contract
) -> Level:
    level = may_consult(caller, "contract", contract.id, access, now, [purpose])
    return caller.clearance if level is None else max(caller.clearance, level)


def _require_lifted(
    grant: Grant, caller: Caller, level: Level, purpose: str, purposes: frozenset[str]
) -> None:
    """The node asks the same again; here it is asked so that no answer of another is passed on."""
    if level > caller.clearance and (grant.level is None or grant.level < level):
        raise invalid()
    if not grant.lifts_purpose:
        require_allowed(purpose, purposes)


def _up_to(contract: Contract, level: Level) -> Contract:
    shown = tuple(
        column
        for column in contract.columns
        if column.level <= level or column.name == contract.unit
    )
    return replace(contract, columns=shown)


def _names(seen: Catalogue, ceiling: Callable[[Contract], Level]) -> frozenset[str]:
    found = set(seen.members)
    for offer in seen.offers.values():
        for contract in offer.contracts.values():
            found.add(contract.id)
            found |= {column.name for column in _up_to(contract, ceiling(contract)).columns}
    return frozenset(found)
