"""How a question will be released: which noise, on which grid, at what cost. No data needed.

Methods `cell_key` and `exact` charge nothing and change cells as `policies.protection` says.

Method `dp`. Neighbouring tables differ in all rows of one protected unit (add or remove). A unit
counts with at most `rows_per_unit` rows (kept by the stored rank) in each of at most
`units_span` departments, so for one department and one measure, over the vector of all cells:

- rows: one unit changes it by at most m in L1 and in L2 (all m rows in one cell is the worst);
- a sum: by m times the largest absolute value of the clamped expression, in grid steps;
- distinct units: by 1 in each of at most min(m, cells) cells: L1 = that, L2 = its square root;
- a histogram: by m in each level of its tree (`policies.quantiles`): L1 = m times the levels, L2 =
  m times their square root.

The question's rho (or epsilon, for Laplace noise) is split evenly over measures and over the
departments in which one unit can appear, whether they are asked or not; the whole is charged at
each that is asked. Where a key's values are found in the data, their selection is one measure more.
So a unit loses over all departments at most what one ledger says.

Sources: C. Canonne, G. Kamath, T. Steinke, The Discrete Gaussian for Differential Privacy (2020);
A. Ghosh, T. Roughgarden, M. Sundararajan, Universally Utility-Maximizing Privacy Mechanisms (2009).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import assert_never

from landbridge.errors import error
from landbridge.submission.randomised import Clamped, Response
from policies.accounting import MICRO, charge, limit, question_rho, selection_delta
from policies.bounds import Interval, interval
from policies.canonical import canonical_measure
from policies.cell_key import PerturbationTable, perturbation_table
from policies.contract import Contract, Disclosure, Method, Noise, Value
from policies.keys import is_open, values_of
from policies.passing import passing
from policies.place import listed
from policies.quantiles import Layout, layout_of
from policies.question import (
    ColumnOf,
    Count,
    Expression,
    GroupKey,
    Histogram,
    Measure,
    Question,
    Sum,
    Units,
    Whole,
)
from policies.selection import VALUES_PER_UNIT, room, threshold

MINIMUM_EPSILON = 0.01
SECONDS_PER_CELL = 0.001
"""Of one exact table, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """How one measure is released.

    `scale` is the noise's parameter in grid steps (sigma of the Gaussian, b of the Laplace), 0
    for none; `sensitivity` is in steps, in the norm that belongs to `noise`; a sum is taken of
    `expression - centre` for the rows that have a value, `centre` counted in steps; `counted` is
    the measure that counts those rows, where there is a centre to put back. A histogram has the
    tree of `layout` in every cell, each number with noise of that scale. `spread` is the largest
    variance, in squared steps, of what one row adds where its column was randomised at the source.

    Without a budget: `table` is where a cell key picks the perturbation, which for a sum is a share
    of at most `reach` steps (the largest total of one unit; 0 where the contract bounds none);
    `base` is what exact numbers are rounded to, in steps.
    """

    measure: Measure
    noise: Noise
    scale: float
    sensitivity: float
    step: float
    centre_units: int
    span: Interval | None = None
    counted: Measure | None = None
    table: PerturbationTable | None = None
    reach: int = 0
    base: int = 1
    layout: Layout | None = None
    spread: float = 0.0

    @property
    def numbers(self) -> int:
        """How many numbers it has in one cell."""
        return 1 if self.layout is None else self.layout.numbers

    @property
    def kind(self) -> str:
        """Of the noise, as it is named on the wire."""
        if self.table is not None:
            return "cell_key"
        if self.base > 1:
            return "rounding"
        return self.noise.value if self.scale else "none"

    @property
    def standard_deviation(self) -> float:
        """Of the noise in one cell, in the measure's own unit; the largest that a sum can have.

        0 also for what is not known beforehand: a sum by cell key without a bound per unit.
        """
        if self.table is not None:
            if isinstance(self.measure, Sum):
                return self.table.deviation_of_sum * self.reach * self.step
            return self.table.deviation
        if self.base > 1:
            return self.base * self.step / math.sqrt(12)
        factor = math.sqrt(2) if self.noise is Noise.LAPLACE else 1.0
        return factor * self.scale * self.step


