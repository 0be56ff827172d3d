"""Persons are found with a month's key, and with its end they are forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from landbridge.edge.record import Recorder
from landbridge.errors import LandbridgeError, error
from landbridge.evidence import Entry, EvidenceError, SubjectKey
from landbridge.evidence.about import accesses, digests_of
from landbridge.evidence.entry import instant
from landbridge.evidence.gathering import Coming
from landbridge.evidence.log import Log
from landbridge.evidence.receipt import Receipt
from landbridge.evidence.selection import Found
from landbridge.evidence.subject_keys import SubjectKeys
from tests.evidence.schema import problems


def at(text: str) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class Memory:
    """A log that keeps what is appended."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.coming = Coming()

    def require(self) -> None:
        """As `Log.require`."""

    def append(self, content: bytes) -> Receipt:
        """As `Log.append`."""
        assert problems(content) == []
        self.entries.append(Entry.from_bytes(content))
        return Receipt(content, len(self.entries) - 1, b"", "")


class Clock:
    """A clock that a test sets."""

    def __init__(self, text: str) -> None:
        self.now = at(text)

    def __call__(self) -> float:
        return self.now


def ask(recorder: Recorder, subject: str, days: int = 0) -> None:
    """One call about a person."""
    with recorder.request("call", organisation="police", purpose="x:y", resource="a.b") as draft:
        draft.note(subject=draft.recorder.subject(subject))
        draft.delayed(days)
        draft.answered(b"SECRET")


def found(log: Memory) -> list[Found]:
    """As a search finds them."""
    import json

    return [
        Found("town/jfk", index, b"", json.loads(entry.to_bytes()))
        for index, entry in enumerate(log.entries)
    ]


@pytest.fixture
def keys(tmp_path: Path) -> SubjectKeys:
    """Keys that are still to be made."""
    return SubjectKeys(tmp_path / "subjects")


def test_each_month_has_a_key_of_its_own_that_lasts_the_month(keys: SubjectKeys) -> None:
    """Also for the process that comes after a restart."""
    january = keys.at(at("2026-01-01"))
    assert keys.at(at("2026-01-31T23:59:59.999")) == january
    february = keys.at(at("2026-02-01"))
    assert january.key.digest("4711") != february.key.digest("4711")
    assert (january.id[:8], february.id[:8]) == ("2026-01.", "2026-02.")
    again = SubjectKeys(keys._folder)
    assert again.at(at("2026-02-02")).key.digest("4711") == february.key.digest("4711")
    assert again.months() == ["2026-01", "2026-02"]


def test_a_clock_that_goes_back_gets_no_old_key(keys: SubjectKeys) -> None:
    """A month that is over stays as it was, and one that was forgotten stays forgotten."""
    keys.at(at("2026-01-15"))
    february = keys.at(at("2026-02-15"))
    keys.forget("2026-01", at("2026-02-15"))
    assert keys.at(at("2026-01-20")) == february
    assert SubjectKeys(keys._folder).at(at("2026-01-20")).id == february.id
    assert keys.months() == ["2026-02"]


def test_only_a_month_that_is_over_can_be_forgotten(keys: SubjectKeys) -> None:
    """The running one's key is in use; a slip must not pass for a deed."""
    keys.at(at("2026-01-15"))
    for month, why in (("2026-01", "not over"), ("2025-12", "no such key"), ("x", "YYYY-MM")):
        with pytest.raises(EvidenceError, match=why):
            keys.forget(month, at("2026-01-31"))


def test_the_entries_name_the_key_and_are_found_with_it_alone(keys: SubjectKeys) -> None:
    """What lasts over years is another key, and stands in no entry."""
    log, clock = Memory(), Clock("2026-01-31T23:59:00")
    lasting = SubjectKey.create()
    recorder = Recorder(cast(Log, log), lasting, "ab" * 32, clock, keys)
    ask(recorder, "4711")
    clock.now += 3600
    ask(recorder, "4711")
    january, february = keys.every().values()
    assert [entry.subject_key for entry in log.entries] == [january.id, february.id]
    assert log.entries[0].subject != log.entries[1].subject
    assert recorder.digest("literal", "x") == lasting.derived("literal").digest("x")
    both = digests_of("4711", [january.key, february.key])
    assert len(list(accesses(found(log), both, "9"))) == 2
    assert len(list(accesses(found(log), digests_of("4711", [february.key]), "9"))) == 1
    assert list(accesses(found(log), digests_of("4711", [lasting]), "9")) == []
    assert list(accesses(found(log), digests_of("4712", [january.key]), "9")) == []


def test_what_is_refused_or_fails_names_its_key_too(keys: SubjectKeys) -> None:
    """Whose request it was is a digest there as well, and a forgotten key must be known as one."""
    log, clock = Memory(), Clock("2026-01-31T23:59:00")
    recorder = Recorder(cast(Log, log), SubjectKey.create(), "ab" * 32, clock, keys)
    for failure in (error("NOT_AVAILABLE"), ValueError()):
        with pytest.raises(type(failure)), recorder.request("call") as draft:
            draft.note(caller=draft.recorder.digest("caller", "alice"))
            raise failure
    (january,) = keys.every().values()
    assert [entry.outcome for entry in log.entries] == ["refused", "failed"]
    assert [entry.subject_key for entry in log.entries] == [january.id, january.id]


