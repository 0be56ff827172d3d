"""How a linked question is computed and released: whose values, which noise, at what cost.

A pure function of the question and the contracts in it, so that the gateway and every department
come to the same plan by themselves.

**Who owns what.** A measure reads columns of one table. Where one key can have several rows in a
table (`many`), that table alone has values: per key a department of it adds up its rows, for each
of its own cells apart, and sends no code. Every other side sends a code: its own cell, under a
permutation. Departments that serve one table own values each for itself: everybody adds noise of
its own, and the gateway adds the sums up.

**What the gateway sees** is, for every combination of one code (or absence) per side, how many
pseudonyms have it: the *presence table*. Each of its entries carries dummies, a discrete Laplace
number of them. Taking a key out of one side, or out of several at once, moves it from one entry to
another, so a unit that is behind n keys changes the table by at most 2n in L1. A cell's linked keys
are those of all entries that have every table: of a table that n departments serve, in any of
them, 2^n - 1 entries.

**Keys that are nobody's.** Where the key is not the protected unit, one side alone protects a unit
(`policies.linked`), which can be behind hundreds of keys. Dummies for that would drown the rows. So
a side that protects nobody shows its keys to the protected side, which then sends a row for each of
them and for no other key: who is there says nothing, and there are no dummies. The number of linked
keys is as open as that side's table, so it cannot be what a minimum is held against. Units vote
instead: each with one of its rows, the one that loading ranked first, if that is in the question at
all. A cell with m votes has m units behind it at least, and a unit changes one vote, however many
rows it has. Votes are one more value of the protected side, with its noise and the gateway's.

**The price.** The question's rho (epsilon, with Laplace noise) is divided evenly: the presence
table against the gateway and the gateway's own noise on the number of linked keys (or both noises
on the votes), and for each owned measure the owner's noise and the gateway's. All of it is charged
to every owner. What a unit has at k departments of one table costs k times a share; shares are
divided by the `units_span` for it. Cutting the
dummies' noise off at t costs delta: of two neighbouring tables at most 2n entries differ, each
lies within its uncut distribution by `delta` in total variation, so the table is (e,
(1 + exp(e)) 2n delta)-close to private. That comes out of the half of delta that a contract with
links keeps apart (`policies.accounting`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import product
from typing import Any, Final, TypeVar

from landbridge.errors import LandbridgeError, error
from policies.accounting import MICRO, question_rho, selection_delta
from policies.contract import Contract, Method, Noise
from policies.disclosure import Axis, Mechanism, ReleasePlan, mechanisms_of, plan_release
from policies.linked import LinkedQuestion, Side, by_unit, link_of, linked, repeating, shared
from policies.question import (
    All,
    Count,
    Histogram,
    Measure,
    Predicate,
    Sum,
    Units,
    cases_of,
    conditions,
    measured,
)

T = TypeVar("T")

MAXIMUM_REACH: Final = 100_000
"""Most dummies that one entry of the presence table is shifted by."""
MAXIMUM_ENTRIES: Final = 100_000
MAXIMUM_BYTES: Final = 2 * 1024**3
"""Of the vectors of one side's values, at the number of keys that its owner publishes."""
MAXIMUM_DUMMIES: Final = 5_000_000
"""Rows of one side that stand for nobody: a small epsilon is cheap, and asks for many."""
LARGEST_NOISE: Final = 2**61
"""64 scales of an owner's noise stay within: it is added to shares modulo 2^64, where a draw that
saturated at 63 bits would be no noise."""
PSEUDONYM_BYTES: Final = 20
WORD: Final = 8


@dataclass(frozen=True, slots=True)
class Value:
    """One number per key that a side owns: a mechanism over its own contract's columns.

    `measure` is the place of the measure in the question; of the votes, the place after the last.
    """

    measure: int
    mechanism: Mechanism


@dataclass(frozen=True, slots=True)
class SidePlan:
    """What one department does.

    `axes` are those of its own columns, under their own names, `places` where they stand among the
    question's. `many`: one key can have several rows. `keys` is about how many keys its owner says
    that there are.
    """

    department: str
    contract: Contract
    many: bool
    axes: tuple[Axis, ...]
    places: tuple[int, ...]
    where: Predicate | None
    values: tuple[Value, ...]
    keys: int

    @property
    def cells(self) -> int:
        """Combinations of its own grouping values."""
        return math.prod(len(axis) for axis in self.axes)

    @property
    def codes(self) -> int:
        """How many different codes its rows carry; one where its cells are values instead."""
        return 1 if self.many else self.cells

    @property
    def vectors(self) -> int:
        """Numbers that it holds per key."""
        return len(self.values) * (self.cells if self.many else 1)


