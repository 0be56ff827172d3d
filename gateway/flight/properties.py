"""What a connection states in the headers of every call: purpose, epsilon and three flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from landbridge.annotation import Terms, stated
from landbridge.errors import error

_FLAGS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of a connection; those that are not stated are empty or false."""

    terms: Terms
    partial: bool
    half_widths: bool
    mixed_dates: bool


def properties(metadata: Sequence[tuple[str, str | bytes]]) -> Properties:
    """The properties in a call's headers; raises INVALID_ARGUMENT, EPSILON_OUT_OF_RANGE.

    Other headers are other people's. One that is stated twice is refused.
    """
    purpose, epsilon = _one(metadata, "purpose"), _one(metadata, "epsilon")
    return Properties(
        Terms(
            purpose=_term("purpose", purpose).purpose,
            micro_epsilon=_term("epsilon", epsilon).micro_epsilon,
        ),
        _flag(metadata, "partial"),
        _flag(metadata, "half_widths"),
        _flag(metadata, "mixed_dates"),
    )


def _term(key: str, value: str) -> Terms:
    return (stated(key, value) if value else None) or Terms()


def _flag(metadata: Sequence[tuple[str, str | bytes]], name: str) -> bool:
    value = _one(metadata, name) or "false"
    if value not in _FLAGS:
        raise error("INVALID_ARGUMENT", f"The property {name} is true or false.")
    return _FLAGS[value]


def _one(metadata: Sequence[tuple[str, str | bytes]], name: str) -> str:
    values = [value for key, value in metadata if key.lower() == name]
    if len(values) > 1 or any(isinstance(value, bytes) for value in values):
        raise error("INVALID_ARGUMENT", f"The property {name} is stated more than once.")
    return str(values[0]) if values else ""
