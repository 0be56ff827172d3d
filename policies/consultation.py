"""A request that an officer decides: whose turn it is, what a move makes of it, what silence does.

Pure: a standing and a move give the next standing, or a refusal. Whoever has the turn loses it by
silence: officers to the role that the owner names for that, and then the request ends; callers at
once. Nothing here looks at data, and nothing is let through because somebody was silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from landbridge.errors import LandbridgeError, error
from landbridge.levels import Level

MAXIMUM_REVIEWERS: Final = 5
MAXIMUM_HOURS: Final = 720
OFFICER: Final = "officer"
"""The role that decides where the owner's policy names no other."""

_ROLE: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,3}")
_TERMS: Final = ("reviewers", "hours", "role", "escalates_to")


class State(StrEnum):
    """Where a consultation stands; the first three wait for somebody."""

    OPEN = "open"
    """An officer's turn."""
    ASKED = "asked"
    """The caller's turn: an officer asked back."""
    OFFERED = "offered"
    """The caller's turn: an officer offered less."""
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"

    @property
    def closed(self) -> bool:
        """Nobody can move any more."""
        return self not in (State.OPEN, State.ASKED, State.OFFERED)


@dataclass(frozen=True, slots=True)
class Terms:
    """How the owner wants it decided, from the annotations of the policies that permit `consult`.

    `reviewers` different officers say yes; whoever has the turn has `hours`; after an officer's
    silence the role `escalates_to` (empty: nobody) decides in the place of `role`.
    """

    reviewers: int = 1
    hours: int = 72
    role: str = OFFICER
    escalates_to: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """How far an approval goes: once or until it expires, the caller's alone or their office's."""

    reusable: bool = False
    hours: int = 72
    organisation: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.hours <= MAXIMUM_HOURS:
            raise error(
                "INVALID_ARGUMENT", f"An approval holds for 1 to {MAXIMUM_HOURS} hours, no longer."
            )


@dataclass(frozen=True, slots=True)
class Lifts:
    """What stands between a request and its answer, and what a grant lifts: no more than it says.

    `level`: up to which level columns may be used, None: the caller's own clearance. `purpose`: the
    owner's list of purposes. `access`: the policies about `query` or `call`. `micro_rho`: beyond
    the recipient's allowance.
    """

    level: Level | None = None
    purpose: bool = False
    access: bool = False
    micro_rho: int = 0

    def __bool__(self) -> bool:
        return self.level is not None or self.purpose or self.access or self.micro_rho > 0

    def within(self, granted: Lifts) -> bool:
        """Whether `granted` covers this; budgets are the ledger's matter."""
        level = self.level is None or (granted.level is not None and self.level <= granted.level)
        return (
            level and (granted.purpose or not self.purpose) and (granted.access or not self.access)
        )

    def words(self) -> tuple[str, ...]:
        """One word for each, with its level."""
        level = () if self.level is None else (f"level {self.level.label}",)
        others = (("purpose", self.purpose), ("access", self.access), ("budget", self.micro_rho))
        return (*level, *(word for word, needed in others if needed))


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything about a consultation that moves change.

    `turn` counts moves; `due` is when silence has its effect, in seconds since 1970, 0 when it is
    closed; `approvals` are the officers who said yes to what stands now, `scope` how far.
    """

    terms: Terms
    state: State
    turn: int
    role: str
    due: float
    approvals: tuple[str, ...] = ()
    scope: Scope | None = None

    @classmethod
    def opened(cls, terms: Terms, now: float) -> Standing:
        """A new one: an officer's turn."""
        return cls(terms, State.OPEN, 1, terms.role, now + terms.hours * 3600)

    def on(self, turn: int) -> Standing:
        """This standing, if `turn` is the one that whoever moves has seen."""
        if self.state.closed:
            raise error("CONSULTATION_CLOSED", f"It is {self.state} already.")
        if self.turn != turn:
            raise error("CONSULTATION_CHANGED", hint="Look at it again, then decide.")
        return self

    def approve(self, officer: str, scope: Scope, now: float) -> Standing:
        """One officer's yes; the last one that is needed closes it."""
        self._turn_of(State.OPEN)
        if officer in self.approvals:
            raise error(
                "CONSULTATION_CHANGED",
                "You approved it already.",
                rule="consult.reviewers",
                hint=f"It takes {self.terms.reviewers} different officers.",
            )
        if self.approvals and scope != self.scope:
            raise error(
                "CONSULTATION_CHANGED",
                "Another officer approved it on other terms.",
                rule="consult.reviewers",
                hint="Approve it on the same terms: uses, hours and for whom.",
            )
        agreed = replace(self, approvals=(*self.approvals, officer), scope=scope)
        return agreed._agreed(now)

    def narrow(self, officer: str, scope: Scope, now: float) -> Standing:
        """Less is offered, which its officer approves with the offer; the caller's turn."""
        self._turn_of(State.OPEN)
        return replace(self._moved(State.OFFERED, now), approvals=(officer,), scope=scope)

    def accept(self, now: float) -> Standing:
        """The caller takes what is offered; closed unless more officers are needed."""
        self._turn_of(State.OFFERED)
        return self._agreed(now)

    def ask(self, now: float) -> Standing:
        """An officer asks back; what was approved before is not any more."""
        self._turn_of(State.OPEN)
        return replace(self._moved(State.ASKED, now), approvals=(), scope=None)

    def reply(self, now: float) -> Standing:
        """The caller replies."""
        self._turn_of(State.ASKED)
        return self._moved(State.OPEN, now)

    def decline(self) -> Standing:
        """An officer says no."""
        self._turn_of(State.OPEN)
        return self._closed(State.DECLINED)

    def withdraw(self) -> Standing:
        """The caller does not want it any more, or not what is offered."""
        return self._closed(State.WITHDRAWN)

    def silence(self, now: float) -> Standing | None:
        """What the silence until now has made of it; None while there is time."""
        if self.state.closed or now < self.due:
            return None
        further = self.terms.escalates_to
        if self.state is State.OPEN and further and self.role != further:
            return replace(self._moved(State.OPEN, now), role=further)
        return self._closed(State.EXPIRED)

    def _agreed(self, now: float) -> Standing:
        if len(self.approvals) >= self.terms.reviewers:
            return self._closed(State.APPROVED)
        return self._moved(State.OPEN, now)

    def _moved(self, state: State, now: float) -> Standing:
        return replace(self, state=state, turn=self.turn + 1, due=now + self.terms.hours * 3600)

    def _closed(self, state: State) -> Standing:
        return replace(self, state=state, turn=self.turn + 1, due=0.0)

    def _turn_of(self, state: State) -> None:
        if self.state is not state:
            raise error(
                "CONSULTATION_CHANGED",
                f"It is {self.state}, and this can be done while it is {state}.",
            )


