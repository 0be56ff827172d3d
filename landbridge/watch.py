"""A watch as values, and the exchanges about it: what is sent, and how the reply is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from landbridge import exchange
from landbridge.errors import error
from landbridge.exchange import Exchange
from landbridge.receipt import Receipt
from landbridge.v1 import watch_pb2
from landbridge.wire import read_receipt

DAY: Final = 86_400.0
MENDING: Final = frozenset({
    "GATEWAY_UNREACHABLE", "SHUTTING_DOWN", "DEADLINE", "TOO_BUSY", "TOO_MANY_AT_ONCE",
    "LOG_UNAVAILABLE", "LOG_UNWITNESSED", "CASES_UNAVAILABLE",
})  # fmt: skip
"""What a follower waits out."""
STREAM: Final = 60.0
"""Seconds that one stream may last; the gateway ends it earlier, and it is opened again."""
REST: Final = 1.0
"""Seconds between streams when the last one ended at once with nothing."""
_SERVICE: Final = "Watches"


@dataclass(frozen=True, slots=True)
class WatchView:
    """A watch as it stood when it was read.

    `state` is "standing" or "ended"; `reason` why it ended, or why its department does not evaluate
    it just now. `every` is in seconds, 0 for "on new data". Of its budget, in millionths of rho,
    `reserved` was set aside when it was made and `spent` is gone; `alerts` of `alerts_most` (0: no
    limit) were told. `accuracy`: how far beyond the condition's number an alert is sure, 95 of 100;
    without a condition (`when` is empty: a trend) the half-width of a number.
    `token` is the resume token of its last event.
    """

    id: str
    department: str
    sql: str
    when: str
    purpose: str
    state: str
    reason: str
    every: int
    rest: int
    created: datetime
    until: datetime
    evaluations: int
    alerts: int
    alerts_most: int
    reserved: int
    spent: int
    method: str
    accuracy: float
    token: str

    @property
    def standing(self) -> bool:
        """Whether it is evaluated."""
        return self.state == "standing"


@dataclass(frozen=True, slots=True)
class AlertCell:
    """A cell in which the condition held, or that a trend has a number of.

    `number` is None where only that may be told.
    """

    keys: Mapping[str, str]
    number: float | None


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """Something that a watch told: `kind` is "alert", "trend" or "ended", `reason` why it ended.

    `token` names it, for good: an event that comes again has the same, and following goes on
    behind it.
    """

    token: str
    watch: str
    number: int
    at: datetime
    kind: str
    evaluation: int
    cells: tuple[AlertCell, ...]
    reason: str
    receipt: Receipt


def create(
    sql: str,
    *,
    purpose: str,
    when: str,
    every: float | None,
    epsilon: float | None,
    alerts: int | None,
    days: float | None,
    rest: float,
    watch_id: str,
) -> Exchange[WatchView]:
    """A new standing question."""
    request = watch_pb2.CreateWatchRequest(
        sql=exchange.question_text(sql),
        when=exchange.text(when, "INVALID_ARGUMENT", "The condition"),
        purpose=exchange.stated(purpose),
        micro_epsilon=exchange.micro_epsilon(epsilon),
        every_seconds=_seconds("every", every, least=1) if every is not None else 0,
        alerts=_whole("alerts", alerts) if alerts is not None else 0,
        hours=_whole("days", round(days * 24)) if days is not None else 0,
        question_id=watch_id or exchange.question_id(),
        rest_seconds=_seconds("rest", rest, least=0),
    )
    return Exchange("CreateWatch", request, lambda reply: read(reply.watch), _SERVICE)


def listing(*, ended: bool, after: str) -> Exchange[tuple[WatchView, ...]]:
    """The organisation's watches."""
    request = watch_pb2.ListWatchesRequest(ended=ended, after=after)
    return Exchange("ListWatches", request, lambda reply: tuple(map(read, reply.watches)), _SERVICE)


def show(identifier: str) -> Exchange[WatchView]:
    """One, as it stands."""
    request = watch_pb2.ShowWatchRequest(id=_id(identifier))
    return Exchange("ShowWatch", request, lambda reply: read(reply.watch), _SERVICE)


def stop(identifier: str) -> Exchange[WatchView]:
    """No more evaluations."""
    request = watch_pb2.StopWatchRequest(id=_id(identifier))
    return Exchange("StopWatch", request, lambda reply: read(reply.watch), _SERVICE)


def follow(identifier: str, token: str) -> Exchange[WatchEvent]:
    """One stream of events behind the token's; `read` is for each of its messages."""
    request = watch_pb2.FollowWatchRequest(
        id=_id(identifier), token=exchange.text(token, "INVALID_ARGUMENT", "The resume token")
    )
    return Exchange("FollowWatch", request, lambda reply: _event(reply.event), _SERVICE)


def read(message: watch_pb2.Watch) -> WatchView:
    """The view; raises ANSWER_REJECTED for a state that is not known."""
    if message.state not in ("standing", "ended"):
        raise error("ANSWER_REJECTED", "A watch is in a state that is not known here.")
    return WatchView(
        message.id,
        message.department,
        message.sql,
        message.when,
        message.purpose,
        message.state,
        message.reason,
        message.every_seconds,
        message.rest_seconds,
        _time(message.created_at_ms),
        _time(message.until_ms),
        message.evaluations,
        message.alerts,
        message.alerts_most,
        message.reserved_micro_rho,
        message.spent_micro_rho,
        message.method,
        message.accuracy,
        message.token,
    )


def _event(message: watch_pb2.WatchEvent) -> WatchEvent:
    return WatchEvent(
        message.token,
        message.watch,
        message.number,
        _time(message.at_ms),
        message.kind,
        message.evaluation,
        tuple(
            AlertCell(dict(cell.keys), cell.number if cell.HasField("number") else None)
            for cell in message.cells
        ),
        message.reason,
        read_receipt(message.receipt),
    )


def _id(identifier: str) -> str:
    return exchange.text(identifier, "INVALID_ARGUMENT", "The id")


def _seconds(name: str, value: object, *, least: int) -> int:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not least <= float(value) < 2**31:  # type: ignore[arg-type]
        raise error("INVALID_ARGUMENT", f"{name} is a number of seconds, at least {least}.")
    return round(float(value))  # type: ignore[arg-type]


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise error("INVALID_ARGUMENT", f"{name} is a number above 0.")
    return value


def _time(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise error("ANSWER_REJECTED", "A watch has a time that is none.") from None
