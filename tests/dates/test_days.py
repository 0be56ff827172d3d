"""Parts of one answer are of one day, and everybody sees which; none are mixed unasked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.days import MOST, require_one_day, spoken
from landbridge.errors import LandbridgeError, Refused, Unavailable
from landbridge.evidence.entry import Entry
from tests.dates.dated import FIRST, SECOND, asked, dated, loaded, spent
from tests.linked.world import federation as linked_world
from tests.people import crowd, document, write
from tests.pooling.asking import PLENTY
from tests.simulator import FederationSimulator

COUNT = "SELECT count(*) AS n FROM people"
DEPARTMENTS = ("east", "north", "south")
SPAN: dict[str, Any] = {"landbridgeUnitsSpan": 3}
LINKED = "SELECT sum(income) FROM tax.earners JOIN school.pupils USING (person)"


def country(place: Path, **terms: Any) -> FederationSimulator:
    """Three departments with the same contract, a person in all of them at the most."""
    files = {
        name: write(crowd(40, number), place / f"{name}.csv")
        for number, name in enumerate(DEPARTMENTS)
    }
    return FederationSimulator(place, files, document(**PLENTY, **(SPAN | terms)))


@pytest.fixture
def people(tmp_path: Path) -> Iterator[FederationSimulator]:
    """The country, in which nobody said a day."""
    found = country(tmp_path)
    yield found
    found.close()


def test_where_nobody_says_a_day_nothing_is_said(people: FederationSimulator) -> None:
    """No answer, message or entry has a word more."""
    answer = people.query(COUNT)
    assert answer.as_of == {}
    assert not [note for note in answer.notes if note.kind == "as_of"]
    for name in DEPARTMENTS:
        received = [each for each in people.nodes[name].received if hasattr(each, "asking")]
        assert received
        assert not any(each.asking.as_of for each in received)
        assert people.entries(name)[-1].as_of == {}
    assert people.entries()[-1].as_of == {}


def test_an_answer_and_both_logs_say_of_which_day_the_data_are(people: FederationSimulator) -> None:
    """So does the plan, before anything is charged."""
    dated(people, "people", dict.fromkeys(DEPARTMENTS, FIRST))
    every = {"people": FIRST}
    assert people.explain(COUNT).as_of == every
    answer = people.query(COUNT)
    assert answer.as_of == every
    assert [note.text for note in answer.notes if note.kind == "as_of"] == [f"Data as of {FIRST}."]
    assert people.entries()[-1].as_of == every
    for name in DEPARTMENTS:
        assert people.entries(name)[-1].as_of == {"people": FIRST}


@pytest.mark.parametrize("other", [SECOND, ""])
def test_data_of_different_days_are_not_mixed(people: FederationSimulator, other: str) -> None:
    """A day that is not said is none of the others. Nobody is asked, and nothing is charged."""
    dated(people, "people", {"east": FIRST, "north": FIRST, "south": other})
    for ask in (people.query, people.explain):
        with pytest.raises(Refused, match="not all of one day") as refused:
            ask(COUNT)
        assert refused.value.reason == "DATES_DIFFER"
        assert f"{other or 'not said'} (south.people)" in str(refused.value)
    assert people.entries()[-1].reason == "DATES_DIFFER"
    assert [asked(people, name) for name in DEPARTMENTS] == [[], [], []]
    one = people.query("SELECT count(*) AS n FROM south.people")
    assert one.as_of == ({"people": other} if other else {})


def test_a_caller_may_take_data_of_several_days_and_is_told_which(
    people: FederationSimulator,
) -> None:
    """In the answer, its notes and the log."""
    dated(people, "people", {"east": FIRST, "north": SECOND, "south": ""})
    assert people.explain(COUNT, mixed_dates=True).as_of["north.people"] == SECOND
    answer = people.query(COUNT, mixed_dates=True)
    assert answer.as_of == {"east.people": FIRST, "north.people": SECOND}
    (note,) = [note.text for note in answer.notes if note.kind == "as_of"]
    assert note == (
        f"Data as of {FIRST} (east.people); {SECOND} (north.people); not said (south.people)."
    )
    assert people.entries()[-1].as_of == {
        "east.people": FIRST, "north.people": SECOND, "south.people": "",
    }  # fmt: skip


@pytest.mark.parametrize("mixed", [False, True])
def test_a_load_between_plan_and_question_mixes_nothing(
    people: FederationSimulator, mixed: bool
) -> None:
    """The department refuses before it charges; asked again, the gateway knows the new day."""
    dated(people, "people", dict.fromkeys(DEPARTMENTS, FIRST))
    loaded(people, "south", "people", SECOND)
    with pytest.raises(Unavailable) as refused:
        people.query(COUNT, mixed_dates=mixed)
    assert (refused.value.reason, refused.value.missing) == ("DATE_CHANGED", ("south",))
    assert people.entries("south")[-1].reason == "DATE_CHANGED"
    assert (spent(people, "south"), people.nodes["south"].runs) == (0, 0)
    people.departments.refresh()
    if mixed:
        assert people.query(COUNT, mixed_dates=True).as_of["south.people"] == SECOND
        return
    with pytest.raises(Refused, match="not all of one day"):
        people.query(COUNT)
    dated(people, "people", dict.fromkeys(DEPARTMENTS, SECOND))
    assert set(people.query(COUNT).as_of.values()) == {SECOND}


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    days=st.lists(st.sampled_from(("", FIRST, SECOND)), min_size=3, max_size=3),
    later=st.lists(st.sampled_from(("", FIRST, SECOND)), min_size=3, max_size=3),
)
def test_no_answer_is_of_two_days_whatever_was_loaded_when(
    people: FederationSimulator, days: list[str], later: list[str]
) -> None:
    """Where an answer comes, all its parts were computed from data of the day that it says."""
    dated(people, "people", dict(zip(DEPARTMENTS, days, strict=True)))
    for name, day in zip(DEPARTMENTS, later, strict=True):
        loaded(people, name, "people", day)
    if len({*days}) == 1 and days in (later, ["", "", ""]):
        assert ({*people.query(COUNT).as_of.values()} or {""}) == {*days}
        return
    with pytest.raises(LandbridgeError) as refused:
        people.query(COUNT)
    assert refused.value.reason == ("DATES_DIFFER" if len({*days}) > 1 else "DATE_CHANGED")


def test_a_pooled_total_is_of_one_day_too(tmp_path: Path) -> None:
    """No department shows its part, so each has to refuse by itself."""
    people = country(tmp_path, landbridgePooling={"honest": 1, "alone": False})
    dated(people, "people", dict.fromkeys(DEPARTMENTS, FIRST))
    assert people.explain(COUNT).mode == "pooled"
    assert set(people.query(COUNT).as_of.values()) == {FIRST}
    loaded(people, "south", "people", SECOND)
    before = spent(people, "south")
    with pytest.raises(Unavailable) as refused:
        people.query("SELECT sum(age) AS n FROM people")
    assert (refused.value.reason, refused.value.missing) == ("DATE_CHANGED", ("south",))
    assert spent(people, "south") == before
    people.departments.refresh()
    with pytest.raises(Refused, match="DATES_DIFFER"):
        people.query(COUNT)
    people.close()


def test_linked_tables_are_of_one_day_too(tmp_path: Path) -> None:
    """Each owner says of which day its own are."""
    world = linked_world(tmp_path, ("school", "tax"))
    dated(world, "pupils", {"school": FIRST})
    with pytest.raises(Refused, match=r"not said \(earners\)"):
        world.query(LINKED)
    mixed = world.query(LINKED, mixed_dates=True)
    assert mixed.as_of == {"pupils": FIRST}
    dated(world, "earners", {"tax": FIRST})
    assert world.query(LINKED).as_of == {"earners": FIRST, "pupils": FIRST}
    assert world.entries("tax")[-1].as_of == {"earners": FIRST}
    loaded(world, "tax", "earners", SECOND)
    before = spent(world, "tax")
    with pytest.raises(Unavailable, match="another day"):
        world.query("SELECT count(*) FROM tax.earners JOIN school.pupils USING (person)")
    assert spent(world, "tax") == before
    world.close()


def test_an_entry_has_room_for_all_days_that_a_caller_may_mix() -> None:
    """Beside a thousand members with the longest names; more tables are refused beforehand."""
    names = [f"d{number:030}" for number in range(1_000)]
    days = {f"{name}.{'t' * 63}": SECOND for name in names[: MOST - 1]} | {"t": FIRST}
    require_one_day(days, mixed=True)
    Entry(kind="query", time="2026-11-28T12:00:00.000000Z", members=names, as_of=days).to_bytes()
    with pytest.raises(Refused, match=f"at most {MOST} tables") as refused:
        require_one_day(days | {"u": ""}, mixed=True)
    assert f"and {MOST - 4} more" in str(refused.value)
    one = {f"{name}.t": SECOND for name in names}
    assert spoken(one) == SECOND


def test_what_is_no_day_is_no_day_of_any_plan(people: FederationSimulator) -> None:
    """A department that says nonsense of its data says nothing."""
    dated(people, "people", dict.fromkeys(DEPARTMENTS, FIRST))
    people.nodes["south"].servicer._as_of = lambda _: "\x1b[2Jyesterday"
    people.departments.refresh()
    with pytest.raises(Refused, match=r"not said \(south\.people\)"):
        people.query(COUNT)
    with pytest.raises(Unavailable, match="another day"):
        people.query(COUNT, mixed_dates=True)