def terms_of(annotations: Iterable[Mapping[str, str]]) -> Terms:
    """The strictest of what the permitting policies say: most reviewers, fewest hours.

    Of roles the first that is named counts; `annotations` come in the order of the policies' ids.
    """
    listed = list(annotations)
    default = Terms()

    def numbers(key: str) -> list[int]:
        return [int(each[key]) for each in listed if key in each]

    def first(key: str, otherwise: str) -> str:
        return next((each[key] for each in listed if key in each), otherwise)

    return Terms(
        reviewers=max(numbers("reviewers"), default=default.reviewers),
        hours=min(numbers("hours"), default=default.hours),
        role=first("role", default.role),
        escalates_to=first("escalates_to", default.escalates_to),
    )


def terms_problems(annotations: Mapping[str, str]) -> Iterable[str]:
    """What is wrong with one policy's annotations, one sentence each."""
    limits = {"reviewers": MAXIMUM_REVIEWERS, "hours": MAXIMUM_HOURS}
    for key, value in annotations.items():
        if key not in _TERMS:
            continue
        if key in limits:
            if not _NUMBER.fullmatch(value) or int(value) > limits[key]:
                yield f"Its @{key} must be a whole number from 1 to {limits[key]}."
        elif not _ROLE.fullmatch(value):
            yield f"Its @{key} must be a role: at most 40 lower-case letters, digits and dashes."


def readable(text: str, longest: int, what: str, *, empty: bool = False) -> str:
    """The text, where it may be shown to somebody on a terminal; raises INVALID_ARGUMENT.

    One paragraph of printable characters: nothing that moves a cursor, breaks a line or turns the
    direction of writing can pretend to be something else beside it.
    """
    if not text.strip() and not empty:
        raise _unreadable(f"{what} must say something.")
    if len(text) > longest:
        raise _unreadable(f"{what} has at most {longest} characters.")
    if not text.isprintable():
        raise _unreadable(f"{what} is one paragraph of printable characters.")
    return text


def _unreadable(sentence: str) -> LandbridgeError:
    return error("INVALID_ARGUMENT", sentence)
