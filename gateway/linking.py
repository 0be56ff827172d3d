"""A linked question, round by round: steps (5) and (11) where departments compute together.

The gateway joins pseudonyms and adds shares; it opens no envelope and sees no value. The order of
the rounds is that of `landbridge.v1.Link`; docs/linked.md says what each shows to whom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gateway.combine import LAPLACE, Combined, expected_noise
from gateway.link_join import Join, Rows
from gateway.link_talk import Pending, Talk
from landbridge.errors import LandbridgeError, error
from landbridge.membership.canonical import canonical_bytes
from landbridge.protocols.dealing import Asker, chosen, per_code_of_all
from landbridge.protocols.derivation import SECRET_BYTES
from landbridge.protocols.pseudonyms import BLOCK
from landbridge.protocols.streams import Words
from landbridge.v1 import link_pb2, node_pb2
from policies.link_plan import LinkPlan, SidePlan
from policies.noise import Draw

MESSAGE_BYTES = 2 << 20
"""Of numbers in one message, about."""
MOST_ROWS = 1 << 31
"""Of one department."""

Response = TypeVar("Response")


@dataclass(frozen=True, slots=True)
class Begun:
    """Who charged and made rows; `failure` is why somebody did not."""

    replies: Mapping[str, link_pb2.LinkBeginResponse]
    failure: LandbridgeError | None

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each has, dummies among them."""
        return {name: reply.rows for name, reply in self.replies.items()}

    def require_all(self) -> None:
        """Raises the failure."""
        if self.failure is not None:
            raise self.failure


@dataclass(frozen=True, slots=True)
class _Totals:
    """Noisy sums in grid steps, per code of the owner, group of the others and vector."""

    side: SidePlan
    sums: NDArray[np.int64]


