"""Which rows are measured, and what comes of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench.row import Row, RowFailed, Say


def fake(name: str) -> Row:
    """A row that took no time to make."""
    return Row.of(name, [2.0], [1.0], better="lower", note="seconds; nothing was done")


def test_an_unknown_row_is_one_sentence_that_lists_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in a name is mended from the sentence alone, and measures nothing."""
    assert bench.main(["--only", "sdk_import,no_such_row"], tmp_path / "latest.json") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"There is no row 'no_such_row'; there are {', '.join(bench.ROWS)}.\n"
    assert not (tmp_path / "latest.json").exists()


def test_an_empty_choice_is_an_unknown_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--only ""` must not quietly measure nothing and succeed."""
    assert bench.main(["--only", ""], tmp_path / "latest.json") == 2
    assert "There is no row ''" in capsys.readouterr().err


@pytest.mark.parametrize("name", bench.ROWS)
def test_every_listed_row_has_a_measurement(name: str) -> None:
    """A name in the list without its module would fail only when somebody asks for it."""
    assert callable(bench.measurement(name))


@pytest.mark.parametrize("name", bench.ROWS)
def test_every_listed_row_is_documented(name: str) -> None:
    """A figure whose floor nobody can look up is a figure nobody can use."""
    page = Path(__file__).parents[2] / "docs" / "bench.md"
    assert f"\n| `{name}` |" in page.read_text("utf-8")


def test_rows_go_to_standard_output_and_to_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real row, through the whole program: one line of JSON, and the same in the file."""
    results = tmp_path / "results" / "latest.json"
    assert bench.main(["--only", "release_1000_cells"], results) == 0
    said = capsys.readouterr()
    row = json.loads(said.out)
    assert row["row"] == "release_1000_cells"
    assert said.out.count("\n") == 1
    assert json.loads(results.read_text("utf-8")) == [row]


def test_a_row_that_fails_leaves_the_others_standing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long run is not lost to one outage, and the exit status still tells of it."""

    def measurement(name: str) -> object:
        def measure(say: Say) -> Row:
            say("at work")
            if name == "startup":
                raise RowFailed("Nobody is at home.")
            return fake(name)

        return measure

    monkeypatch.setattr(bench, "measurement", measurement)
    chosen = ["--only", "sdk_import,startup,log_on"]
    assert bench.main(chosen, tmp_path / "latest.json") == 1
    said = capsys.readouterr()
    assert [json.loads(line)["row"] for line in said.out.splitlines()] == ["sdk_import", "log_on"]
    assert "startup: at work\nstartup was not measured: Nobody is at home.\n" in said.err
    written = json.loads((tmp_path / "latest.json").read_text("utf-8"))
    assert [row["row"] for row in written] == ["sdk_import", "log_on"]
