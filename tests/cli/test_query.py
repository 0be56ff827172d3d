"""`landbridge query`: formats, and what goes where."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from google.protobuf.message import Message

from landbridge.cli import app
from landbridge.errors import error
from landbridge.v1 import gateway_pb2
from tests.cli.answers import PURPOSE, SQL, answer
from tests.cli.commands import TOKEN, Run, run_apart
from tests.cli.conftest import Served
from tests.sdk.asking import says

ASKED = ("query", SQL, "--purpose", PURPOSE)
HOSTILE = "\x1b[2J\x9b31m\u202egnirts\r\n"


def test_a_table_goes_to_standard_output_and_what_it_cost_elsewhere(
    served: Served, run: Run
) -> None:
    """A person can redirect either."""
    with served(says(answer("D1", "D2"))):
        ended = run(*ASKED)
    assert ended.status == 0
    assert "101 ± 9.5" in ended.out
    assert "epsilon" not in ended.out
    assert "charged epsilon 1" in ended.err
    assert "[##########..........]  50% left" in ended.err
    assert "noise: Every number carries noise." in ended.err


def test_everything_that_was_typed_reaches_the_gateway(served: Served, run: Run) -> None:
    """Options are worth what arrives."""
    with served(says(answer("D1"))) as running:
        assert run(*ASKED, "--epsilon", "0.5", "--partial", "--mixed-dates").status == 0
        request = running.servicer.requests[0]
        metadata = running.servicer.metadata[0]
    assert isinstance(request, gateway_pb2.QueryRequest)
    assert (request.sql, request.purpose) == (SQL, PURPOSE)
    assert (request.micro_epsilon, request.partial, request.mixed_dates) == (500_000, True, True)
    assert metadata["authorization"] == f"Bearer {TOKEN}"


def test_csv_has_the_half_width_beside_each_released_column(served: Served, run: Run) -> None:
    """A released number without its error bar is half a number."""
    with served(says(answer("D1", 'a "b", c'))):
        ended = run(*ASKED, "--format", "csv")
    assert ended.out.splitlines()[0] == "district,n,n_half_width"
    assert list(csv.reader(io.StringIO(ended.out)))[1:] == [
        ["D1", "100", "9.5"],
        ['a "b", c', "101", "9.5"],
        ["", "", "9.5"],
    ]
    assert "charged epsilon" in ended.err


def test_csv_tells_an_empty_text_from_null(served: Served, run: Run) -> None:
    """They are different answers."""
    with served(says(answer(""))):
        lines = run(*ASKED, "--format", "csv").out.splitlines()
    assert lines[1:] == ['"",100,9.5', ",,9.5"]


def test_json_is_one_document_with_everything(served: Served, run: Run) -> None:
    """What a program reads must not need standard error."""
    with served(says(answer("D1"))):
        ended = run(*ASKED, "--format", "json")
    document = json.loads(ended.out)
    assert list(document) == [
        "columns",
        "rows",
        "accuracy",
        "notes",
        "missing",
        "departments",
        "as_of",
        "cost",
        "receipt",
    ]
    assert document["rows"] == [["D1", 100], [None, None]]
    assert document["accuracy"] == {"n": [9.5, 9.5]}
    assert document["columns"][1] == {"name": "n", "type": "integer", "released": True}
    assert document["cost"]["budgets"][0]["left_share"] == 0.5
    assert document["receipt"] == {
        "entry": '{"v":1}',
        "proof": "a proof",
        "salt": "01ff",
    }


def test_arrow_is_a_stream_that_others_read(
    served: Served, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The bytes are put together by hand, so another reader must agree."""
    with served(says(answer("D1", "D2"))):
        assert app.run([*ASKED, "--format", "arrow"]) == 0
    stream = capsysbinary.readouterr().out
    table = pa.ipc.open_stream(stream).read_all()
    table.validate(full=True)
    whole = pa.BufferOutputStream()
    with pa.ipc.new_stream(whole, table.schema) as writer:
        writer.write_table(table)
    assert stream == whole.getvalue().to_pybytes()
    assert table.to_pydict() == {
        "district": ["D1", "D2", None],
        "n": [100, 101, None],
        "n_half_width": [9.5, 9.5, 9.5],
    }


