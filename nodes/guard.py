"""Whether this department answers at all: step (6) of a question's life.

The node trusts nobody. It verifies the caller's own token, holds the purpose against the token
and against the contract, reviews the typed question against the contract, and asks its own Cedar
policies. Nothing here looks at data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from landbridge.days import AsOf
from landbridge.edge.recall import Recall
from landbridge.edge.record import Draft
from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from landbridge.levels import Level
from policies.access import AccessPolicy, Action
from policies.canonical import masked, masking, text
from policies.column_sight import ColumnSight
from policies.consultation import Lifts, Terms, terms_of
from policies.contract import Contract, Method
from policies.group import Group
from policies.handler import Handler
from policies.joined import MAXIMUM_PARTS, columns_in, joined, level_in
from policies.link_plan import LinkPlan, plan_link
from policies.linked import LinkedQuestion, linked, words
from policies.membership import Memberships
from policies.moment import Moment
from policies.purpose import require_allowed, require_stated
from policies.question import Question
from policies.review import Usage, not_available, review, visible
from policies.sight import (
    log_request,
    may_consult,
    may_contribute,
    may_submit,
    request,
    requested_step,
    sees_contract,
    sees_handler,
)

MAXIMUM_MEMBERS = 1_000
_MEMBER = re.compile(r"[a-z][a-z0-9_]{0,30}")
_QUESTION_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, why, and under which id, as the gateway passed it on.

    `contracts` are the digests of the contracts that the question was planned by; empty: not told.
    `as_of` are the days that data are of, as it was planned; of a table that is not named: any.
    """

    token: str
    purpose: str
    question_id: str
    contracts: frozenset[str] = frozenset()
    as_of: AsOf = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Permission:
    """A question that may be answered."""

    caller: Caller
    contract: Contract
    usage: Usage


@dataclass(frozen=True, slots=True)
class Weighed:
    """A question that an officer may be asked about, and what of it policy does not permit.

    `terms` are how the owner wants it decided.
    """

    permission: Permission
    lifts: Lifts
    terms: Terms


