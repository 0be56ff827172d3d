"""The rounds of a pooled question, at the gateway: step (5) for one total over many departments.

What comes back is masked, so a round is worth nothing until everybody's vector is there. One that
loses a member is asked anew of the others, where the caller takes a partial answer, under another
question id; what the lost round was charged stays charged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.ask_each import Asked
from gateway.days import date_changed
from landbridge.errors import LandbridgeError, error
from landbridge.protocols.agreement import without
from landbridge.v1 import pooled_pb2

MOST_ROUNDS: Final = 3
"""With fewer members each, before a question is given up."""


@dataclass(frozen=True, slots=True)
class Call:
    """One asking of `asked`, in a round that all of `members` take part in."""

    asked: tuple[str, ...]
    members: tuple[str, ...]
    question_id: str
    repeats: bytes = b""
    anew: bool = False


Ask = Callable[[Call], Asked[pooled_pb2.PoolResponse]]
Lost = Callable[[Mapping[str, LandbridgeError], str], None]
"""Told of a round that lost members and is asked anew: who and why, and the next question id."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """A round that is whole: every member's vector, all of the same question.

    `charged` is what each department charged in all rounds together, `rounds` how many were asked,
    `missing` who is not in the total. `left`: who is left where that is too few for a total; then
    there are no replies, and nobody was asked under `question_id` yet.
    """

    question_id: str
    replies: Mapping[str, pooled_pb2.PoolResponse]
    missing: tuple[str, ...]
    charged: dict[str, int]
    rounds: int
    left: tuple[str, ...] = ()


@dataclass(slots=True)
class Rounds:
    """Asks until a round is whole. `ask` makes the calls, `lost` is told of rounds that end."""

    ask: Ask
    lost: Lost
    fewest: int
    _charged: dict[str, int] = field(default_factory=dict)

    def run(
        self,
        everybody: Sequence[str],
        agreeing: Sequence[str],
        question_id: str,
        *,
        partial: bool,
    ) -> Pooled:
        """The first round that is whole.

        `everybody` are those that the answer is about, `agreeing` those that can be asked. Raises
        DEPARTMENT_MISSING and the like where somebody is missing and the answer must not be
        partial, where nobody is left, and after `MOST_ROUNDS`; the refusal of one is the whole's.
        """
        members = tuple(sorted(agreeing))
        why: dict[str, LandbridgeError] = {
            name: error("DEPARTMENT_MISSING") for name in everybody if name not in members
        }
        if why and not partial:
            raise _missing(why)  # before anybody is charged for a round that cannot be whole
        identifier = question_id if not why else without(question_id, members)
        for number in range(1, MOST_ROUNDS + 1):
            if len(members) < self.fewest:
                if not members:
                    raise _missing(why)
                gone = tuple(sorted(why))
                return Pooled(identifier, {}, gone, self._charged, number, members)
            replies, missing = self._round(members, identifier)
            if not missing:
                _require_agreed(replies)
                return Pooled(identifier, replies, tuple(sorted(why)), self._charged, number)
            why |= missing
            if not partial:
                raise _missing(why)
            members = tuple(name for name in members if name not in missing)
            identifier = without(question_id, members)
            self.lost(missing, identifier)
        raise _missing(why)

    def _round(
        self, members: tuple[str, ...], identifier: str
    ) -> tuple[Mapping[str, pooled_pb2.PoolResponse], Mapping[str, LandbridgeError]]:
        """Everybody's vector, or who is missing and why.

        Where all could repeat one earlier round they are asked to, and the answer is free; where
        only some could, they are told to draw with the others.
        """
        first = self._ask(Call(members, members, identifier))
        if first.missing:
            return first.replies, first.missing
        waiting = tuple(name for name, reply in first.replies.items() if reply.earlier)
        if not waiting:
            return first.replies, {}
        common = _common(first.replies) if len(waiting) == len(members) else b""
        if common:
            again = self._ask(Call(members, members, identifier, repeats=common))
            if any(said.reason != "ROUND_FORGOTTEN" for said in again.missing.values()):
                return again.replies, again.missing
            if not again.missing:
                return again.replies, {}
        drawn = self._ask(Call(waiting, members, identifier, anew=True))
        return {**first.replies, **drawn.replies}, drawn.missing

    def _ask(self, call: Call) -> Asked[pooled_pb2.PoolResponse]:
        asked = self.ask(call)
        for name, reply in asked.replies.items():
            self._charged[name] = self._charged.get(name, 0) + reply.charged_micro_rho
        asked.require_none_refused()
        return asked


def _common(replies: Mapping[str, pooled_pb2.PoolResponse]) -> bytes:
    """The latest round that everybody could repeat; empty where there is none."""
    everybody = list(replies.values())
    shared = set(everybody[0].earlier).intersection(*(reply.earlier for reply in everybody[1:]))
    return next((each for each in everybody[0].earlier if each in shared), b"")


def _require_agreed(replies: Mapping[str, pooled_pb2.PoolResponse]) -> None:
    """All vectors are of one question; raises MEMBERS_DIFFER.

    Otherwise masks would not cancel, and what is left over would look like numbers.
    """
    hashes = {reply.question_hash for reply in replies.values()}
    if len(hashes) != 1:
        raise error(
            "MEMBERS_DIFFER",
            "The departments do not agree on what they were asked, so their parts cannot be "
            "added up.",
            missing=sorted(replies),
            hint="They may have pinned different manifests, or serve different contracts.",
        )


def _missing(why: Mapping[str, LandbridgeError]) -> LandbridgeError:
    names, reasons = ", ".join(sorted(why)), {said.reason for said in why.values()}
    if reasons == {"MEMBERS_DIFFER"}:
        return error(
            "MEMBERS_DIFFER",
            f"{names} pinned other members or keys than the gateway's manifest has.",
            missing=sorted(why),
            hint="Their operators may have a manifest to look at; ask again later.",
        )
    if reasons == {"CONTRACT_CHANGED"}:
        return error(
            "CONTRACT_CHANGED",
            f"The contract of {names} is another than the gateway knew.",
            missing=sorted(why),
            hint="Ask again in a moment: the gateway is reading the new one.",
        )
    if reasons == {"DATE_CHANGED"}:
        return date_changed(sorted(why))
    if reasons == {"DEADLINE"}:
        return error("DEADLINE", f"Time ran out before {names} answered.", missing=sorted(why))
    if len(why) == 1 and reasons == {"RUN_FAILED"}:
        return error("RUN_FAILED", f"Department {names} could not compute it.", missing=sorted(why))
    return error(
        "DEPARTMENT_MISSING",
        f"No answer came from {names}, and a total without {'it' if len(why) == 1 else 'them'} "
        "cannot be read.",
        missing=sorted(why),
        hint="Ask again later, or accept a partial answer; either is charged anew.",
    )
