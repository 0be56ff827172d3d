"""The columns of a contract, read from the properties of its schema object.

Source: Open Data Contract Standard 3.2, "Schema". Landbridge adds the custom properties
`landbridgeClip`, `landbridgeStep`, `landbridgeGroupable`, `landbridgePeriod`,
`landbridgeIdentifying`, `landbridgeExtremes` and `landbridgeRandomised`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from typing import Final

from landbridge.levels import Level
from policies.contract import Bounds, Column, Type, Value
from policies.place import Place, listed
from policies.randomised_terms import RANDOMISED, read_randomised

MAXIMUM_COLUMNS: Final = 1_000
MAXIMUM_DOMAIN: Final = 10_000
MAXIMUM_RANGE: Final = 1_000
"""Most values of an integer column that `landbridgeGroupable` turns into a domain."""
MAXIMUM_WORD: Final = 256
"""Longest text in a domain, and longest value that is found in data."""
EXACT: Final = 2**53
"""Integers up to here are the same number as a 64-bit float, in which bounds are kept."""

IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
IDENTIFIER_RULE: Final = (
    "a lower-case letter, then at most 62 lower-case letters, digits or underscores"
)

_TYPES: Final = tuple(each.value for each in Type)
_LEVELS: Final = tuple(each.label for each in Level)
_NUMERIC: Final = (Type.INTEGER, Type.NUMBER)
# Keys of a property that would change what the column is; the others describe it to people.
_NESTED: Final = ("properties", "items", "map")
_CUSTOM: Final = (
    "landbridgeClip",
    "landbridgeStep",
    "landbridgeGroupable",
    "landbridgePeriod",
    "landbridgeIdentifying",
    "landbridgeExtremes",
    RANDOMISED,
)


def read_columns(properties: Place) -> tuple[dict[str, Column], frozenset[str]]:
    """The sound columns by name in the document's order, and every name that is written.

    Whatever is wrong goes to the place's problems; a column with a problem is left out.
    """
    columns: dict[str, Column] = {}
    names: set[str] = set()
    entries = properties.must("a contract lists its columns").entries()
    if not properties.absent and not 1 <= len(entries) <= MAXIMUM_COLUMNS:
        properties.wrong(f"must list from 1 to {MAXIMUM_COLUMNS} columns.")
    for entry in entries:
        before = len(entry.problems.found)
        name = read_identifier(entry.at("name"), "every column needs a name")
        if name in names:
            entry.at("name").wrong("is the name of an earlier column too; names must differ.")
        column = _column(name or "", entry)
        if name:
            names.add(name)
        if name and column and len(entry.problems.found) == before:
            columns[name] = column
    return columns, frozenset(names)


def read_identifier(place: Place, why: str) -> str | None:
    """A name that can stand in a question."""
    name = place.must(why).text()
    if name is not None and not IDENTIFIER.fullmatch(name):
        place.wrong(f"must be {IDENTIFIER_RULE}.")
        return None
    return name


def read_custom(holder: Place, known: Collection[str]) -> dict[str, Place]:
    """The `landbridge...` custom properties of a document or a column, by name.

    An unknown one is a problem, for it would be a promise that nobody keeps; those of other tools
    are passed over.
    """
    found: dict[str, Place] = {}
    listing = holder.at("customProperties")
    for entry in listing.entries():
        name = entry.at("property").must("a custom property needs a name").text() or ""
        if not name.lower().startswith("landbridge"):
            continue
        if name not in known:
            hint = f"those read here are {', '.join(known)}" if known else "none is read here"
            entry.wrong(f"is not a custom property of Landbridge's; {hint}.")
        elif name in found:
            entry.wrong("is written twice; a custom property may be given once.")
        else:
            value = entry.at("value")
            # Its problems are shown at the property's own name; `.value` says nothing to anybody.
            found[name] = Place(entry.path, value.tree, value.problems)
            found[name].must("a custom property needs a value")
    return found


def _column(name: str, entry: Place) -> Column | None:
    kind = entry.at("logicalType").must(f"a column's type is {listed(_TYPES)}").word(_TYPES)
    label = entry.at("classification").must(f"a column's level is {listed(_LEVELS)}").word(_LEVELS)
    nullable = not entry.at("required").boolean()
    unique = bool(entry.at("unique").boolean())
    description = entry.at("description").text() or ""
    for key in _NESTED:
        if not entry.at(key).absent:
            entry.at(key).wrong("is not accepted; a column holds one plain value.")
    physical = entry.at("physicalName")
    if not physical.absent and physical.text() != name:
        physical.wrong("must be the column's name; data is loaded by that name.")
    custom = read_custom(entry, _CUSTOM)
    absent = Place("", None, entry.problems)
    if kind is None:
        return None  # nothing below can be judged without the type
    options = entry.at("logicalTypeOptions")
    bounds = _bounds(Type(kind), options)
    clip = _clip(Type(kind), bounds, custom.get("landbridgeClip", absent), options)
    step = _step(Type(kind), clip, options, custom.get("landbridgeStep", absent))
    groupable = custom.get("landbridgeGroupable", absent)
    domain = _domain(Type(kind), bounds, entry, groupable)
    found = Type(kind) is Type.TEXT and entry.at("enum").absent and groupable.boolean() is True
    period = _period(Type(kind), custom.get("landbridgePeriod", absent))
    extremes = _extremes(Type(kind), clip, custom.get("landbridgeExtremes", absent))
    identifying = custom.get("landbridgeIdentifying", absent).boolean()
    level = None if label is None else Level.named(label)
    randomised = read_randomised(custom, entry, Type(kind), level, bounds, step, domain)
    if level is None:
        return None
    return Column(
        name=name,
        type=Type(kind),
        level=level,
        description=description,
        nullable=nullable,
        unique=unique,
        bounds=bounds,
        clip=clip,
        step=step,
        # A sealed column is never grouped by, so what it declares groups nothing.
        domain=() if level is Level.SEALED else domain,
        discovered=found and level is not Level.SEALED,
        period=period,
        identifying=identifying is not False,
        extremes=extremes,
        randomised=randomised,
    )


def _period(kind: Type, place: Place) -> tuple[date, date] | None:
    if place.absent:
        return None
    if kind not in (Type.DATE, Type.TIMESTAMP):
        place.wrong("belongs to date and timestamp columns only.")
        return None
    ends = [end.text() for end in place.entries()]
    try:
        first, last = (date.fromisoformat(end or "") for end in ends)
    except ValueError:
        place.wrong("must be a list of two days, [2013-01-01, 2013-12-31] in quotes.")
        return None
    if first > last:
        place.wrong("must have a first day that is no later than its last.")
        return None
    return first, last


def _extremes(kind: Type, clip: Bounds | None, place: Place) -> float | None:
    if place.absent:
        return None
    if kind not in _NUMERIC:
        place.wrong("belongs to integer and number columns only.")
        return None
    share = place.number()
    if share is not None and not 0 < share < 0.5:
        place.wrong("must be a share larger than 0 and smaller than 0.5.")
        return None
    if share is not None and clip is None:
        place.wrong("needs logicalTypeOptions.minimum and .maximum.")
        return None
    return share


def _bounds(kind: Type, options: Place) -> Bounds | None:
    if kind not in _NUMERIC:
        # A constraint that is read over would be a promise that nobody keeps.
        if isinstance(options.tree, dict) and options.tree:
            options.wrong(f"must be left out; nothing of it is checked on a {kind.value} column.")
        elif options.tree not in (None, {}):
            options.wrong("must be a mapping.")
        return None
    options.only(("minimum", "maximum", "multipleOf"))
    low_place, high_place = options.at("minimum"), options.at("maximum")
    low, high = _limit(kind, low_place), _limit(kind, high_place)
    if low_place.absent != high_place.absent:
        options.wrong("must hold minimum and maximum together, or neither.")
    if low is None or high is None:
        return None
    if low > high:
        options.wrong("must have a minimum that is no larger than its maximum.")
        return None
    return Bounds(low, high)


def _unbounded(options: Place) -> bool:
    """Whether no bounds are written; unusable ones were noted at the options themselves."""
    return options.at("minimum").absent and options.at("maximum").absent


def _limit(kind: Type, place: Place) -> float | None:
    if kind is Type.INTEGER:
        whole = place.integer(-EXACT, EXACT)
        return None if whole is None else float(whole)
    return place.number()


def _clip(kind: Type, bounds: Bounds | None, place: Place, options: Place) -> Bounds | None:
    if place.absent:
        return bounds
    if kind not in _NUMERIC:
        place.wrong("belongs to integer and number columns only.")
        return None
    ends = place.entries()
    if len(ends) != 2:
        if isinstance(place.tree, list):
            place.wrong("must be a list of two numbers, [low, high].")
        return None
    low, high = _limit(kind, ends[0]), _limit(kind, ends[1])
    if low is None or high is None:
        return None
    if low > high:
        place.wrong("must have a low end that is no larger than its high end.")
        return None
    if bounds is None:
        if _unbounded(options):
            place.wrong("needs logicalTypeOptions.minimum and .maximum to lie within.")
        return None
    if not bounds.low <= low <= high <= bounds.high:
        place.wrong("must lie within logicalTypeOptions.minimum and .maximum.")
        return None
    return Bounds(low, high)


def _step(kind: Type, clip: Bounds | None, options: Place, own: Place) -> float:
    if kind not in _NUMERIC:
        if not own.absent:
            own.wrong("belongs to integer and number columns only.")
        return 1.0
    # The owner's own grid comes before the grid that the data happens to lie on.
    steps: dict[str, float] = {}
    for place in (options.at("multipleOf"), own):
        value = place.number()
        if value is None:
            continue
        if value <= 0:
            place.wrong("must be larger than 0.")
        elif kind is Type.INTEGER and not value.is_integer():
            place.wrong("must be a whole number on an integer column.")
        elif place is own and clip is not None and value > clip.high - clip.low > 0:
            place.wrong("must be no wider than the interval that values are clipped to.")
        else:
            steps[place.path] = value
    return steps.get(own.path, next(iter(steps.values()), 1.0))


def _domain(kind: Type, bounds: Bounds | None, entry: Place, groupable: Place) -> tuple[Value, ...]:
    wanted, enum = groupable.boolean(), entry.at("enum")
    if kind is Type.BOOLEAN:
        if not enum.absent:
            enum.wrong("must be left out; a boolean column's values are false and true.")
        if wanted:
            groupable.wrong("must be left out; a boolean column can be grouped by as it is.")
        return (False, True)
    if not enum.absent:
        if wanted:
            groupable.wrong("must be left out where an enum declares the values.")
        return _enumerated(kind, bounds, enum)
    if not wanted:
        return ()
    if kind is Type.TEXT:
        pass  # its values are found in the data, by selection
    elif kind is not Type.INTEGER:
        groupable.wrong(
            "belongs to integer and string columns; declare the values of others as an enum."
        )
    elif bounds is None:
        if _unbounded(entry.at("logicalTypeOptions")):
            groupable.wrong("needs logicalTypeOptions.minimum and .maximum.")
    elif bounds.high - bounds.low >= MAXIMUM_RANGE:
        groupable.wrong(f"must span no more than {MAXIMUM_RANGE} values.")
    else:
        return tuple(range(int(bounds.low), int(bounds.high) + 1))
    return ()


def _enumerated(kind: Type, bounds: Bounds | None, enum: Place) -> tuple[Value, ...]:
    entries = enum.entries()
    if isinstance(enum.tree, list) and not 1 <= len(entries) <= MAXIMUM_DOMAIN:
        enum.wrong(f"must declare from 1 to {MAXIMUM_DOMAIN} values.")
        return ()
    values: dict[Value, None] = {}
    for entry in entries:
        if not isinstance(entry.tree, dict):
            entry.wrong("must be a mapping with a value.")
            continue
        place = entry.at("value").must("an enum lists values, and NULL is not one")
        value = None if place.absent else _READERS[kind](place)
        if value is None:
            continue
        if value in values:
            place.wrong("is declared twice; the values of a domain must differ.")
        elif (
            bounds is not None
            and isinstance(value, int | float)
            and not bounds.low <= value <= bounds.high
        ):
            place.wrong("must lie within logicalTypeOptions.minimum and .maximum.")
        values[value] = None
    return tuple(values)


def is_word(text: str) -> bool:
    """Whether a text can stand as a value in an answer."""
    return len(text) <= MAXIMUM_WORD and text.isprintable()


def _word(place: Place) -> str | None:
    word = place.text()
    if word is not None and not is_word(word):
        place.wrong(f"must be one line of at most {MAXIMUM_WORD} printable characters.")
        return None
    return word


def _real(place: Place) -> float | None:
    value = place.number()
    # -0.0 would be shown as a value of its own, and is none.
    return None if value is None else value + 0.0


def _day(place: Place) -> date | None:
    text = place.text()
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        place.wrong("must be a date, year-month-day as in ISO 8601.")
        return None


def _moment(place: Place) -> datetime | None:
    text = place.text()
    try:
        if text is None:
            return None
        moment = datetime.fromisoformat(text)
        # Without an offset it is UTC, as everywhere in a contract.
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        place.wrong("must be a timestamp as in ISO 8601; without an offset it is UTC.")
        return None


_READERS: Final[dict[Type, Callable[[Place], Value | None]]] = {
    Type.INTEGER: lambda place: place.integer(-EXACT, EXACT),
    Type.NUMBER: _real,
    Type.TEXT: _word,
    Type.BOOLEAN: Place.boolean,
    Type.DATE: _day,
    Type.TIMESTAMP: _moment,
}