@dataclass(frozen=True, slots=True)
class Presence:
    """The noise on who is where.

    `scale` and `reach` (t) are those of the dummies in one entry, `own` is the gateway's mechanism
    for the number of linked keys in a cell, `keys` the most that are one unit's.
    """

    scale: float
    reach: int
    own: Mechanism
    keys: int
    delta: float


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """Everything about a linked question that does not depend on data.

    `release` has the axes of all sides and one mechanism per measure, each for one of the two
    noises that the measure carries. `counted` are the places of the measures that the number of
    linked keys answers. `minimum`: the noisy number of linked keys, or of `votes`, from which on a
    cell is shown. Where the key is nobody's, `shower` is the department that shows its keys to the
    `hiders`.
    """

    question: LinkedQuestion
    contract: Contract
    release: ReleasePlan
    sides: tuple[SidePlan, ...]
    presence: Presence
    counted: tuple[int, ...]
    minimum: int
    shower: str = ""
    hiders: tuple[str, ...] = ()
    votes: Mechanism | None = None

    def side(self, department: str) -> SidePlan:
        """That department's part; raises KeyError."""
        return next(each for each in self.sides if each.department == department)

    def columns(self, side: SidePlan) -> int:
        """How many combinations of the other sides' codes there are: one question of bits each."""
        return math.prod(each.codes for each in self.sides if each is not side)

    @property
    def tables(self) -> tuple[int, ...]:
        """Which table each side's is, as a number: departments of one table have the same."""
        names = [part.id for part in self.contract.parts]
        return tuple(names.index(side.contract.id) for side in self.sides)

    @property
    def joint(self) -> int:
        """Entries of the presence table that one cell's linked keys are added up of."""
        tables = self.tables
        return math.prod((1 << tables.count(table)) - 1 for table in set(tables))

    @property
    def deviation(self) -> float:
        """Of the noise on a number of linked keys, both draws together, in keys."""
        presence = self.presence
        dummies = math.sqrt(2 * self.joint) * presence.scale
        return math.hypot(dummies, presence.own.standard_deviation)

    def draws(self, measure: int) -> int:
        """How many draws of its mechanism's noise are on an owned measure: two of each owner."""
        return 2 * sum(
            any(value.measure == measure for value in side.values) for side in self.sides
        )

    def dealer(self, side: SidePlan) -> SidePlan:
        """Who deals for the side's values: the next department, which never sees a row."""
        return self.sides[(self.sides.index(side) + 1) % len(self.sides)]

    @property
    def entries(self) -> tuple[tuple[int | None, ...], ...]:
        """The presence table's entries with two sides or more: a code or None (absent) per side."""
        if self.shower:
            return ()
        return tuple(each for each in _entries(self.sides) if sum(c is not None for c in each) > 1)

    @property
    def bytes(self) -> int:
        """About how much crosses the wire, at the numbers of keys that owners publish."""
        return sum(_bytes(self, side) for side in self.sides)

    @property
    def rounds(self) -> int:
        """How often the gateway waits for an answer of one department after another."""
        owners = sum(bool(side.values) for side in self.sides)
        return 5 + 3 * owners + len(self.hiders)


OPEN: Final = Presence(0.0, 0, Mechanism(Units(), Noise.LAPLACE, 0.0, 0.0, 1.0, 0), 0, 0.0)
"""No noise in who is linked, where that says nothing."""


