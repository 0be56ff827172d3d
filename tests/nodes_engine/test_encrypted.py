"""A department's DuckDB files under a key: what lies on the disk, who opens it, what is said."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from landbridge.evidence.finding import EvidenceError
from nodes.engines import table
from nodes.engines.choice import EngineChoice
from nodes.engines.database import open_for_loading, text
from nodes.engines.duckdb import DuckDBEngine
from nodes.engines.engine import Cell, EngineNotStarted
from nodes.engines.file_key import FileKey, is_encrypted, read_file_key
from nodes.engines.found import Rule
from nodes.handlers.functions import Functions
from nodes.load import load
from nodes.load_report import LoadRefused, Report
from nodes.store import Store
from policies.contract import Type
from policies.handler_source import read as read_handler
from tests.handlers.test_functions import TEXT
from tests.nodes_engine.conftest import LIMITS, SECRET
from tests.nodes_engine.test_load import column, of

KEY, OTHER = FileKey(b"k" * 32), FileKey(b"o" * 32)
CONTRACT = of(column("person", Type.TEXT), column("age", Type.INTEGER))
SUM = "SELECT count(*), sum(age), max(person) FROM visits"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty one."""
    return Store(tmp_path / "store")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Rows, one of them somebody's."""
    path = tmp_path / "visits.csv"
    names = (f"n{number}" if number != 711 else SECRET for number in range(5_000))
    path.write_text("person,age\n" + "".join(f"{name},{n % 90}\n" for n, name in enumerate(names)))
    return path


def holding(folder: Path, words: bytes) -> list[str]:
    """The files that hold these bytes."""
    return [
        each.name for each in folder.rglob("*") if each.is_file() and words in each.read_bytes()
    ]


def asked(store: Store, key: FileKey | None) -> list[tuple[Cell, ...]]:
    """What a worker answers over the files."""
    engine = DuckDBEngine(store.tables(), LIMITS, key=key)
    try:
        return engine.run(SUM, [], timeout=20, maximum_rows=1)
    finally:
        engine.close()


def test_the_disk_holds_no_value_and_the_answers_are_the_same(
    store: Store, source: Path, tmp_path: Path
) -> None:
    """That is what a key is for; without one the same search finds the name."""
    plain = Store(tmp_path / "plain")
    load(CONTRACT, source, plain)
    load(CONTRACT, source, store, key=KEY)
    (file,) = store.tables().values()
    assert is_encrypted(file)
    assert holding(tmp_path / "store", SECRET.encode()) == []
    assert len(holding(tmp_path / "plain", SECRET.encode())) == 1
    assert not list(tmp_path.rglob("*.wal"))
    assert asked(store, KEY) == asked(plain, None)


def test_no_nonce_comes_twice_and_no_two_files_share_a_key(store: Store, tmp_path: Path) -> None:
    """Under one key a nonce that comes twice would show what two blocks differ in."""
    path = tmp_path / "many.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT sha256(i::VARCHAR) AS person, i % 90 AS age FROM range(120000) t(i)) "
            f"TO '{path}' (FORMAT parquet)"
        )
    first = load(CONTRACT, path, store, key=KEY).loaded
    assert first is not None
    content = first.path.read_bytes()
    headers, block = 3 * 4096, 262_144
    starts = range(headers, len(content), block)
    nonces = {content[start : start + 12] for start in starts}
    assert len(nonces) == len(starts) > 15
    file = first.path
    others = (file.with_stem("0" * 32), file.parent.with_name("people") / file.name)
    assert len({KEY.of(each) for each in (file, *others)} | {OTHER.of(file)}) == 4
    assert KEY.of(file) == FileKey(b"k" * 32).of(file.with_suffix(".part"))


def said(store: Store, key: FileKey | None) -> str:
    """Why a node does not start."""
    with pytest.raises(EngineNotStarted) as caught:
        DuckDBEngine(store.tables(), LIMITS, key=key)
    text = str(caught.value)
    assert all(
        each.of(path) not in text for each in (KEY, OTHER) for path in store.tables().values()
    )
    return text


def test_each_way_in_which_key_and_file_do_not_fit_is_one_sentence(
    store: Store, source: Path
) -> None:
    """Another key, none, and files of before; and a load with the key that is meant mends it."""
    load(CONTRACT, source, store)
    assert "is not encrypted, and engine.key is set; load its data again" in said(store, KEY)
    assert not load(CONTRACT, source, store, key=KEY).unchanged
    assert "is encrypted, and engine.key is not set" in said(store, None)
    assert "encrypted with another, or is damaged; put that key back" in said(store, OTHER)
    assert load(CONTRACT, source, store, key=KEY).unchanged
    assert not load(CONTRACT, source, store, key=OTHER).unchanged
    assert asked(store, OTHER)[0][0] == 5_000
    assert not load(CONTRACT, source, store).unchanged
    assert asked(store, None)[0][0] == 5_000


def test_a_file_that_was_changed_by_a_bit_is_not_read(store: Store, source: Path) -> None:
    """AES-GCM says that it is not what was written: the run fails, with the constant sentence."""
    load(CONTRACT, source, store, key=KEY)
    (file,) = store.tables().values()
    content = bytearray(file.read_bytes())
    for place in range(3 * 4096 + 100, len(content), 262_144):
        content[place] ^= 1
    file.chmod(0o600)
    file.write_bytes(content)
    with pytest.raises(Exception, match=r"could not compute|cannot open the file"):
        asked(store, KEY)


