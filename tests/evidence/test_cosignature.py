"""Cosignatures against the texts of C2SP tlog-cosignature."""

from __future__ import annotations

from pathlib import Path

import pytest

from landbridge.evidence import EvidenceError, Log, Signer, verify_folder, verify_receipt
from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.cosignature import (
    Cosigned,
    Cosigner,
    WitnessKey,
    cosignatures,
    timestamp,
)
from landbridge.evidence.merkle import leaf_hash
from landbridge.evidence.note import read_note
from landbridge.evidence.signer import key_id
from landbridge.evidence.tlog_proof import TlogProof

# The example of C2SP tlog-cosignature; its keys are not published.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zh"
    "cyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJs"
    "X3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
EXAMPLE_TIME = 1679315147
LOG = Signer.create("nyc.example/gateway")
WITNESS = Cosigner.create("nyc.example/ewr/witness")
KEY = WitnessKey.parse(WITNESS.vkey)
NOTE = Checkpoint(LOG.name, 1, leaf_hash(b"x")).sign(LOG)
COSIGNED = NOTE + WITNESS.cosign(read_note(NOTE)[0], EXAMPLE_TIME).text


def test_the_specification_s_example_has_its_time_where_we_read_it() -> None:
    """The text of the signed message names the same second as the line."""
    text, lines = read_note(EXAMPLE)
    assert text.startswith("example.com/behind-the-sofa\n20852163\n")
    assert [line.name for line in lines][1] == "witness.example.com/w1"
    assert timestamp(lines[1].signature) == EXAMPLE_TIME
    assert len(lines[1].signature) == 72
    assert "".join(line.text for line in lines) in EXAMPLE


def test_what_is_signed_is_the_specification_s_message() -> None:
    """Two lines before the checkpoint: other people's verifiers compute the same bytes."""
    text, _ = read_note(EXAMPLE)
    line = WITNESS.cosign(text, EXAMPLE_TIME)
    message = f"cosignature/v1\ntime 1679315147\n{text}"
    KEY.public.verify(line.signature[8:], message.encode())
    public = KEY.public.public_bytes_raw()
    assert KEY.id == key_id(KEY.name, public, b"\x04") != key_id(KEY.name, public)


def test_a_cosigned_checkpoint_says_by_whom_and_when() -> None:
    """Only the witnesses that were asked for count."""
    assert cosignatures(COSIGNED, [KEY]) == (Cosigned(WITNESS.name, EXAMPLE_TIME),)
    assert cosignatures(NOTE, [KEY]) == ()
    other = WitnessKey.parse(Cosigner.create(WITNESS.name).vkey)
    assert cosignatures(COSIGNED, [other]) == ()


def test_every_changed_byte_of_a_cosigned_checkpoint_is_noticed() -> None:
    """Its time is signed too; a changed key id makes it a stranger's, which does not count."""
    content = COSIGNED.encode()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        try:
            found = cosignatures(changed.decode(errors="surrogateescape"), [KEY])
        except EvidenceError:
            continue
        line = content.rindex(b"\n", 0, -1)
        in_log_line = content.index(b"\n\n") + 2 <= at < line
        assert found == () or in_log_line, at


def test_a_log_s_signature_is_no_cosignature(tmp_path: Path) -> None:
    """The same key in another role has another id, and signs another message."""
    with pytest.raises(EvidenceError):
        WitnessKey.parse(LOG.vkey)
    WITNESS.save(tmp_path / "key")
    assert Cosigner.load(tmp_path / "key").vkey == WITNESS.vkey
    with pytest.raises(EvidenceError):
        Signer.load(tmp_path / "key")
    LOG.save(tmp_path / "log")
    with pytest.raises(EvidenceError):
        Cosigner.load(tmp_path / "log")


def test_a_receipt_and_a_folder_say_who_cosigned(tmp_path: Path) -> None:
    """An auditor sees whose word stands beside the keeper's own."""
    found = verify_receipt(b"x", TlogProof(0, (), COSIGNED).text, LOG.vkey, [WITNESS.vkey])
    assert [each.witness for each in found.witnesses] == [WITNESS.name]
    assert verify_receipt(b"x", TlogProof(0, (), NOTE).text, LOG.vkey, [WITNESS.vkey]).size == 1
    with Log.open(tmp_path / "log", tmp_path / "state", LOG) as log:
        log.append(b"x")
    (tmp_path / "log" / "checkpoint").write_text(COSIGNED)
    assert verify_folder(tmp_path / "log", LOG.vkey, [WITNESS.vkey]).witnesses == found.witnesses
    assert verify_folder(tmp_path / "log").witnesses == ()