@dataclass(frozen=True, slots=True)
class Axis:
    """A grouping key's cells: its values in order, then NULL where it can be.

    `found`: its values are found by selection; `values` is empty before. `randomised`: rows stand
    at a value by randomised response, so that the cells that are released are of reports.
    """

    key: GroupKey
    values: tuple[Value, ...]
    null_last: bool
    found: bool = False
    randomised: Response | None = None

    def __len__(self) -> int:
        return len(self.values) + self.null_last


@dataclass(frozen=True, slots=True)
class Selection:
    """How the values of an open axis are found; see `policies.selection`.

    `mechanism` is the noise on the counts of units that vote for a value, each for at most `votes`
    values; a value is shown from `threshold` on. `delta` is the probability that bounds what a
    single unit's values show; `room` is the most values that the answer holds.
    """

    mechanism: Mechanism
    votes: int
    threshold: int
    delta: float
    room: int


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """Everything about a release that does not depend on data.

    `open`: one axis still waits for the values that `selection` will find.
    `table` is what `exact` looks at: the contract's one table, of which the answer is a margin;
    `passing` are the places of each of its axes that the filter lets through by its own words.
    """

    question: Question
    axes: tuple[Axis, ...]
    mechanisms: tuple[Mechanism, ...]
    cost_micro_rho: int
    epsilon: float
    delta: float
    terms: Disclosure
    selection: Selection | None = None
    open: bool = False
    table: tuple[Axis, ...] = ()
    passing: tuple[tuple[int, ...], ...] = ()

    @property
    def cells(self) -> int:
        """How many cells there are, 0 while that is not known.

        A measure has one number in each, a histogram several.
        """
        if self.open:
            return 0
        return math.prod(len(axis) for axis in self.axes)

    @property
    def plain(self) -> tuple[Mechanism, ...]:
        """Those with one number per cell, which is all but histograms."""
        return tuple(mechanism for mechanism in self.mechanisms if mechanism.layout is None)

    @property
    def seconds(self) -> float:
        """What the release step may take, whatever is in the table; a function of its shape.

        `exact` weighs every cell and margin of the contract's table, once for who is there and once
        for each measure of a column: `release_exact_1000` of the bench measures it.
        """
        if self.terms.method is not Method.EXACT:
            return 0.0
        cells = math.prod(len(axis) + 1 for axis in self.table)
        of_columns = sum(
            isinstance(each.measure, Sum | Count) and each.measure.of is not None
            for each in self.mechanisms
        )
        return SECONDS_PER_CELL * cells * (1 + of_columns)

    def closed(self, values: tuple[str, ...]) -> ReleasePlan:
        """The plan once selection has found the values of its open axis."""
        return replace(
            self,
            axes=tuple(replace(axis, values=values) if axis.found else axis for axis in self.axes),
            open=False,
        )

    def indices(self) -> dict[tuple[int | None, ...], int]:
        """Where the cell of each combination of domain indices stands; None is NULL."""
        ranges = [
            [*range(len(axis.values)), *([None] if axis.null_last else [])] for axis in self.axes
        ]
        return {combination: place for place, combination in enumerate(product(*ranges))}


def chosen_epsilon(contract: Contract, micro_epsilon: int) -> float:
    """The epsilon of a question, 0 meaning the contract's own; raises EPSILON_OUT_OF_RANGE."""
    terms = contract.disclosure
    if terms.method is not Method.DP:
        return 0.0
    epsilon = micro_epsilon / 1_000_000 if micro_epsilon else terms.default_epsilon
    if not MINIMUM_EPSILON <= epsilon <= terms.maximum_epsilon:
        raise error(
            "EPSILON_OUT_OF_RANGE",
            f"Contract {contract.id} answers one question with an epsilon from {MINIMUM_EPSILON} "
            f"to {terms.maximum_epsilon:g}.",
            rule="contract.epsilon",
            hint=f"Without one it takes {terms.default_epsilon:g}.",
        )
    return epsilon