def plan_link(question: LinkedQuestion) -> LinkPlan:
    """The plan of a reviewed question; raises what it is that does not fit, before any data."""
    contract = linked(question.sides, question.key)
    asked = question.question
    if any(isinstance(measure, Histogram) for measure in asked.measures):
        raise error(
            "INVALID_QUESTION",
            "Quantiles, minima and maxima are not answered across departments.",
            hint="Ask for count, sum, avg, stddev, variance, or corr of one table's columns.",
        )
    base = plan_release(asked, contract, question.micro_epsilon, 1)
    terms = contract.disclosure
    protected = [part for part in contract.parts if part.disclosure.method is Method.DP]
    unit_is_key = by_unit(contract.parts, question.key)
    several = shared(question.sides)
    repeated = [part.id for part in contract.parts if repeating(part, question.key, several)]
    owners = [
        _owner(measure, contract, repeated[0] if repeated else None, unit_is_key=unit_is_key)
        for measure in asked.measures
    ]
    owned = sum(owner is not None for owner in owners)
    pieces = 2 * (1 + owned) * terms.units_span
    if terms.noise is Noise.LAPLACE:
        share = base.epsilon / pieces
        epsilon = share
    else:
        whole = question_rho(base.epsilon, terms.recipient.converting, terms.noise)
        share = min(whole, base.cost_micro_rho / MICRO) / pieces
        epsilon = math.sqrt(2 * share)
    mechanisms = mechanisms_of(asked, contract, share, base.cells)
    release = replace(base, mechanisms=mechanisms)
    votes = None if unit_is_key else _votes(share, terms.noise)
    sides = tuple(
        _side(side, question, release, owners, votes, many=side.contract.id in repeated)
        for side in question.sides
    )
    delta = min(
        selection_delta(base.cost_micro_rho, (p.disclosure.recipient, p.disclosure.overall))
        for p in protected
    )
    presence = _presence(sides, epsilon, delta / terms.units_span) if unit_is_key else OPEN
    counted = tuple(place for place, owner in enumerate(owners) if owner is None)
    if counted and any(side.many and side.axes for side in sides):
        raise error(
            "INVALID_QUESTION",
            f"count(DISTINCT {contract.unit}) is not answered by groups of {repeated[0]}, where "
            "one unit can be in several.",
            hint="Group by columns of the other tables, or ask count(*).",
        )
    names = [side.department for side in question.sides]
    minimum = max(
        link_of(side, (name for name in names if name != side.department), question.key).minimum
        for side in question.sides
        if side.contract.disclosure.method is Method.DP
    )
    plan = LinkPlan(question, contract, release, sides, presence, counted, minimum)
    if not unit_is_key:
        free = [side for side in sides if side.contract.disclosure.method is not Method.DP]
        hiders = tuple(side.department for side in sides if side not in free)
        plan = replace(
            plan,
            shower=free[0].department,
            hiders=hiders,
            votes=votes,
            # A unit can vote at each department that it is in.
            minimum=minimum * min(terms.units_span, len(hiders)),
        )
    if any(mechanism.scale * 64 > LARGEST_NOISE for mechanism in mechanisms):
        raise error(
            "UNBOUNDED_EXPRESSION",
            "The noise on one of the aggregates does not fit the 64 bits of a share.",
            hint="A larger epsilon, fewer aggregates or a smaller expression take less.",
        )
    for side in sides:
        dummies = expected_dummies(plan, side)
        if dummies > MAXIMUM_DUMMIES:
            raise error(
                "TOO_MANY_CELLS",
                f"Hiding who is linked would take about {dummies} dummy rows of "
                f"{side.contract.id}, and {MAXIMUM_DUMMIES} are accepted.",
                hint="A larger epsilon or fewer groups take fewer.",
            )
        if _bytes(plan, side) > MAXIMUM_BYTES:
            raise _too_large(plan, side)
    return plan


def _votes(share: float, noise: Noise) -> Mechanism:
    """Units that vote in a cell: one unit changes one of them by one."""
    scale = 1 / (share if noise is Noise.LAPLACE else math.sqrt(2 * share))
    return Mechanism(Units(), noise, scale, 1.0, 1.0, 0)


def own(value: T, contract: Contract) -> T:
    """The value with every column in it under its own contract's name."""
    prefix = f"{contract.id}."
    if is_dataclass(value) and not isinstance(value, type):
        changed: dict[str, Any] = {}
        for each in fields(value):
            part = getattr(value, each.name)
            if each.name == "column" and isinstance(part, str):
                changed[each.name] = part.removeprefix(prefix)
            else:
                changed[each.name] = own(part, contract)
        return replace(value, **changed)
    if isinstance(value, tuple):
        return tuple(own(part, contract) for part in value)  # type: ignore[return-value]
    return value


def _entries(sides: Sequence[SidePlan]) -> Iterator[tuple[int | None, ...]]:
    yield from product(*([*range(side.codes), None] for side in sides))


def _owner(
    measure: Measure, contract: Contract, many: str | None, *, unit_is_key: bool
) -> str | None:
    """The contract whose values the measure adds up; None where linked keys are the answer."""
    if isinstance(measure, Units):
        if unit_is_key:
            return None
        raise error(
            "INVALID_QUESTION",
            f"count(DISTINCT {contract.unit}) is not answered over tables linked on another key.",
            hint="count(*) counts rows.",
        )
    if measure == Count() and many is None:
        return None
    names = {name.partition(".")[0] for name in _columns(measure)}
    if len(names) > 1:
        raise error(
            "INVALID_QUESTION",
            f"One aggregate takes columns of {' and '.join(sorted(names))}; their products belong "
            "to no department.",
            hint="Aggregate columns of one table; group by and filter on those of the others.",
        )
    owner = names.pop() if names else many or contract.parts[0].id
    if many is not None and owner != many:
        raise error(
            "INVALID_QUESTION",
            f"Columns of {owner} are not aggregated here: each of its rows would count as often as "
            f"{many} has rows for its key.",
            hint=f"Aggregate columns of {many}; group by and filter on those of {owner}.",
        )
    return owner


