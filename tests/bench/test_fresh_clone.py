"""A newcomer's path, over a small repository instead of this one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench import fresh_clone
from bench.row import RowFailed

ANSWERS = """demo:
\t@echo setting up >&2
\t@echo '{"members": [], "answers": [{"args": "$(ARGS)"}], "refusals": [], "log": []}'
"""
FAILS = """demo:
\t@echo 'no room on the device' >&2; exit 3
"""


def repository(place: Path, makefile: str) -> Path:
    """A repository whose one commit holds that Makefile."""
    place.mkdir()
    (place / "Makefile").write_text(makefile, "utf-8")
    identity = ["-c", "user.name=A", "-c", "user.email=a@example", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *command], cwd=place, check=True)  # noqa: S607
    return place


def test_a_clone_is_timed_until_its_demo_has_answered(tmp_path: Path) -> None:
    """What is committed is measured, and what only lies about is not."""
    source = repository(tmp_path / "source", ANSWERS)
    (source / "Makefile").write_text(FAILS, "utf-8")  # never committed
    said: list[str] = []
    took, commit = fresh_clone.from_clone(source, tmp_path, said.append)
    assert took > 0
    assert (source / ".git" / "refs").is_dir()
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"],  # noqa: S607
        cwd=source,
        check=True,
        capture_output=True,
        text=True,
    )
    assert commit
    assert head.stdout.startswith(commit)
    assert said == ["cloned; running make demo"]


def test_a_demo_that_fails_is_named_with_its_last_words(tmp_path: Path) -> None:
    """A quick failure must never look like a quick start."""
    source = repository(tmp_path / "source", FAILS)
    said: list[str] = []
    with pytest.raises(RowFailed, match="`make --silent demo` failed with exit status 2"):
        fresh_clone.from_clone(source, tmp_path, said.append)
    assert "no room on the device" in said


def test_a_folder_without_a_commit_is_a_sentence(tmp_path: Path) -> None:
    """An exported source tree has no history to clone."""
    (tmp_path / "source").mkdir()
    with pytest.raises(RowFailed, match="`git clone --quiet` failed"):
        fresh_clone.from_clone(tmp_path / "source", tmp_path, lambda _: None)


@pytest.mark.parametrize("output", ["", "not json", "[]", "{}", '{"answers": []}', '{} {"a": 1}'])
def test_a_demo_without_an_answer_does_not_count(output: str) -> None:
    """The row promises the time to an answer."""
    with pytest.raises(RowFailed, match="`make demo` in a fresh clone"):
        fresh_clone.check_answered(output)


def test_the_environment_of_a_newcomer_holds_no_secret_and_no_cache(tmp_path: Path) -> None:
    """Only the way to a package index gets through; a warm cache would flatter the figure."""
    outer = {
        "PATH": "/usr/bin",
        "HOME": "/home/somebody",
        "LANDBRIDGE_TOKEN": "secret",
        "PYTHONPATH": "/somewhere",
        "VIRTUAL_ENV": "/somewhere/else",
        "PIP_CACHE_DIR": "/warm",
        "PIP_DEFAULT_TIMEOUT": "60",
        "https_proxy": "proxy.example:3128",
    }
    assert fresh_clone.empty_environment(outer, tmp_path / "home") == {
        "PATH": "/usr/bin",
        "HOME": str(tmp_path / "home"),
        "LANG": "C.UTF-8",
        "PIP_CACHE_DIR": str(tmp_path / "home" / "packages"),
        "PIP_DEFAULT_TIMEOUT": "60",
        "https_proxy": "proxy.example:3128",
    }
    assert (tmp_path / "home").is_dir()


def test_the_settings_of_pip_follow_into_the_new_home(tmp_path: Path) -> None:
    """Where packages come from is the machine's matter, not the row's."""
    settings = tmp_path / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.touch()
    found = fresh_clone.empty_environment({"HOME": str(tmp_path)}, tmp_path / "home")
    assert found["PIP_CONFIG_FILE"] == str(settings)


def test_a_step_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the benchmark always ends."""
    monkeypatch.setattr(fresh_clone, "LONGEST", 1.0)
    source = repository(tmp_path / "source", "demo:\n\t@sleep 600 & wait\n")
    with pytest.raises(RowFailed, match=r"took longer than"):
        fresh_clone.from_clone(source, tmp_path, lambda _: None)
