"""A federation in memory in which officers of `north` decide, and the moves of both sides."""

from __future__ import annotations

import secrets
from typing import Any

from landbridge.answers import Answer
from landbridge.consultation.view import View, read_callers, read_officers
from landbridge.v1 import consult_pb2, gateway_pb2
from landbridge.wire import read_answer, write_literal
from nodes.reviewing import Approve, Decision
from policies.consultation import Scope
from tests.people import ACCESS, PURPOSE
from tests.simulator import FederationSimulator, as_a_client

OFFICERS = """
@id("test.consult")
@role("officer") @escalates_to("director") @hours("72")
permit (principal in Organisation::"university", action == Action::"consult", resource);
@id("test.officers")
permit (principal in Organisation::"north", action == Action::"review", resource)
when { context.role == "officer" };
@id("test.director")
permit (principal == Caller::"director", action == Action::"review", resource)
when { context.role == "director" };
"""
# The same as everywhere, but that what is above a clearance can be considered.
OPEN_ACCESS = (
    ACCESS.replace(
        "forbid (principal, action, resource) unless",
        'forbid (principal, action in [Action::"query", Action::"call"], resource) unless',
    )
    + OFFICERS
)
FOUR_EYES = OPEN_ACCESS.replace('@hours("72")', '@hours("72") @reviewers("2")')
FINE = "SELECT district, sex, avg(income) AS income FROM north.people GROUP BY district, sex"
RESTRICTED = "SELECT sex, count(*) AS n FROM north.people WHERE name LIKE 'Name 1%' GROUP BY sex"
BASIS = "Statistics Act, section 7: needed once for the report on incomes."


def open_one(
    federation: FederationSimulator,
    sql: str = RESTRICTED,
    *,
    purpose: str = PURPOSE,
    basis: str = BASIS,
    epsilon: float = 0,
    token: str | None = None,
    question_id: str = "",
    handler: str = "",
    **arguments: Any,
) -> View:
    """A consultation, as the SDK would open it."""
    request = consult_pb2.OpenConsultationRequest(
        sql="" if handler else sql,
        handler=handler,
        purpose=purpose,
        micro_epsilon=round(epsilon * 1_000_000),
        basis=basis,
        question_id=question_id or secrets.token_hex(16),
    )
    for name, value in arguments.items():
        request.arguments[name].CopyFrom(write_literal(value, name))
    with as_a_client():
        reply = federation.consultations.OpenConsultation(request, federation.context(token))
        return read_callers(reply.consultation)


def look(
    federation: FederationSimulator, identifier: str, *, after: int = 0, token: str | None = None
) -> View:
    """How it stands for its caller."""
    request = consult_pb2.FollowConsultationRequest(id=identifier, after=after)
    with as_a_client():
        reply = federation.consultations.FollowConsultation(request, federation.context(token))
        return read_callers(reply.consultation)


def respond(
    federation: FederationSimulator, seen: View, *, token: str | None = None, **move: Any
) -> View:
    """The caller's move."""
    request = consult_pb2.RespondConsultationRequest(
        id=seen.id, turn=seen.turn, question_id=secrets.token_hex(16), **move
    )
    with as_a_client():
        reply = federation.consultations.RespondConsultation(request, federation.context(token))
        return read_callers(reply.consultation)


def officer(federation: FederationSimulator, name: str = "ines", office: str = "north") -> str:
    """An officer's own token."""
    return federation.token(name, organisation=office, clearance="restricted")


def decide(
    federation: FederationSimulator,
    seen: View,
    decision: Decision | None = None,
    *,
    who: str = "ines",
    office: str = "north",
    at: str = "north",
) -> View:
    """The officer's move on what the view shows; an approval for once without a decision."""
    own = seen.id.rpartition(".")[2]
    view = federation.nodes[at].reviewing.decide(
        officer(federation, who, office), own, seen.turn, decision or Approve(Scope())
    )
    return read_officers(view)


def approved(federation: FederationSimulator, sql: str = RESTRICTED, **asked: Any) -> View:
    """A consultation that one officer approved for once, as its caller sees it."""
    view = open_one(federation, sql, **asked)
    decide(federation, view)
    return look(federation, view.id, token=asked.get("token"))


def ask(
    federation: FederationSimulator,
    grant: bytes,
    sql: str = RESTRICTED,
    *,
    purpose: str = PURPOSE,
    epsilon: float = 0,
    token: str | None = None,
    question_id: str = "",
) -> Answer:
    """A question under a grant, as the SDK would ask it."""
    request = consult_pb2.QueryGrantedRequest(
        query=gateway_pb2.QueryRequest(
            sql=sql,
            purpose=purpose,
            micro_epsilon=round(epsilon * 1_000_000),
            question_id=question_id or secrets.token_hex(16),
        ),
        grant=consult_pb2.Grant.FromString(grant),
    )
    with as_a_client():
        reply = federation.consultations.QueryGranted(request, federation.context(token))
        return read_answer(reply.response)
