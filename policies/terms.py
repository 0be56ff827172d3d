"""The owner's terms, read from the `landbridge...` custom properties of a contract.

Who is protected, how answers are let out, what they may cost, and for which purposes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from landbridge.levels import Level
from policies.accounting import MICRO, charge, limit, question_rho
from policies.collection import COLLECTION, read_collection
from policies.columns import read_custom
from policies.contract import (
    Allowance,
    Collection,
    Column,
    Disclosure,
    Measurement,
    Method,
    Noise,
    Type,
)
from policies.delay import DELAY, Delays, read_delays
from policies.links import LINKS, Links, read_links
from policies.measurement_terms import MEASUREMENTS, read_measurements
from policies.place import Place, listed
from policies.pooling_terms import read_pooling
from policies.randomised_terms import require_kept
from policies.selection import SMALLEST_DELTA
from policies.thresholds import (
    EXACT_CELLS,
    FOR_CELL_KEY,
    FOR_EXACT,
    THRESHOLDS,
    read_thresholds,
)

NONE: Final = "none"
"""The protected unit of a table that describes nobody."""
LARGEST_DELTA: Final = 1e-3
SMALLEST_EPSILON: Final = 1e-6
"""The wire counts epsilon in millionths."""
MAXIMUM_ROWS: Final = 1_000_000
MAXIMUM_SPAN: Final = 10_000
MAXIMUM_CELLS: Final = 1_000_000
MAXIMUM_PURPOSES: Final = 100
PERIODS: Final = ("day", "month", "year", "never")

_PURPOSE: Final = re.compile(r"[a-z][a-z0-9-]{0,31}:[A-Za-z][A-Za-z0-9_-]{0,126}")
_METHODS: Final = tuple(each.value for each in Method)
_NOISES: Final = tuple(each.value for each in Noise)
_UNIT, _METHOD, _PURPOSES = "landbridgeProtectedUnit", "landbridgeMethod", "landbridgePurposes"
_ROWS, _SPAN, _NOISE = "landbridgeRowsPerUnit", "landbridgeUnitsSpan", "landbridgeNoise"
_BUDGET, _EPSILON, _CELLS = "landbridgeBudget", "landbridgeEpsilon", "landbridgeMaximumCells"
_POOLING: Final = "landbridgePooling"
_PROTECTING: Final = (_ROWS, _SPAN, _NOISE, _BUDGET, _EPSILON, _POOLING)
_CUSTOM: Final = (
    _UNIT, _METHOD, _PURPOSES, _CELLS, DELAY, LINKS, COLLECTION, MEASUREMENTS, *_PROTECTING,
    *THRESHOLDS,
)  # fmt: skip
_MEANT: Final = {
    Method.DP: _PROTECTING,
    Method.CELL_KEY: (_SPAN, *FOR_CELL_KEY),
    Method.EXACT: (_SPAN, *FOR_EXACT),
    Method.UNPROTECTED: (),
}
"""Which terms mean something under which method."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the owner set; `unit` as in `policies.contract.Contract`."""

    unit: str | None
    purposes: frozenset[str]
    disclosure: Disclosure
    delays: Delays = ()
    links: Links = ()
    measurements: tuple[Measurement, ...] = ()
    collection: Collection | None = None


