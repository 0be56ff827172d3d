"""The index finds what the log holds, and is never believed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.console.browse import Searching
from gateway.console.drawing import drawn
from gateway.console.index import Index, Wanted
from gateway.console.reading import Reading
from landbridge.errors import LandbridgeError
from landbridge.evidence.entry import Entry, SubjectKey, instant
from landbridge.evidence.log import Log
from landbridge.evidence.merkle import check_inclusion, leaf_hash, root_hash
from landbridge.evidence.selection import Selection
from landbridge.evidence.signer import Signer
from landbridge.evidence.tiles import TileFolder
from landbridge.web.asking import Ask

START = datetime(2026, 3, 1, 6, tzinfo=UTC)
PEOPLE = [f"{each:x}" * 64 for each in range(1, 5)]


def entry(number: int) -> dict[str, Any]:
    """One of a colourful few hundred."""
    asked: dict[str, Any] = {
        "kind": ("query", "call", "console")[number % 3],
        "time": instant(START + timedelta(minutes=17 * number)),
        "outcome": ("answered", "refused")[number % 2],
        "organisation": f"office-{number % 5}",
        "purpose": "dpv:ServiceProvision",
        "caller": PEOPLE[number % 4],
        "charged_micro_rho": number % 7,
        "members": ["ewr", "jfk"] if number % 4 else ["ewr"],
        "resource": "flights",
    }
    if asked["kind"] == "call":
        asked |= {"resource": "faa.band", "subject": PEOPLE[number % 3], "members": []}
    if number % 2:
        asked["reason"] = "ACCESS_DENIED"
    return asked


@dataclass(slots=True)
class Kept:
    """A log of 600 entries, its index and what reads it."""

    folder: Path
    index: Index
    reading: Reading
    entries: list[dict[str, Any]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """Three bundles, the last one partial."""
    folder = tmp_path_factory.mktemp("log")
    entries = [entry(number) for number in range(600)]
    signer = Signer.create("town/gateway")
    with Log.open(folder / "log", folder / "journal", signer, publish_every=0.01) as log:
        for waiting in [log.submit(Entry.bytes_of(each)) for each in entries]:
            waiting.result()
    index = Index(folder / "console" / "index.sqlite", folder / "log")
    index.open()
    assert index.catch_up()
    return Kept(folder, index, Reading(folder / "log", signer.name), entries)


SELECTIONS = st.builds(
    Selection,
    kinds=st.sets(st.sampled_from(["query", "call", "console"])).map(frozenset),
    outcomes=st.sets(st.sampled_from(["answered", "refused"])).map(frozenset),
    organisations=st.sets(st.sampled_from(["office-1", "office-3"])).map(frozenset),
    resources=st.sets(st.sampled_from(["flights", "faa.band"])).map(frozenset),
    callers=st.sets(st.sampled_from(PEOPLE)).map(frozenset),
    subjects=st.sets(st.sampled_from(PEOPLE)).map(frozenset),
    since=st.sampled_from(["", "2026-03-02T00:00:00.000000Z", "2026-03-03T07:21:00.000000Z"]),
    until=st.sampled_from(["", "2026-03-05T00:00:00.000000Z"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(selection=SELECTIONS)
def test_the_index_finds_what_the_command_lines_search_finds(
    kept: Kept, selection: Selection
) -> None:
    """One meaning of a search: the selection of `landbridge log search` is the reference."""
    test = selection.test()
    looked_for = [number for number, each in enumerate(kept.entries) if test(each)]
    wanted = Wanted(selection, looks=True)
    assert kept.index.newest(wanted, 0, 10_000) == looked_for[::-1]
    assert kept.index.oldest(wanted, 0, 10_000) == looked_for
    assert kept.index.count(wanted) == len(looked_for)


@pytest.mark.parametrize("since", ["", "2026-03-01", "2026-03-04", "2026-03-08", "2026-04-01"])
def test_what_was_charged_adds_up_from_any_day_on(kept: Kept, since: str) -> None:
    """By whole months where that is the same, by days otherwise: held against the entries."""
    expected: Counter[tuple[str, str, str]] = Counter()
    for each in kept.entries:
        if each["time"] >= since and each["charged_micro_rho"]:
            # Of a handler the name says whose it is.
            among = "|".join(each["members"] or ["faa"])
            expected[each["resource"], each["organisation"], f"|{among}|"] += each[
                "charged_micro_rho"
            ]
    found = kept.index.spent(since and f"{since}T00:00:00.000000Z")
    assert {row[:3]: row[3] for row in found} == dict(expected)


def test_a_page_goes_on_where_the_last_one_ended(kept: Kept) -> None:
    """Nothing is left out or shown twice."""
    wanted = Wanted(looks=True)
    first = kept.index.newest(wanted, 0, 250)
    assert first + kept.index.newest(wanted, first[-1], 1_000) == [*reversed(range(600))]


def test_an_officer_finds_what_has_to_do_with_their_department(kept: Kept) -> None:
    """By members, and by the department before a handler's dot; of no department nothing."""
    jfk = kept.index.newest(Wanted(departments=frozenset({"jfk"})), 0, 1_000)
    assert jfk
    assert all("jfk" in kept.entries[each]["members"] for each in jfk)
    faa = kept.index.newest(Wanted(departments=frozenset({"faa"})), 0, 1_000)
    assert faa
    assert all(kept.entries[each]["resource"] == "faa.band" for each in faa)
    assert kept.index.newest(Wanted(departments=frozenset()), 0, 1_000) == []
    assert kept.index.count(Wanted(departments=frozenset({"jfk"}))) == len(jfk)


