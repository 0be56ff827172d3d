"""Watches as they travel to callers."""

from __future__ import annotations

import re
from typing import Final

from gateway.watches.store import Event, Watch
from landbridge.errors import error
from landbridge.v1 import evidence_pb2, watch_pb2

_TOKEN: Final = re.compile(r"([0-9a-f]{32}):(\d{1,12})", re.ASCII)


def watch_to(watch: Watch, trouble: str = "") -> watch_pb2.Watch:
    """The watch as it stands; `trouble` is why it is not evaluated just now."""
    asked = watch_pb2.CreateWatchRequest.FromString(watch.asked)
    return watch_pb2.Watch(
        id=watch.id,
        department=watch.department,
        sql=asked.sql,
        when=asked.when,
        purpose=asked.purpose,
        state=watch.state,
        reason=watch.reason or trouble,
        every_seconds=asked.every_seconds,
        created_at_ms=watch.created_at_ms,
        until_ms=watch.until_ms,
        evaluations=watch.evaluations,
        alerts=watch.alerts,
        alerts_most=watch.alerts_most,
        reserved_micro_rho=watch.reserved,
        spent_micro_rho=watch.spent,
        method=watch.method,
        accuracy=watch.accuracy,
        token=token_of(watch.id, watch.sequence),
        rest_seconds=asked.rest_seconds,
    )


def event_to(event: Event) -> watch_pb2.WatchEvent:
    """The event with the proof of its entry."""
    assert event.receipt is not None  # nobody is told of an event that is not logged
    told = watch_pb2.WatchEvent.FromString(event.content)
    entry, proof = event.receipt
    told.receipt.CopyFrom(evidence_pb2.Receipt(entry=entry, proof=proof, answer_salt=event.salt))
    return told


def token_of(identifier: str, number: int) -> str:
    """The resume token behind that event; 0: before the first."""
    return f"{identifier}:{number}"


def number_in(token: str, identifier: str) -> int:
    """The event that a token names; raises INVALID_ARGUMENT for one of another watch."""
    if not token:
        return 0
    found = _TOKEN.fullmatch(token)
    if found is None or found[1] != identifier:
        raise error(
            "INVALID_ARGUMENT",
            "The resume token is none of this watch.",
            hint="Give the token of the last event that you dealt with, or none.",
        )
    return int(found[2])
