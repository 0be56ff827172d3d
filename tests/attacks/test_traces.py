"""What is left behind: no literal, subject or caller in any file or word of any process."""

from __future__ import annotations

import resource
from contextlib import suppress
from pathlib import Path

import pytest

from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry, SubjectKey
from landbridge.federation.process import run_load
from tests.attacks.worlds import World

pytestmark = pytest.mark.journey

NAME = "Quirin Probe-77"
PERSON = 987_654_321_987
CALLER = "mallory.probe@example"
MARKS = (NAME, str(PERSON), CALLER, "Probe-77", "mallory")


@pytest.fixture(scope="module")
def probed(rare: World) -> World:
    """Answered, refused and failed, each with a literal that nothing else holds."""
    token = rare.token("probing", caller=CALLER, clearance="restricted")
    assert rare.ask(f"SELECT count(*) FROM people WHERE name='{NAME}'", token=token).code == "OK"
    prefix = f"SELECT count(*) FROM people WHERE name LIKE '{NAME}%' AND age=93"
    assert rare.ask(prefix, token=token).code == "OK"
    for sql in (
        f"SELECT count(*) FROM people WHERE upper(name)='{NAME}'",
        f"SELECT '{NAME}', count(*) FROM people",
        f'SELECT count(*) AS "{NAME}" FROM nowhere',
        f"SELECT count(*) FROM people WHERE person_id={PERSON}",
        f"-- {NAME}\nSELECT",
        f"SELECT count(*) FROM people WHERE name='{NAME}",
    ):
        assert rare.ask(sql, token=token).reason
    assert "NOBODY" in str(rare.call("north.band_by_name", token=token, name=NAME).reply)
    assert "NOBODY" in str(rare.call("north.income_band", token=token, person_id=PERSON).reply)
    assert rare.call("north.income_band", token=token, person_id=str(PERSON)).reason
    assert rare.call(f"north.{NAME}", token=token, person_id=PERSON).reason
    assert rare.ask("SELECT count(*) FROM people", token=token, purpose=NAME).reason
    rare.restart_node()  # what is written at the end is written
    return rare


def files(folder: Path) -> dict[Path, bytes]:
    """Every file under it with what it holds; the log renames its tiles while we look."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):
                found[path] = path.read_bytes()
    return found


def test_no_file_of_any_process_holds_a_literal_or_a_subject(probed: World) -> None:
    """Row 104: logs, journals, ledgers, histories, data, settings, temporary files, last words."""
    state = probed.running.state
    looked = {**files(state), **files(state.parent / "tmp")}
    names = {path.name for path in looked}
    assert {"stderr.log", "ledger.sqlite", "history.sqlite", "checkpoint", "vkey"} <= names
    for path, octets in looked.items():
        for mark in MARKS:
            assert mark.encode() not in octets, f"{mark} stands in {path}"
            assert mark.encode("utf-16-le") not in octets, f"{mark} stands in {path}"
    assert not [path for path in looked if path.name.startswith("core")]


def test_the_search_sees_what_is_there(probed: World) -> None:
    """Positive control: a real name stands in the data, and nowhere else."""
    state = probed.running.state
    holding = {
        path.relative_to(state).parts[:2]
        for path, octets in files(state).items()
        if b"Zoltan Q" in octets
    }
    assert holding == {("north", "data")}


def test_no_process_shows_a_literal_in_its_words_or_environment(probed: World) -> None:
    """Row 104: what other users of the machine could read of a process, and what it printed."""
    running = probed.running
    for pid in (running.process_id(), running.process_id("north"), *probed.workers()):
        for source in ("cmdline", "environ"):
            told = Path(f"/proc/{pid}/{source}").read_bytes()
            assert not [mark for mark in MARKS if mark.encode() in told]
    for name in ("gateway", "north"):
        said = (running.state / name / "stderr.log").read_text()
        assert "Traceback" not in said
        assert "SELECT" not in said


def test_no_process_leaves_a_core_file_or_shows_a_secret(probed: World) -> None:
    """Tokens and keys: not in arguments, environment or words, nor in what a crash leaves."""
    running = probed.running
    token = probed.token("probing", caller=CALLER, clearance="restricted")
    secrets = [token.encode(), token.split(".")[2].encode(), b"PRIVATE KEY"]
    secrets += [
        path.read_bytes().strip()
        for path in running.state.rglob("*.key")
        if b"PRIVATE KEY" not in path.read_bytes()
    ]
    assert len(secrets) > 5
    for pid in (running.process_id(), running.process_id("north"), *probed.workers()):
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
        for source in ("cmdline", "environ"):
            told = Path(f"/proc/{pid}/{source}").read_bytes()
            assert not [secret for secret in secrets if secret in told]
    for name in ("gateway", "north"):
        said = (running.state / name / "stderr.log").read_bytes()
        assert not [secret for secret in secrets if secret in said]


def test_a_loader_leaves_no_core_file(rare: World, tmp_path: Path) -> None:
    """Whole tables are in its memory, and what it runs beside them is somebody else's code."""
    script = tmp_path / "load.py"
    script.write_text(
        "import pathlib, resource\n"
        "def load(folder):\n"
        "    said = str(resource.getrlimit(resource.RLIMIT_CORE))\n"
        f"    pathlib.Path({str(tmp_path / 'said')!r}).write_text(said)\n"
        "    return {}\n"
    )
    loading = run_load(rare.running.state / "north" / "node.toml", ["--script", str(script)])
    loading.result()
    assert (tmp_path / "said").read_text() == "(0, 0)"


def test_an_auditor_with_the_key_finds_the_subject(probed: World) -> None:
    """Row 104: keyed digests only, and the key opens them for whoever holds it."""
    folder = probed.running.state / "north" / "subjects"
    (month,) = folder.glob("*.key")
    key = SubjectKey.load(month)
    assert month.stat().st_mode & 0o077 == folder.stat().st_mode & 0o077 == 0
    logged = [
        Entry.from_bytes(entry) for _, entry in verify_folder(probed.running.log("north")).entries()
    ]
    subjects = {entry.subject for entry in logged}
    assert key.digest(NAME) in subjects
    assert key.digest(str(PERSON)) in subjects
    assert SubjectKey.create().digest(NAME) not in subjects
