"""`landbridge gateway` and `landbridge node`, and development tokens."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from landbridge.federation import process
from landbridge.federation.folder import read
from landbridge.federation.ground import Ground
from tests.cli.commands import Run, run_apart


def test_the_servers_words_and_status_are_the_commands(tmp_path: Path) -> None:
    """The command becomes the server: one sentence, exit status 2, no traceback."""
    for server, command, *rest in (
        ("gateway", "serve"),
        ("node", "serve"),
        ("node", "load", "loans", "loans.csv"),
    ):
        ended = run_apart(server, command, str(tmp_path / "none.toml"), *rest)
        assert ended.status == 2
        assert "none.toml" in ended.err
        assert ended.err.count("\n") == 1


def test_a_module_named_nodes_where_one_stands_is_not_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operators keep their files in folders, and under names, of their own choice."""
    (tmp_path / "nodes.py").write_text("raise SystemExit('not the program')")
    monkeypatch.chdir(tmp_path)
    ended = run_apart("node", "serve", "none.toml")
    assert ended.status == 2
    assert "not the program" not in ended.err


def test_servers_that_are_not_installed_are_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel that a service developer installs has none."""
    monkeypatch.setattr(process, "ROOT", tmp_path)
    for words in (("gateway", "serve", "gateway.toml"), ("demo",)):
        ended = run(*words)
        assert ended.status == 2
        assert "source tree" in ended.err
        assert ended.err.count("\n") == 1


@pytest.fixture
def state(run: Run, tmp_path: Path) -> Path:
    """The state folder that a federation would leave, without running one."""
    assert run("init", "federation", str(tmp_path / "town")).status == 0
    ground = Ground.lay(read(tmp_path / "town"), tmp_path / "state")
    ground.gateway_settings({"library": "127.0.0.1:1"}, {"library": {}})
    return tmp_path / "state"


def test_a_development_token_goes_to_standard_output_alone(run: Run, state: Path) -> None:
    """`export LANDBRIDGE_TOKEN=$(landbridge token issue ...)` takes it as it is."""
    ended = run("token", "issue", str(state), "planner")
    assert ended.status == 0
    assert ended.err.startswith("DEVELOPMENT token of planner")
    _, claims, _ = ended.out.strip().split(".")
    found = json.loads(urlsafe_b64decode(claims + "=="))
    assert (found["sub"], found["org"]) == ("planner", "city-planning")
    assert found["exp"] - found["iat"] == 3600


def test_an_unknown_caller_is_told_who_is_known(run: Run, state: Path) -> None:
    """One sentence."""
    ended = run("token", "issue", str(state), "mallory")
    assert ended.status == 2
    assert "planner, desk" in ended.err
    assert ended.out == ""


def test_a_folder_that_is_no_state_is_one_sentence(run: Run, tmp_path: Path) -> None:
    """Not a traceback about a missing file."""
    ended = run("token", "issue", str(tmp_path), "planner")
    assert ended.status == 2
    assert "no state folder" in ended.err
