"""The tour as one JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, assert_never

from landbridge.answers import Plan
from landbridge.cli.formats import answer_document
from landbridge.cli.tour import Answered, Declined, Members, Replied, Sight
from landbridge.cli.tour_log import LogSight
from landbridge.errors import LandbridgeError


def document(federation: str, sights: Iterable[Sight], logs: Iterable[LogSight]) -> dict[str, Any]:
    """Keys `members`, `answers`, `refusals`, `log`; also `federation`, `replies`, `fell_short`."""
    whole: dict[str, Any] = {
        "federation": federation,
        "members": [],
        "answers": [],
        "refusals": [],
        "replies": [],
        "log": [],
        "fell_short": [],
    }
    for sight in sights:
        match sight:
            case Members():
                if sight.directory is not None:
                    whole["members"] = dataclasses.asdict(sight.directory)["members"]
                title = "The members"
            case Answered():
                whole["answers"].append(_answered(sight))
                title = sight.question.title
            case Declined():
                whole["refusals"].append(_declined(sight))
                title = sight.question.title
            case Replied():
                whole["replies"].append(_replied(sight))
                title = sight.handler
            case _:
                assert_never(sight)
        if sight.shortcoming:
            whole["fell_short"].append(f"{title}: {sight.shortcoming}")
    for log in logs:
        whole["log"].append(_log(log))
        if log.shortcoming:
            whole["fell_short"].append(f"The log of {log.name}: {log.shortcoming}")
    return whole


def _answered(sight: Answered) -> dict[str, Any]:
    question = sight.question
    found = answer_document(sight.answer) if sight.answer is not None else {}
    return {
        "title": question.title,
        "caller": question.caller,
        "purpose": question.purpose,
        "sql": question.sql,
        "epsilon": question.epsilon,
        "seconds": round(sight.seconds, 4),
        "plan": _plan(sight.plan),
        **found,
    }


def _plan(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        "mode": plan.mode,
        "why": plan.why,
        "epsilon": plan.epsilon,
        "departments": list(plan.departments),
        "rounds": plan.rounds,
        "bytes": plan.bytes,
        "accuracy": dict(plan.accuracy),
    }


def _declined(sight: Declined) -> dict[str, Any]:
    question = sight.question
    return {
        "title": question.title,
        "caller": question.caller,
        "purpose": question.purpose,
        "sql": question.sql,
        "epsilon": question.epsilon,
        "answered_before": sight.answered,
        "expected": sight.expected,
        **(_refusal(sight.refusal) if sight.refusal is not None else {}),
    }


def _refusal(refusal: LandbridgeError) -> dict[str, Any]:
    return {
        "reason": refusal.reason,
        "message": refusal.message,
        "rule": refusal.rule,
        "hint": refusal.hint,
        "position": dataclasses.asdict(refusal.position) if refusal.position else None,
        "missing": list(refusal.missing),
    }


def _replied(sight: Replied) -> dict[str, Any]:
    return {
        "handler": sight.handler,
        "arguments": dict(sight.arguments),
        "caller": sight.caller,
        "purpose": sight.purpose,
        "code": sight.reply.code if sight.reply is not None else None,
        "version": sight.reply.version if sight.reply is not None else None,
    }


def _log(log: LogSight) -> dict[str, Any]:
    return {
        "log": log.name,
        "origin": log.origin,
        "size": log.size,
        "root": log.root,
        "verified": not log.shortcoming,
        "entries": [{"index": index, **found} for index, found in log.entries],
    }
