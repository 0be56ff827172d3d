"""Grants at the node: made when officers have approved, held against what is asked with one.

A grant lifts what it names and nothing else. The token, the purpose in it, the contract's own rules
and the owner's policy about `consult` are asked again at every use, so that a forbid that came
later wins; disclosure control never hears of grants.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landbridge.consultation.grant import Grant, invalid, matter_hash, read_grant
from landbridge.edge.record import Draft
from landbridge.v1 import consult_pb2
from nodes.guard import Asking, Guard, Permission, WeighedCall
from nodes.ledger import GrantUse
from nodes.queue import Record
from policies.consultation import Lifts, Scope
from policies.contract import Contract
from policies.handler import Handler
from policies.question import Question

Terms = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Permitted:
    """A question that may be answered, and the grant that lets it: None where policy does."""

    permission: Permission
    grant: Grant | None = None

    @property
    def use(self) -> GrantUse | None:
        """What the ledger is told of it."""
        return None if self.grant is None else use_of(self.grant)


class Granting:
    """One department's grants; `key` is its signing key."""

    def __init__(
        self,
        guard: Guard,
        federation: str,
        key: Ed25519PrivateKey,
        clock: Callable[[], float],
    ) -> None:
        self._guard = guard
        self._federation = federation
        self._key = key
        self._clock = clock

    @property
    def department(self) -> str:
        """Whose grants they are."""
        return self._guard.department

    def issue(self, record: Record, scope: Scope, now: float) -> consult_pb2.Grant:
        """The grant for what stands now in that consultation."""
        lifts = record.lifts
        matter = consult_pb2.Matter.FromString(record.matter)
        return Grant(
            federation=self._federation,
            department=self._guard.department,
            id=secrets.token_hex(16),
            consultation=record.id,
            organisation=record.organisation,
            subject="" if scope.organisation else record.subject,
            purpose=record.purpose,
            matter_hash=matter_hash(matter),
            terms=record.terms,
            micro_epsilon=record.micro_epsilon,
            level=lifts.level,
            lifts_purpose=lifts.purpose,
            lifts_access=lifts.access,
            micro_rho=lifts.micro_rho,
            single_use=not scope.reusable,
            issued_at_ms=int(now * 1000),
            expires_at_ms=int((now + scope.hours * 3600) * 1000),
        ).signed(self._key)

    def question(
        self, asking: Asking, message: consult_pb2.AnswerGrantedRequest, question: Question,
        draft: Draft,
    ) -> Permitted:  # fmt: skip
        """Raises as `Guard.weigh`, GRANT_INVALID or GRANT_EXPIRED."""
        weighed = self._guard.weigh(asking, question, draft)
        permission = weighed.permission
        grant = self._held(
            message.grant, permission, asking,
            matter_hash(consult_pb2.Matter(question=message.question)), message.micro_epsilon,
            terms_of_contract(permission.contract), weighed.lifts,
        )  # fmt: skip
        return Permitted(permission, grant)

    def call(
        self, asking: Asking, message: consult_pb2.ReplyGrantedRequest, draft: Draft
    ) -> tuple[WeighedCall, Grant]:
        """The same for a handler's call."""
        weighed = self._guard.weigh_call(asking, message.call.handler, draft)
        grant = self._held(
            message.grant, weighed, asking,
            matter_hash(consult_pb2.Matter(call=message.call)), 0,
            terms_of_handler(weighed.handler, weighed.contract), weighed.lifts,
        )  # fmt: skip
        return weighed, grant

    def _held(
        self,
        message: consult_pb2.Grant,
        who: Permission | WeighedCall,
        asking: Asking,
        matter: bytes,
        micro_epsilon: int,
        terms: Terms,
        lifts: Lifts,
    ) -> Grant:
        grant = read_grant(
            message, self._key.public_key(), self._federation, self._guard.department
        )
        grant.require(who.caller, asking.purpose, matter, micro_epsilon, self._clock())
        if grant.terms != terms or not lifts.within(lifts_of(grant)):
            raise invalid()
        return grant


def lifts_of(grant: Grant) -> Lifts:
    """What it lifts."""
    return Lifts(grant.level, grant.lifts_purpose, grant.lifts_access, grant.micro_rho)


def use_of(grant: Grant) -> GrantUse:
    """What the ledger is told of its use."""
    return GrantUse(grant.id, grant.single_use, grant.micro_rho, grant.expires_at_ms / 1000)


def terms_of_contract(contract: Contract) -> Terms:
    """Names and digests of every contract that is asked."""
    return tuple((part.id, part.digest) for part in contract.each)


def terms_of_handler(handler: Handler, contract: Contract) -> Terms:
    """The same for a handler: its own version, and its contract."""
    return (*terms_of_contract(contract), (f"handler:{handler.name}", handler.version))


def record_use(draft: Draft, grant: Grant) -> None:
    """Writes the entry of a use, before anything is read for it. Raises LOG_UNAVAILABLE."""
    kept = ("caller", "organisation", "client", "purpose", "question_id", "resource", "policies")
    fields = {name: draft.fields[name] for name in kept if name in draft.fields}
    entry = Draft("consult", draft.recorder, {**fields, "case": grant.consultation})
    entry.note(note="used", trace_id=draft.fields.get("trace_id", ""))
    draft.recorder.append(entry, outcome="answered")
