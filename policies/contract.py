"""A dataset as its owner describes it: the values behind an Open Data Contract Standard document.

`policies.odcs` reads the document; everything else works on these.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property

from landbridge.levels import Level
from landbridge.submission.randomised import Randomised
from policies.responsible import NOBODY_NAMED, Responsible

Value = int | float | str | bool | date | datetime
"""A value of a column, never NULL. Timestamps are UTC and carry no tzinfo."""


class Type(StrEnum):
    """The types of columns."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "string"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


class Method(StrEnum):
    """The ways of release that an owner can choose."""

    DP = "dp"
    CELL_KEY = "cell_key"
    """The cell key method of official statistics: repeatable noise, minimum counts, dominance."""
    EXACT = "exact"
    """Exact numbers for named organisations, cells withheld and rounded; statutory reporting."""
    UNPROTECTED = "unprotected"
    """The table describes nobody, and its owner says so: exact numbers, free of charge."""


class Noise(StrEnum):
    """The discrete mechanisms that an owner can choose for `dp`."""

    GAUSSIAN = "gaussian"
    LAPLACE = "laplace"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A closed interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the contract's table.

    `bounds` is what the data keeps to (checked at load); `clip` is the interval that a value is
    clamped to before it is aggregated, inside `bounds` (the same where the owner names none).
    `step` is the grid on which sums of the column are taken. `domain` is the declared values in
    the order that answers show; empty where there is none, and the column cannot be grouped by.
    `period` is the first and the last day of a date or timestamp, by which it can be cut off to
    months and the like; a day outside counts as the nearer end.
    `extremes` is the share of rows beyond min and max as they are told: 0.01 makes them the 1 % and
    the 99 % quantile. None where the owner allows neither.
    `discovered`: a text column without a declared domain whose values are found in the data, by the
    selection of `policies.selection`.
    `identifying`: a condition on it could single out one unit; so for all columns unless the owner
    says otherwise.
    `randomised`: how its values were randomised before they were handed in; None where they are as
    they were. Then what the data holds are reports, and only estimates of them mean anything.
    """

    name: str
    type: Type
    level: Level
    description: str = ""
    nullable: bool = False
    unique: bool = False
    bounds: Bounds | None = None
    clip: Bounds | None = None
    step: float = 1.0
    domain: tuple[Value, ...] = ()
    discovered: bool = False
    period: tuple[date, date] | None = None
    identifying: bool = True
    extremes: float | None = None
    randomised: Randomised | None = None

    @property
    def clipped(self) -> bool:
        """Whether a value that keeps to the bounds can lie outside the clip interval."""
        return self.clip is not None and self.clip != self.bounds


@dataclass(frozen=True, slots=True)
class Allowance:
    """A privacy budget: (epsilon, delta) in all, renewed per period.

    `selecting`: half of delta is kept for the selection of undeclared values, and for the clamped
    noise of linked questions.
    """

    epsilon: float
    delta: float
    selecting: bool = False

    @property
    def converting(self) -> float:
        """The part of delta at which rho is shown as epsilon."""
        return self.delta / 2 if self.selecting else self.delta

    @property
    def selections(self) -> float:
        """The part of delta that all selections and links of a period may use up."""
        return self.delta - self.converting


@dataclass(frozen=True, slots=True)
class CellKey:
    """Parameters of a perturbation table, under their published names D, V and js.

    `maximum` (D): no perturbation of a count is larger; `variance` (V) of it; `small` (js): no
    result is from 1 to here. `magnitude`: standard deviation of what the largest unit total of a
    cell adds to the noise of a sum, as a share of that total.
    """

    maximum: int
    variance: float
    small: int
    magnitude: float = 0.3


@dataclass(frozen=True, slots=True)
class Dominance:
    """A sum is withheld where its `n` largest units hold more than `k` percent of it."""

    n: int
    k: float


@dataclass(frozen=True, slots=True)
class Pooling:
    """What an owner asks of totals over several departments.

    `minimum` departments at least make one; `honest` of them are taken not to study it with what
    they know of their own noise (0: all but one of those that `departments` names, one where it
    names nobody). `alone`: parts of one department may be told,
    too. `department`: which department a part is from may be grouped by and filtered on.
    `departments`: who may take part, None where that is whoever serves the contract.
    """

    minimum: int = 2
    honest: int = 0
    alone: bool = True
    department: bool = False
    departments: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """How the owner lets answers out; for `unprotected` only `maximum_cells` means anything.

    `rows_per_unit` is 0 where all rows count (`cell_key` and `exact`, which charge no budget).
    `minimum_units`, `dominance`, `p_percent` (0: no such rule) and `cell_key` belong to these two,
    `rounding` (the base, 1 for none), `exact_for` (organisations) and `exact_by` (the columns of
    the one table that all questions are margins of) to `exact` alone.

    `rows_per_unit`: how many rows of one protected unit count; `units_span`: in how many
    departments one unit can appear; `recipient` and `overall` are the budgets per recipient
    organisation and in all, per `period` ("day", "month", "year" or "never"); `pooling` means
    something for `dp` alone.
    """

    method: Method
    rows_per_unit: int = 1
    recipient: Allowance = Allowance(0.0, 0.0)
    overall: Allowance = Allowance(0.0, 0.0)
    units_span: int = 1
    period: str = "never"
    noise: Noise = Noise.GAUSSIAN
    default_epsilon: float = 1.0
    maximum_epsilon: float = 1.0
    maximum_cells: int = 10_000
    minimum_units: int = 0
    dominance: Dominance | None = None
    p_percent: float = 0.0
    rounding: int = 1
    cell_key: CellKey | None = None
    exact_for: frozenset[str] = frozenset()
    exact_by: tuple[str, ...] = ()
    pooling: Pooling = Pooling()

    @property
    def tabular(self) -> bool:
        """Whether cells are protected as official statistics do, without a budget."""
        return self.method in (Method.CELL_KEY, Method.EXACT)


@dataclass(frozen=True, slots=True)
class Link:
    """The owner's yes to being linked with tables of other departments.

    `departments` are those that may take part, `on` the columns that rows are matched by, sorted.
    `unique`: no two rows have the same values of them, which loading checks. `minimum` is the
    noisy number of linked keys from which on a cell is shown. `keys` is about how many different
    keys there are, which the owner publishes so that the cost of a question can be told.
    """

    departments: frozenset[str]
    on: tuple[str, ...]
    unique: bool = False
    minimum: int = 10
    keys: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """A column of which two departments hold one share each of every value, see
    `policies.measurement`.

    `owner` collects, `second` is the other of the two departments that verify; each holds one share
    of every value. No batch has fewer than `minimum` reports. One caller hands in at most `each`
    reports, ever; 0: as many as they like.
    """

    column: str
    owner: str
    second: str
    minimum: int
    each: int

    @property
    def departments(self) -> tuple[str, str]:
        """Both, in the order of their numbers in the protocol."""
        return self.owner, self.second


class Correctors(StrEnum):
    """Who may correct a record that was collected."""

    CONTRIBUTOR = "contributor"
    """Who handed it in."""
    ORGANISATION = "organisation"
    """Anybody of the organisation that handed it in."""
    ANYBODY = "anybody"
    """Whoever may submit."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """So many records in a period ("day", "month", "year" or "never": in all)."""

    records: int
    period: str


@dataclass(frozen=True, slots=True)
class Collection:
    """The rules by which a contract's records are collected; `policies.collection` reads them.

    `opens` and `closes` bound when a record may be made, `grace` is hours that one may come later.
    `subject` are the columns that name whom a record is about: one record per subject and `period`
    ("day", "month", "year" or "never": for ever) of the column `of`; empty: as many as come.
    `correct_until`: None for ever. `also` are organisations that may correct everybody's. A device
    is a caller, as a token names it. Every `every` seconds, records that came become visible to
    questions, for some methods only where at least `least` units have changed. `caller` is the
    column that the department fills in with who hands in, as a digest that ends with the
    collection; empty: contributors say everything themselves.
    """

    opens: datetime | None = None
    closes: datetime | None = None
    grace: int = 0
    subject: tuple[str, ...] = ()
    period: str = "never"
    of: str = ""
    correctable: bool = False
    correct_until: datetime | None = None
    by: Correctors = Correctors.CONTRIBUTOR
    also: frozenset[str] = frozenset()
    device: Allotment | None = None
    organisation: Allotment | None = None
    every: int = 3600
    least: int = 1
    caller: str = ""


@dataclass(frozen=True)
class Contract:
    """One table that a department serves, and the terms.

    `unit` names the column of the protected unit (a person, an aircraft); None where the table
    describes nobody. `digest` is the SHA-256 of the document in hex. `delays`: purposes that the
    person concerned is told of only after so many days. `links`: with whom and on what the table
    may be linked across departments; empty: with nobody. `responsible`: who answers for it.
    `measurements`: its columns that two servers measure.
    `parts` are the contracts that this one joins on their common unit (`policies.joined`), empty
    for an owner's own document. `hidden` are columns that do not exist for the one who asks, never
    the unit; none in an owner's document. `collection`: by which rules its records are handed in;
    None where they are loaded from files.
    """

    id: str
    version: str
    title: str
    description: str
    columns: tuple[Column, ...]
    unit: str | None
    purposes: frozenset[str]
    disclosure: Disclosure
    digest: str
    delays: tuple[tuple[str, int], ...] = ()
    responsible: Responsible = NOBODY_NAMED
    parts: tuple[Contract, ...] = ()
    links: tuple[Link, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    hidden: frozenset[str] = frozenset()
    collection: Collection | None = None

    @property
    def column_ids(self) -> tuple[str, ...]:
        """Its columns as access policies name them."""
        return tuple(f"{self.id}.{column.name}" for column in self.columns)

    @property
    def each(self) -> tuple[Contract, ...]:
        """The owner's own contracts that an answer is about: the parts, or this one."""
        return self.parts or (self,)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}
