"""Entries of a log: canonical JSON, and the fields that it may have.

Source: RFC 8785 for the bytes; docs/log-entry.md describes every field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final, TypedDict, cast

import rfc8785

from landbridge.days import is_day
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.kind import KINDS, OWN_FIELDS
from landbridge.evidence.subject import SubjectKey
from landbridge.evidence.tiles import LONGEST_ENTRY

__all__ = ["JSON", "VERSION", "Entry", "Part", "SubjectKey", "decode", "encode", "instant"]

JSON = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]

VERSION: Final = 1
"""The schema that this release writes and reads."""

_WHERE: Final = "log entry"
_SAFE: Final = (1 << 53) - 1
_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    re.ASCII,  # \d alone takes the digits of every script
)
_OUTCOMES: Final = ("", "answered", "refused", "failed")


def instant(moment: datetime) -> str:
    """`moment`, which knows its time zone, as RFC 3339 in UTC with microseconds."""
    if moment.tzinfo is None:
        raise ValueError("a log entry's time must know its time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def encode(fields: Mapping[str, JSON]) -> bytes:
    """The canonical bytes of an entry; `"v": 1` is added where it is missing.

    EvidenceError for what canonical JSON cannot say (NaN, infinities, integers beyond 2^53, lone
    surrogates, keys that are no text) and for entries over 65,535 bytes; it never quotes a value.
    """
    if fields.get("v", VERSION) != VERSION:
        raise EvidenceError(_WHERE, f"only version {VERSION} is known here")
    try:
        # Most values are texts, which need no conversion.
        plain = {
            name: value if type(value) is str else _plain(value) for name, value in fields.items()
        }
        plain["v"] = VERSION
        content = _canonical(plain)
    except (ValueError, RecursionError, TypeError):
        # The library's message quotes the value; ours names the field.
        raise EvidenceError(
            f"{_WHERE}, field {_unfit(fields)}", "canonical JSON cannot hold its value"
        ) from None
    if len(content) > LONGEST_ENTRY:
        raise EvidenceError(_WHERE, f"it is longer than {LONGEST_ENTRY} bytes")
    return content


def decode(content: bytes) -> dict[str, JSON]:
    """The fields of an entry; EvidenceError unless they are canonical and of a known version."""
    try:
        value = json.loads(
            content.decode(),
            parse_int=_number,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
        canonical = _canonical(value) == content
    except (ValueError, RecursionError):
        canonical = False
    if not canonical or not isinstance(value, dict):
        raise EvidenceError(_WHERE, "it is not one object in canonical JSON (RFC 8785)")
    if type(value.get("v")) is not int or value["v"] != VERSION:
        raise EvidenceError(_WHERE, f"its version is not {VERSION}, the one known here")
    return cast("dict[str, JSON]", value)


_DIRECT: Final = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
)


def _canonical(value: Any) -> bytes:
    """The bytes of RFC 8785, for what `_plain` gives; raises what rfc8785 raises.

    The standard library's encoder, ten times as fast, writes the same bytes where nothing stands
    that the two spell differently: it escapes the same characters in the same way, and it sorts
    members by code point, which for ASCII is the order of UTF-16 units (RFC 8785, 3.2.3).
    """
    if _direct(value):
        try:
            return _DIRECT.encode(value).encode()
        except UnicodeEncodeError:
            pass  # half a surrogate pair: rfc8785 refuses it below
    return rfc8785.dumps(value)


def _direct(value: object) -> bool:
    """Holds no float, no integer beyond 2^53, no key outside ASCII and no type but JSON's own."""
    if value is None or type(value) is str or type(value) is bool:
        return True
    if type(value) is int:
        return -_SAFE <= value <= _SAFE
    if type(value) is dict:
        for key, part in value.items():
            if type(key) is not str or not key.isascii():
                return False
            if type(part) is not str and not _direct(part):
                return False
        return True
    if type(value) is list:
        return all(map(_direct, value))
    return False


def _plain(value: Any) -> Any:
    """The value in the types that rfc8785 takes."""
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def _unfit(fields: Mapping[str, JSON]) -> str:
    """The name of the first field that canonical JSON cannot hold."""
    for name, value in fields.items():
        try:
            rfc8785.dumps({name: _plain(value)})
        except (ValueError, RecursionError, TypeError):
            return ascii(name)[:40]
    return "names"


def _number(text: str) -> int | float:
    number = int(text)
    return number if -_SAFE <= number <= _SAFE else float(text)


def _refuse(_: str) -> None:
    raise ValueError("not JSON")


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


