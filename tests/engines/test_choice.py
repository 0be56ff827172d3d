"""The engine that a node's settings name: what is written wrong, and what it cannot do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from landbridge.edge.settings import SettingsInvalid, open_settings
from nodes.engines.choice import EngineChoice, read_engine, unfit
from nodes.engines.kind import Kind
from policies import handler_source, odcs
from policies.handler import Handler
from tests import people


def chosen(tmp_path: Path, text: str) -> EngineChoice:
    """What these settings say; raises SettingsInvalid as a node does."""
    path = tmp_path / "node.toml"
    path.write_text(text)
    top, problems = open_settings(path)
    choice = read_engine(top, problems)
    top.done()
    if problems:
        raise SettingsInvalid(str(path), problems)
    return choice


def test_duckdb_is_there_without_a_word(tmp_path: Path) -> None:
    """A node that says nothing keeps its files."""
    assert chosen(tmp_path, "").kind is Kind.DUCKDB


def test_postgresql_is_a_line(tmp_path: Path) -> None:
    """And where it is."""
    text = '[engine]\nkind = "postgresql"\nconnection = "host=db user=reader"\nschema = "ours"'
    found = chosen(tmp_path, text)
    assert found == EngineChoice(Kind.POSTGRESQL, "host=db user=reader", "", "ours")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "oracle"', "engine.kind is one of duckdb, postgresql, spark"),
        ('kind = "postgresql"', "engine.connection is missing, which says where postgresql is"),
        ('connection = "host=db"', "belong to an engine elsewhere"),
        (
            'kind = "postgresql"\nconnection = "host=db password=x"',
            "engine.connection holds a password; name a file with it",
        ),
        (
            'kind = "postgresql"\nconnection = "host=db"\nloader = "postgresql://me:x@db/city"',
            "engine.loader holds a password",
        ),
        ('kind = "spark"\nconnection = "sc://lake:15002"', "engine.folder is missing"),
        ('folder = "/lake"', "engine.folder and engine.token belong to spark"),
        (
            'kind = "spark"\nfolder = "/lake"\nconnection = "sc://lake:15002/;token=x"',
            "engine.connection holds a token; engine.token names a file",
        ),
        (
            'kind = "postgresql"\nconnection = "host=db"\nkey = "files.key"',
            "engine.key and engine.source_key belong to duckdb",
        ),
        ('schema = "a;b"', "engine.schema is a name"),
        ('table = "x"', "unknown key engine.table"),
    ],
)
def test_a_wrong_word_is_named(tmp_path: Path, text: str, said: str) -> None:
    """One sentence each, and no secret in a file that many read."""
    with pytest.raises(SettingsInvalid, match=said):
        chosen(tmp_path, f"[engine]\n{text}")


EXAMPLES = Path(__file__).parents[2] / "examples"


def function() -> Handler:
    """A handler in Python, of an example."""
    path = next(EXAMPLES.glob("*/*/handlers/*.py"))
    return handler_source.read(path.read_text(), str(path))


def test_what_the_engine_cannot_do_is_said_in_a_sentence() -> None:
    """Collected records and functions are DuckDB's; so the node does not start, and says why."""
    path = next(EXAMPLES.glob("rescue_board/*/contracts/*.odcs.yaml"))
    collected = odcs.read(path.read_bytes(), str(path))
    contracts = {"people": people.contract(), collected.id: collected}
    assert unfit(EngineChoice(), contracts, [function()]) == []
    (plain,) = unfit(EngineChoice(key=Path("files.key")), contracts, [function()])
    assert plain.startswith(f"The records of {collected.id} are handed in")
    assert "kept in files that are not encrypted" in plain
    elsewhere = EngineChoice(Kind.POSTGRESQL, "host=db")
    records, functions = unfit(elsewhere, contracts, [function()])
    assert records.startswith(f"The records of {collected.id} are handed in")
    assert "is written in Python and reads DuckDB's files" in functions
    assert unfit(elsewhere, {"people": people.contract()}, []) == []
    lake = EngineChoice(Kind.SPARK, "sc://lake:15002", folder="/lake")
    (counter,) = unfit(lake, {"people": people.contract()}, [function()])
    assert "replies about one subject at once, which a cluster does not" in counter


def test_the_client_of_a_lake_loads_in_a_process_without_a_main_file() -> None:
    """It takes such a process for one that runs its doctests, and would end it."""
    told = subprocess.run(
        [sys.executable, "-c", "import nodes.engines.spark.session, sys; sys.stdout.write('here')"],
        cwd=EXAMPLES.parent,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (told.returncode, told.stdout) == (0, b"here"), told.stderr