def test_nothing_that_sql_or_another_user_sees_holds_the_key(store: Store, source: Path) -> None:
    """Not the engine's own tables of settings and databases, nor a process's words."""
    load(CONTRACT, source, store, key=KEY)
    (file,) = store.tables().values()
    engine = DuckDBEngine(store.tables(), LIMITS, key=KEY)
    (pid,) = engine.pids
    for name in ("databases", "settings", "secrets", "views", "tables", "variables", "logs"):
        rows = engine.run(
            f"SELECT t::VARCHAR FROM duckdb_{name}() t", [], timeout=20, maximum_rows=1_000
        )
        assert KEY.of(file) not in str(rows), name
    for words in ("cmdline", "environ"):
        assert KEY.of(file).encode() not in Path(f"/proc/{pid}/{words}").read_bytes()
    engine.close()
    assert repr(KEY).count("k") < 32


def test_a_handler_in_python_reads_an_encrypted_table(store: Store, source: Path) -> None:
    """Its worker can open nothing any more, and decrypts what it has open."""
    load(CONTRACT, source, store, key=KEY)
    body = (
        '    row = view.one("SELECT sum(age) FROM visits")\n    view.hand_over(said=str(row[0]))\n'
    )
    handler = read_handler(TEXT.format(top="", body=f"{body}    return passed()"), "asked.py")
    with closing(Functions(store.tables(), LIMITS, {"asked": handler}, key=KEY)) as pool:
        found = pool.call("asked", {"person_id": 7}, timeout=20)
    assert found.handed == {"said": str(sum(number % 90 for number in range(5_000)))}


def test_what_does_not_fit_in_memory_is_not_spilled(tmp_path: Path) -> None:
    """DuckDB's key for temporary files would be drawn from 64 bits; so it has no place for any."""
    for key, place in (("", str(tmp_path)), ("x" * 43 + "=", "")):
        connection = open_for_loading(
            str(tmp_path / f"a{place == ''}"), spill=str(tmp_path), key=key
        )
        assert connection.execute("SELECT current_setting('temp_directory')").fetchone() == (place,)
        connection.close()


def violated(store: Store, source: Path, source_key: str = "") -> Rule:
    """What a load says of its source."""
    with pytest.raises(LoadRefused) as caught:
        load(CONTRACT, source, store, key=KEY, source_key=source_key)
    (found,) = caught.value.report.violations
    return found.rule


def test_a_table_too_large_for_its_nonces_is_refused(
    store: Store, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound that is kept and not hoped for."""
    monkeypatch.setattr(table, "MOST_ENCRYPTED", 1_000)
    assert violated(store, source) is Rule.LARGE
    assert store.tables() == {}


def owned(path: Path, key: str, *statements: str) -> Path:
    """A DuckDB file of the department's own, encrypted."""
    with duckdb.connect() as connection:
        connection.execute("SET force_mbedtls_unsafe = 'true'")
        connection.execute(f"ATTACH '{path}' AS own (ENCRYPTION_KEY {text(key)})")
        connection.execute("USE own")
        for statement in statements:
            connection.execute(statement)
    return path


ROWS = "CREATE TABLE {0} AS SELECT 'n' || i AS person, i % 90 AS age FROM range(100) t(i)"


def loaded(store: Store, source: Path, key: str) -> Report:
    """From that file."""
    return load(CONTRACT, source, store, key=KEY, source_key=key)


def test_a_departments_own_encrypted_file_is_loaded(store: Store, tmp_path: Path) -> None:
    """From its only table or view, or from the one of the contract's name."""
    only = owned(tmp_path / "only.duckdb", "it's", ROWS.format("registry"))
    assert loaded(store, only, "it's").rows == 100
    two = owned(
        tmp_path / "two.duckdb", "key", ROWS.format("registry"),
        "CREATE VIEW visits AS SELECT * FROM registry WHERE age < 50",
    )  # fmt: skip
    assert violated(store, two, source_key="other") is Rule.LOCKED
    assert violated(store, two) is Rule.LOCKED
    assert loaded(store, two, "key").rows == 60
    assert asked(store, KEY)[0][0] == 60
    many = owned(tmp_path / "many.duckdb", "key", ROWS.format("a"), ROWS.format("b"))
    assert violated(store, many, source_key="key") is Rule.TABLES
    (tmp_path / "only.duckdb.wal").write_bytes(b"later")
    assert violated(store, only, source_key="it's") is Rule.OPEN
    (tmp_path / "plain.duckdb").write_bytes(b"no database")
    assert violated(store, tmp_path / "plain.duckdb") is Rule.UNREADABLE


def test_a_plain_file_of_duckdb_is_loaded_too(store: Store, tmp_path: Path) -> None:
    """The key for sources is for those that are encrypted."""
    path = tmp_path / "plain.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(ROWS.format("registry"))
    assert loaded(store, path, "unused").rows == 100


def test_a_key_is_its_owners_alone_and_long_enough(tmp_path: Path) -> None:
    """Or the node does not start."""
    path = tmp_path / "files.key"
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_file_key(path)
    path.write_bytes(os.urandom(32))
    path.chmod(0o644)
    with pytest.raises(EvidenceError, match="others can read or change this key"):
        read_file_key(path)
    path.chmod(0o600)
    assert read_file_key(path) == EngineChoice(key=path).file_key
    path.write_bytes(b"password\n")
    with pytest.raises(EvidenceError, match="32 random bytes or more") as caught:
        read_file_key(path)
    assert "password" not in str(caught.value)
    assert EngineChoice(source_key=path).source_secret == "password"
    path.write_bytes(b"\xff\n")
    with pytest.raises(EvidenceError, match="not UTF-8"):
        _ = EngineChoice(source_key=path).source_secret
