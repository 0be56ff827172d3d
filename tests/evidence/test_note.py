"""Signed notes, checkpoints and proofs against the texts of their specifications."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.evidence.checkpoint import Checkpoint, open_checkpoint
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import Tree, inclusion_proof, leaf_hash, root_hash
from landbridge.evidence.note import open_note, sign_note
from landbridge.evidence.receipt import verify_receipt
from landbridge.evidence.signer import Signer, Verifier
from landbridge.evidence.tlog_proof import TlogProof

# The example of C2SP signed-note.
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXpp"
    "zi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SIGNER = Signer.create("nyc.example/gateway")
OTHER = Signer.create("nyc.example/gateway")


def receipt_of(entries: list[bytes], index: int, signer: Signer = SIGNER) -> str:
    """The proof of one entry in a log of these."""
    tree = Tree()
    for entry in entries:
        tree.append(leaf_hash(entry))
    root = root_hash(tree.size, tree.node)
    note = Checkpoint(signer.name, tree.size, root).sign(signer)
    return TlogProof(index, tuple(inclusion_proof(index, tree.size, tree.node)), note).text


def test_the_specification_s_note_opens_under_its_key() -> None:
    """Other people's notes are what the format is for."""
    assert open_note(NOTE, [Verifier.parse(VKEY)]).text == "This is an example message.\n"


def test_every_changed_byte_of_a_note_is_refused() -> None:
    """There is no byte of a signed note that does not matter."""
    content = NOTE.encode()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(EvidenceError):
            open_note(changed.decode(errors="surrogateescape"), [Verifier.parse(VKEY)])


def test_every_changed_byte_of_a_verifier_key_is_refused() -> None:
    """The key id ties name and key together, so that a slip of the pen is noticed."""
    for at in range(len(VKEY)):
        changed = VKEY[:at] + chr(ord(VKEY[at]) ^ 1) + VKEY[at + 1 :]
        with pytest.raises(EvidenceError):
            open_note(NOTE, [Verifier.parse(changed)])


def test_a_signature_of_an_unknown_key_is_passed_over() -> None:
    """Witnesses may sign beneath the log without breaking verifiers that do not know them."""
    note = sign_note("text\n", SIGNER)
    stranger = sign_note("text\n", Signer.create("witness.example/w1")).split("\n\n")[1]
    assert open_note(note + stranger, [Verifier.parse(SIGNER.vkey)]).signed_by == (SIGNER.name,)


def test_a_note_without_a_known_signature_is_refused() -> None:
    """Unknown signatures alone are no reason to trust a text."""
    with pytest.raises(EvidenceError, match="no key that is known here signed it"):
        open_note(sign_note("text\n", SIGNER), [Verifier.parse(OTHER.vkey)])


def test_a_bad_signature_of_a_known_key_refuses_the_whole_note() -> None:
    """The specification lets a reader stop at the first lie, and we do."""
    good = sign_note("text\n", SIGNER)
    bad = sign_note("other\n", SIGNER).split("\n\n")[1]
    with pytest.raises(EvidenceError, match="does not belong to this text"):
        open_note(good + bad, [Verifier.parse(SIGNER.vkey)])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "a\x00b"])
def test_a_name_that_would_break_the_lines_is_refused(name: str) -> None:
    """A name with a newline could forge a second signature line."""
    with pytest.raises(EvidenceError, match="key name"):
        Signer.create(name)


def test_a_note_s_text_may_hold_empty_lines() -> None:
    """The signatures begin after the LAST empty line."""
    text = "one\n\n\u2014 two three\n\nfour\n"
    assert open_note(sign_note(text, SIGNER), [Verifier.parse(SIGNER.vkey)]).text == text


@given(st.integers(0, (1 << 63) - 1), st.binary(min_size=32, max_size=32))
def test_checkpoints_read_back(size: int, root: bytes) -> None:
    """Writing and reading are each other's inverse."""
    checkpoint = Checkpoint(SIGNER.name, size, root)
    assert open_checkpoint(checkpoint.sign(SIGNER), Verifier.parse(SIGNER.vkey)) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "a.example\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a.example\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a.example\n1_0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a.example\n\u0661\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a.example\n9223372036854775808\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a.example\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "a.example\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
        "a.example\n1\nAAAA\n",
        "a.example\n1\n",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "a.example\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
        "a.example\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n",
    ],
)
def test_a_checkpoint_has_one_spelling(text: str) -> None:
    """Two texts for one meaning are two chances for two readers to differ."""
    with pytest.raises(EvidenceError):
        Checkpoint.parse(text)


