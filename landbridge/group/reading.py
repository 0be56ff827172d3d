"""What a gateway says of a group, held against the department's signature.

Loaded when it is needed: it brings the cryptography that most callers never use.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from landbridge.errors import error
from landbridge.group.signed import require_group, require_notice
from landbridge.group.token import token_of
from landbridge.group.view import DeclaredQuestion, GroupView, Notice, Poll
from landbridge.membership.manifest import ManifestInvalid, MemberEntry, read_manifest
from landbridge.v1 import group_pb2


def read_group(reply: Any, name: str, pinned: bytes | None) -> GroupView:
    """The group, as the department of the manifest signed it; raises ANSWER_REJECTED.

    `pinned` is a manifest that the caller has from elsewhere.
    """
    said = reply.group.group
    if f"{said.department}.{said.name}" != name:
        raise error("ANSWER_REJECTED", "The gateway described another group than was asked.")
    member = _member(reply.manifest, said.department)
    if pinned is not None:
        known = _member(pinned, said.department)
        if known.keys.raw() != member.keys.raw():
            raise error(
                "ANSWER_REJECTED",
                f"The gateway shows other keys of department {said.department} than your manifest.",
                hint="Ask the department which keys are its own.",
            )
    view = require_group(reply.group, member.keys.signing)
    return GroupView(
        view.federation,
        view.department,
        view.name,
        view.title,
        view.purpose,
        view.notices,
        tuple(view.reports),
        tuple(map(_poll, view.polls)),
        tuple(
            DeclaredQuestion(
                each.name,
                each.title,
                each.contract,
                tuple(each.by),
                each.micro_epsilon / 1e6 if each.micro_epsilon else None,
            )
            for each in view.questions
        ),
        member.keys.signing,
    )


def read_notice(signed: group_pb2.SignedNotice, group: GroupView, after: int) -> Notice:
    """The notice that follows number `after`; raises ANSWER_REJECTED where one was left out."""
    notice = require_notice(signed, group.signing)
    mine = (group.federation, group.department, group.name)
    if (notice.federation, notice.department, notice.group) != mine:
        raise error("ANSWER_REJECTED", "The gateway gave a notice of another group.")
    if notice.number != after + 1:
        raise error(
            "ANSWER_REJECTED",
            f"After notice {after} the gateway gave notice {notice.number}; one was left out.",
        )
    return Notice(
        token_of(group.full_name, notice.number),
        group.full_name,
        notice.number,
        datetime.fromtimestamp(notice.at_ms / 1000, UTC),
        notice.title,
        notice.text,
        signed.SerializeToString(deterministic=True),
    )


def _poll(message: group_pb2.PollView) -> Poll:
    return Poll(
        message.name,
        message.title,
        message.contract,
        message.column,
        tuple(message.options),
        message.second,
        _moment(message.opens),
        _moment(message.closes),
        message.correctable,
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise error("ANSWER_REJECTED", "A poll has a moment that is none.") from None


def _member(manifest: bytes, department: str) -> MemberEntry:
    try:
        member = read_manifest(manifest).member(department)
    except ManifestInvalid as invalid:
        raise error("ANSWER_REJECTED", str(invalid)) from None
    if member is None:
        raise error("ANSWER_REJECTED", f"Department {department} is in no manifest.")
    return member
