"""A receipt is checked offline, by the caller alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from landbridge.evidence import EvidenceError, Log, Signer
from landbridge.receipt import Receipt


def test_a_receipt_verifies_against_the_log_that_gave_it_and_no_other(tmp_path: Path) -> None:
    """A receipt that any key or any entry satisfies would prove nothing."""
    signer = Signer.create("nyc.example/gateway")
    log = Log.open(tmp_path / "folder", tmp_path / "state", signer)
    try:
        given = log.append(b'{"v":1}')
    finally:
        log.close()
    receipt = Receipt(given.entry, given.proof)
    assert receipt.verify(signer.vkey).index == given.index
    with pytest.raises(EvidenceError):
        replace(receipt, entry=b'{"v":2}').verify(signer.vkey)
    with pytest.raises(EvidenceError):
        receipt.verify(Signer.create("nyc.example/gateway").vkey)
