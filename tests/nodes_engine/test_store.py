"""The store of loaded tables: a switch that happens or does not, and a past that is removed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nodes import store as store_module
from nodes.store import Loaded, Store, StoreBusy, StoreDamaged

REPOSITORY = Path(__file__).parents[2]


def publish(store: Store, folder: Path, number: int) -> Loaded:
    """Publishes a file that holds the number, as version number of `visits`."""
    version = f"{number:032x}"
    with store.loading("visits") as own:
        draft = own / f"{version}.part"
        draft.write_text(str(number))
        loaded = Loaded(folder / "visits" / f"{version}.duckdb", version, "d", number, 1, 0, 1, "c")
        store.publish("visits", loaded, draft)
    return loaded


def test_what_was_published_is_current(tmp_path: Path) -> None:
    """The store's whole promise, on its plain path."""
    store = Store(tmp_path)
    assert store.current("visits") is None
    assert store.tables() == {}
    first = publish(store, tmp_path, 1)
    assert store.current("visits") == first
    assert store.tables() == {"visits": first.path}
    second = publish(store, tmp_path, 2)
    assert Store(tmp_path).current("visits") == second
    assert second.path.read_text() == "2"


def test_a_store_that_does_not_exist_serves_nothing(tmp_path: Path) -> None:
    """A node's first start comes before its first load."""
    assert Store(tmp_path / "none").tables() == {}


def test_only_the_last_two_versions_are_kept(tmp_path: Path) -> None:
    """Old data must not pile up; the one before stays for an engine that still serves it."""
    store = Store(tmp_path)
    for number in range(1, 6):
        publish(store, tmp_path, number)
    kept = sorted(path.read_text() for path in (tmp_path / "visits").glob("*.duckdb"))
    assert kept == ["4", "5"]


def test_only_the_owner_can_read_the_store(tmp_path: Path) -> None:
    """The files are the department's private data."""
    folder = tmp_path / "new"
    store = Store(folder)
    publish(store, folder, 1)
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("operation", ["fsync", "replace", "open", "fdopen"])
@pytest.mark.parametrize("at", range(6))
def test_an_interrupted_switch_leaves_one_whole_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, at: int
) -> None:
    """Whichever system call fails, the store serves the earlier file or the new one, entirely."""
    store = Store(tmp_path)
    first = publish(store, tmp_path, 1)
    genuine: Callable[..., object] = getattr(os, operation)
    calls = 0

    def failing(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at + 1:
            raise OSError(28, "No space left on device")
        return genuine(*arguments, **named)

    monkeypatch.setattr(store_module.os, operation, failing)  # type: ignore[attr-defined]
    try:
        publish(store, tmp_path, 2)
        interrupted = False
    except OSError:
        interrupted = True
    monkeypatch.undo()
    current = Store(tmp_path).current("visits")
    assert current is not None
    assert current.path.read_text() == str(current.rows)
    if not interrupted:
        assert current.rows == 2
    third = publish(store, tmp_path, 3)
    assert store.current("visits") == third
    assert first.version != third.version
    left = {path.suffix for path in (tmp_path / "visits").iterdir()}
    assert left <= {".duckdb", ".json", ""}


def test_a_failure_before_the_switch_keeps_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is switched last: until then the earlier version is the one."""
    store = Store(tmp_path)
    first = publish(store, tmp_path, 1)
    genuine = os.replace

    def failing(source: Path, target: Path) -> None:
        if target.name == "current.json":
            raise OSError(5, "Input/output error")
        genuine(source, target)

    monkeypatch.setattr(store_module.os, "replace", failing)  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="Input/output"):
        publish(store, tmp_path, 2)
    monkeypatch.undo()
    assert store.current("visits") == first


def test_a_load_that_is_killed_leaves_the_old_version_and_no_lock(tmp_path: Path) -> None:
    """SIGKILL in the middle: the next load cleans up and is not locked out."""
    store = Store(tmp_path)
    first = publish(store, tmp_path, 1)
    program = f"""
import os, signal
from pathlib import Path
from nodes.store import Store
with Store(Path({str(tmp_path)!r})).loading("visits") as folder:
    (folder / "x.part").write_text("half")
    (folder / "spill").mkdir()
    (folder / "spill" / "t").write_text("private")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    run = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False)
    assert run.returncode == -signal.SIGKILL
    assert (tmp_path / "visits" / "x.part").exists()
    assert store.current("visits") == first
    publish(store, tmp_path, 2)
    assert not (tmp_path / "visits" / "x.part").exists()
    assert not (tmp_path / "visits" / "spill").exists()


