"""A group in a member's hand: its notices, its polls, reports under its contracts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from landbridge import exchange
from landbridge.answers import Answer
from landbridge.census import exchanges as census
from landbridge.errors import LandbridgeError, error
from landbridge.exchange import Hear, Listen, Pause, Replies, Steps
from landbridge.group import exchanges
from landbridge.group.token import number_in
from landbridge.group.view import Ballot, GroupView, Notice, Poll
from landbridge.once import Asks, Awaited, Blocking, Driver, Give, Stream, each, once
from landbridge.watch import MENDING, REST, STREAM

if TYPE_CHECKING:
    from landbridge.submission.receipt import SubmissionReceipt

MOST_PAGES: Final = 10_000


class _Member(Asks):
    """The group as it was last seen, and what a member can do in it."""

    def __init__(self, driver: Driver, view: GroupView, manifest: bytes | None) -> None:
        self._driver = driver
        self._manifest = manifest
        self.view = view

    @property
    def name(self) -> str:
        """The group, as "department.group"."""
        return self.view.full_name

    @property
    def title(self) -> str:
        """As people call it."""
        return self.view.title

    def __repr__(self) -> str:
        return f"<landbridge group {self.name}>"

    @once
    def refresh(self) -> Steps[GroupView]:
        """The group as its department describes it now."""
        self.view = yield from self._ask(exchanges.show(self.name, self._manifest))
        return self.view

    @once
    def notices(self, *, after: str = "") -> Steps[tuple[Notice, ...]]:
        """What was published behind the notice with the token `after`, the oldest first.

        Each is signed by the department, and none between two of them is missing; raises
        ANSWER_REJECTED otherwise.
        """
        found: list[Notice] = []
        for _ in range(MOST_PAGES):
            page = yield from self._ask(exchanges.notices(self.view, after))
            found += page
            if not page:
                break
            after = page[-1].token
        return tuple(found)

    @each
    def follow(self, timeout: float | None = None, *, after: str = "") -> Stream[Notice]:
        """Notices as they are published, from behind the one with the token `after`.

        Every notice comes at least once, and in order: keep the `token` of the last one that you
        have dealt with, and give it as `after` when you start again. Ends after `timeout` seconds;
        a connection that is lost is made again. Raises NOT_AVAILABLE once you are no member any
        more.
        """
        from landbridge.group.reading import read_notice

        clock = self._driver.clock
        end = None if timeout is None else clock() + timeout
        number = number_in(after, self.name)
        expired = False
        while True:
            began = clock()
            seconds = STREAM if end is None else min(STREAM, end - began)
            if seconds <= 0:
                return
            heard = number
            try:
                asked = exchanges.follow(self.view, after)
                replies = yield Listen(asked.method, asked.request, seconds, asked.service)
                while isinstance(replies, Replies):
                    reply = yield Hear(replies)
                    if reply is None:
                        break
                    if isinstance(reply, LandbridgeError):
                        raise reply
                    notice = read_notice(asked.read(reply), self.view, number)
                    yield Give(notice)
                    after, number = notice.token, notice.number
                if isinstance(replies, LandbridgeError):
                    raise replies
            except LandbridgeError as failure:
                # A stream ends with its token; the next one has the token of then.
                again = failure.reason == "TOKEN_EXPIRED" and not (expired and number == heard)
                expired = failure.reason == "TOKEN_EXPIRED"
                if failure.reason not in {*MENDING, "DEPARTMENT_MISSING"} and not again:
                    raise
            if number == heard and clock() - began < REST:
                yield Pause(REST if end is None else min(REST, max(0.0, end - clock())))

    @once
    def polls(self) -> Steps[tuple[Poll, ...]]:
        """What is voted on, as the department describes it now."""
        self.view = yield from self._ask(exchanges.show(self.name, self._manifest))
        return self.view.polls

    @once
    def vote(self, poll: str, choice: object, *, change: bool = False) -> Steps[Ballot]:
        """One ballot, yours, sealed to whoever counts; raises BALLOT_REFUSED.

        The gateway cannot read it. `change`: in the place of the one that you cast before, where
        the poll lets you. What you have voted already stays, and is told to nobody.
        """
        found = self.view.poll(poll)
        spelt = exchanges.chosen(found, choice)
        if found.second:
            if change:
                raise error("INVALID_ARGUMENT", "A ballot in two shares cannot be changed.")
            shares = yield from census.contribution(
                self._ask,
                found.contract,
                found.column,
                [spelt],
                purpose=self.view.purpose,
                pinned=self._manifest,
                texts=True,
            )
            return exchanges.shared(found, shares)
        from landbridge.submission.receipt import Contribution

        ballot = Contribution({found.column: spelt}, corrects=change)
        receipt = yield from self._handed_in(found.contract, [ballot], None, texts=True)
        return exchanges.taken(found, receipt)

    @once
    def result(
        self, poll: str, *, epsilon: float | None = None, timeout: float | None = None
    ) -> Steps[Answer]:
        """How a poll ended, released under its contract; raises POLL_OPEN before that.

        Of a poll in two shares: the next batch of ballots, once.
        """
        found = self.view.poll(poll)
        if found.second:
            asked = census.collecting(
                found.contract, found.column, purpose=self.view.purpose, epsilon=epsilon
            )
        else:
            asked = exchanges.result(self.view, found, epsilon)
        return self._ask(asked, timeout)

    @once
    def ask(
        self, question: str, *, epsilon: float | None = None, timeout: float | None = None
    ) -> Steps[Answer]:
        """The answer to a question that the group declares (`view.questions`)."""
        declared = self.view.question(question)
        return self._ask(exchanges.asking(self.view, declared, epsilon), timeout)

    @once
    def report(
        self,
        records: Any,
        *,
        contract: str = "",
        queue: str | Path | None = None,
        texts: bool = False,
        timeout: float | None = None,
    ) -> Steps[SubmissionReceipt]:
        """Hands in records under a contract of the group, sealed to its department; see `submit`.

        `contract` may be left out where the group has one channel of reports.
        """
        name = self.view.report(contract)
        return self._handed_in(name, records, queue, texts=texts, timeout=timeout)

    def _handed_in(
        self,
        contract: str,
        records: Any,
        queue: str | Path | None,
        *,
        texts: bool,
        timeout: float | None = None,
    ) -> Steps[SubmissionReceipt]:
        from landbridge.submission.handing_in import Submission, handed_in

        full = f"{self.view.department}.{contract}"
        asked = Submission(full, records, exchange.stated(self.view.purpose), self._manifest, texts)
        seconds = self._driver.timeout if timeout is None else timeout
        return (
            yield from handed_in(
                asked,
                queue,
                lambda: self._ask(asked.describe(), seconds),
                seconds,
                self._driver.clock,
            )
        )


class Group(_Member, Blocking):
    """A group; made by `Client.group`."""


class AsyncGroup(_Member, Awaited):
    """`Group` for asyncio: the same methods, awaited."""
