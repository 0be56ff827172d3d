"""Signed notes: a text and the signatures of named keys under it.

Source: C2SP signed-note v1.0.0 (https://c2sp.org/signed-note).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.signer import Signer, Verifier, check_name, decode_base64

LONGEST: Final = 1 << 20
MOST_SIGNATURES: Final = 100
_DASH: Final = "\u2014 "


@dataclass(frozen=True, slots=True)
class Note:
    """An opened note: its text, and the names of the known keys whose signatures hold."""

    text: str
    signed_by: tuple[str, ...]


def sign_note(text: str, signer: Signer) -> str:
    """The note of `text`, which ends in a newline, with one signature."""
    if not text.endswith("\n"):
        raise EvidenceError("note", "its text must end in a newline")
    _check_characters(text)
    blob = base64.b64encode(signer.id + signer.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{signer.name} {blob}\n"


def open_note(note: str, verifiers: Iterable[Verifier]) -> Note:
    """The note's text, once at least one known key's signature holds.

    Signatures of unknown keys are passed over; one of a known key that does not hold refuses the
    whole note.
    """
    if len(note) > LONGEST:
        raise EvidenceError("note", f"it is longer than {LONGEST} characters")
    _check_characters(note)
    text, gap, block = note.rpartition("\n\n")
    if not gap or not block.endswith("\n"):
        raise EvidenceError("note", "it must be a text, an empty line and lines of signatures")
    text += "\n"
    lines = block[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise EvidenceError("note", f"it has more than {MOST_SIGNATURES} signatures")
    known = {(verifier.name, verifier.id): verifier for verifier in verifiers}
    signed_by: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        where = f"signature line {number}"
        name, gap, blob = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not gap:
            raise EvidenceError(where, "it must read: em dash, name, base64, separated by spaces")
        check_name(name)
        signature = decode_base64(blob, where)
        if len(signature) < 5:
            raise EvidenceError(where, "it is too short for a key id and a signature")
        verifier = known.get((name, signature[:4]))
        if verifier is not None:
            verifier.check(signature[4:], text.encode())
            signed_by[name] = None
    if not signed_by:
        raise EvidenceError("note", "no key that is known here signed it")
    return Note(text, tuple(signed_by))


def _check_characters(note: str) -> None:
    try:
        note.encode()
    except UnicodeEncodeError:
        raise EvidenceError("note", "it is not valid UTF-8") from None
    if any(c < " " and c != "\n" for c in note):
        raise EvidenceError("note", "it contains a control character other than newline")