def test_two_loads_of_one_contract_do_not_mix(tmp_path: Path) -> None:
    """The second is told to wait, and the first's draft is not swept away."""
    store = Store(tmp_path)
    with store.loading("visits") as folder:
        (folder / "a.part").write_text("x")
        with pytest.raises(StoreBusy, match="visits"), store.loading("visits"):
            pass
        assert (folder / "a.part").exists()
        with store.loading("people"):
            pass


@pytest.mark.parametrize(
    "change",
    [
        {"version": "../other"},
        {"version": "0" * 31},
        {"version": 5},
        {"rows": -1},
        {"rows": True},
        {"rows": "1"},
        {"content": None},
        {"format": 1},
        {"format": None},
    ],
)
def test_a_damaged_name_is_reported_not_followed(tmp_path: Path, change: dict[str, object]) -> None:
    """`current.json` decides which file is opened: what no load wrote is not believed."""
    store = Store(tmp_path)
    publish(store, tmp_path, 1)
    (tmp_path / "other.duckdb").write_text("another contract's")
    name = tmp_path / "visits" / "current.json"
    name.write_text(json.dumps({**json.loads(name.read_text()), **change}))
    with pytest.raises(StoreDamaged, match="not a file that a load wrote"):
        store.current("visits")


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "{}", "[" * 100_000])
def test_a_torn_name_is_reported(tmp_path: Path, text: str) -> None:
    """Bit rot must end in one sentence, not in a stack of parser errors."""
    store = Store(tmp_path)
    publish(store, tmp_path, 1)
    (tmp_path / "visits" / "current.json").write_text(text)
    with pytest.raises(StoreDamaged):
        store.tables()


def test_a_missing_version_is_reported_and_a_load_repairs_it(tmp_path: Path) -> None:
    """Somebody removed a file: the node says which contract to load again."""
    store = Store(tmp_path)
    publish(store, tmp_path, 1).path.unlink()
    with pytest.raises(StoreDamaged, match="missing"):
        store.current("visits")
    second = publish(store, tmp_path, 2)
    assert store.current("visits") == second


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "a" * 64, "a\n", "1a"])
def test_a_contract_id_is_never_a_path(tmp_path: Path, name: str) -> None:
    """Ids come from documents; one that is no id must not reach the file system."""
    with pytest.raises(ValueError, match="contract id"):
        Store(tmp_path).current(name)


def test_new_terms_over_the_same_file_change_only_the_name(tmp_path: Path) -> None:
    """A contract's terms may change without its data: the version, and its answers, stay."""
    store = Store(tmp_path)
    first = publish(store, tmp_path, 1)
    with store.loading("visits"):
        store.publish("visits", dataclasses.replace(first, contract_digest="e"))
    current = store.current("visits")
    assert current == dataclasses.replace(first, contract_digest="e")
    assert first.path.read_text() == "1"


def test_the_name_of_the_version_is_read_once_and_looked_at_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request asks which version is served; a load, an edit or a loss is seen at once."""
    store = Store(tmp_path)
    first = publish(store, tmp_path, 1)
    read: list[Path] = []
    reading = Path.read_text

    def counted(path: Path, *arguments: str) -> str:
        read.append(path)
        return reading(path, *arguments)

    monkeypatch.setattr(Path, "read_text", counted)
    assert [store.current("visits") for _ in range(50)] == [first] * 50
    assert len(read) == 1
    second = publish(Store(tmp_path), tmp_path, 2)  # another process loads
    assert store.current("visits") == second
    name = tmp_path / "visits" / "current.json"
    os.utime(name, (1, 1))
    text = reading(name)
    name.write_text(text.replace('"rows": 2', '"rows": 7'))  # as long as before, in its place
    os.utime(name, (1, 1))
    found = store.current("visits")
    assert found is not None
    assert found.rows == 7
    second.path.unlink()
    with pytest.raises(StoreDamaged):
        store.current("visits")
    name.unlink()
    assert store.current("visits") is None