def read_terms(
    document: Place, columns: Mapping[str, Column], names: frozenset[str]
) -> Terms | None:
    """The terms, or None where a problem leaves them open.

    `columns` are the sound columns, `names` all that are written: a unit column that has a problem
    of its own is not called missing too.
    """
    found = read_custom(document, _CUSTOM)
    home = document.at("customProperties").path

    def term(name: str) -> Place:
        return found.get(name, Place(f"{home}.{name}", None, document.problems))

    before = len(document.problems.found)
    method = term(_METHOD).must(f"the owner chooses {listed(_METHODS)}").word(_METHODS)
    unit = _unit(term(_UNIT), columns, names)
    purposes = _purposes(term(_PURPOSES))
    delays = read_delays(term(DELAY), purposes)
    cells = term(_CELLS).integer(1, MAXIMUM_CELLS)
    meant = _MEANT[Method(method)] if method is not None else (*_PROTECTING, *THRESHOLDS)
    for name in (*_PROTECTING, *THRESHOLDS):
        if name not in meant and not term(name).absent:
            term(name).wrong(f"must be left out; it means nothing where method is {method}.")
    if method == Method.UNPROTECTED:
        if unit is not None and unit != NONE:
            term(_METHOD).wrong(f"must be {Method.DP.value} where a unit is protected.")
        disclosure = Disclosure(method=Method.UNPROTECTED)
    else:
        if unit == NONE and method is not None:
            term(_UNIT).wrong("must name a column; only the method unprotected protects nobody.")
        column = columns.get(unit or "")
        if method in (Method.CELL_KEY, Method.EXACT):
            span = term(_SPAN).integer(1, MAXIMUM_SPAN) or 1
            disclosure = read_thresholds(term, Method(method), column, span, columns)
            if method == Method.EXACT and cells is not None and cells > EXACT_CELLS:
                term(_CELLS).wrong(f"must be at most {EXACT_CELLS} where method is exact.")
        else:
            # Without a method it is not known what is missing, but what is there can be judged.
            disclosure = _protection(term, column, strict=method is not None)
    found_in_data = [column.name for column in columns.values() if column.discovered]
    links = read_links(term(LINKS), None if method is None else Method(method), columns, names)
    measurements = read_measurements(
        term(MEASUREMENTS), None if method is None else Method(method), columns, names
    )
    if found_in_data:
        if method is not None and method != Method.DP:
            term(_METHOD).wrong(
                f"must be {Method.DP.value} where the values of a string column are found in the "
                f"data ({', '.join(found_in_data)})."
            )
        elif 0 < min(disclosure.recipient.delta, disclosure.overall.delta) < SMALLEST_DELTA:
            term(_BUDGET).wrong(f"must have deltas of at least {SMALLEST_DELTA} for such columns.")
    if found_in_data or (links and method == Method.DP):
        disclosure = replace(
            disclosure,
            recipient=replace(disclosure.recipient, selecting=True),
            overall=replace(disclosure.overall, selecting=True),
        )
    collection = read_collection(
        term(COLLECTION), None if method is None else Method(method), disclosure, columns, links
    )
    require_kept(
        term(COLLECTION), columns, None if method is None else Method(method), unit, collection,
        links, measurements,
    )  # fmt: skip
    if method == Method.DP and len(document.problems.found) == before:
        _payable(term(_EPSILON).at("maximum"), disclosure)
    if len(document.problems.found) > before or unit is None:
        return None
    return Terms(
        unit=None if unit == NONE else unit,
        purposes=purposes,
        disclosure=disclosure if cells is None else replace(disclosure, maximum_cells=cells),
        delays=delays,
        links=links,
        measurements=measurements,
        collection=collection,
    )


def _unit(place: Place, columns: Mapping[str, Column], names: frozenset[str]) -> str | None:
    unit = place.must(f'it names the column of the protected unit, or is "{NONE}"').text()
    if unit is None or unit == NONE:
        return unit
    if names and unit not in names:
        place.wrong(f'must name a column of this contract, or be "{NONE}".')
        return None
    column = columns.get(unit)
    if column is not None:
        if column.level is not Level.SEALED:
            place.wrong("must name a column whose classification is sealed.")
        if column.type not in (Type.TEXT, Type.INTEGER):
            place.wrong("must name a column whose logicalType is string or integer.")
    return unit


def _purposes(place: Place) -> frozenset[str]:
    purposes: set[str] = set()
    entries = place.must("the owner names what answers may be used for").entries()
    if isinstance(place.tree, list) and not 1 <= len(entries) <= MAXIMUM_PURPOSES:
        place.wrong(f"must list from 1 to {MAXIMUM_PURPOSES} purposes.")
        return frozenset()
    for entry in entries:
        purpose = entry.must("a purpose is text").text()
        if purpose is None:
            continue
        if not _PURPOSE.fullmatch(purpose):
            entry.wrong("must be a term with its prefix, such as dpv:ResearchAndDevelopment.")
        elif purpose in purposes:
            entry.wrong("is listed twice.")
        purposes.add(purpose)
    return frozenset(purposes)


