"""A key is there whole or not at all, is never written over, and a start needs no hand."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from landbridge.edge.state import subject_key
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key, write_key
from tests.faults.suffering import KILLED, suffer


def ended(state: Path, at: int) -> int:
    """The exit status of a process that makes a key and ends at its n-th operation on files."""
    pid = os.fork()
    if pid == 0:
        suffer({"root": str(state), "fail": {"at": at, "how": "exit"}})
        subject_key(state)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_start_that_ends_while_it_makes_a_key_is_followed_by_one_that_makes_it(
    tmp_path: Path,
) -> None:
    """F1, I10: an empty key file would stop every later start, until somebody took it away."""
    number, status = 0, KILLED
    while status == KILLED:
        number += 1
        state = tmp_path / str(number)
        state.mkdir()
        status = ended(state, number)
        made = subject_key(state)
        assert subject_key(state) == made
    assert status == 0
    assert number > 5


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    """Whoever comes second hears of it, and nothing is left of what they brought."""
    write_key(tmp_path / "a.key", b"first")
    with pytest.raises(EvidenceError, match="is there already"):
        write_key(tmp_path / "a.key", b"second")
    assert read_key(tmp_path / "a.key") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_a_key_is_written_where_a_file_has_one_name_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems know no second name for a file."""

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    write_key(tmp_path / "a.key", b"first")
    with pytest.raises(EvidenceError, match="is there already"):
        write_key(tmp_path / "a.key", b"second")
    assert read_key(tmp_path / "a.key") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]
