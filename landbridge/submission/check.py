"""One record held against its form: by whoever hands it in, and again by whoever takes it.

A record is the list of its values in the form's order, as JSON has them: whole numbers, numbers,
texts, true and false, null; dates and moments as ISO 8601 texts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from landbridge.submission.fate import Fate
from landbridge.submission.form import Field, Form

Plain = int | float | str | bool | None
"""A value as a record holds it."""
LONGEST_TEXT: Final = 4_096
_WHOLE: Final = 1 << 63


class Unfit(Exception):
    """A record does not fit; `fate` says how, `field` which value of it, never what it was."""

    def __init__(self, fate: Fate, field: str = "") -> None:
        super().__init__(f"{fate}: {field}" if field else str(fate))
        self.fate = fate
        self.field = field


class Checker:
    """A form's rules, made ready once for many records."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self._rules = [(field.name, _rule(field)) for field in form.fields]
        self._names = frozenset(name for name, _ in self._rules)

    def values(self, values: object) -> list[Plain]:
        """The values in their one spelling; raises Unfit."""
        if type(values) is not list or len(values) != len(self._rules):
            raise Unfit(Fate.MALFORMED)
        found = []
        for (name, rule), value in zip(self._rules, values, strict=True):
            try:
                found.append(rule(value))
            except Unfit as unfit:
                unfit.field = name
                raise
        return found

    def record(self, record: Mapping[str, Any], *, texts: bool = False) -> list[Plain]:
        """The values of a record that is given by name; raises Unfit.

        `texts`: every value is text, as in a CSV file; the empty text is none.
        """
        if not isinstance(record, Mapping):
            raise Unfit(Fate.MALFORMED)
        for name in record:
            if name not in self._names:
                raise Unfit(Fate.MALFORMED, str(name)[:63])
        read = _from_text if texts else _from_python
        values: list[Plain] = []
        for field in self.form.fields:
            try:
                values.append(read(field, record.get(field.name)))
            except (ValueError, OverflowError):
                raise Unfit(Fate.MALFORMED, field.name) from None
        return self.values(values)


def _rule(field: Field) -> Callable[[Any], Plain]:
    kind = _KINDS[field.kind]
    nullable, bounds = field.nullable, field.bounds
    domain = frozenset(spelt(each) for each in field.domain)

    def rule(value: Any) -> Plain:
        if value is None:
            if nullable:
                return None
            raise Unfit(Fate.OUT_OF_DOMAIN)
        plain: Any = kind(value)
        if domain and plain not in domain:
            raise Unfit(Fate.OUT_OF_DOMAIN)
        if bounds is not None and not bounds[0] <= plain <= bounds[1]:
            raise Unfit(Fate.OUT_OF_DOMAIN)
        found: Plain = plain
        return found

    return rule


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise Unfit(Fate.MALFORMED)
    if not -_WHOLE <= value < _WHOLE:
        raise Unfit(Fate.OUT_OF_DOMAIN)
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise Unfit(Fate.MALFORMED)
    try:
        number = float(value)
    except OverflowError:
        raise Unfit(Fate.OUT_OF_DOMAIN) from None
    if not math.isfinite(number):
        raise Unfit(Fate.MALFORMED)
    return number or 0.0  # there is one zero


def _text(value: Any) -> str:
    if type(value) is not str:
        raise Unfit(Fate.MALFORMED)
    if len(value) > LONGEST_TEXT:
        raise Unfit(Fate.OVERSIZED)
    # NUL ends a text for some, and half a surrogate pair has no UTF-8.
    if "\0" in value or not (value.isascii() or _encodes(value)):
        raise Unfit(Fate.MALFORMED)
    return value


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise Unfit(Fate.MALFORMED)
    return value


def _date(value: Any) -> str:
    if type(value) is not str or len(value) != 10:
        raise Unfit(Fate.MALFORMED)
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise Unfit(Fate.MALFORMED) from None


def _timestamp(value: Any) -> str:
    if type(value) is not str or not 10 < len(value) <= 32:
        raise Unfit(Fate.MALFORMED)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise Unfit(Fate.MALFORMED) from None
    return moment.isoformat()


_KINDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "integer": _integer,
    "number": _number,
    "string": _text,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}


def spelt(value: object) -> Any:
    """A value of a domain as records hold it."""
    return value.isoformat() if isinstance(value, date) else value


def _from_python(field: Field, value: object) -> Any:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return moment.isoformat() if field.kind == "timestamp" else moment.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value


_TRUTHS: Final = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def _from_text(field: Field, value: object) -> Any:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return value
    match field.kind:
        case "integer":
            # int() alone would also take 1_000, spaces and other scripts' digits.
            if not value.isascii() or "_" in value or value != value.strip():
                raise ValueError
            return int(value)
        case "number":
            if not value.isascii() or "_" in value or value != value.strip():
                raise ValueError
            return float(value)
        case "boolean":
            truth = _TRUTHS.get(value.lower())
            if truth is None:
                raise ValueError
            return truth
        case _:
            return value


def key_of(form: Form, values: Sequence[Plain]) -> list[Plain]:
    """The values that name whom a record is about."""
    places = {field.name: place for place, field in enumerate(form.fields)}
    return [values[places[name]] for name in form.subject]