class LinkRun:
    """One question under way. `draw` makes the gateway's own noise."""

    def __init__(
        self,
        plan: LinkPlan,
        asking: node_pb2.Asking,
        question: link_pb2.LinkedQuestion,
        talk: Talk,
        draw: Draw,
    ) -> None:
        self._plan = plan
        self._asking = asking
        self._question = question
        self._talk = talk
        self._draw = draw

    @property
    def plan(self) -> LinkPlan:
        """What is computed."""
        return self._plan

    @property
    def question(self) -> bytes:
        """Its canonical bytes, without the id."""
        return canonical_bytes(self._question)

    @property
    def question_hash(self) -> bytes:
        """What every round is bound to."""
        return self._talk.round.question_hash

    def weigh(self) -> Mapping[str, link_pb2.LinkWeighResponse]:
        """Every owner's yes, before any department computes; raises the first no."""
        calls = [
            self._talk.say(
                side.department,
                lambda stub: stub.Weigh,
                link_pb2.LinkWeighRequest(asking=self._asking, question=self._question),
            )
            for side in self._plan.sides
        ]
        found = _all(calls)
        for name, reply in found.items():
            if reply.cost_micro_rho not in (0, self._plan.release.cost_micro_rho):
                raise rejected(name, "an estimate that does not fit the question")
        return found

    def earlier(self, weighed: Mapping[str, link_pb2.LinkWeighResponse]) -> bytes | None:
        """The latest earlier asking that every department could stand by."""
        first = weighed[self._plan.sides[0].department]
        for each in first.earlier:
            if all(each in reply.earlier for reply in weighed.values()):
                return each
        return None

    def repeat(
        self, earlier: bytes
    ) -> tuple[dict[str, link_pb2.LinkRepeatResponse], LandbridgeError | None]:
        """Who stands by the answer of that asking, and why somebody does not."""
        calls = [
            self._talk.say(
                side.department,
                lambda stub: stub.Repeat,
                link_pb2.LinkRepeatRequest(
                    asking=self._asking, question=self._question, earlier=earlier
                ),
            )
            for side in self._plan.sides
        ]
        return _settled(calls)

    def keep(self, sealed: bytes) -> None:
        """Has the first department keep the answer."""
        self._talk.ask(
            self._plan.sides[0].department,
            lambda stub: stub.Keep,
            link_pb2.LinkKeepRequest(round=self._talk.bound(), answer=sealed),
        )

    def begin(self) -> Begun:
        """Opens the question at the first department, and lets all charge and make their rows."""
        first = self._plan.sides[0].department
        opened = self._talk.ask(
            first,
            lambda stub: stub.Open,
            link_pb2.LinkOpenRequest(asking=self._asking, question=self._question),
        )
        secrets = {message.recipient: message for message in opened.secrets}
        if set(secrets) != {side.department for side in self._plan.sides[1:]}:
            raise rejected(first, "secrets that do not fit the question")
        calls = [
            self._talk.say(
                side.department,
                lambda stub: stub.Begin,
                link_pb2.LinkBeginRequest(
                    asking=self._asking,
                    question=self._question,
                    secret=secrets.get(side.department),
                ),
            )
            for side in self._plan.sides
        ]
        found, failure = _settled(calls)
        for name, reply in found.items():
            if reply.rows >= MOST_ROWS:
                raise rejected(name, "a number of rows that no department has")
        return Begun(found, failure)

    def compute(self, rows: Mapping[str, int]) -> tuple[Combined, ...]:
        """All measures over all cells, noise and suppression included: step (11)."""
        plan = self._plan
        if plan.shower:
            rows = {
                **rows,
                **{each: self._matched(each, rows[plan.shower]) for each in plan.hiders},
            }
        join = self._joined(rows)
        totals = [
            self._totals(side, rows[side.department], *join.owned(place))
            for place, side in enumerate(plan.sides)
            if side.values
        ]
        released = [self._released(each) for each in totals]
        linked = self._linked(join.counts) if plan.votes is None else join.counts
        shown = told(plan, linked, released)
        labels = self._labels(_any(shown))
        return present(plan, linked, shown, labels, released)

    def _matched(self, hider: str, keys: int) -> int:
        """Carries the keys that are nobody's to a side that hides its own; how many rows it has
        then.
        """
        plan = self._plan
        first = 0
        while True:
            shown = None
            if first < keys:
                shown = self._talk.ask(
                    plan.shower,
                    lambda stub: stub.Show,
                    link_pb2.LinkShowRequest(
                        round=self._talk.bound(), first=first, recipient=hider
                    ),
                )
                if not 0 < shown.rows <= keys - first:
                    raise rejected(plan.shower, "keys that do not fit the question")
            after = first + (0 if shown is None else shown.rows)
            found = self._talk.ask(
                hider,
                lambda stub: stub.Match,
                link_pb2.LinkMatchRequest(
                    round=self._talk.bound(),
                    first=first,
                    keys=None if shown is None else shown.keys,
                    last=after == keys,
                ),
            )
            first = after
            if found.rows != first:
                raise rejected(hider, "rows that do not fit the keys")
            if first == keys:
                return first

    def _joined(self, rows: Mapping[str, int]) -> Join:
        """The rows of all departments, joined as they come."""
        sides = self._plan.sides
        join = Join(
            [side.codes for side in sides],
            [place for place, side in enumerate(sides) if side.values],
            self._plan.tables,
        )
        fetched = [0] * len(sides)
        waiting: dict[int, Pending[link_pb2.LinkFetchResponse]] = {}

        def ask(place: int) -> None:
            side = sides[place]
            if fetched[place] < rows[side.department]:
                waiting[place] = self._talk.say(
                    side.department,
                    lambda stub: stub.Fetch,
                    link_pb2.LinkFetchRequest(round=self._talk.bound(), first=fetched[place]),
                )

        for place in range(len(sides)):
            ask(place)
            if place not in waiting:
                join.end(place)
        while waiting:
            # The side that is behind: what it sends can be joined at once.
            place = join.behind
            batch = _rows(sides[place], waiting.pop(place).reply())
            fetched[place] += len(batch)
            if fetched[place] > rows[sides[place].department]:
                raise rejected(sides[place].department, "more rows than it has")
            ask(place)  # on its way while this one is joined
            try:
                join.add(place, batch)
            except ValueError:
                name = sides[place].department
                raise rejected(name, "rows that do not fit the question") from None
            if place not in waiting:
                join.end(place)
        return join

    def _linked(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The noisy number of linked keys per combination of codes."""
        presence = self._plan.presence
        shift = presence.reach * self._plan.joint
        exact = [int(count) - shift for count in counts.reshape(-1)]
        return np.array(self._draw(exact, presence.own), dtype=np.int64).reshape(counts.shape)

    def _totals(
        self, side: SidePlan, rows: int, groups: NDArray[np.int32], codes: NDArray[np.int32]
    ) -> _Totals:
        """Three-party products: this side's values under the bits that the join found."""
        plan = self._plan
        columns, vectors = plan.columns(side), side.vectors
        dealer = plan.dealer(side).department
        dealt = self._talk.ask(
            dealer,
            lambda stub: stub.Deal,
            link_pb2.LinkDealRequest(round=self._talk.bound(), owner=side.department, rows=rows),
        )
        if len(dealt.seed) != SECRET_BYTES:
            raise rejected(dealer, "a seed of another length")
        self._talk.ask(
            side.department,
            lambda stub: stub.Take,
            link_pb2.LinkTakeRequest(round=self._talk.bound(), seed=dealt.owner_seed),
        )
        shape = (side.codes, columns)
        total = np.zeros((*shape, vectors), dtype=np.uint64)
        asker = Asker(dealt.seed, columns)
        each = max(1, MESSAGE_BYTES // (8 * max(columns, vectors)))
        for first in range(0, rows, each):
            group = groups[first : first + each]
            answered = self._talk.ask(
                side.department,
                lambda stub: stub.Multiply,
                link_pb2.LinkMultiplyRequest(
                    round=self._talk.bound(), first=first, bits=_bytes(asker.next(group))
                ),
            )
            values = _words(side.department, answered.values, (vectors, len(group)))
            total += chosen(group, codes[first : first + each], values, shape)
        total += self._dealt(side, dealer, rows, codes)
        shares = self._talk.ask(
            side.department,
            lambda stub: stub.Total,
            link_pb2.LinkTotalRequest(round=self._talk.bound()),
        ).shares
        total += _words(side.department, shares, (*shape, vectors))
        return _Totals(side, total.view(np.int64))

    def _dealt(self, side: SidePlan, dealer: str, rows: int, codes: NDArray[np.int32]) -> Words:
        """The dealer's part of the gateway's shares, summed like them."""
        columns, vectors = self._plan.columns(side), side.vectors
        total = np.zeros((side.codes, columns, vectors), dtype=np.uint64)
        first = 0
        while first < rows:
            reply = self._talk.ask(
                dealer,
                lambda stub: stub.Dealt,
                link_pb2.LinkDealtRequest(
                    round=self._talk.bound(), owner=side.department, first=first
                ),
            )
            if not 0 < reply.rows <= rows - first:
                raise rejected(dealer, "numbers for rows that there are not")
            if side.codes == 1:
                if reply.rows != rows:
                    raise rejected(dealer, "numbers for rows that there are not")
                total += _words(dealer, reply.numbers, (1, columns, vectors))
            else:
                numbers = _words(dealer, reply.numbers, (columns, vectors, reply.rows))
                own = codes[first : first + reply.rows]
                total += per_code_of_all(numbers, own, side.codes)
            first += reply.rows
        return total

    def _released(self, totals: _Totals) -> _Totals:
        """With the gateway's noise too."""
        side, sums = totals.side, totals.sums
        wide = side.vectors // len(side.values)
        noisy = sums.copy()
        for place, value in enumerate(side.values):
            of_value = noisy[:, :, place * wide : (place + 1) * wide]
            drawn = self._draw([int(each) for each in of_value.reshape(-1)], value.mechanism)
            of_value[...] = np.array(drawn, dtype=np.int64).reshape(of_value.shape)
        return _Totals(side, noisy)

    def _labels(self, shown: NDArray[np.bool_]) -> list[dict[int, int]]:
        """Own cells by code, of the codes that have a cell to show, from their owners."""
        calls = []
        wanted: list[list[int]] = []
        for place, side in enumerate(self._plan.sides):
            others = tuple(axis for axis in range(shown.ndim) if axis != place)
            codes = [int(code) for code in np.flatnonzero(shown.any(axis=others))]
            wanted.append(codes)
            calls.append(
                self._talk.say(
                    side.department,
                    lambda stub: stub.Reveal,
                    link_pb2.LinkRevealRequest(round=self._talk.bound(), codes=codes),
                )
            )
        found = []
        for side, codes, reply in zip(self._plan.sides, wanted, _all(calls).values(), strict=True):
            cells = list(reply.cells)
            if len(cells) != len(codes) or len(set(cells)) < len(cells):
                raise rejected(side.department, "labels that do not fit the question")
            if not all(cell < side.codes for cell in cells):
                raise rejected(side.department, "labels that do not fit the question")
            found.append(dict(zip(codes, cells, strict=True)))
        return found


def told(plan: LinkPlan, linked: NDArray[np.int64], totals: Sequence[_Totals]) -> NDArray[np.bool_]:
    """Which cells are shown: for every combination of codes, each of the wide side's own cells.

    Where the key is the unit, all of those are, as soon as enough keys are linked.
    """
    wide = max(side.cells if side.many else 1 for side in plan.sides)
    if plan.votes is None:
        return np.repeat((linked >= plan.minimum)[..., None], wide, axis=-1)
    votes = np.zeros((*linked.shape, wide), dtype=np.int64)
    voting = len(plan.release.mechanisms)
    for codes in np.ndindex(*linked.shape):
        for cell in range(wide):
            votes[(*codes, cell)] = _sum(plan, voting, codes, cell, totals)
    return votes >= plan.minimum


def _any(shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Combinations of codes with a cell that is shown."""
    found: NDArray[np.bool_] = np.any(shown, axis=-1)
    return found


def _sum(
    plan: LinkPlan, measure: int, codes: Sequence[int], cell: int, totals: Sequence[_Totals]
) -> int:
    """Of all owners of the measure: its sum for those codes, in the wide side's own cell."""
    found = 0
    for total in totals:
        side = total.side
        at = plan.sides.index(side)
        column = 0
        for place, other in enumerate(plan.sides):
            if place != at:
                column = column * other.codes + int(codes[place])
        step = side.vectors // len(side.values)
        for number, value in enumerate(side.values):
            if value.measure == measure:
                vector = number * step + (cell if side.many else 0)
                found += int(total.sums[codes[at], column, vector])
    return found


def present(
    plan: LinkPlan,
    linked: NDArray[np.int64],
    shown: NDArray[np.bool_],
    labels: Sequence[Mapping[int, int]],
    totals: Sequence[_Totals],
) -> tuple[Combined, ...]:
    """The measures over the question's cells; what is not shown is withheld."""
    axes = plan.release.axes
    lengths = [len(axis) for axis in axes]
    units = [[0] * plan.release.cells for _ in plan.release.mechanisms]
    seen: set[int] = set()
    owned = [place for place in range(len(units)) if place not in plan.counted]
    for codes in zip(*np.nonzero(_any(shown)), strict=True):
        own = [labels[place][int(code)] for place, code in enumerate(codes)]
        for wide, cell in _cells(plan, own, lengths):
            if not shown[(*codes, wide)]:
                continue
            seen.add(cell)
            for place in plan.counted:
                units[place][cell] = int(linked[codes])
            for place in owned:
                units[place][cell] = _sum(plan, place, codes, wide, totals)
    return combined(plan, units, frozenset(range(plan.release.cells)) - seen)


def combined(
    plan: LinkPlan, units: Sequence[Sequence[int]], withheld: frozenset[int]
) -> tuple[Combined, ...]:
    """Released numbers in whole steps, with the noise that the plan put on them."""
    return tuple(
        Combined(mechanism, tuple(units[place]), plan.deviation, LAPLACE, withheld)
        if place in plan.counted
        else Combined(
            mechanism,
            tuple(units[place]),
            *expected_noise(mechanism, plan.draws(place)),
            withheld,
        )
        for place, mechanism in enumerate(plan.release.mechanisms)
    )


def _cells(plan: LinkPlan, own: Sequence[int], lengths: Sequence[int]) -> list[tuple[int, int]]:
    """The question's cells behind a combination of own cells, with the wide side's cell in each.

    A side whose cells are values has one code for all of them.
    """
    wide = next((side for side in plan.sides if side.many), None)
    found = []
    for cell in range(wide.cells if wide is not None else 1):
        index = [0] * len(lengths)
        for side, code in zip(plan.sides, own, strict=True):
            rest = cell if side.many else code
            for place in reversed(side.places):
                rest, index[place] = divmod(rest, lengths[place])
        at = 0
        for length, each in zip(lengths, index, strict=True):
            at = at * length + each
        found.append((cell, at))
    return found


def rejected(department: str, what: str) -> LandbridgeError:
    """A department that does not keep to the protocol."""
    return error("ANSWER_REJECTED", f"Department {department} sent {what}.", missing=(department,))


def _settled(
    calls: Sequence[Pending[Response]],
) -> tuple[dict[str, Response], LandbridgeError | None]:
    """All replies, once every one has come, and the first failure, a refusal before others."""
    found: dict[str, Response] = {}
    failures: list[LandbridgeError] = []
    for call in calls:
        try:
            found[call.department] = call.reply()
        except LandbridgeError as said:
            failures.append(said)
    failures.sort(key=lambda each: each.status in _PASSING)
    return found, failures[0] if failures else None


def _all(calls: Sequence[Pending[Response]]) -> dict[str, Response]:
    """All replies; raises the failure."""
    found, failure = _settled(calls)
    if failure is not None:
        raise failure
    return found


_PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL")


def _rows(side: SidePlan, reply: link_pb2.LinkFetchResponse) -> Rows:
    count, rest = divmod(len(reply.pseudonyms), BLOCK)
    sized = len(reply.codes) == (0 if side.codes == 1 else 4 * count)
    if rest or not count or not sized:
        raise rejected(side.department, "rows that do not fit the question")
    codes = (
        np.zeros(count, dtype=np.int64)
        if side.codes == 1
        else np.frombuffer(reply.codes, dtype="<u4").astype(np.int64)
    )
    return Rows(np.frombuffer(reply.pseudonyms, dtype=np.uint8).reshape(count, BLOCK), codes)


def _words(department: str, content: bytes, shape: tuple[int, ...]) -> Words:
    if len(content) != 8 * int(np.prod(shape)):
        raise rejected(department, "numbers that do not fit the question")
    return np.frombuffer(content, dtype="<u8").astype(np.uint64).reshape(shape)


def _bytes(numbers: Words) -> bytes:
    return numbers.astype("<u8", copy=False).tobytes()