def test_a_checkpoint_under_another_origin_is_refused() -> None:
    """A key that serves two logs must not let one speak for the other."""
    note = Checkpoint("nyc.example/other", 0, bytes(32)).sign(SIGNER)
    with pytest.raises(EvidenceError, match="origin"):
        open_checkpoint(note, Verifier.parse(SIGNER.vkey))


@given(
    st.integers(0, 1 << 40),
    st.lists(st.binary(min_size=32, max_size=32), max_size=40),
    st.binary(max_size=40),
)
def test_proofs_read_back(index: int, hashes: list[bytes], extra: bytes) -> None:
    """Writing and reading are each other's inverse."""
    proof = TlogProof(index, tuple(hashes), "a\n1\nb\n\n\u2014 c d\n", extra)
    assert TlogProof.parse(proof.text) == proof


def test_a_receipt_verifies_and_says_where() -> None:
    """The promise to every caller."""
    entries = [str(number).encode() for number in range(11)]
    for index, entry in enumerate(entries):
        found = verify_receipt(entry, receipt_of(entries, index), SIGNER.vkey)
        assert (found.index, found.size, found.origin) == (index, 11, SIGNER.name)
        assert found.leaf_hash == leaf_hash(entry)


def test_a_receipt_for_another_entry_or_log_is_refused() -> None:
    """A receipt binds one entry of one log."""
    entries = [b"a", b"b", b"c"]
    proof = receipt_of(entries, 1)
    with pytest.raises(EvidenceError, match="does not lead"):
        verify_receipt(b"a", proof, SIGNER.vkey)
    with pytest.raises(EvidenceError, match="no key"):
        verify_receipt(b"b", proof, OTHER.vkey)


def test_every_changed_byte_of_a_receipt_is_refused() -> None:
    """Nothing in a receipt may be bent without notice."""
    entries = [str(number).encode() for number in range(5)]
    content = receipt_of(entries, 3).encode()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(EvidenceError):
            verify_receipt(entries[3], changed.decode(errors="surrogateescape"), SIGNER.vkey)


@given(st.text(max_size=300))
def test_no_text_makes_the_check_fail_otherwise(text: str) -> None:
    """Receipts come from strangers: the answer is EvidenceError, not a stack trace."""
    for proof in (text, "c2sp.org/tlog-proof@v1\nindex 0\n" + text, NOTE + text):
        with pytest.raises(EvidenceError):
            verify_receipt(b"", proof, SIGNER.vkey)


def test_a_key_reads_back_and_signs_the_same(tmp_path: Path) -> None:
    """The log's identity survives a restart."""
    SIGNER.save(tmp_path / "deep" / "log.key")
    loaded = Signer.load(tmp_path / "deep" / "log.key")
    assert loaded.vkey == SIGNER.vkey
    assert loaded.sign(b"text") == SIGNER.sign(b"text")
    assert (tmp_path / "deep" / "log.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o601, 0o777])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """A key that others could read may be anybody's."""
    path = tmp_path / "log.key"
    SIGNER.save(path)
    path.chmod(mode)
    with pytest.raises(EvidenceError, match="chmod 600"):
        Signer.load(path)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """Losing a log's key ends the log."""
    SIGNER.save(tmp_path / "log.key")
    with pytest.raises(EvidenceError, match="there already"):
        OTHER.save(tmp_path / "log.key")
    assert Signer.load(tmp_path / "log.key").vkey == SIGNER.vkey


def test_every_changed_byte_of_a_key_file_is_refused(tmp_path: Path) -> None:
    """A damaged key must not become another identity."""
    path = tmp_path / "log.key"
    SIGNER.save(path)
    content = path.read_bytes()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        path.write_bytes(changed)
        with pytest.raises(EvidenceError):
            Signer.load(path)


def test_a_key_is_not_shown(tmp_path: Path) -> None:
    """Keys must not reach a log by way of repr."""
    SIGNER.save(tmp_path / "log.key")
    secret = (tmp_path / "log.key").read_text().split("+", 4)[-1].strip()
    assert len(secret) > 40
    assert secret not in repr(SIGNER)
    assert "Private" not in repr(SIGNER)


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_a_key_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """One clear sentence instead of a stack trace at start."""
    path = tmp_path / "log.key"
    if kind == "folder":
        path.mkdir()
    with pytest.raises(EvidenceError, match=r"log\.key: "):
        Signer.load(path)