class Part(TypedDict):
    """The entry that a department's own log holds of the same question."""

    department: str
    index: int
    leaf_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one event leaves in a log; an empty field is left out of the bytes.

    Holds no row, no answer and no plain identifier of a person. docs/log-entry.md says what each
    field means.
    """

    kind: str
    time: str
    v: int = VERSION
    caller: str = ""
    organisation: str = ""
    client: str = ""
    purpose: str = ""
    question_id: str = ""
    question: str = ""
    question_hash: str = ""
    resource: str = ""
    members: Sequence[str] = ()
    policies: Sequence[str] = ()
    policy_digest: str = ""
    outcome: str = ""
    reason: str = ""
    rule: str = ""
    suppressed: int = 0
    charged_micro_rho: int = 0
    budget: Mapping[str, JSON] = field(default_factory=dict)
    answer_digest: str = ""
    trace_id: str = ""
    parts: Sequence[Part] = ()
    subject: str = ""
    remembered: bool = False
    count: int = 0
    data_version: str = ""
    as_of: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    subject_key: str = ""
    disclosable_from: str = ""
    program: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    changed: Sequence[str] = ()
    records: int = 0
    watch: str = ""
    basis: str = ""
    procedure: str = ""
    case: str = ""
    step: str = ""

    def to_bytes(self) -> bytes:
        """The canonical bytes to append."""
        return self.bytes_of({name: getattr(self, name) for name in _NAMES})

    @staticmethod
    def bytes_of(fields: Mapping[str, Any]) -> bytes:
        """The same of an entry with these fields; TypeError for a name that is none."""
        if not fields.keys() <= _KNOWN:
            raise TypeError("an entry has no such field")
        written = {name: value for name, value in fields.items() if value}
        _check(written)
        return encode(written)

    @classmethod
    def from_bytes(cls, content: bytes) -> Entry:
        """The entry in those bytes; a field that version 1 does not have is refused."""
        found = decode(content)
        for name, value in found.items():
            if name not in _KNOWN:
                raise EvidenceError(_WHERE, f"version {VERSION} has no field {ascii(name)[:40]}")
            if not value:
                raise EvidenceError(f"{_WHERE}, field {name}", "an empty field must be left out")
        for name in _REQUIRED:
            if name not in found:
                raise EvidenceError(_WHERE, f"the field {name} is missing")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in found.items()
        }
        _check(values)
        return cls(**values)


_NAMES: Final = tuple(part.name for part in fields(Entry))
_KNOWN: Final = frozenset(_NAMES)
_REQUIRED: Final = tuple(
    part.name
    for part in fields(Entry)
    if part.default is MISSING and part.default_factory is MISSING
)

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "v": int,
    "members": (list, tuple),
    "policies": (list, tuple),
    "suppressed": int,
    "charged_micro_rho": int,
    "budget": Mapping,
    "parts": (list, tuple),
    "remembered": bool,
    "digests": Mapping,
    "as_of": Mapping,
    "changed": (list, tuple),
    "records": int,
    "count": int,
}


def _is_instant(text: str) -> bool:
    """Has the form of an instant and is one: no thirteenth month, no hour 99."""
    if not _INSTANT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _check(written: Mapping[str, Any]) -> None:
    """Raise unless every field that is not empty is as docs/log-entry.md says, in type and form.

    The fields that are always there are among them.
    """
    for name, value in written.items():
        if type(value) is str and name not in _TYPES:
            continue  # most fields of most entries
        expected = _TYPES.get(name, str)
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise EvidenceError(f"{_WHERE}, field {name}", "it has the wrong type")
    for name in ("members", "policies", "changed"):
        if not all(isinstance(value, str) for value in written.get(name, ())):
            raise EvidenceError(f"{_WHERE}, field {name}", "it must be a list of texts")
    for value in written.get("parts", ()):
        if not isinstance(value, Mapping) or {name: type(part) for name, part in value.items()} != {
            "department": str,
            "index": int,
            "leaf_hash": str,
        }:
            raise EvidenceError(
                f"{_WHERE}, field parts",
                "each must have a department (text), an index (number) and a leaf_hash (text)",
            )
    if not all(isinstance(value, str) for value in written.get("digests", {}).values()):
        raise EvidenceError(f"{_WHERE}, field digests", "each must be a text")
    for day in written.get("as_of", {}).values():
        if not isinstance(day, str) or (day and not is_day(day)):
            raise EvidenceError(f"{_WHERE}, field as_of", "each must be a day, or empty")
    kind = written.get("kind", "")
    if kind not in KINDS:
        raise EvidenceError(f"{_WHERE}, field kind", "it is none of the kinds of version 1")
    for name in OWN_FIELDS.keys() & written.keys():
        if kind not in OWN_FIELDS[name]:
            raise EvidenceError(
                f"{_WHERE}, field {name}", "an entry of this kind has no such field"
            )
    for name in ("time", "disclosable_from"):
        value = written.get(name, "")
        if (value or name == "time") and not _is_instant(value):
            raise EvidenceError(
                f"{_WHERE}, field {name}", "it must be RFC 3339 in UTC with microseconds and Z"
            )
    if written.get("outcome", "") not in _OUTCOMES:
        raise EvidenceError(
            f"{_WHERE}, field outcome", "it must be answered, refused or failed, or left out"
        )