def plan_release(
    question: Question, contract: Contract, micro_epsilon: int, departments: int
) -> ReleasePlan:
    """The release of a reviewed question that is put to so many departments.

    Raises EPSILON_OUT_OF_RANGE, and INVALID_QUESTION for what does not add up over departments.
    """
    terms = contract.disclosure
    if departments > 1 and terms.units_span > 1 and Units() in question.measures:
        raise error(
            "INVALID_QUESTION",
            f"One {contract.unit} can be in several departments, so counts of distinct ones do "
            "not add up.",
            hint="Ask one department: FROM "
            + " JOIN ".join(f"department.{part.id}" for part in contract.each)
            + ".",
        )
    axes = tuple(
        Axis(
            key,
            values_of(key, contract),
            contract.by_name[key.column].nullable,
            is_open(key, contract),
            _response(key, contract),
        )
        for key in question.group_by
    )
    found = next((axis for axis in axes if axis.found), None)
    if found is not None and departments > 1:
        raise error(
            "INVALID_QUESTION",
            f"The values of {found.key.column} are found in the data, and several departments "
            "would find different ones.",
            hint=f"Ask one department: FROM department.{contract.id}.",
        )
    epsilon = chosen_epsilon(contract, micro_epsilon)
    cells = math.prod(len(axis) for axis in axes)
    if terms.method is Method.UNPROTECTED:
        mechanisms = tuple(
            _mechanism(question, measure, contract, None, cells) for measure in question.measures
        )
        return ReleasePlan(question, axes, mechanisms, 0, 0.0, 0.0, terms)
    if terms.tabular:
        if not all(isinstance(key, Whole) for key in question.group_by):
            # Cut points of a caller's choosing would make tables that differ by a few units.
            raise error(
                "INVALID_QUESTION",
                f"Contract {contract.id} groups by declared columns only, by its method "
                f"{terms.method}.",
                hint="Group by a column with a declared domain.",
            )
        mechanisms = tuple(_tabular(measure, contract) for measure in question.measures)
        table = _table(question, contract) if terms.method is Method.EXACT else ()
        through = tuple(
            passing(question.where, contract.by_name[axis.key.column]) for axis in table
        )
        return ReleasePlan(
            question, axes, mechanisms, 0, 0.0, 0.0, terms, table=table, passing=through
        )
    delta = terms.recipient.delta
    rho = question_rho(epsilon, terms.recipient.converting, terms.noise)
    cost = charge(rho)
    if terms.noise is Noise.GAUSSIAN:
        # No epsilon is larger than the recipient's budget, so all that this takes off is rounding:
        # the limit was rounded down, and a question of the budget's own epsilon must still fit.
        cost = min(cost, max(1, limit(terms.recipient)))
        rho = min(rho, cost / MICRO)
    # One unit can be in several departments, whichever are asked now: each gives out its share, so
    # that what all ledgers allow together is what one of them says.
    parts = (len(question.measures) + (found is not None)) * terms.units_span
    share = epsilon / parts if terms.noise is Noise.LAPLACE else rho / parts
    selection = None
    if found is not None:
        selection = _selection(contract, axes, share, cost)
        cells = terms.maximum_cells  # however many there will be: the more, the safer
    mechanisms = tuple(
        _mechanism(question, measure, contract, share, cells) for measure in question.measures
    )
    return ReleasePlan(
        question, axes, mechanisms, cost, epsilon, delta, terms, selection, open=found is not None
    )


def _response(key: GroupKey, contract: Contract) -> Response | None:
    found = contract.by_name[key.column].randomised
    return found if isinstance(found, Response) else None


def _spread(of: Expression, span: Interval, contract: Contract) -> float:
    """Of a sum's expression, which is the column alone where that is randomised."""
    found = contract.by_name[of.column].randomised if isinstance(of, ColumnOf) else None
    return found.variance * (found.step / span.step) ** 2 if isinstance(found, Clamped) else 0.0


def mechanisms_of(
    question: Question, contract: Contract, share: float | None, cells: int
) -> tuple[Mechanism, ...]:
    """One mechanism for each measure, of a rho (Laplace: epsilon) of `share`; None: no noise."""
    return tuple(
        _mechanism(question, measure, contract, share, cells) for measure in question.measures
    )


def _selection(contract: Contract, axes: tuple[Axis, ...], share: float, cost: int) -> Selection:
    """How the open axis's values are found, for its share of rho or, with Laplace, epsilon."""
    terms = contract.disclosure
    votes = min(terms.rows_per_unit, VALUES_PER_UNIT)
    laplace = terms.noise is Noise.LAPLACE
    sensitivity = float(votes) if laplace else math.sqrt(votes)
    scale = _scale(sensitivity, share, terms.noise)
    # A unit that is in several departments can show itself in each of them.
    delta = selection_delta(cost, (terms.recipient, terms.overall)) / terms.units_span
    return Selection(
        Mechanism(Units(), terms.noise, scale, sensitivity, 1.0, 0),
        votes,
        threshold(terms.noise, scale, votes, delta),
        delta,
        room(
            terms.maximum_cells,
            math.prod(len(axis) for axis in axes if not axis.found),
            nullable=any(axis.found and axis.null_last for axis in axes),
        ),
    )