def test_an_arrow_stream_without_rows_has_its_columns(
    served: Served, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A table without batches is a table too."""
    empty = answer("D1")
    del empty.rows[:]
    with served(says(empty)):
        assert app.run([*ASKED, "--format", "arrow"]) == 0
    table = pa.ipc.open_stream(capsysbinary.readouterr().out).read_all()
    assert (table.num_rows, table.column_names) == (0, ["district", "n", "n_half_width"])


def test_arrow_to_a_terminal_is_refused_before_anything_is_asked(
    served: Served, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Binary would upset the terminal, and the budget would be spent for it."""
    with served(says(answer("D1"))) as running:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        ended = run(*ASKED, "--format", "arrow")
        assert running.servicer.requests == []
    assert ended.status == 2
    assert ended.err.startswith("Arrow is binary")


@pytest.mark.parametrize("format_", ["table", "json"])
def test_nothing_that_a_gateway_sends_can_command_the_terminal(
    format_: str, served: Served, run: Run
) -> None:
    """The gateway may be somebody else's."""
    hostile = answer(HOSTILE)
    hostile.columns[0].name = HOSTILE
    hostile.notes[0].text = HOSTILE
    hostile.missing.append(HOSTILE)
    hostile.cost.budgets[0].department = HOSTILE
    with served(says(hostile)):
        ended = run(*ASKED, "--format", format_)
    assert ended.status == 0
    for text in (ended.out, ended.err):
        assert not set(text) & set("\x1b\x9b\u202e\r")


def test_csv_is_faithful_in_a_file_and_harmless_on_a_terminal(
    served: Served, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program needs the value, a person needs their terminal."""
    with served(says(answer("a\x1b[2Jb"))):
        assert "a\x1b[2Jb" in run(*ASKED, "--format", "csv").out
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        shown = run(*ASKED, "--format", "csv").out
    assert "\x1b" not in shown
    assert "a\\x1b[2Jb,100,9.5" in shown


def test_a_partial_answer_says_so(served: Served, run: Run) -> None:
    """Never a silent partial."""
    partial = answer("D1")
    partial.missing.append("west")
    with served(says(partial)):
        assert "PARTIAL, without: west" in run(*ASKED, "--partial").err


def test_the_receipt_of_an_answer_is_kept(served: Served, run: Run, tmp_path: Path) -> None:
    """It is what an auditor will ask for."""
    file = tmp_path / "receipt.json"
    with served(says(answer("D1"))):
        assert run(*ASKED, "--receipt", str(file)).status == 0
    assert json.loads(file.read_text()) == {
        "entry": '{"v":1}',
        "proof": "a proof",
        "salt": "01ff",
    }


def test_the_receipt_of_a_refusal_is_kept_too(served: Served, run: Run, tmp_path: Path) -> None:
    """A refusal is an answer, and it was logged."""
    receipt = answer("D1").receipt.SerializeToString()

    def refuse(_request: Message, _context: object) -> Message:
        raise error("ACCESS_DENIED", receipt=receipt)

    file = tmp_path / "receipt.json"
    with served(refuse):
        assert run(*ASKED, "--receipt", str(file)).status == 3
    assert json.loads(file.read_text())["proof"] == "a proof"


def test_a_receipt_that_was_wanted_and_did_not_come_is_a_failure(
    served: Served, run: Run, tmp_path: Path
) -> None:
    """A script that archives receipts must hear of it; the answer is shown all the same."""
    with served(says(answer("D1", receipt=False))):
        ended = run(*ASKED, "--receipt", str(tmp_path / "receipt.json"))
    assert ended.status == 5
    assert "100 ± 9.5" in ended.out
    assert "The gateway sent no receipt." in ended.err


def test_a_receipt_that_cannot_be_kept_is_said_before_the_question(
    served: Served, run: Run, tmp_path: Path
) -> None:
    """Nothing is charged for a typing mistake."""
    with served(says(answer("D1"))) as running:
        ended = run(*ASKED, "--receipt", str(tmp_path / "nowhere" / "receipt.json"))
        assert running.servicer.requests == []
    assert ended.status == 2


def test_a_narrow_locale_is_no_failure(served: Served) -> None:
    """`±` has no place in every locale's encoding; the table is shown all the same."""
    with served(says(answer("D1"))):
        settings = {name: os.environ[name] for name in os.environ if name.startswith("LANDBRIDGE_")}
        ended = run_apart(*ASKED, PYTHONIOENCODING="ascii", **settings)
    assert ended.status == 0
    assert "100 \\xb1 9.5" in ended.out
