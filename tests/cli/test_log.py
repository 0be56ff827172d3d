"""`landbridge log`: what is shown is verified, and what does not hold is named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

import landbridge
from landbridge.cli import receipt_file
from landbridge.evidence import Entry, Log, Signer
from landbridge.evidence.receipt import Receipt
from tests.cli.commands import Run


@dataclass(frozen=True, slots=True)
class Kept:
    """A log on disk and the receipts of its entries."""

    folder: Path
    vkey: str
    receipts: list[Receipt]

    def receipt_file(self, place: int, path: Path) -> Path:
        receipt = self.receipts[place]
        path.write_text(json.dumps({"entry": receipt.entry.decode(), "proof": receipt.proof}))
        return path


def entry(number: int, **fields: str) -> bytes:
    """One question of an organisation."""
    return Entry(
        kind="query",
        time=f"2026-01-01T00:00:{number:02d}.000000Z",
        organisation="research",
        outcome="answered",
        question=f"SELECT {number}",
        **fields,  # type: ignore[arg-type]
    ).to_bytes()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """A closed log of five entries; the last holds what a terminal would obey."""
    signer = Signer.create("town/gateway")
    with Log.open(tmp_path / "log", tmp_path / "journal", signer) as log:
        receipts = [log.append(entry(number)) for number in range(4)]
        receipts.append(log.append(entry(4, purpose="\x1b[2J\x9b")))
    return Kept(tmp_path / "log", signer.vkey, receipts)


def damage(folder: Path) -> None:
    """Flips one bit of the third entry."""
    (bundle,) = (
        path
        for path in (folder / "tile" / "entries").rglob("*")
        if path.is_file() and path.name == "5"
    )
    content = bytearray(bundle.read_bytes())
    content[content.index(b"SELECT 2") + 7] ^= 1
    bundle.write_bytes(content)


def test_a_log_that_holds_is_said_to(kept: Kept, run: Run) -> None:
    """With its name, its size and its root; and that the key was its own."""
    ended = run("log", "verify", str(kept.folder))
    assert ended.status == 0
    assert ended.out.startswith("verified: town/gateway, 5 entries, root ")
    assert "--key" in ended.err


def test_an_auditor_who_comes_again_reads_what_is_new(kept: Kept, run: Run, tmp_path: Path) -> None:
    """The state file is made, moves on, and holds nothing but the log's own signed checkpoint."""
    state = tmp_path / "auditor"
    first = run("log", "verify", str(kept.folder), "--state", str(state))
    assert (first.status, "new" in first.out) == (0, False)
    assert state.read_text() == (kept.folder / "checkpoint").read_text()
    again = run("log", "verify", str(kept.folder), "--state", str(state))
    assert again.out.startswith("verified: town/gateway, 5 entries, 0 of them new, root ")


def test_a_log_that_does_not_extend_the_memory_leaves_it_as_it_is(
    kept: Kept, run: Run, tmp_path: Path
) -> None:
    """The two checkpoints together are the proof, so neither may be written over."""
    state = tmp_path / "auditor"
    with Log.open(tmp_path / "x/log", tmp_path / "x/journal", Signer.create("town/x")) as log:
        log.append(entry(1))
        state.write_text(log.checkpoint())
    ended = run("log", "verify", str(kept.folder), "--state", str(state))
    assert ended.status == 1
    assert state.read_text().startswith("town/x")


def test_a_receipt_has_no_state(kept: Kept, run: Run, tmp_path: Path) -> None:
    """It is one entry, checked offline."""
    file = kept.receipt_file(3, tmp_path / "receipt.json")
    ended = run("log", "verify", str(file), "--key", kept.vkey, "--state", str(tmp_path / "s"))
    assert ended.status == 2


def test_a_key_from_elsewhere_needs_no_warning(kept: Kept, run: Run, tmp_path: Path) -> None:
    """Given as text or as a file."""
    file = tmp_path / "key"
    file.write_text(f"{kept.vkey}\n")
    for key in (kept.vkey, str(file)):
        ended = run("log", "verify", str(kept.folder), "--key", key)
        assert (ended.status, ended.err) == (0, "")


@pytest.mark.parametrize("command", ["verify", "show"])
def test_another_logs_key_does_not_verify(command: str, kept: Kept, run: Run) -> None:
    """A log is somebody's."""
    other = Signer.create("town/gateway").vkey
    ended = run("log", command, str(kept.folder), "--key", other)
    assert (ended.status, ended.out) == (1, "")