def _scale(sensitivity: float, share: float, noise: Noise) -> float:
    """The noise's parameter, for a share of epsilon (Laplace) or rho (Gaussian)."""
    return sensitivity / (share if noise is Noise.LAPLACE else math.sqrt(2 * share))


def _table(question: Question, contract: Contract) -> tuple[Axis, ...]:
    """The axes of the contract's one table; raises INVALID_QUESTION for a key outside it.

    Tables by other columns would be other sums of the same rows: two of them can be harmless each
    and give a person away together.
    """
    columns = contract.disclosure.exact_by
    for key in question.group_by:
        if key.column not in columns:
            raise error(
                "INVALID_QUESTION",
                f"Contract {contract.id} has no exact numbers by {key.column}.",
                hint=f"Group by {listed(columns)}." if columns else "Ask for totals.",
            )
    return tuple(
        Axis(Whole(name), contract.by_name[name].domain, contract.by_name[name].nullable)
        for name in columns
    )


def _tabular(measure: Measure, contract: Contract) -> Mechanism:
    """A measure by `cell_key` or `exact`; raises INVALID_QUESTION for a sum of arithmetic."""
    terms = contract.disclosure
    table = None if terms.cell_key is None else perturbation_table(terms.cell_key)
    span, step, reach = None, 1.0, 0
    if isinstance(measure, Histogram):
        # The bins of an exact histogram are small cells of the caller's choosing.
        raise error(
            "INVALID_QUESTION",
            f"Contract {contract.id} answers no quantiles, minima or maxima, by its method "
            f"{terms.method}.",
            hint="Ask for avg(column), or count(*) by a column with a declared domain; quantiles "
            "are for contracts with the method dp.",
        )
    of = measure.of if isinstance(measure, Count | Sum) else None
    if of is not None and not isinstance(of, ColumnOf):
        # A condition inside an aggregate is a filter that no rule about filters sees, and
        # sum(income + 1) - sum(income) is a count that nobody would have protected.
        raise error(
            "INVALID_QUESTION",
            f"Contract {contract.id} aggregates plain columns only, by its method {terms.method}.",
            hint="Write count(column), sum(column) or avg(column), and conditions behind WHERE.",
        )
    if isinstance(measure, Sum):
        span = interval(measure.of, contract)
        step = span.step
        reach = terms.rows_per_unit * max(abs(span.low_units), abs(span.high_units))
    base = max(1, round(terms.rounding / step)) if terms.rounding > 1 else 1
    return Mechanism(
        measure, terms.noise, 0.0, 0.0, step, 0, span, table=table, reach=reach, base=base
    )


def _mechanism(
    question: Question, measure: Measure, contract: Contract, share: float | None, cells: int
) -> Mechanism:
    """`share` is this measure's rho (Gaussian) or epsilon (Laplace); None for no noise."""
    terms = contract.disclosure
    rows = terms.rows_per_unit
    step, centre, span, counted, layout, spread = 1.0, 0, None, None, None, 0.0
    match measure:
        case Count():
            sensitivity = float(rows)
        case Units():
            groups = min(rows, cells)
            sensitivity = float(groups) if terms.noise is Noise.LAPLACE else math.sqrt(groups)
        case Sum(of):
            span = interval(of, contract)
            step = span.step
            spread = _spread(of, span, contract)
            # Half the range instead of the largest value, where the rows are counted beside it:
            # then `centre * count` can be added back.
            beside = canonical_measure(Count(of), contract)
            if beside in question.measures:
                counted = beside
                centre = (span.low_units + span.high_units) // 2
            reach = max(abs(span.low_units - centre), abs(span.high_units - centre))
            sensitivity = float(rows * max(1, reach))
        case Histogram():
            layout = layout_of(measure, question, contract, cells)
            height = len(layout.levels)
            sensitivity = rows * (height if terms.noise is Noise.LAPLACE else math.sqrt(height))
        case _:
            assert_never(measure)
    if share is None:
        return Mechanism(measure, terms.noise, 0.0, 0.0, step, centre, span, counted, layout=layout)
    scale = _scale(sensitivity, share, terms.noise)
    return Mechanism(
        measure, terms.noise, scale, sensitivity, step, centre, span, counted, layout=layout,
        spread=spread,
    )  # fmt: skip