def _columns(measure: Measure) -> Iterator[str]:
    yield from measured(measure)
    if isinstance(measure, Count | Sum | Histogram) and measure.of is not None:
        for when in cases_of(measure.of):
            for leaf in conditions(when):
                yield leaf.column


def _side(
    side: Side,
    question: LinkedQuestion,
    release: ReleasePlan,
    owners: Sequence[str | None],
    votes: Mechanism | None,
    *,
    many: bool,
) -> SidePlan:
    part = side.contract
    values = [
        Value(place, own(release.mechanisms[place], part))
        for place, owner in enumerate(owners)
        if owner == part.id
    ]
    if votes is not None and part.disclosure.method is Method.DP:
        values.append(Value(len(owners), votes))
    places = tuple(
        place
        for place, axis in enumerate(release.axes)
        if axis.key.column.partition(".")[0] == part.id
    )
    others = [each.department for each in question.sides if each.department != side.department]
    return SidePlan(
        side.department,
        part,
        many,
        tuple(own(release.axes[place], part) for place in places),
        places,
        _where(question.question.where, part),
        tuple(values),
        link_of(side, others, question.key).keys,
    )


def _where(where: Predicate | None, part: Contract) -> Predicate | None:
    """The conditions about the part's own columns; raises INVALID_QUESTION for a mixed one."""
    if where is None:
        return None
    kept = []
    for each in where.of if isinstance(where, All) else (where,):
        names = {leaf.column.partition(".")[0] for leaf in conditions(each)}
        if len(names) > 1:
            raise error(
                "INVALID_QUESTION",
                f"A condition joins columns of {' and '.join(sorted(names))} by OR; each "
                "department sees its own rows only.",
                hint="Join conditions on different tables by AND.",
            )
        if names == {part.id}:
            kept.append(own(each, part))
    if not kept:
        return None
    return kept[0] if len(kept) == 1 else All(tuple(kept))


def _presence(sides: Sequence[SidePlan], epsilon: float, delta: float) -> Presence:
    keys = 1  # that are one unit's: the key is the unit
    entries = math.prod(side.codes + 1 for side in sides) - 1
    scale = 2 * keys / epsilon
    affected = min(2 * keys, entries)
    alone = delta / ((1 + math.exp(epsilon)) * affected)
    t = reach(scale, alone)
    if t > MAXIMUM_REACH or entries > MAXIMUM_ENTRIES:
        raise error(
            "TOO_MANY_CELLS",
            f"Hiding who is linked would take about {t} dummy rows in each of {entries} entries.",
            hint="A larger epsilon or fewer groups take fewer.",
        )
    own_noise = Mechanism(Units(), Noise.LAPLACE, keys / epsilon, float(keys), 1.0, 0)
    return Presence(scale, t, own_noise, keys, alone)


def reach(scale: float, delta: float) -> int:
    """A t with P(|X| > t) <= delta for the discrete Laplace X; at most two above the smallest.

    P(|X| > t) = 2 q^(t+1) / (1 + q) with q = exp(-1 / scale).
    """
    q = math.exp(-1 / scale)
    return max(0, math.ceil(-scale * math.log(delta * (1 + q) / 2) * (1 + 1e-12)))


def expected_dummies(plan: LinkPlan, side: SidePlan) -> int:
    """Rows of the side that are to be expected to stand for nobody; none where keys are shown."""
    if plan.shower:
        return 0
    others = math.prod(each.codes + 1 for each in plan.sides if each is not side)
    return side.codes * others * plan.presence.reach


def _bytes(plan: LinkPlan, side: SidePlan) -> int:
    """Of the side's rows and its vectors, both ways, with the dummies that are to be expected."""
    rows = side.keys + expected_dummies(plan, side)
    words = 0
    if side.values:
        dealt = 0 if side.codes == 1 else plan.columns(side) * side.vectors
        words = plan.columns(side) + side.vectors + dealt
    return rows * (PSEUDONYM_BYTES + WORD * words)


def _too_large(plan: LinkPlan, side: SidePlan) -> LandbridgeError:
    each = max(1, _bytes(plan, side) // max(1, plan.columns(side)))
    return error(
        "TOO_MANY_CELLS",
        f"The values of {side.contract.id} would be asked for {plan.columns(side)} groups of other "
        f"departments apart: about {_bytes(plan, side) >> 20} MiB, and {MAXIMUM_BYTES >> 20} are "
        "accepted.",
        hint=f"About {max(1, MAXIMUM_BYTES // each)} groups would fit.",
    )
