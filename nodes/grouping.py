"""Groups at their owner: who is told what, and what officers publish.

Who takes part is decided anew whenever something is told, by the caller's own token and the policy
of that moment, so that whoever has left is told nothing more, on an open stream neither. To
everybody else a group does not exist. Reports, ballots and questions of a group go the ways of all
records and questions; that they are for members alone is the guard's to decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import BoundedSemaphore
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landbridge.edge.record import Recorder
from landbridge.errors import error
from landbridge.group.signed import sign_group, sign_notice
from landbridge.v1 import evidence_pb2, group_pb2
from nodes.guard import Asking, Guard
from nodes.notices import Kept, Notices
from policies.consultation import readable
from policies.contract import Contract
from policies.group import LONGEST_TITLE, Group, Poll

MOST_AT_ONCE: Final = 50
LONGEST_NOTICE: Final = 10_000
LOOK: Final = 1.0
"""Seconds between two looks at whether a reader who waits is still a member."""
_ID: Final = re.compile(r"[0-9a-f]{32}")


class Grouping:
    """One department's. `waiting` readers at the most wait for notices at a time."""

    def __init__(
        self,
        federation: str,
        guard: Guard,
        key: Ed25519PrivateKey,
        notices: Notices,
        recorder: Recorder,
        waiting: int = 4,
    ) -> None:
        self._federation = federation
        self._guard = guard
        self._key = key
        self._notices = notices
        self._recorder = recorder
        self._waiting = BoundedSemaphore(waiting)
        self._stopping = False

    def stop(self) -> None:
        """Lets nobody wait any more."""
        self._stopping = True
        self._notices.wake()

    # For members.

    def membership(self, asking: Asking, *, trace_id: str) -> list[group_pb2.GroupSummary]:
        """The groups in which the caller takes part now; that they were told is in the log."""
        with self._recorder.request("group", trace_id=trace_id) as draft:
            caller = self._guard.identify(asking, draft)
            found = [
                group_pb2.GroupSummary(
                    name=f"{self._guard.department}.{group.name}", title=group.title
                )
                for group in self._guard.groups_of(caller)
            ]
            draft.note(note=f"listed {len(found)} groups")
            draft.admitted()
            return found

    def describe(self, asking: Asking, name: str, *, trace_id: str) -> group_pb2.SignedGroup:
        """The group and its channels, signed."""
        with self._recorder.request("group", trace_id=trace_id) as draft:
            caller = self._guard.identify(asking, draft)
            group = self._guard.part_in(caller, name, draft)
            draft.note(note="shown")
            draft.admitted()
            return sign_group(self._view(group), self._key)

    def read(
        self, asking: Asking, name: str, after: int, left: Callable[[], float], *, trace_id: str
    ) -> list[group_pb2.SignedNotice]:
        """The notices behind that number; waits while there are none, as long as `left` says.

        Who is told of which is in the log before it returns.
        """
        self._require(asking, name)
        seen = self._notices.generation
        found = self._notices.after(name, after, MOST_AT_ONCE)
        if not found and left() > 0 and self._waiting.acquire(blocking=False):
            try:
                while not found and left() > 0 and not self._stopping:
                    self._notices.wait(seen, min(left(), LOOK))
                    self._require(asking, name)
                    seen = self._notices.generation
                    found = self._notices.after(name, after, MOST_AT_ONCE)
            finally:
                self._waiting.release()
        if not found:
            return []
        with self._recorder.request("group", trace_id=trace_id) as draft:
            caller = self._guard.identify(asking, draft)
            self._guard.part_in(caller, name, draft)
            first, last = after + 1, after + len(found)
            draft.note(note=f"told notice {first}" + (f" to {last}" if last > first else ""))
            draft.admitted()
        return [group_pb2.SignedNotice.FromString(each) for each in found]

    # For officers, on this machine.

    def publishing(self, token: str) -> list[group_pb2.PublishingGroup]:
        """The groups to which this officer may publish."""
        with self._recorder.request("group") as draft:
            officer = self._guard.officer(token, draft)
            groups = self._guard.published_by(officer)
            with self._notices.change() as change:
                found = [
                    group_pb2.PublishingGroup(
                        name=group.name,
                        title=group.title,
                        role=group.publishers,
                        notices=change.latest(group.name),
                    )
                    for group in groups
                ]
            draft.note(note=f"listed {len(found)} groups")
            draft.admitted()
            return found

    def publish(
        self, token: str, name: str, title: str, text: str, identifier: str
    ) -> tuple[group_pb2.SignedNotice, evidence_pb2.Receipt]:
        """A notice to all members; in the log before anybody can read it."""
        with self._recorder.request("group") as draft:
            officer = self._guard.officer(token, draft)
            group = self._guard.publishing(officer, name, draft)
            if not _ID.fullmatch(identifier):
                raise error("INVALID_ARGUMENT", "A notice's id is 32 hexadecimal digits.")
            readable(title, LONGEST_TITLE, "The title")
            for paragraph in text.split("\n"):
                readable(paragraph, LONGEST_NOTICE, "A paragraph of the notice", empty=True)
            readable(text.replace("\n", " "), LONGEST_NOTICE, "The notice")
            with self._notices.change() as change:
                known = change.find(identifier)
                if known is not None:
                    signed = group_pb2.SignedNotice.FromString(known.signed)
                    said = (signed.notice.group, signed.notice.title, signed.notice.text)
                    if said != (group.name, title, text):
                        raise error("QUESTION_ID_REUSED", hint="Publish it under a new id.")
                    draft.note(note=f"notice {known.number} was published before")
                    draft.admitted()
                    return signed, evidence_pb2.Receipt(
                        entry=known.entry, proof=known.proof, answer_salt=known.salt
                    )
                notice = group_pb2.Notice(
                    federation=self._federation,
                    department=self._guard.department,
                    group=group.name,
                    number=change.latest(group.name) + 1,
                    at_ms=int(datetime.fromisoformat(change.now).timestamp() * 1000),
                    title=title,
                    text=text,
                )
                signed = sign_notice(notice, self._key)
                content = signed.SerializeToString(deterministic=True)
                draft.note(note=f"published notice {notice.number}", question_id=identifier)
                logged = draft.answered(content)
                change.add(
                    Kept(
                        identifier,
                        group.name,
                        notice.number,
                        content,
                        logged.receipt.entry,
                        logged.receipt.proof,
                        logged.salt,
                    )
                )
            return signed, logged.message()

    def _require(self, asking: Asking, name: str) -> None:
        """Raises, and leaves an entry, unless the caller is a member now."""
        with self._recorder.check("group") as draft:
            self._guard.part_in(self._guard.identify(asking, draft), name, draft)

    def _view(self, group: Group) -> group_pb2.GroupView:
        contracts = self._guard.rules.contracts
        return group_pb2.GroupView(
            federation=self._federation,
            department=self._guard.department,
            name=group.name,
            title=group.title,
            purpose=group.purpose,
            notices=bool(group.publishers),
            reports=group.reports,
            polls=_polls(group.polls, [contracts.get(poll.contract) for poll in group.polls]),
            questions=[
                group_pb2.QuestionView(
                    name=each.name,
                    title=each.title,
                    contract=each.contract,
                    by=each.by,
                    micro_epsilon=each.micro_epsilon,
                )
                for each in group.questions
            ],
        )


def _polls(polls: Sequence[Poll], contracts: Sequence[Contract | None]) -> list[group_pb2.PollView]:
    found = []
    for poll, contract in zip(polls, contracts, strict=True):
        rules = None if contract is None or poll.second else contract.collection
        opens = None if rules is None else rules.opens
        closes = None if rules is None else rules.closes
        found.append(
            group_pb2.PollView(
                name=poll.name,
                title=poll.title,
                contract=poll.contract,
                column=poll.column,
                options=poll.options,
                second=poll.second,
                opens="" if opens is None else opens.isoformat(),
                closes="" if closes is None else closes.isoformat(),
                correctable=rules is not None and rules.correctable,
            )
        )
    return found