def test_looks_at_the_console_are_left_out_until_they_are_asked_for(kept: Kept) -> None:
    """Who looks for questions is not shown their own looking."""
    shown = kept.index.newest(Wanted(), 0, 1_000)
    assert all(kept.entries[each]["kind"] != "console" for each in shown)
    asked = Wanted(Selection(kinds=frozenset({"console"})))
    assert all(kept.entries[each]["kind"] == "console" for each in kept.index.newest(asked, 0, 99))


def test_facets_and_series_count_what_is_there(kept: Kept) -> None:
    """The hourly counts add up to the entries, and so do their charges."""
    facets = kept.index.facets(Wanted(looks=True))
    assert dict(facets["kind"]) == {"query": 200, "call": 200, "console": 200}
    series = kept.index.series(Wanted(looks=True), ("outcome",), 10)
    assert sum(count for _, _, count, _ in series) == 600
    assert sum(charged for *_, charged in series) == sum(
        each["charged_micro_rho"] for each in kept.entries
    )


@settings(max_examples=100, deadline=None)
@given(
    kinds=st.sets(st.sampled_from(["query", "call", "console"])).map(frozenset),
    departments=st.none() | st.sets(st.sampled_from(["ewr", "jfk", "faa"])).map(frozenset),
    since=st.sampled_from(["", "2026-03-02T09:00:00.000000Z"]),
    by=st.sets(st.sampled_from(["kind", "outcome", "departments"])).map(sorted),
    digits=st.sampled_from([7, 10, 13]),
)
def test_the_short_counts_say_what_the_long_ones_do(
    kept: Kept,
    kinds: frozenset[str],
    departments: frozenset[str] | None,
    since: str,
    by: list[str],
    digits: int,
) -> None:
    """The first page reads a table of its own; by reasons too they come from the other one."""
    wanted = Wanted(Selection(kinds=kinds, since=since), departments, looks=True)
    summed: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for span, values, count, charged in kept.index.series(wanted, (*by, "reason"), digits):
        each = summed.setdefault((span, values[:-1]), [0, 0])
        each[0] += count
        each[1] += charged
    short = kept.index.series(wanted, by, digits)
    assert {row[:2]: [*row[2:]] for row in short} == summed