@dataclass(frozen=True, slots=True)
class WeighedCall:
    """The same of a handler's call."""

    caller: Caller
    handler: Handler
    contract: Contract
    lifts: Lifts
    terms: Terms


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of what the department decides by; `digest` names it in the log."""

    contracts: Mapping[str, Contract]
    handlers: Mapping[str, Handler]
    access: AccessPolicy
    digest: str = ""
    groups: Mapping[str, Group] = field(default_factory=dict)
    columns: ColumnSight = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """What callers see is remembered with the version that they see it by."""
        object.__setattr__(self, "columns", ColumnSight(self.access))


class Guard:
    """One department's decision, from its contracts, handlers and policies.

    Every decision is made by one version of the rules, the one in force when it began; what it
    gives (contract, handler) belongs to that version, whatever `follow` is told meanwhile.
    `counted` says whether questions see all ballots of a contract, and none can come any more.
    """

    def __init__(
        self,
        department: str,
        contracts: Mapping[str, Contract],
        handlers: Mapping[str, Handler],
        access: AccessPolicy,
        verifier: Verifier,
        clock: Callable[[], float],
        digest: str = "",
        groups: Mapping[str, Group] | None = None,
        counted: Callable[[Contract], bool] = lambda _: True,
    ) -> None:
        self.department = department
        self._rules = Rules(contracts, handlers, access, digest, groups or {})
        self._counted = counted
        # Of a question and a contract, as objects: another text of a contract is another one.
        self._reviewed = Recall[_Reviewed]()
        self._noted = Recall[dict[str, str]]()
        self._verifier = verifier
        self._clock = clock

    @property
    def rules(self) -> Rules:
        """Those in force."""
        return self._rules

    def follow(self, rules: Rules) -> None:
        """Decides by these from the next request on: all of them or, before this, none."""
        self._rules = rules

    def question(
        self, asking: Asking, question: Question, members: Sequence[str], draft: Draft,
        *, action: Action = "query", known: Caller | None = None,
    ) -> Permission:  # fmt: skip
        """Raises Unauthenticated, Refused or InvalidQuestion; notes what it finds in the draft.

        `known` was identified by a token when a watch was made; the policy of now decides.
        """
        rules = self._begin(draft)
        caller = (
            self._identify(asking, draft) if known is None else self._known(known, asking, draft)
        )
        now = Moment.at(self._clock())
        contract = _contract(rules, question, caller, now)
        draft.note(resource=contract.id)
        _require_members(self.department, members)
        require_allowed(asking.purpose, contract.purposes)
        for part in contract.each:
            require_named(caller.organisation, part)
            self._require_counted(rules, part)
        reviewed = self._reviewed.of(
            (question, contract),
            caller.clearance,
            lambda: _review(question, contract, caller.clearance),
        )
        draft.note(
            members=sorted(members),
            **self._noted.of(
                (question, contract, draft.recorder),
                None,
                lambda: _noted(question, contract, draft),
            ),
        )
        declared = action == "query" and self._memberships(rules).declares(question, caller, now)
        ids = {
            policy
            for part, level, columns in reviewed.parts
            for policy in rules.access.require(
                replace(
                    request(
                        caller, "contract", part, asking.purpose, level, now, action,
                        columns=columns,
                    ),
                    declared=declared,
                )
            )
        }  # fmt: skip
        draft.note(policies=sorted(ids))
        # The gateway would reject the answer, which would have been charged.
        if asking.contracts and asking.contracts != {part.digest for part in contract.each}:
            raise error("CONTRACT_CHANGED")
        return Permission(caller, contract, reviewed.usage)

    def weigh(self, asking: Asking, question: Question, draft: Draft) -> Weighed:
        """The same for a question that an officer decides about, here and at the use of a grant.

        What is permitted is to ask for it (the action `consult`, for this purpose and level);
        what may not be lifted is refused as ever: sealed columns, exact numbers for others than
        the named, and what the algebra and the contract's own limits do not hold.
        """
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        now = Moment.at(self._clock())
        contract = _contract(rules, question, caller, now, consulting=True)
        draft.note(resource=contract.id, members=[self.department])
        for part in contract.each:
            require_named(caller.organisation, part)
            self._require_counted(rules, part)
        ceilings = [
            may_consult(caller, "contract", part.id, rules.access, now, [asking.purpose])
            for part in contract.each
        ]
        ceiling = min(Level.OPEN if each is None else each for each in ceilings)
        usage = review(question, contract, max(caller.clearance, ceiling))
        draft.note(
            question=masked(question, contract, partial(draft.recorder.digest, "literal")),
            question_hash=draft.recorder.digest("question", text(question)),
        )
        ids: set[str] = set()
        access = False
        for part in contract.each:
            level = level_in(part, contract, usage)
            columns = columns_in(part, contract, usage, question)
            asked = request(
                caller, "contract", part.id, asking.purpose, level, now, "consult", columns=columns
            )
            ids |= {*rules.access.require(asked)}
            plain = request(
                caller, "contract", part.id, asking.purpose, level, now, columns=columns
            )
            access |= not rules.access.decide(plain).permitted
        draft.note(policies=sorted(ids))
        lifts = Lifts(
            usage.level if usage.level > caller.clearance else None,
            asking.purpose not in contract.purposes,
            access,
        )
        terms = terms_of(rules.access.annotations(ids))
        return Weighed(Permission(caller, contract, usage), lifts, terms)

    def weigh_call(self, asking: Asking, name: str, draft: Draft) -> WeighedCall:
        """As `weigh`, for a handler."""
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        now = Moment.at(self._clock())
        full = f"{self.department}.{name}"
        handler = rules.handlers.get(name)
        ceiling = may_consult(caller, "handler", full, rules.access, now)
        if handler is None or not (
            sees_handler(caller, full, handler.level, handler.purposes, rules.access, now)
            or (ceiling is not None and handler.level <= max(ceiling, caller.clearance))
        ):
            raise not_available("handler", full)
        draft.note(resource=full)
        terms = (rules.contracts[handler.contract].delays, handler.delays)
        draft.delayed(max(dict(delays).get(asking.purpose, 0) for delays in terms))
        asked = request(
            caller, "handler", full, asking.purpose, handler.level, now, "consult", columns=()
        )
        ids = rules.access.require(asked)
        draft.note(policies=list(ids))
        plain = request(caller, "handler", full, asking.purpose, handler.level, now, columns=())
        lifts = Lifts(
            handler.level if handler.level > caller.clearance else None,
            asking.purpose not in handler.purposes,
            not rules.access.decide(plain).permitted,
        )
        return WeighedCall(
            caller,
            handler,
            rules.contracts[handler.contract],
            lifts,
            terms_of(rules.access.annotations(ids)),
        )

    def identify(self, asking: Asking, draft: Draft) -> Caller:
        """Who asks, for what states no purpose of its own; raises Unauthenticated."""
        if not _QUESTION_ID.fullmatch(asking.question_id):
            raise error("INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits.")
        draft.note(question_id=asking.question_id)
        caller = self._verifier.verify_passed_on(asking.token)
        draft.caller(caller)
        return caller

    def officer(self, token: str, draft: Draft) -> Caller:
        """Who decides; the token came straight from its owner, not by the gateway."""
        officer = self._verifier.verify(token)
        draft.caller(officer)
        return officer

    def reviews(
        self, officer: Caller, kind: Literal["contract", "handler"], resources: Sequence[str],
        purpose: str, level: Level, role: str,
    ) -> bool:  # fmt: skip
        """Whether the owner's policy lets this officer decide that in this role."""
        now = Moment.at(self._clock())
        access = self._rules.access
        return all(
            access.decide(
                replace(
                    request(officer, kind, each, purpose, level, now, "review", columns=()),
                    role=role,
                )
            ).permitted
            for each in resources
        )

    def attends(self, officer: Caller, handler: str, purpose: str, level: Level, role: str) -> bool:
        """Whether the owner's policy lets this officer be told of a handler watch's cases."""
        now = Moment.at(self._clock())
        asked = request(officer, "handler", handler, purpose, level, now, "attend", columns=())
        return self._rules.access.decide(replace(asked, role=role)).permitted

    def linked(
        self, asking: Asking, question: LinkedQuestion, draft: Draft
    ) -> tuple[Caller, LinkPlan]:
        """Whether this department takes part in a linked question, and how.

        The other owners' contracts stand in the question as the gateway gave them; each owner holds
        its own against what it serves, and the question hash binds all to the same. Raises as
        `question` does.
        """
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        now = Moment.at(self._clock())
        names = [side.department for side in question.sides]
        if names != sorted(set(names)) or list(question.key) != sorted(set(question.key)):
            raise error("INVALID_ARGUMENT", "The linked question is not in its canonical form.")
        _require_members(self.department, names)
        (side,) = (each for each in question.sides if each.department == self.department)
        served = rules.contracts.get(side.contract.id)
        if served is None or not sees_contract(caller, served, rules.access, now):
            raise not_available("table", side.contract.id)
        if served.digest != side.contract.digest:
            raise error(
                "DEPARTMENT_MISSING",
                f"Department {self.department} serves another text of {served.id} than was asked.",
                missing=(self.department,),
            )
        draft.note(resource=served.id, members=names)
        self._require_counted(rules, served)
        hidden = rules.columns.shown(caller, served, now).hidden
        contract = replace(
            linked(question.sides, question.key),
            hidden=frozenset(f"{served.id}.{name}" for name in hidden),
        )
        if question.question.contracts != tuple(part.id for part in contract.each):
            raise error("INVALID_ARGUMENT", "The question is about other tables than its sides.")
        require_allowed(asking.purpose, served.purposes)
        usage = review(question.question, contract, caller.clearance)
        draft.note(
            question=words(question, masking(contract, partial(draft.recorder.digest, "literal"))),
            question_hash=draft.recorder.digest("question", words(question)),
        )
        ids = rules.access.require(
            request(
                caller,
                "contract",
                served.id,
                asking.purpose,
                level_in(served, contract, usage),
                now,
                columns=columns_in(served, contract, usage, question.question, question.key),
            )
        )
        draft.note(policies=sorted(ids))
        return caller, plan_link(question)

    def contribution(self, asking: Asking, name: str, draft: Draft) -> tuple[Caller, Contract]:
        """The contract, for a caller who may hand in reports of what it measures."""
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        now = Moment.at(self._clock())
        contract = rules.contracts.get(name)
        if (
            contract is None
            or not may_contribute(caller, contract, rules.access, now)
            or not self._memberships(rules).in_channel(contract, caller, now)
        ):
            raise not_available("table", name)
        draft.note(resource=contract.id)
        require_allowed(asking.purpose, contract.purposes)
        asked = request(
            caller, "contract", contract.id, asking.purpose, Level.OPEN, now, "submit", columns=()
        )
        draft.note(policies=list(rules.access.require(asked)))
        return caller, contract

    def measurement(
        self, asking: Asking, name: str, column: str, draft: Draft
    ) -> tuple[Caller, Contract]:
        """The contract, for a caller who may have the total of that column of it."""
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        now = Moment.at(self._clock())
        contract = rules.contracts.get(name)
        if contract is None or not sees_contract(caller, contract, rules.access, now):
            raise not_available("table", name)
        draft.note(resource=contract.id)
        require_allowed(asking.purpose, contract.purposes)
        shown = rules.columns.shown(caller, contract, now)
        level = visible(shown, column, caller.clearance).level
        ids = rules.access.require(
            request(
                caller, "contract", contract.id, asking.purpose, level, now,
                columns=((column, level),),
            )
        )  # fmt: skip
        draft.note(policies=list(ids))
        return caller, contract

    def handler(self, asking: Asking, name: str, draft: Draft) -> tuple[Caller, Handler]:
        """The handler, for a caller who may use it; raises as `question` does."""
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        now = Moment.at(self._clock())
        full = f"{self.department}.{name}"
        handler = rules.handlers.get(name)
        if handler is None or not sees_handler(
            caller, full, handler.level, handler.purposes, rules.access, now
        ):
            raise not_available("handler", full)
        draft.note(resource=full)
        terms = (rules.contracts[handler.contract].delays, handler.delays)
        draft.delayed(max(dict(delays).get(asking.purpose, 0) for delays in terms))
        require_allowed(asking.purpose, handler.purposes)
        asked = request(caller, "handler", full, asking.purpose, handler.level, now, columns=())
        draft.note(policies=list(rules.access.require(asked)))
        return caller, handler

    def step(
        self,
        asking: Asking,
        known: Caller | None,
        purpose: str,
        name: str,
        procedure: str,
        draft: Draft,
    ) -> tuple[Caller, Handler]:
        """The handler as a step of a case that this caller opened; raises as `handler` does.

        `known` was identified by a token when the step was admitted; the policy of now decides.
        """
        rules = self._begin(draft)
        if known is None:
            caller = self._identify(asking, draft)
        else:
            caller = known
            draft.caller(caller)
            draft.note(purpose=purpose)
        now = Moment.at(self._clock())
        full = f"{self.department}.{name}"
        handler = rules.handlers.get(name)
        if handler is None or handler.level > caller.clearance:
            raise not_available("handler", full)
        draft.note(resource=full)
        terms = (rules.contracts[handler.contract].delays, handler.delays)
        draft.delayed(max(dict(delays).get(purpose, 0) for delays in terms))
        require_allowed(purpose, handler.purposes)
        if handler.procedures and procedure not in handler.procedures:
            raise error(
                "ACCESS_DENIED",
                f"Handler {name} is no step of this procedure.",
                rule="handler.procedures",
                hint="Its owner lists the procedures that it is a step of.",
            )
        asked = requested_step(caller, full, purpose, handler.level, now)
        draft.note(policies=list(rules.access.require(asked)))
        return caller, handler

    def collecting(self, asking: Asking, name: str, draft: Draft) -> tuple[Caller, Contract]:
        """The contract that this caller may hand in records under; raises as `question` does.

        Who gives records is shown none, so no level is asked for.
        """
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        now = Moment.at(self._clock())
        contract = rules.contracts.get(name)
        if (
            contract is None
            or not may_submit(caller, contract, rules.access, now)
            or not self._memberships(rules).in_channel(contract, caller, now)
        ):
            raise not_available("collection", name)
        draft.note(resource=contract.id)
        require_allowed(asking.purpose, contract.purposes)
        asked = request(
            caller, "contract", contract.id, asking.purpose, Level.OPEN, now, "submit", columns=()
        )
        draft.note(policies=list(rules.access.require(asked)))
        return caller, contract

    def groups_of(self, caller: Caller) -> tuple[Group, ...]:
        """Those in which the caller takes part now, by the policy in force."""
        rules, now = self._rules, Moment.at(self._clock())
        known = self._memberships(rules)
        return tuple(group for group in rules.groups.values() if known.part(group, caller, now))

    def part_in(self, caller: Caller, name: str, draft: Draft) -> Group:
        """The group, for who takes part in it now; to everybody else there is none."""
        rules, now = self._begin(draft), Moment.at(self._clock())
        group = rules.groups.get(name)
        if group is None or not (ids := self._memberships(rules).part(group, caller, now)):
            raise not_available("group", f"{self.department}.{name[:100]}")
        draft.note(resource=f"{self.department}.{name}", purpose=group.purpose, policies=list(ids))
        return group

    def published_by(self, officer: Caller) -> tuple[Group, ...]:
        """The groups to which the policy in force lets this officer publish."""
        rules, now = self._rules, Moment.at(self._clock())
        known = self._memberships(rules)
        return tuple(
            group for group in rules.groups.values() if known.publishes(group, officer, now)
        )

    def publishing(self, officer: Caller, name: str, draft: Draft) -> Group:
        """The group, for an officer whom the policy lets publish to it; else there is none."""
        rules, now = self._begin(draft), Moment.at(self._clock())
        full = f"{self.department}.{name[:100]}"
        group = rules.groups.get(name)
        if group is None or not (ids := self._memberships(rules).publishes(group, officer, now)):
            raise not_available("group", full)
        draft.note(resource=full, purpose=group.purpose, policies=list(ids))
        return group

    def subject_access(self, asking: Asking, log: str, draft: Draft) -> None:
        """Whether the caller may look a person up in the department's log; raises as above."""
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        draft.note(resource=log)
        asked = log_request(caller, log, asking.purpose, Moment.at(self._clock()))
        draft.note(policies=list(rules.access.require(asked)))

    def _memberships(self, rules: Rules) -> Memberships:
        return Memberships(self.department, rules.groups, rules.access)

    def _require_counted(self, rules: Rules, contract: Contract) -> None:
        """While a poll is open nobody is told how it stands; raises POLL_OPEN."""
        if not self._memberships(rules).counted_alone(contract) or self._counted(contract):
            return
        closes = None if contract.collection is None else contract.collection.closes
        raise error(
            "POLL_OPEN",
            f"The poll of {contract.id} is counted when it is over.",
            hint="" if closes is None else f"It closes at {closes:%Y-%m-%d %H:%M} UTC.",
        )

    def _begin(self, draft: Draft) -> Rules:
        rules = self._rules
        if rules.digest:
            draft.note(policy_digest=rules.digest)
        return rules

    def _known(self, caller: Caller, asking: Asking, draft: Draft) -> Caller:
        draft.note(question_id=asking.question_id)
        draft.caller(caller)
        require_stated(asking.purpose, caller.purposes)
        draft.note(purpose=asking.purpose)
        return caller

    def _identify(self, asking: Asking, draft: Draft) -> Caller:
        caller = self.identify(asking, draft)
        require_stated(asking.purpose, caller.purposes)
        draft.note(purpose=asking.purpose)  # a word of the issuer's by now, not the caller's own
        return caller


