"""JSON objects that mean one thing only: the reading of tokens and key files.

Ordinary parsers let the last of two members win, read NaN, guess the encoding, and turn 1e400 into
infinity. Two parsers that differ on one text are an attack, so each of these is refused here.
"""

from __future__ import annotations

import json
import math
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NoReturn

# 18 digits hold every second of every calendar; longer ones are made to be slow or to overflow.
_LONGEST_INTEGER = 18


class JsonObjectError(ValueError):
    """Not an object, or not one that every parser would read alike; quotes nothing of the text."""


def json_object(data: bytes) -> dict[str, object]:
    """The one object that `data` spells: UTF-8, no member twice at any depth, finite numbers.

    Raises JsonObjectError without the parser's own exception behind it, which would carry `data`.
    """
    value: object = None
    try:
        value = _DECODER.decode(data.decode("utf-8"))
        sound = True
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        raise JsonObjectError(
            "it is not one JSON text in UTF-8 with finite numbers and unique members"
        )
    if not isinstance(value, dict):
        raise JsonObjectError("it is not a JSON object")
    return value


def base64url(text: str) -> bytes:
    """The bytes of unpadded base64url (RFC 7515, section 2) in its only spelling; else ValueError.

    Python's decoder skips foreign characters and ignores left-over bits, so that one value has many
    spellings; comparing with the spelling we would write ourselves leaves exactly one.
    """
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        data = b""
    if not text or urlsafe_b64encode(data).rstrip(b"=") != text.encode("utf-8", "replace"):
        raise ValueError("it is not unpadded base64url")
    return data


def _unique(members: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(members)
    if len(unique) != len(members):
        raise ValueError("a member stands twice")
    return unique


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise ValueError("an integer is too long")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_integer,
    parse_float=_finite,
    parse_constant=_no_constant,
)