@pytest.mark.parametrize("command", ["verify", "show"])
def test_the_first_bad_entry_is_named_and_nothing_is_shown(
    command: str, kept: Kept, run: Run
) -> None:
    """Showing what does not verify would lend it the log's authority."""
    damage(kept.folder)
    ended = run("log", command, str(kept.folder))
    assert ended.status == 1
    assert ended.out == ""
    assert "entry 2 is not the one that was logged" in ended.err


def test_entries_are_shown_without_anything_that_a_terminal_obeys(kept: Kept, run: Run) -> None:
    """A caller chose some of these words."""
    for words in ((), ("--format", "json")):
        ended = run("log", "show", str(kept.folder), *words)
        assert ended.status == 0
        assert "SELECT 3" in ended.out
        assert not set(ended.out) & set("\x1b\x9b")


def test_entries_as_json_are_one_a_line_with_their_index(kept: Kept, run: Run) -> None:
    """For jq, and for whoever counts."""
    ended = run("log", "show", str(kept.folder), "--format", "json", "--last", "2")
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [each["index"] for each in found] == [3, 4]
    assert found[0]["question"] == "SELECT 3"


def test_several_logs_are_shown_as_one_by_time(kept: Kept, run: Run, tmp_path: Path) -> None:
    """A gateway of two replicas has two; the newest entry is the newest of both."""
    signer = Signer.create("town/gateway/second")
    with Log.open(tmp_path / "second", tmp_path / "second.state", signer) as log:
        log.append(Entry(kind="stop", time="2099-01-01T00:00:00.000000Z", program="p").to_bytes())
    folders = (str(kept.folder), str(tmp_path / "second"))
    ended = run("log", "show", *folders, "--format", "json", "--last", "2")
    found = [json.loads(line) for line in ended.out.splitlines()]
    assert [(each["log"], each["index"]) for each in found] == [
        ("town/gateway", 4), ("town/gateway/second", 0)
    ]  # fmt: skip
    shown = run("log", "show", *reversed(folders), "--key", kept.vkey, "--key", signer.vkey)
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.index("SELECT 3") < shown.out.index("gateway/second")
    assert run("log", "show", *folders, "--key", Signer.create("town/gateway").vkey).status == 1


def test_a_receipt_verifies_against_the_logs_key(kept: Kept, run: Run, tmp_path: Path) -> None:
    """Offline, from one file and one key."""
    file = kept.receipt_file(3, tmp_path / "receipt.json")
    ended = run("log", "verify", str(file), "--key", kept.vkey)
    assert (ended.status, ended.out) == (0, "verified: entry 3 of 4 in town/gateway\n")


def test_a_receipt_without_a_key_is_a_usage_error(kept: Kept, run: Run, tmp_path: Path) -> None:
    """A receipt checked with nobody's key proves nothing."""
    file = kept.receipt_file(3, tmp_path / "receipt.json")
    ended = run("log", "verify", str(file))
    assert ended.status == 2
    assert "--key" in ended.err


def test_a_receipt_of_another_entry_does_not_verify(kept: Kept, run: Run, tmp_path: Path) -> None:
    """The proof binds the entry."""
    file = tmp_path / "receipt.json"
    file.write_text(
        json.dumps({"entry": entry(1).decode(), "proof": kept.receipts[3].proof}), "utf-8"
    )
    ended = run("log", "verify", str(file), "--key", kept.vkey)
    assert ended.status == 1
    assert ended.err.startswith("Not verified: ")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"entry": 1, "proof": ""}', b"\xff", b"[" * 100_000]
)
def test_a_file_that_is_no_receipt_is_the_operators_to_mend(
    content: bytes, kept: Kept, run: Run, tmp_path: Path
) -> None:
    """Not a failed verification: there is nothing to verify."""
    file = tmp_path / "receipt.json"
    file.write_bytes(content)
    ended = run("log", "verify", str(file), "--key", kept.vkey)
    assert ended.status == 2
    assert "holds no receipt" in ended.err


def test_a_folder_that_is_no_log_is_said_to_be_none(kept: Kept, run: Run, tmp_path: Path) -> None:
    """And where the log is, when it is inside."""
    ended = run("log", "show", str(kept.folder.parent))
    assert ended.status == 2
    assert str(kept.folder) in ended.err
    assert run("log", "show", str(tmp_path / "nowhere")).status == 2
    assert run("log", "verify", str(kept.folder), "--key", "nonsense").status == 2


@given(st.binary(), st.text(), st.binary())
def test_a_receipt_file_gives_back_what_was_kept(entry: bytes, proof: str, salt: bytes) -> None:
    """Byte for byte, also what no honest gateway would send."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "receipt.json"
        receipt_file.keep(file, landbridge.Receipt(entry, proof, salt))
        assert receipt_file.read(file) == landbridge.Receipt(entry, proof, salt)
