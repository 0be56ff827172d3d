"""`landbridge log about`, `forget-key` and `archive`, as an operator runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from landbridge.evidence import Entry, Log, Signer
from landbridge.evidence.subject_keys import SubjectKeys
from tests.cli.commands import Run

JANUARY, FEBRUARY = 1_768_478_400.0, 1_771_156_800.0
"""2026-01-15 and 2026-02-15, noon."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A department's state folder: a call about 4711 in each of two months, 300 others between."""
    keys = SubjectKeys(tmp_path / "subjects")
    with Log.open(tmp_path / "log", tmp_path / "journal", Signer.create("town/jfk")) as log:

        def call(seconds: float, month: str, subject: str, **more: str) -> None:
            key = keys.at(seconds)
            entry = Entry(
                kind="call",
                time=f"{month}-15T12:00:00.000000Z",
                caller="ab" * 32,
                organisation="police",
                purpose="x:y",
                resource="jfk.band",
                outcome="answered",
                subject=key.key.digest(subject),
                subject_key=key.id,
                **more,  # type: ignore[arg-type]
            )
            log.submit(entry.to_bytes())

        call(JANUARY, "2026-01", "4711")
        for number in range(300):
            call(JANUARY, "2026-01", str(number))
        call(FEBRUARY, "2026-02", "4711")
        call(FEBRUARY, "2026-02", "4711", disclosable_from="9999-01-01T00:00:00.000000Z")
    return tmp_path


def test_a_person_is_told_who_asked_when_and_why(state: Path, run: Run) -> None:
    """With the folder of keys, over all months; delayed entries are left out in silence."""
    words = ("log", "about", "4711", str(state / "log"), "--key", str(state / "subjects"))
    found = json.loads(run(*words, "--format", "json").out)
    assert [access["time"][:7] for access in found] == ["2026-01", "2026-02"]
    assert found[0] == {
        "log": "town/jfk",
        "time": "2026-01-15T12:00:00.000000Z",
        "organisation": "police",
        "purpose": "x:y",
        "kind": "call",
        "what": "jfk.band",
        "outcome": "answered",
    }
    table = run(*words)
    assert table.out.count("police") == 2
    assert "abab" not in table.out


def test_one_months_key_finds_one_month(state: Path, run: Run) -> None:
    """Whoever holds only that key sees no more."""
    key = state / "subjects" / "2026-02.key"
    ended = run("log", "about", "4711", str(state / "log"), "--key", str(key), "--format", "json")
    assert [access["time"][:7] for access in json.loads(ended.out)] == ["2026-02"]


def test_a_forgotten_month_is_not_found_and_said_to_be_forgotten(state: Path, run: Run) -> None:
    """The log verifies as before, to the byte."""
    root = run("log", "verify", str(state / "log")).out
    assert run("log", "forget-key", str(state), "2026-01").status == 0
    words = ("log", "about", "4711", str(state / "log"), "--key", str(state / "subjects"))
    ended = run(*words)
    assert ended.out.count("police") == 1
    assert "2026-01 was destroyed" in ended.err
    assert run("log", "verify", str(state / "log")).out == root
    assert run("log", "forget-key", str(state), "2026-01").status == 1
    assert run("log", "forget-key", str(state / "log"), "2026-01").status == 2


def test_old_entries_move_and_are_read_from_where_they_are(state: Path, run: Run) -> None:
    """By date or by number; the commands that read take the archive."""
    log, cold = str(state / "log"), str(state / "cold")
    assert run("log", "archive", log, cold).status == 2
    ended = run("log", "archive", log, cold, "--before", "2026-02-01")
    assert (ended.status, ended.out) == (0, f"256 of 303 entries are in {cold}\n")
    assert run("log", "verify", log).status == 1
    assert run("log", "verify", log, "--archive", cold).status == 0
    ended = run("log", "search", log, "--archive", cold, "--format", "jsonl")
    assert len(ended.out.splitlines()) == 303
    assert run("log", "archive", log, cold, "--entries", "1").out.startswith("256 of 303")


def test_the_last_start_stays(run: Run, tmp_path: Path) -> None:
    """The next one is compared with it, and the server reads it without the archive."""
    with Log.open(tmp_path / "log", tmp_path / "journal", Signer.create("town/jfk")) as log:
        for number in range(900):
            kind = "start" if number == 300 else "stop"
            digests = {"access": "ab" * 32} if kind == "start" else {}
            entry = Entry(
                kind=kind, time="2026-01-15T12:00:00.000000Z", program="x", digests=digests
            )
            log.submit(entry.to_bytes())
    ended = run("log", "archive", str(tmp_path / "log"), str(tmp_path / "cold"), "--entries", "900")
    assert ended.out.startswith("256 of 900")
