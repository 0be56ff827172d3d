"""The values that a department found for a key: step (11), what the gateway accepts of them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from landbridge.errors import error
from landbridge.v1 import node_pb2, release_pb2
from policies.columns import is_word
from policies.disclosure import ReleasePlan, Selection


def closed(plan: ReleasePlan, replies: Mapping[str, node_pb2.AnswerResponse]) -> ReleasePlan:
    """The plan with the values of the one department that was asked; itself where none is open.

    Accepts text that can be shown, sorted, each value once, no more than there is room for, on the
    plan's own open axis; raises ANSWER_REJECTED for anything else. `gateway.combine` holds the rest
    of the answer against the plan that this gives.
    """
    if not plan.open or plan.selection is None:
        return plan
    ((department, reply),) = replies.items()
    place = next(place for place, axis in enumerate(plan.axes) if axis.found)
    domains = reply.release.domains
    if len(domains) != len(plan.axes) or not _acceptable(domains[place], plan.selection):
        raise error(
            "ANSWER_REJECTED",
            f"Department {department} sent values that do not fit the question.",
            missing=(department,),
        )
    return plan.closed(tuple(value.text for value in domains[place].values))


def _acceptable(domain: release_pb2.Domain, rule: Selection) -> bool:
    return (
        len(domain.values) <= rule.room
        and all(value.WhichOneof("kind") == "text" for value in domain.values)
        and all(is_word(value.text) for value in domain.values)
        and all(before.text < after.text for before, after in pairwise(domain.values))
    )