def test_an_index_that_is_spoilt_or_of_another_log_is_made_anew(kept: Kept, tmp_path: Path) -> None:
    """Whatever lies there: it is rebuilt from the log, or it is of this log."""
    path = tmp_path / "console" / "index.sqlite"
    path.parent.mkdir()
    path.write_bytes(
        b"no database at all, but something that is longer than a header of one\n" * 40
    )
    fresh = Index(path, kept.folder / "log")
    fresh.open()
    assert fresh.size == 0
    assert fresh.catch_up()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE mark SET leaf = x'00'")
        database.commit()
    again = Index(path, kept.folder / "log")
    again.open()
    assert again.size == 0
    assert again.catch_up()
    assert again.newest(Wanted(looks=True), 0, 1_000) == [*reversed(range(600))]
    taken_up = Index(path, kept.folder / "log")
    taken_up.open()
    assert taken_up.size == 600


@settings(max_examples=60, deadline=None)
@given(index=st.integers(0, 599), size=st.integers(1, 600))
def test_a_proof_leads_to_the_root_of_any_tree_that_held_the_entry(
    kept: Kept, index: int, size: int
) -> None:
    """Whatever checkpoint an auditor brings, there is a proof for it; and for no other."""
    if index >= size:
        with pytest.raises(LandbridgeError):
            kept.reading.proved(index, size)
        return
    proved = kept.reading.proved(index, size)
    root = root_hash(size, TileFolder(kept.folder / "log").nodes(600))
    check_inclusion(leaf_hash(proved.shown.content), index, size, proved.path, root)


@given(index=st.integers(0, 5_000), more=st.integers(1, 5_000))
def test_the_drawing_has_a_box_for_every_hash_of_the_proof(index: int, more: int) -> None:
    """As many dashed boxes as the path has hashes, and they cover all other entries."""
    size = index + more
    picture = drawn(index, size)
    given_boxes = [each for each in picture.nodes if each.kind == "given"]
    covered = 0
    for each in given_boxes:
        first, _, last = each.label.partition("\N{EN DASH}")
        covered += int(last or first) - int(first) + 1
    assert covered == size - 1
    assert len(picture.lines) == 2 * len(given_boxes)


def test_a_typed_name_is_searched_by_its_digest_and_kept_nowhere() -> None:
    """Addresses end in histories and in the log: a plain name must not stand in one."""
    keys = [SubjectKey.create(), SubjectKey.create()]
    ask = Ask("GET", "/log", {"caller": ["ann@example"], "subject": ["R-100"]})
    search = Searching(keys).read(ask, None)
    assert "ann" not in search.query
    assert "R-100" not in search.query
    assert search.wanted.selection.callers == {
        each.derived("caller").digest("ann@example") for each in keys
    }
    assert search.wanted.selection.subjects == {each.digest("R-100") for each in keys}


def test_what_was_typed_is_digested_in_the_log_unless_the_log_knows_it(kept: Kept) -> None:
    """Somebody may type a person's name into any field; a known office may stand as it is."""
    asked = {
        "organisation": ["office-1", "Ann Example"],
        "resource": ["flights", "R-100"],
        "department": ["ewr"],
        "question_id": ["ab" * 16, "Ann Example"],
        "from": ["2026-03-01"],
    }
    search = Searching([]).read(Ask("GET", "/log", asked), None)
    noted = search.noted(kept.index.knows, lambda text: f"{len(text)}")
    assert "Ann" not in noted
    assert "R-100" not in noted
    for known in ("organisation=office-1", "resource=flights", "department=ewr", "ab" * 16):
        assert known in noted
    assert noted.count("digest%3A") == 3


@pytest.mark.parametrize(
    "query", [{"kind": ["nothing"]}, {"from": ["yesterday"]}, {"before": ["x"]}, {"to": ["9" * 20]}]
)
def test_a_search_that_cannot_be_is_refused_in_a_sentence(query: dict[str, list[str]]) -> None:
    """Never a traceback, never an empty page that looks like an answer."""
    with pytest.raises(LandbridgeError) as refusal:
        Searching([]).read(Ask("GET", "/log", query), None)
    assert refusal.value.reason == "INVALID_ARGUMENT"


def test_an_officer_cannot_search_another_department() -> None:
    """Not even by its name in the address."""
    with pytest.raises(LandbridgeError) as refusal:
        Searching([]).read(Ask("GET", "/log", {"department": ["jfk"]}), frozenset({"ewr"}))
    assert refusal.value.reason == "ACCESS_DENIED"
