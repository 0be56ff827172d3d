"""How refusals, faults and mistakes end."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.message import Message

from landbridge.cli import query
from landbridge.errors import CATALOGUE, LandbridgeError, Passing, Position, error
from tests.cli.answers import PURPOSE, SQL, answer
from tests.cli.commands import Run
from tests.cli.conftest import Served
from tests.sdk.asking import says
from tests.sdk.loopback import Act

ASKED = ("query", SQL, "--purpose", PURPOSE)
EXPECTED = {
    "UNAUTHENTICATED": 3,
    "INVALID_ARGUMENT": 3,
    "PERMISSION_DENIED": 3,
    "RESOURCE_EXHAUSTED": 3,
    "UNIMPLEMENTED": 3,
    "UNAVAILABLE": 4,
    "DEADLINE_EXCEEDED": 4,
    "INTERNAL": 5,
}


def raising(failure: LandbridgeError) -> Act:
    """A gateway that says this and nothing else."""

    def act(_request: Message, _context: object) -> Message:
        raise failure

    return act


@pytest.mark.parametrize("reason", CATALOGUE)
def test_every_reason_has_its_exit_status(reason: str, served: Served, run: Run) -> None:
    """Scripts branch on it."""
    with served(raising(error(reason))):
        ended = run(*ASKED)
    assert ended.status == EXPECTED[CATALOGUE[reason].status]
    assert ended.err.splitlines()[0] == reason
    assert ended.out == ""


def test_a_refusal_prints_reason_sentence_rule_hint_and_place_and_nothing_else(
    served: Served, run: Run
) -> None:
    """What would pass, and where; no more."""
    refusal = error(
        "LEVEL_FORBIDS",
        "Column name is sealed.",
        rule="level.sealed",
        hint="Count it instead.",
        position=Position(1, 8),
    )
    with served(raising(refusal)):
        ended = run(*ASKED)
    assert ended.err.splitlines() == [
        "LEVEL_FORBIDS",
        "Column name is sealed.",
        "rule: level.sealed",
        "hint: Count it instead.",
        "at line 1, column 8",
        f"  {SQL}",
        "         ^",
    ]


def test_a_refused_explanation_shows_the_nearest_question_that_would_pass(
    served: Served, run: Run
) -> None:
    """Ready to be copied, with the epsilon where that is what has to change."""
    refusal = error("EPSILON_OUT_OF_RANGE", "Too much.")
    refusal.passing = Passing("SELECT count(*) FROM flights", 4.0)
    with served(raising(refusal)):
        ended = run("explain", *ASKED[1:])
    assert ended.err.splitlines()[-2:] == [
        "would pass: SELECT count(*) FROM flights",
        "  with --epsilon 4",
    ]


def test_a_refusal_cannot_command_the_terminal(served: Served, run: Run) -> None:
    """Its words are the gateway's."""
    hostile = "\x1b[2J\x9b31m"
    refusal = error("ACCESS_DENIED", hostile, rule=hostile, hint=hostile)
    refusal.passing = Passing(hostile)
    with served(raising(refusal)):
        assert not set(run(*ASKED).err) & set("\x1b\x9b")


def test_no_gateway_is_unavailable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at port 1."""
    monkeypatch.setenv("LANDBRIDGE_TOKEN", "abc")
    ended = run(*ASKED, "--address", "127.0.0.1:1", "--timeout", "5")
    assert ended.status == 4
    assert ended.err.splitlines()[0] == "GATEWAY_UNREACHABLE"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--address", "nowhere"), "The address must be"),
        (("--address", ""), "No gateway is named"),
        (("--ca", "/nonexistent/ca.pem"), "The file /nonexistent/ca.pem"),
        (("--token-file", "/nonexistent/token"), "The token file /nonexistent/token"),
    ],
)
def test_options_that_can_never_work_are_the_operators_to_mend(
    words: tuple[str, ...], sentence: str, served: Served, run: Run
) -> None:
    """One sentence and exit status 2, before anything is sent."""
    with served(says(answer("D1"))) as running:
        ended = run(*ASKED, *words)
        assert running.servicer.requests == []
    assert ended.status == 2
    assert ended.err.startswith(sentence)
    assert ended.err.count("\n") == 1


def test_without_a_token_nothing_is_sent(
    served: Served, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says where a token can come from."""
    with served(says(answer("D1"))) as running:
        monkeypatch.delenv("LANDBRIDGE_TOKEN")
        ended = run(*ASKED)
        assert running.servicer.requests == []
    assert ended.status == 2
    assert "LANDBRIDGE_TOKEN" in ended.err


def test_a_token_file_comes_before_the_variable(served: Served, run: Run, tmp_path: Path) -> None:
    """Whoever names a file means it."""
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    with served(says(answer("D1"))) as running:
        assert run(*ASKED, "--token-file", str(file)).status == 0
        assert running.servicer.metadata[0]["authorization"] == "Bearer from-a-file"


def test_a_purpose_must_be_typed(run: Run) -> None:
    """A missing option is a usage error; an empty purpose is a refusal."""
    ended = run("query", SQL)
    assert ended.status == 2
    assert "Missing option '--purpose'" in ended.err


def test_an_empty_purpose_is_refused_with_its_reason(served: Served, run: Run) -> None:
    """As it would be by every gateway."""
    with served(says(answer("D1"))):
        ended = run("query", SQL, "--purpose", "")
    assert ended.status == 3
    assert ended.err.splitlines()[0] == "PURPOSE_MISSING"


def test_a_defect_of_ours_is_a_sentence_without_data(
    served: Served, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback reaches a user, and no value that an exception may quote."""

    def broken(*_: object) -> None:
        raise RuntimeError("income 812345")

    monkeypatch.setattr(query, "write", broken)
    with served(says(answer("D1"))):
        ended = run(*ASKED)
    assert ended.status == 5
    assert ended.err.startswith("A defect of landbridge: RuntimeError at test_refusals.py:")
    assert "812345" not in ended.err
    assert ended.err.count("\n") == 1


def test_ctrl_c_ends_with_130(served: Served, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells expect, and without a word."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(query, "write", interrupted)
    with served(says(answer("D1"))):
        ended = run(*ASKED)
    assert (ended.status, ended.err) == (130, "")