@dataclass(frozen=True, slots=True)
class _Reviewed:
    """What a question uses of a contract; `parts` with the level and the columns of each table."""

    usage: Usage
    parts: tuple[tuple[str, Level, tuple[tuple[str, Level], ...]], ...]


def _review(question: Question, contract: Contract, clearance: Level) -> _Reviewed:
    usage = review(question, contract, clearance)
    return _Reviewed(
        usage,
        tuple(
            (
                part.id,
                level_in(part, contract, usage),
                columns_in(part, contract, usage, question),
            )
            for part in contract.each
        ),
    )


def _noted(question: Question, contract: Contract, draft: Draft) -> dict[str, str]:
    """The question as the log may have it, by the key of the draft's month."""
    return {
        "question": masked(question, contract, partial(draft.recorder.digest, "literal")),
        "question_hash": draft.recorder.digest("question", text(question)),
    }


def _contract(
    rules: Rules, question: Question, caller: Caller, now: Moment, *, consulting: bool = False
) -> Contract:
    """The contract asked, or what its parts are joined to, as far as the caller sees them.

    With `consulting` also what they may have considered.
    """
    if len(question.contracts) > MAXIMUM_PARTS:
        raise error("INVALID_QUESTION", f"At most {MAXIMUM_PARTS} tables are joined.")
    parts = []
    for name in question.contracts:
        part = rules.contracts.get(name)
        if part is None or not (
            sees_contract(caller, part, rules.access, now)
            or (consulting and may_consult(caller, "contract", name, rules.access, now) is not None)
        ):
            raise not_available("table", name)
        parts.append(rules.columns.shown(caller, part, now))
    return joined(parts)


def require_named(organisation: str, contract: Contract) -> None:
    """Exact numbers are for the organisations that the owner names; raises ACCESS_DENIED."""
    terms = contract.disclosure
    if terms.method is Method.EXACT and organisation not in terms.exact_for:
        raise error(
            "ACCESS_DENIED",
            f"Contract {contract.id} gives exact numbers to named organisations only.",
            rule="contract.exact_for",
            hint="Its owner can name yours.",
        )


def require_alone(department: str, contract: Contract) -> None:
    """The owner may want its part to be told in totals only; raises PARTS_WITHHELD."""
    if not contract.disclosure.pooling.alone:
        raise error(
            "PARTS_WITHHELD",
            f"Department {department} takes part in totals of {contract.id} over several "
            "departments, and answers nothing alone.",
            rule="contract.pooling.alone",
            hint=f"Ask all departments: FROM {contract.id}.",
        )


def _require_members(department: str, members: Sequence[str]) -> None:
    """The question names its departments, this one among them, each once."""
    named = len(members) <= MAXIMUM_MEMBERS and all(map(_MEMBER.fullmatch, members))
    if not named or department not in members or len(set(members)) != len(members):
        raise error("INVALID_ARGUMENT", "The question does not name its departments.")
