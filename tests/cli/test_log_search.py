"""`landbridge log search` and `export`: the wanted entries of several logs, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from landbridge.evidence import Entry, Log, Signer, SubjectKey
from landbridge.evidence.entry import decode
from tests.cli.commands import Run
from tests.evidence.schema import problems

KEY = SubjectKey.create()


def write(place: Path, name: str, entries: list[Entry | bytes]) -> str:
    """A closed log; gives its folder."""
    signer = Signer.create(f"town/{name}")
    with Log.open(place / name, place / f"{name}.state", signer) as log:
        for entry in entries:
            log.append(entry if isinstance(entry, bytes) else entry.to_bytes())
    return str(place / name)


def at(minute: int, kind: str = "query", **fields: Any) -> Entry:
    """An answered request at that minute of an hour."""
    whole = {"outcome": "answered", **fields}
    return Entry(kind=kind, time=f"2026-01-01T12:{minute:02d}:00.000000Z", **whole)


@pytest.fixture
def town(tmp_path: Path) -> tuple[str, str]:
    """A gateway's log and a department's, whose times interleave."""
    alice = KEY.derived("caller").digest("alice")
    gateway = [
        at(1, organisation="research", purpose="planning", question_id="aa" * 16, caller=alice),
        at(3, organisation="housing", resource="people", trace_id="bb" * 16),
        at(5, organisation="research", purpose="care", outcome="refused", reason="ACCESS_DENIED"),
    ]
    department = [
        at(2, kind="call", resource="jfk.band", subject=KEY.digest("4711")),
        at(4, kind="call", resource="jfk.band", subject=KEY.digest("4712")),
        at(6, purpose="\x1b[2J"),
    ]
    return write(tmp_path, "gateway", [*gateway]), write(tmp_path, "jfk", [*department])


def search(run: Run, town: tuple[str, ...], *words: str) -> list[str]:
    """What was found, as log:index."""
    ended = run("log", "search", *town, *words, "--format", "jsonl")
    assert ended.status == 0, ended.err
    found = [json.loads(line) for line in ended.out.splitlines()]
    return [f"{each['log'].removeprefix('town/')}:{each['index']}" for each in found]


def test_several_logs_are_read_as_one_by_time(run: Run, town: tuple[str, str]) -> None:
    """Each entry says whose it is."""
    everything = ["gateway:0", "jfk:0", "gateway:1", "jfk:1", "gateway:2", "jfk:2"]
    assert search(run, town) == everything


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--organisation", "research"], ["gateway:0", "gateway:2"]),
        (["--organisation", "research", "--purpose", "care"], ["gateway:2"]),
        (["--purpose", "care", "--purpose", "planning"], ["gateway:0", "gateway:2"]),
        (["--kind", "call"], ["jfk:0", "jfk:1"]),
        (["--outcome", "refused"], ["gateway:2"]),
        (["--resource", "people"], ["gateway:1"]),
        (["--question-id", "aa" * 16], ["gateway:0"]),
        (["--trace-id", "bb" * 16], ["gateway:1"]),
        (["--from", "2026-01-01T12:05"], ["gateway:2", "jfk:2"]),
        (["--to", "2026-01-01T12:02"], ["gateway:0"]),
        (["--from", "2026-01-01T14:03+02:00", "--to", "2026-01-01T12:04Z"], ["gateway:1"]),
        (["--from", "2026-01-02"], []),
        (["--subject", KEY.digest("4712")], ["jfk:1"]),
    ],
)
def test_what_is_asked_for_is_found_and_nothing_else(
    words: list[str], expected: list[str], run: Run, town: tuple[str, str]
) -> None:
    """Values of one option are alternatives, options are conditions."""
    assert search(run, town, *words) == expected


def test_persons_are_found_by_name_with_the_key_alone(
    run: Run, town: tuple[str, str], tmp_path: Path
) -> None:
    """Callers under another key than subjects; without a key a name is nothing."""
    file = tmp_path / "keys" / "2026-01.key"
    file.parent.mkdir()
    KEY.save(file)
    assert search(run, town, "--subject", "4711", "--subject-key", str(file)) == ["jfk:0"]
    assert search(run, town, "--caller", "alice", "--subject-key", str(file.parent)) == [
        "gateway:0"
    ]
    assert search(run, town, "--caller", "4711", "--subject-key", str(file)) == []
    ended = run("log", "search", *town, "--subject", "4711")
    assert (ended.status, "--subject-key" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "words", [["--kind", "queries"], ["--from", "yesterday"], ["--subject-key", "/nowhere"]]
)
def test_a_slip_is_named(words: list[str], run: Run, town: tuple[str, str]) -> None:
    """A search that finds nothing for a slip would be believed."""
    assert run("log", "search", *town, *words).status == 2


def test_a_table_and_a_list_show_the_same(run: Run, town: tuple[str, str]) -> None:
    """For people and for programs, nothing of it obeyed by a terminal."""
    ended = run("log", "search", *town)
    assert ended.out.count("query answered") == 3
    assert "\x1b" not in ended.out
    document = json.loads(run("log", "search", *town, "--format", "json").out)
    assert [each["index"] for each in document] == [0, 0, 1, 1, 2, 2]
    assert run("log", "search", *town, "--kind", "stop", "--format", "json").out == "[]\n"


def test_nothing_is_found_in_a_log_that_does_not_hold(run: Run, town: tuple[str, str]) -> None:
    """Finding something there would lend it the log's authority."""
    path = Path(town[1]) / "tile/entries/000.p/3"
    path.write_bytes(path.read_bytes().replace(b"jfk.band", b"jfk.hand", 1))
    ended = run("log", "search", *town)
    assert (ended.status, ended.out) == (1, "")
    assert "Not verified: " in ended.err


