"""A group and its notices on a terminal. Everything from elsewhere is shown plain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from landbridge.cli.terminal import say

if TYPE_CHECKING:
    from landbridge.group.view import GroupView, Notice, Poll


def lines(view: GroupView) -> Iterator[str]:
    """What there is in it, a line each."""
    yield f"{view.full_name}: {view.title} [{view.purpose}]"
    if view.publishes:
        yield "  notices"
    for contract in view.reports:
        yield f"  reports under {contract}"
    for poll in view.polls:
        yield f"  poll {poll.name}: {poll.title} ({', '.join(poll.options)}); {_standing(poll)}"
    for question in view.questions:
        by = f" by {', '.join(question.by)}" if question.by else ""
        yield f"  question {question.name}: {question.title}; {question.contract}{by}"


def document(view: GroupView) -> dict[str, Any]:
    """As JSON."""
    return {
        "name": view.full_name,
        "title": view.title,
        "purpose": view.purpose,
        "notices": view.publishes,
        "reports": list(view.reports),
        "polls": [
            {
                "name": poll.name,
                "title": poll.title,
                "contract": poll.contract,
                "options": list(poll.options),
                "second": poll.second,
                "opens": _time(poll.opens),
                "closes": _time(poll.closes),
                "correctable": poll.correctable,
            }
            for poll in view.polls
        ],
        "questions": [
            {
                "name": each.name,
                "title": each.title,
                "contract": each.contract,
                "by": list(each.by),
                "epsilon": each.epsilon,
            }
            for each in view.questions
        ],
    }


def tell_notice(notice: Notice) -> None:
    """One notice, its text indented."""
    say(f"{notice.number:>5}  {notice.at:%Y-%m-%d %H:%M}Z  {notice.title}")
    for paragraph in notice.text.split("\n"):
        say(f"       {paragraph}")


def notice_document(notice: Notice) -> dict[str, Any]:
    """As JSON, with what the department signed."""
    return {
        "token": notice.token,
        "group": notice.group,
        "number": notice.number,
        "at": notice.at.isoformat(),
        "title": notice.title,
        "text": notice.text,
        "signed": notice.signed.hex(),
    }


def _standing(poll: Poll) -> str:
    counted = f"in two shares, with {poll.second}" if poll.second else "counted by the department"
    if poll.closes is None:
        return counted
    word = "open" if poll.open_at(datetime.now(UTC)) else "not open"
    return f"{counted}; {word}, until {poll.closes:%Y-%m-%d %H:%M}Z"


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()