def _protection(term: Callable[[str], Place], unit: Column | None, *, strict: bool) -> Disclosure:
    def needed(place: Place, why: str) -> Place:
        return place.must(why) if strict else place

    budget = needed(term(_BUDGET), "a protected table has a budget")
    budget.only(("recipient", "overall", "period"))
    complete = isinstance(budget.tree, dict)
    recipient = _allowance(budget.at("recipient"), complete=complete)
    overall = _allowance(budget.at("overall"), complete=complete)
    period = budget.at("period")
    if complete:
        period.must(f"a budget is renewed every {listed(PERIODS)}")
    if recipient and overall:
        if recipient.epsilon > overall.epsilon:
            budget.at("recipient").at("epsilon").wrong("must be no larger than overall.epsilon.")
        if recipient.delta > overall.delta:
            budget.at("recipient").at("delta").wrong("must be no larger than overall.delta.")
    default, maximum = _epsilon(
        needed(term(_EPSILON), "a protected table bounds the epsilon of a question"), recipient
    )
    rows = term(_ROWS)
    if unit is None or not unit.unique:
        # Left to a default, most rows of most units would be dropped without a word.
        needed(rows, "the owner says how many rows of one unit count")
    kept = rows.integer(1, MAXIMUM_ROWS)
    if unit is not None and unit.unique and kept is not None and kept > 1:
        rows.wrong("must be 1 where the column of the protected unit is unique.")
    return Disclosure(
        method=Method.DP,
        rows_per_unit=kept or 1,
        recipient=recipient or Allowance(0.0, 0.0),
        overall=overall or Allowance(0.0, 0.0),
        units_span=term(_SPAN).integer(1, MAXIMUM_SPAN) or 1,
        period=period.word(PERIODS) or "never",
        noise=Noise(term(_NOISE).word(_NOISES) or Noise.GAUSSIAN),
        default_epsilon=default or 0.0,
        maximum_epsilon=maximum or 0.0,
        pooling=read_pooling(term(_POOLING)),
    )


def _allowance(place: Place, *, complete: bool) -> Allowance | None:
    if complete:
        place.must("a budget is set per recipient and overall")
    place.only(("epsilon", "delta"))
    if not isinstance(place.tree, dict):
        return None
    epsilon = _positive(place.at("epsilon"))
    delta = place.at("delta").must("a budget is a pair of epsilon and delta").number()
    if delta is not None and not 0 < delta <= LARGEST_DELTA:
        place.at("delta").wrong(f"must be larger than 0 and at most {LARGEST_DELTA}.")
        delta = None
    return None if epsilon is None or delta is None else Allowance(epsilon, delta)


def _epsilon(place: Place, recipient: Allowance | None) -> tuple[float | None, float | None]:
    place.only(("default", "maximum"))
    if not isinstance(place.tree, dict):
        return None, None
    default, maximum = _positive(place.at("default")), _positive(place.at("maximum"))
    if default is not None and maximum is not None and default > maximum:
        place.at("default").wrong("must be no larger than maximum.")
    if maximum is not None and recipient is not None and maximum > recipient.epsilon:
        place.at("maximum").wrong("must be no larger than the recipient's budget.")
    return default, maximum


def _payable(maximum: Place, disclosure: Disclosure) -> None:
    """A Laplace question is charged its zCDP, which can be more than a whole budget."""
    whole = limit(disclosure.recipient)
    epsilon = disclosure.maximum_epsilon
    cost = charge(question_rho(epsilon, disclosure.recipient.delta, disclosure.noise))
    if disclosure.noise is Noise.LAPLACE and cost > whole:
        most = math.floor(math.sqrt(2 * whole / MICRO) * 1_000) / 1_000
        maximum.wrong(
            "must be payable: with Laplace noise a question is charged epsilon^2 / 2 of rho, and "
            f"the recipient's whole budget pays for an epsilon of at most {most:g}."
        )


def _positive(place: Place) -> float | None:
    value = place.must("an epsilon is needed here").number()
    if value is not None and value < SMALLEST_EPSILON:
        place.wrong(f"must be at least {SMALLEST_EPSILON}.")
        return None
    return value