def test_an_export_keeps_every_entry_to_the_byte(
    run: Run, town: tuple[str, str], tmp_path: Path
) -> None:
    """JSON lines: the fields are the entry's own, beside log, index and leaf hash."""
    to = tmp_path / "all.jsonl"
    assert run("log", "export", *town, "--to-file", str(to)).status == 0
    lines = [json.loads(line) for line in to.read_text().splitlines()]
    for line in lines:
        own = {name: value for name, value in line.items() if name not in ("log", "index")}
        del own["leaf_hash"]
        assert problems(json.dumps(own).encode()) == []
    assert len(lines) == 6


def test_an_export_for_event_stores(run: Run, town: tuple[str, str]) -> None:
    """OCSF one a line, CloudEvents as one batch."""
    ended = run("log", "export", *town, "--format", "ocsf", "--organisation", "research")
    assert [json.loads(line)["class_uid"] for line in ended.out.splitlines()] == [6003, 6003]
    batch = json.loads(run("log", "export", *town, "--format", "cloudevents").out)
    assert len({(event["source"], event["id"]) for event in batch}) == len(batch) == 6


def test_an_export_to_parquet_reads_back(run: Run, town: tuple[str, str], tmp_path: Path) -> None:
    """A column per field; what is missing is NULL."""
    pq = pytest.importorskip("pyarrow.parquet")
    to = tmp_path / "all.parquet"
    assert run("log", "export", *town, "--format", "parquet", "--to-file", str(to)).status == 0
    rows = pq.read_table(to).to_pylist()
    assert [row["index"] for row in rows] == [0, 0, 1, 1, 2, 2]
    assert rows[0]["purpose"] == "planning"
    assert rows[0]["parts"] is None
    assert run("log", "export", *town, "--format", "parquet").status == 2


def test_what_is_no_entry_is_shown_as_that(run: Run, tmp_path: Path) -> None:
    """A log holds what its signer wrote; an event store is told what was left out."""
    folder = write(tmp_path, "odd", [b"secret", at(1)])
    ended = run("log", "search", folder, "--format", "jsonl")
    assert "unreadable" in ended.out
    assert "secret" not in ended.out
    ended = run("log", "export", folder, "--format", "ocsf")
    assert len(ended.out.splitlines()) == 1
    assert "entry 0 is left out" in ended.err


def test_the_example_entries_are_entries() -> None:
    """What the tests above write is what a server could have written."""
    assert decode(at(1).to_bytes())["kind"] == "query"


ODD = (
    b'{"kind":["query"],"subject":["4711"],"time":"2026-01-01T12:07:00.000000Z","v":1}',
    b'{"kind":"query","outcome":"answered","v":1}',
    b'{"kind":"submit","records":"ten","time":"2026-01-01T12:08:00.000000Z","v":1}',
    b'{"kind":"query","time":"9999-99-99T99:99:99.999999Z","v":1}',
)


@pytest.mark.parametrize("form", ["jsonl", "ocsf", "cloudevents"])
def test_odd_entries_of_one_log_stop_no_reading_of_the_others(
    form: str, run: Run, town: tuple[str, str], tmp_path: Path
) -> None:
    """A department's own log holds what it likes; the auditor still reads everybody's."""
    whole = (*town, write(tmp_path, "odd", [*ODD]))
    assert search(run, whole, "--kind", "call") == ["jfk:0", "jfk:1"]
    ended = run("log", "export", *whole, "--format", form)
    assert ended.status == 0, ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "words", [("search",), ("export",), ("about", "4711", "--key"), ("reconcile",)]
)
def test_whose_key_a_log_was_verified_with_is_said(
    words: tuple[str, ...], run: Run, town: tuple[str, str], tmp_path: Path
) -> None:
    """A log that agrees with itself can be anybody's."""
    gateway, department = town
    KEY.save(tmp_path / "subject.key")
    option = "--log-key" if "about" in words else "--key"
    more = (str(tmp_path / "subject.key"),) if "about" in words else ()
    ended = run("log", *words, *more, gateway, department)
    assert "the folder's own key: " in ended.err
    assert "town/gateway" in ended.err
    assert "town/jfk" in ended.err
    keys = [word for place in town for word in (option, f"{place}/vkey")]
    ended = run("log", *words, *more, gateway, department, *keys)
    assert "own key" not in ended.err
