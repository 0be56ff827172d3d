"""The requests of a measurement by two servers, and what callers get of their replies."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from landbridge.answers import Answer, Value
from landbridge.errors import LandbridgeError, error
from landbridge.exchange import Exchange, Pause, Result, Steps, micro_epsilon
from landbridge.receipt import Receipt
from landbridge.v1 import census_pb2
from landbridge.wire import read_answer, read_receipt

PAUSES: Final = (0.25, 0.5, 1.0, 2.0)
"""Seconds before a request is sent again, where a department does not answer."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What came of the values that were handed in, in their order.

    `reasons` are empty for those that both departments hold now, or a word of the catalogue of
    reasons; `receipts` prove the gateway's entries, one for each request that it took. With a queue
    they are of all that was sent now, the oldest first, and `waiting` is how many are not.
    """

    reasons: tuple[str, ...]
    receipts: tuple[Receipt, ...]
    waiting: int = 0

    @property
    def accepted(self) -> int:
        """How many both departments hold."""
        return self.reasons.count("")

    def require_all(self) -> None:
        """Raises the first reason, where there is one."""
        for place, reason in enumerate(self.reasons, 1):
            if reason:
                raise _refused(reason, place)


def describing(
    contract: str, column: str, *, purpose: str
) -> Exchange[census_pb2.CensusDescribeResponse]:
    """How the column is measured."""
    request = census_pb2.CensusDescribeRequest(
        contract=_text(contract, "The contract"),
        column=_text(column, "The column"),
        purpose=_text(purpose, "The purpose"),
        question_id=secrets.token_hex(16),
    )
    return Exchange("Describe", request, lambda reply: reply, "Census")


def contributing(
    request: census_pb2.CensusContributeRequest,
) -> Exchange[Contribution]:
    """Hands in the reports of that request."""

    def read(reply: Any) -> Contribution:
        if len(reply.reasons) != len(request.reports):
            raise error("ANSWER_REJECTED", "The gateway said another number of outcomes.")
        return Contribution(tuple(reply.reasons), (read_receipt(reply.receipt),))

    return Exchange("Contribute", request, read, "Census")


def collecting(
    contract: str, column: str, *, purpose: str, epsilon: float | None
) -> Exchange[Answer]:
    """The total of the next batch."""
    request = census_pb2.CensusCollectRequest(
        contract=_text(contract, "The contract"),
        column=_text(column, "The column"),
        purpose=_text(purpose, "The purpose"),
        question_id=secrets.token_hex(16),
        micro_epsilon=micro_epsilon(epsilon),
    )
    return Exchange("Collect", request, lambda reply: read_answer(reply.answer), "Census")


def contribution(
    ask: Callable[[Exchange[Any]], Steps[Any]],
    contract: str,
    column: str,
    values: Sequence[Value],
    *,
    purpose: str,
    pinned: bytes | None,
    texts: bool = False,
) -> Steps[Contribution]:
    """The steps of handing values in; `ask` carries one exchange through.

    `texts`: the values are texts, as people type them.

    A request that a department did not answer is sent again with the very same reports, which
    count once however often they come.
    """
    from landbridge.census.contribution import Split, requests  # needs numpy, which few have

    described = yield from _patiently(ask, describing(contract, column, purpose=purpose))
    split = Split(described, pinned)
    reports = split.reports([split.typed(str(each)) for each in values] if texts else values)
    found: list[Contribution] = []
    for request in requests(contract, column, purpose, reports):
        found.append((yield from _patiently(ask, contributing(request))))  # noqa: PERF401
    return together(found)


def queued(
    ask: Callable[[Exchange[Any]], Steps[Any]],
    contract: str,
    column: str,
    values: Sequence[Value],
    *,
    purpose: str,
    pinned: bytes | None,
    queue: Path,
    texts: bool = False,
) -> Steps[Contribution]:
    """The steps of handing values in over a queue on disk, from which what waits is sent first.

    Where nobody can be reached they are split by the terms that were signed last, and wait.
    """
    from landbridge.census.contribution import MOST, Split, requests
    from landbridge.census.outbox import CensusOutbox

    found: list[Contribution] = []
    with closing(CensusOutbox(queue)) as outbox:
        described, reachable = outbox.described(contract, column), True
        try:
            described = yield from ask(describing(contract, column, purpose=purpose))
            outbox.describe(contract, column, described)
        except LandbridgeError as failure:
            if described is None or not _unreachable(failure):
                raise
            reachable = False
        split = Split(described, pinned)
        given = [split.typed(str(each)) for each in values] if texts else values
        outbox.put(contract, column, split.reports(given))
        try:
            while reachable and (reports := outbox.waiting(contract, column, MOST)):
                final = 0
                for request in requests(contract, column, purpose, reports):
                    came = yield from _patiently(ask, contributing(request))
                    final += outbox.settled(request.reports, came.reasons)
                    found.append(came)
                if not final:
                    break  # the departments are full; another time
        except LandbridgeError as failure:
            if not _unreachable(failure):
                raise
        return replace(together(found), waiting=outbox.count(contract, column))


def _unreachable(failure: LandbridgeError) -> bool:
    return failure.status in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


def _patiently(
    ask: Callable[[Exchange[Any]], Steps[Any]], asked: Exchange[Result]
) -> Steps[Result]:
    """Asks again, at first soon and then later, while a department does not answer."""
    for pause in (*PAUSES, None):
        try:
            found: Result = yield from ask(asked)
        except LandbridgeError as failure:
            if pause is None or failure.status != "UNAVAILABLE":
                raise
            yield Pause(pause)
        else:
            return found
    raise error("FAULT")


def together(contributions: Sequence[Contribution]) -> Contribution:
    """One of several requests' outcomes, in order."""
    return Contribution(
        tuple(reason for each in contributions for reason in each.reasons),
        tuple(receipt for each in contributions for receipt in each.receipts),
    )


def _text(text: object, what: str) -> str:
    if not isinstance(text, str) or not text:
        raise error("INVALID_ARGUMENT", f"{what} must be text.")
    return text


def _refused(reason: str, place: int) -> LandbridgeError:
    try:
        return error(reason, f"Value {place} was not taken.")
    except KeyError:
        return error("ANSWER_REJECTED", "The gateway gave a reason that is not known here.")
