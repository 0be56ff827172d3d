"""One commit's entries share one check of its signature, and nothing is taken on trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.log import Log
from landbridge.evidence.receipt import Receipt, verify_receipt
from landbridge.evidence.signer import Signer, Verifier


def committed(folder: Path, signer: Signer, *entries: bytes) -> list[Receipt]:
    """Receipts of entries that were committed together."""
    with Log.open(folder / "log", folder / "state", signer) as log:
        for _ in range(50):
            waiting = [log.submit(entry) for entry in entries]
            found = [each.result() for each in waiting]
            if len({each.proof.partition("\n\n")[2] for each in found}) == 1:
                return found
    raise AssertionError("they were never committed together")


def test_entries_of_one_commit_share_one_check_of_its_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And each entry is proved by itself all the same: one that is not in the tree is not."""
    signer = Signer.create("town/gateway")
    one, two = committed(tmp_path, signer, b"one", b"two")
    checked = []
    check = Verifier.check

    def counted(self: Verifier, signature: bytes, text: bytes) -> None:
        checked.append(text)
        check(self, signature, text)

    monkeypatch.setattr(Verifier, "check", counted)
    for _ in range(3):
        for each in (one, two):
            assert verify_receipt(each.entry, each.proof, signer.vkey).index == each.index
    assert len(checked) == 1
    for entry, proof in ((b"three", one.proof), (b"one", two.proof)):
        with pytest.raises(EvidenceError):
            verify_receipt(entry, proof, signer.vkey)


def test_what_held_once_says_nothing_of_another_key_text_or_signature(tmp_path: Path) -> None:
    """The whole note and the whole key are what is remembered, and failures never are."""
    signer, other = Signer.create("town/gateway"), Signer.create("town/gateway")
    (one,) = committed(tmp_path, signer, b"one")
    assert verify_receipt(b"one", one.proof, signer.vkey).index == one.index
    head, _, note = one.proof.partition("\n\n")
    lines = note.split("\n")
    root = lines[2]
    spoilt = [
        (one.proof, other.vkey),
        (
            one.proof.replace(root, root[:-3] + ("AA=" if root[-3:] != "AA=" else "AB=")),
            signer.vkey,
        ),
        (one.proof.replace(f"\n{lines[1]}\n", f"\n{int(lines[1]) + 1}\n", 1), signer.vkey),
        (f"{head}\n\n" + note.replace("town/gateway\n", "town/getaway\n", 1), signer.vkey),
    ]
    for _ in range(2):
        for proof, key in spoilt:
            with pytest.raises(EvidenceError):
                verify_receipt(b"one", proof, key)
    assert verify_receipt(b"one", one.proof, signer.vkey).index == one.index
