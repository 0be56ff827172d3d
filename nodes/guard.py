"""Whether this department answers at all: step (6) of a question's life.

The node trusts nobody. It verifies the caller's own token, holds the purpose against the token
and against the contract, reviews the typed question against the contract, and asks its own Cedar
policies. Nothing here looks at data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from landbridge.edge.record import Draft
from landbridge.errors import error
from landbridge.identity.caller import Caller
from landbridge.identity.issuers import Verifier
from policies.access import AccessPolicy
from policies.canonical import masked, text
from policies.column_sight import ColumnSight
from policies.contract import Contract, Method
from policies.handler import Handler
from policies.joined import MAXIMUM_PARTS, columns_in, joined, level_in
from policies.moment import Moment
from policies.purpose import require_allowed, require_stated
from policies.question import Question
from policies.review import Usage, not_available, review
from policies.sight import log_request, request, sees_contract, sees_handler

MAXIMUM_MEMBERS = 1_000
_MEMBER = re.compile(r"[a-z][a-z0-9_]{0,30}")
_QUESTION_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, why, and under which id, as the gateway passed it on.

    `contracts` are the digests of the contracts that the question was planned by; empty: not told.
    """

    token: str
    purpose: str
    question_id: str
    contracts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Permission:
    """A question that may be answered."""

    caller: Caller
    contract: Contract
    usage: Usage


@dataclass(frozen=True, slots=True)
class Rules:
    """One version of what the department decides by; `digest` names it in the log."""

    contracts: Mapping[str, Contract]
    handlers: Mapping[str, Handler]
    access: AccessPolicy
    digest: str = ""
    columns: ColumnSight = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """What callers see is remembered with the version that they see it by."""
        object.__setattr__(self, "columns", ColumnSight(self.access))


class Guard:
    """One department's decision, from its contracts, handlers and policies.

    Every decision is made by one version of the rules, the one in force when it began; what it
    gives (contract, handler) belongs to that version, whatever `follow` is told meanwhile.
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
    ) -> None:
        self.department = department
        self._rules = Rules(contracts, handlers, access, digest)
        self._verifier = verifier
        self._clock = clock

    def follow(self, rules: Rules) -> None:
        """Decides by these from the next request on: all of them or, before this, none."""
        self._rules = rules

    def question(
        self, asking: Asking, question: Question, members: Sequence[str], draft: Draft
    ) -> Permission:
        """Raises Unauthenticated, Refused or InvalidQuestion; notes what it finds in the draft."""
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        now = Moment.at(self._clock())
        contract = _contract(rules, question, caller, now)
        draft.note(resource=contract.id)
        _require_members(self.department, members)
        require_allowed(asking.purpose, contract.purposes)
        for part in contract.each:
            require_named(caller.organisation, part)
        usage = review(question, contract, caller.clearance)
        draft.note(
            members=sorted(members),
            question=masked(question, contract, partial(draft.recorder.digest, "literal")),
            question_hash=draft.recorder.digest("question", text(question)),
        )
        ids = {
            policy
            for part in contract.each
            for policy in rules.access.require(
                request(
                    caller, "contract", part.id, asking.purpose, level_in(part, contract, usage),
                    now,
                    columns=columns_in(part, contract, usage, question),
                )
            )
        }  # fmt: skip
        draft.note(policies=sorted(ids))
        # The gateway would reject the answer, which would have been charged.
        if asking.contracts and asking.contracts != {part.digest for part in contract.each}:
            raise error("CONTRACT_CHANGED")
        return Permission(caller, contract, usage)

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

    def subject_access(self, asking: Asking, log: str, draft: Draft) -> None:
        """Whether the caller may look a person up in the department's log; raises as above."""
        rules = self._begin(draft)
        caller = self._identify(asking, draft)
        draft.note(resource=log)
        asked = log_request(caller, log, asking.purpose, Moment.at(self._clock()))
        draft.note(policies=list(rules.access.require(asked)))

    def _begin(self, draft: Draft) -> Rules:
        rules = self._rules
        if rules.digest:
            draft.note(policy_digest=rules.digest)
        return rules

    def _identify(self, asking: Asking, draft: Draft) -> Caller:
        if not _QUESTION_ID.fullmatch(asking.question_id):
            raise error("INVALID_ARGUMENT", "A question id is 32 lower-case hexadecimal digits.")
        draft.note(question_id=asking.question_id)
        caller = self._verifier.verify_passed_on(asking.token)
        draft.caller(caller)
        require_stated(asking.purpose, caller.purposes)
        draft.note(purpose=asking.purpose)  # a word of the issuer's by now, not the caller's own
        return caller


def _contract(rules: Rules, question: Question, caller: Caller, now: Moment) -> Contract:
    """The contract asked, or what its parts are joined to, as far as the caller sees them."""
    if len(question.contracts) > MAXIMUM_PARTS:
        raise error("INVALID_QUESTION", f"At most {MAXIMUM_PARTS} tables are joined.")
    parts = []
    for name in question.contracts:
        part = rules.contracts.get(name)
        if part is None or not sees_contract(caller, part, rules.access, now):
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


def _require_members(department: str, members: Sequence[str]) -> None:
    """The question names its departments, this one among them, each once."""
    named = len(members) <= MAXIMUM_MEMBERS and all(map(_MEMBER.fullmatch, members))
    if not named or department not in members or len(set(members)) != len(members):
        raise error("INVALID_ARGUMENT", "The question does not name its departments.")
