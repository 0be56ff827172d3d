"""Signed notes: a text and the signatures of named keys under it.

Source: C2SP signed-note v1.0.0 (https://c2sp.org/signed-note).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.signer import Signer, check_name, decode_base64

LONGEST: Final = 1 << 20
MOST_SIGNATURES: Final = 100
_DASH: Final = "\u2014 "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
"""Every character below a space but the newline."""


@dataclass(frozen=True, slots=True)
class Note:
    """An opened note: its text, and the names of the known keys whose signatures hold."""

    text: str
    signed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a note's signatures: the key's name, its id (4 bytes), and its signature."""

    name: str
    key: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The line as it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key + self.signature).decode()}\n"


class Checks(Protocol):
    """A key that can check a line of its own."""

    @property
    def name(self) -> str:
        """The key's name."""
        ...

    @property
    def id(self) -> bytes:
        """The key's four bytes."""
        ...

    def check(self, signature: bytes, text: bytes) -> None:
        """Raise EvidenceError unless `signature` is this key's over `text`."""
        ...


def sign_note(text: str, signer: Signer) -> str:
    """The note of `text`, which ends in a newline, with one signature."""
    if not text.endswith("\n"):
        raise EvidenceError("note", "its text must end in a newline")
    _check_characters(text)
    line = Line(signer.name, signer.id, signer.sign(text.encode()))
    return f"{text}\n{line.text}"


def read_note(note: str) -> tuple[str, tuple[Line, ...]]:
    """The note's text and its lines of signatures, none of them verified yet.

    EvidenceError says what is malformed.
    """
    if len(note) > LONGEST:
        raise EvidenceError("note", f"it is longer than {LONGEST} characters")
    _check_characters(note)
    text, gap, block = note.rpartition("\n\n")
    if not gap or not block.endswith("\n"):
        raise EvidenceError("note", "it must be a text, an empty line and lines of signatures")
    lines = block[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise EvidenceError("note", f"it has more than {MOST_SIGNATURES} signatures")
    return text + "\n", tuple(_line(line, number) for number, line in enumerate(lines, start=1))


def open_note(note: str, verifiers: Iterable[Checks]) -> Note:
    """The note's text, once at least one known key's signature holds.

    Signatures of unknown keys are passed over; one of a known key that does not hold refuses the
    whole note.
    """
    text, lines = read_note(note)
    signed_by = dict.fromkeys(line.name for line in verified_lines(text, lines, verifiers))
    if not signed_by:
        raise EvidenceError("note", "no key that is known here signed it")
    return Note(text, tuple(signed_by))


def verified_lines(
    text: str, lines: Iterable[Line], verifiers: Iterable[Checks]
) -> tuple[Line, ...]:
    """The lines of known keys; raises when the signature of one of them does not hold."""
    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    found = []
    for line in lines:
        verifier = known.get((line.name, line.key))
        if verifier is not None:
            verifier.check(line.signature, text.encode())
            found.append(line)
    return tuple(found)


def _line(line: str, number: int) -> Line:
    where = f"signature line {number}"
    name, gap, blob = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not gap:
        raise EvidenceError(where, "it must read: em dash, name, base64, separated by spaces")
    check_name(name)
    signature = decode_base64(blob, where)
    if len(signature) < 5:
        raise EvidenceError(where, "it is too short for a key id and a signature")
    return Line(name, signature[:4], signature[4:])


def _check_characters(note: str) -> None:
    try:
        note.encode()
    except UnicodeEncodeError:
        raise EvidenceError("note", "it is not valid UTF-8") from None
    if _CONTROL.search(note):
        raise EvidenceError("note", "it contains a control character other than newline")
