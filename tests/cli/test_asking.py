"""`landbridge explain`, `call` and `directory`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from landbridge.v1 import gateway_pb2
from tests.cli.answers import PURPOSE, SQL, directory, plan
from tests.cli.commands import Run
from tests.cli.conftest import Served
from tests.sdk.asking import says
from tests.sdk.loopback import Gateway

CALLED = ("call", "east.band", "--purpose", PURPOSE)


def handling(offered: gateway_pb2.DirectoryResponse) -> Callable[[Message, object], Message]:
    """A gateway with this directory, whose handlers say LOW."""

    def act(request: Message, _context: object) -> Message:
        if isinstance(request, gateway_pb2.DirectoryRequest):
            return offered
        return gateway_pb2.CallResponse(code="LOW", version="3")

    return act


def sent(running: Gateway) -> dict[str, object]:
    """The arguments that the handler got."""
    request = running.servicer.requests[-1]
    assert isinstance(request, gateway_pb2.CallRequest)
    return {
        name: getattr(literal, str(literal.WhichOneof("kind")))
        for name, literal in request.arguments.items()
    }


def test_a_plan_says_what_a_question_would_do_and_cost(served: Served, run: Run) -> None:
    """Before anything is spent."""
    with served(says(plan())):
        ended = run("explain", SQL, "--purpose", PURPOSE)
    assert ended.status == 0
    for part in ("people is asked of east alone", "epsilon 1, delta 1e-06", "n ± 9.5", "50% left"):
        assert part in ended.out
    assert ended.err == "noise: Every number carries noise.\n"


def test_a_plan_does_not_pretend_to_know_how_many_cells_there_will_be(
    served: Served, run: Run
) -> None:
    """Where a key's values are found in the data."""
    unknown = plan()
    unknown.cells = 0
    with served(says(unknown)):
        ended = run("explain", SQL, "--purpose", PURPOSE)
    assert "not known beforehand" in ended.out


def test_a_plan_as_json_has_every_field(served: Served, run: Run) -> None:
    """Half-widths that depend on the data are null, not absent."""
    with served(says(plan())):
        document = json.loads(run("explain", SQL, "--purpose", PURPOSE, "--format", "json").out)
    assert document["accuracy"] == {"n": 9.5, "mean": None}
    assert document["cells"] == 3
    assert document["budgets"][0]["department"] == "east"


def test_a_handler_replies_with_its_code_alone(served: Served, run: Run) -> None:
    """A script takes standard output as it is."""
    with served(handling(directory("person: text"))):
        ended = run(*CALLED, "--arg", "person=N14228")
    assert (ended.status, ended.out) == (0, "LOW\n")
    assert ended.err == "east.band, version 3\n"


@pytest.mark.parametrize(
    ("declared", "typed", "expected"),
    [
        ("person: text", "4711", "4711"),
        ("person: integer", "4711", 4711),
        ("person: integer", "-4", -4),
        ("person: text", "a=b", "a=b"),
        ("other: integer", "4711", "4711"),
    ],
)
def test_an_argument_is_sent_in_its_declared_type(
    declared: str, typed: str, expected: object, served: Served, run: Run
) -> None:
    """An identifier made of digits is text; what is not declared stays text and is refused."""
    with served(handling(directory(declared))) as running:
        assert run(*CALLED, "--arg", f"person={typed}").status == 0
        assert sent(running) == {"person": expected}


@pytest.mark.parametrize("typed", ["x", "", "1_000", "1.0", "٣", " 1"])
def test_what_is_no_whole_number_is_not_sent_as_one(typed: str, served: Served, run: Run) -> None:
    """Python's own reading of numbers is more generous than the sentence."""
    with served(handling(directory("person: integer"))) as running:
        ended = run(*CALLED, "--arg", f"person={typed}")
        assert len(running.servicer.requests) == 1  # the directory alone
    assert ended.status == 2
    assert ended.err == "The argument person must be a whole number.\n"


@pytest.mark.parametrize("words", [["person"], ["=x"], ["a b=1"], ["purpose=x"], ["a=1", "a=2"]])
def test_arguments_that_are_no_pairs_are_usage_errors(
    words: list[str], served: Served, run: Run
) -> None:
    """Nothing is asked about the wrong subject."""
    with served(handling(directory())) as running:
        ended = run(*CALLED, *(part for word in words for part in ("--arg", word)))
        assert running.servicer.requests == []
    assert ended.status == 2


def test_a_reply_as_json(served: Served, run: Run) -> None:
    """With the version that decided."""
    with served(handling(directory("person: text"))):
        document = json.loads(run(*CALLED, "--arg", "person=1", "--format", "json").out)
    assert document == {
        "handler": "east.band",
        "code": "LOW",
        "reasons": [],
        "number": None,
        "version": "3",
        "receipt": None,
    }


def test_the_directory_lists_contracts_and_handlers(served: Served, run: Run) -> None:
    """Enough to write a question."""
    with served(says(directory("person: text"))):
        ended = run("directory")
    assert ended.status == 0
    for part in ("Eastern office", "people", "protects person_id", "district", "east.band"):
        assert part in ended.out


def test_the_directory_as_json(served: Served, run: Run) -> None:
    """As the SDK has it."""
    with served(says(directory("person: text"))):
        document = json.loads(run("directory", "--format", "json").out)
    assert document["members"][0]["contracts"][0]["columns"][0]["grouping"] is True


def test_a_directory_cannot_command_the_terminal(served: Served, run: Run) -> None:
    """Departments name themselves."""
    with served(says(directory("\x1b[2J: text", title="\x9b31m[bold]x[/bold]"))):
        shown = run("directory").out
    assert not set(shown) & set("\x1b\x9b")
    assert "[bold]x[/bold]" in shown