def test_an_entry_keeps_the_key_that_it_was_begun_with(keys: SubjectKeys) -> None:
    """Midnight of a month's end comes while somebody asks."""
    log, clock = Memory(), Clock("2026-01-31T23:59:59")
    recorder = Recorder(cast(Log, log), SubjectKey.create(), "ab" * 32, clock, keys)
    with recorder.request("call") as draft:
        clock.now += 2
        draft.note(subject=draft.recorder.subject("4711"))
        ask(recorder, "4711")  # somebody else's, in the new month
        draft.answered(b"")
    february, january = log.entries
    assert (february.subject_key[:7], january.subject_key[:7]) == ("2026-02", "2026-01")
    assert january.subject == keys.every()["2026-01"].key.digest("4711")


def test_without_a_key_there_is_no_entry_and_no_answer(keys: SubjectKeys) -> None:
    """I6: what the log rests on is away, so the request is refused."""
    log = Memory()
    keys.at(at("2026-01-15"))
    (path,) = keys._folder.glob("*.key")
    path.write_text("damaged")
    recorder = Recorder(
        cast(Log, log),
        SubjectKey.create(),
        "ab" * 32,
        Clock("2026-01-16"),
        SubjectKeys(path.parent),
    )
    with pytest.raises(LandbridgeError) as refused:
        ask(recorder, "4711")
    assert refused.value.reason == "LOG_UNAVAILABLE"
    assert log.entries == []


def test_a_person_is_told_neither_answers_nor_who_asked(keys: SubjectKeys) -> None:
    """Time, organisation, purpose and kind of answer are all there is."""
    log, clock = Memory(), Clock("2026-01-15")
    recorder = Recorder(cast(Log, log), SubjectKey.create(), "ab" * 32, clock, keys)
    ask(recorder, "4711")
    digests = digests_of("4711", [keys.at(clock.now).key])
    (access,) = accesses(found(log), digests, "9")
    assert access.__slots__ == (
        "log", "time", "organisation", "purpose", "kind", "what", "outcome",
    )  # fmt: skip
    assert (access.organisation, access.purpose, access.what) == ("police", "x:y", "a.b")


def test_a_delayed_purpose_is_told_when_its_time_has_come(keys: SubjectKeys) -> None:
    """Until then nothing says that there is anything."""
    log, clock = Memory(), Clock("2026-01-15")
    recorder = Recorder(cast(Log, log), SubjectKey.create(), "ab" * 32, clock, keys)
    ask(recorder, "4711", days=30)
    digests = digests_of("4711", [keys.at(clock.now).key])

    def told(text: str) -> int:
        now = instant(datetime.fromisoformat(text).replace(tzinfo=UTC))
        return len(list(accesses(found(log), digests, now)))

    assert (told("2026-02-13T23:59:59"), told("2026-02-14T00:00:00")) == (0, 1)


def test_forgetting_leaves_every_byte_of_the_log(keys: SubjectKeys) -> None:
    """What is destroyed is the key: its file is gone, and was written over before."""
    log, clock = Memory(), Clock("2026-01-15")
    recorder = Recorder(cast(Log, log), SubjectKey.create(), "ab" * 32, clock, keys)
    ask(recorder, "4711")
    before = [entry.to_bytes() for entry in log.entries]
    keys.forget("2026-01", at("2026-02-01"))
    assert [entry.to_bytes() for entry in log.entries] == before
    assert {path.name for path in keys._folder.iterdir()} == {"2026-01.forgotten"}


def test_a_clock_that_ran_ahead_does_not_take_later_entries_along(keys: SubjectKeys) -> None:
    """Else forgetting a month would leave those of its entries that came after the mishap."""
    keys.at(at("2026-01-15"))
    ahead = keys.at(at("2031-05-01"))
    right = keys.at(at("2026-01-16"))
    assert (ahead.id[:7], right.id[:7]) == ("2031-05", "2026-01")
    assert SubjectKeys(keys._folder).at(at("2026-01-17")) == right
    keys.forget("2031-05", at("2026-01-18"))  # nobody uses it
    keys.forget("2026-01", at("2026-02-01"))
    assert keys.months() == []


def test_a_month_that_was_forgotten_too_early_goes_on_under_the_next_ones_key(
    keys: SubjectKeys,
) -> None:
    """A clock that ran ahead said that it was over: nobody must be without a log for the rest."""
    keys.at(at("2026-12-15"))
    keys.forget("2026-12", at("2027-03-01"))
    rest = SubjectKeys(keys._folder).at(at("2026-12-20"))
    assert rest.id[:7] == "2027-01"
    with pytest.raises(EvidenceError, match="in use"):
        keys.forget("2027-01", at("2026-12-21"))
    assert SubjectKeys(keys._folder).at(at("2027-01-02")) == rest
