"""What members ask about their groups, and how the replies are read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from landbridge import exchange
from landbridge.answers import Answer
from landbridge.census.exchanges import Contribution as Shares
from landbridge.errors import LandbridgeError, error
from landbridge.exchange import Exchange
from landbridge.group.token import number_in
from landbridge.group.view import (
    BALLOTS,
    COUNT,
    Ballot,
    DeclaredQuestion,
    Groups,
    GroupSummary,
    GroupView,
    Notice,
    Poll,
)
from landbridge.submission.fate import SENTENCES, TAKEN, Fate
from landbridge.submission.receipt import SubmissionReceipt
from landbridge.v1 import group_pb2

_SERVICE: Final = "Groups"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}\.[a-z][a-z0-9_]{0,62}")


def listing() -> Exchange[Groups]:
    """The caller's groups."""
    return Exchange(
        "ListGroups",
        group_pb2.ListGroupsRequest(),
        lambda reply: Groups(
            tuple(GroupSummary(each.name, each.title) for each in reply.groups),
            tuple(reply.missing),
        ),
        _SERVICE,
    )


def show(name: str, pinned: bytes | None) -> Exchange[GroupView]:
    """One group, as its department signed it."""

    def read(reply: group_pb2.ShowGroupResponse) -> GroupView:
        from landbridge.group.reading import read_group

        return read_group(reply, name, pinned)

    return Exchange("ShowGroup", group_pb2.ShowGroupRequest(group=_name(name)), read, _SERVICE)


def notices(group: GroupView, token: str) -> Exchange[tuple[Notice, ...]]:
    """Notices behind the token's."""
    after = number_in(token, group.full_name)
    request = group_pb2.ListNoticesRequest(group=group.full_name, token=token)

    def read(reply: group_pb2.ListNoticesResponse) -> tuple[Notice, ...]:
        from landbridge.group.reading import read_notice

        return tuple(
            read_notice(signed, group, after + place) for place, signed in enumerate(reply.notices)
        )

    return Exchange("ListNotices", request, read, _SERVICE)


def follow(group: GroupView, token: str) -> Exchange[group_pb2.SignedNotice]:
    """One stream of notices behind the token's; `read` is for each of its messages."""
    number_in(token, group.full_name)
    request = group_pb2.FollowNoticesRequest(group=group.full_name, token=token)
    return Exchange("FollowNotices", request, lambda reply: reply.notice, _SERVICE)


def asking(group: GroupView, declared: DeclaredQuestion, epsilon: float | None) -> Exchange[Answer]:
    """A declared question."""
    return exchange.query(
        counted(group, declared.contract, declared.by, COUNT),
        purpose=group.purpose,
        epsilon=declared.epsilon if epsilon is None else epsilon,
        partial=False,
    )


def result(group: GroupView, poll: Poll, epsilon: float | None) -> Exchange[Answer]:
    """The result of a poll that its owner counts."""
    return exchange.query(
        counted(group, poll.contract, (poll.column,), BALLOTS),
        purpose=group.purpose,
        epsilon=epsilon,
        partial=False,
    )


def counted(group: GroupView, contract: str, by: tuple[str, ...], name: str) -> str:
    """The SQL that counts the rows of a contract of the department by these columns."""
    # Names that the department signed; the gateway reads the text as it reads any other.
    wanted = ", ".join((*by, f"count(*) AS {name}"))
    grouped = f" GROUP BY {', '.join(by)}" if by else ""
    return f"SELECT {wanted} FROM {group.department}.{contract}{grouped}"  # noqa: S608


def chosen(poll: Poll, choice: object) -> str:
    """The choice as the poll spells it; raises INVALID_ARGUMENT, and then nothing was sent."""
    spelt = str(choice).lower() if isinstance(choice, bool) else str(choice)
    if spelt not in poll.options:
        raise error(
            "INVALID_ARGUMENT",
            f"Poll {poll.name} does not have that choice.",
            hint=f"Choose one of {', '.join(poll.options)}. Nothing was sent.",
        )
    return spelt


def taken(poll: Poll, receipt: SubmissionReceipt) -> Ballot:
    """The ballot that counts; raises BALLOT_REFUSED."""
    for refused in receipt.refused:
        raise not_taken(poll, refused.reason)
    repeated = receipt.accepted == 0
    return Ballot(poll.name, repeated, tuple(each.department for each in receipt.receipts))


def shared(poll: Poll, contribution: Shares) -> Ballot:
    """The same of a ballot in two shares."""
    for reason in contribution.reasons:
        if reason:
            raise not_taken(poll, reason)
    return Ballot(poll.name, repeated=False, receipts=contribution.receipts)


def not_taken(poll: Poll, reason: str) -> LandbridgeError:
    """BALLOT_REFUSED, with what it means for somebody who votes."""
    known = [each for each in Fate if each not in TAKEN and each == reason]
    said = {
        "ALREADY_REPORTED": "you have voted in it already",
        "REPORTS_EXHAUSTED": "you have voted in it already",
        "LATE": "it is closed",
        "EARLY": "it is not open yet",
    }.get(reason, f"the ballot {SENTENCES[known[0]]}" if known else "the department refused it")
    hint = ""
    if reason == "ALREADY_REPORTED" and poll.correctable:
        hint = "Until it closes you can change your ballot: vote(..., change=True)."
    return error(
        "BALLOT_REFUSED", f"Poll {poll.name} did not take it: {said}.", rule=reason, hint=hint
    )


def now() -> datetime:
    """For words such as "open", never for what is decided."""
    return datetime.now(UTC)


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise error(
            "INVALID_ARGUMENT",
            'A group is named "department.group", for example "north.north_grid".',
            hint="client.groups() lists yours.",
        )
    return name
