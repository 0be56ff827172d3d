"""Entries: one spelling each, nothing that JSON cannot hold, and the schema is documented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from landbridge.evidence import EvidenceError, SubjectKey
from landbridge.evidence.entry import JSON, Entry, decode, encode, instant
from landbridge.evidence.tiles import LONGEST_ENTRY

TIME = "2026-01-31T12:00:00.000001Z"
FULL = Entry(
    kind="query",
    time=TIME,
    caller="aa" * 32,
    organisation="Housing",
    client="housing-service",
    purpose="planning",
    question_id="00" * 16,
    question="count of flights by carrier",
    question_hash="bb" * 32,
    resource="flights",
    members=("jfk", "lga"),
    policies=("permit-1",),
    policy_digest="cc" * 32,
    outcome="answered",
    reason="",
    rule="",
    suppressed=2,
    charged_micro_rho=125_000,
    budget={"jfk": {"spent": 0.5, "limit": 2}},
    answer_digest="dd" * 32,
    trace_id="ee" * 16,
    parts=({"department": "jfk", "index": 3, "leaf_hash": "ff" * 32},),
    subject="",
    remembered=True,
    data_version="7",
    note="",
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    ),
    max_leaves=12,
)


def test_an_entry_reads_back() -> None:
    """What the auditor sees is what was logged."""
    assert Entry.from_bytes(FULL.to_bytes()) == FULL
    small = Entry(kind="start", time=TIME)
    assert small.to_bytes() == b'{"kind":"start","time":"2026-01-31T12:00:00.000001Z","v":1}'
    assert Entry.from_bytes(small.to_bytes()) == small


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", 7])
def test_a_day_of_data_is_a_day_or_not_said(day: object) -> None:
    """Nothing else stands in a log under that name."""
    said = {"flights": "2026-10-31", "planes": ""}
    assert Entry.from_bytes(replace(FULL, as_of=said).to_bytes()).as_of == said
    with pytest.raises(EvidenceError, match="as_of"):
        Entry.bytes_of({"kind": "query", "time": TIME, "as_of": {"flights": day}})


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES, max_size=6))
def test_canonical_bytes_are_a_fixed_point(content: Mapping[str, JSON]) -> None:
    """Two spellings of one entry would have two leaf hashes."""
    encoded = encode({**content, "v": 1})
    assert encode(decode(encoded)) == encoded


class Word(str):
    """Text of a type of its own, as an enumeration's members are."""

    __slots__ = ()


EDGES = st.sampled_from(
    ["\x00\x1f\x7f\x80\u2028\u2029/<>&'\"\\\b\f\n\r\t", "\uffff\U00010000", 2**53 - 1, 1 - 2**53]
)
KEYS = st.one_of(
    st.text(st.characters(max_codepoint=127), max_size=4),
    st.sampled_from(["a", "A", "a\x00", "\uffff", "\U00010000", "\ud7ff", "e\u0301", "\u00e9"]),
)
LIKE_JSON = st.recursive(
    st.one_of(SCALARS, EDGES, st.builds(Word, st.text("aé\n", max_size=3))),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=3,
)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, LIKE_JSON, max_size=2))
@example({"a": 1.0})
@example({"a": [-0.0, 1e21, 1e-7]})
@example({"\uffff": 1, "\U00010000": 2})
@example({"a": {"b": Word("\n")}})
def test_bytes_are_those_of_the_reference_whoever_writes_them(content: Mapping[str, JSON]) -> None:
    """The quick encoder may only be used where it and RFC 8785 agree on every byte."""
    assert encode({**content, "v": 1}) == rfc8785.dumps({**content, "v": 1})


def test_real_entries_take_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise nothing would be gained; and a number with a fraction goes to the reference."""
    asked: list[object] = []

    def dumps(value: object) -> bytes:
        asked.append(value)
        return b"{}"

    monkeypatch.setattr("landbridge.evidence.entry.rfc8785.dumps", dumps)
    replace(FULL, budget={"jfk": {"spent": 1, "limit": 2}}).to_bytes()
    assert asked == []
    FULL.to_bytes()
    assert len(asked) == 1


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        2**53,
        -(2**53),
        "secret\ud800",
        {"secret\ud800": 1},
        {1: "secret"},
        b"secret",
        [[float("nan")]],
    ],
)
def test_what_json_cannot_hold_is_refused_without_quoting_it(value: JSON) -> None:
    """The field is named; its value may be what must not be seen."""
    with pytest.raises(EvidenceError, match="field 'note'") as caught:
        encode({"kind": "query", "note": value})
    assert "secret" not in str(caught.value)
    assert "9007199254740992" not in str(caught.value)


def test_nesting_without_end_is_refused() -> None:
    """A deep value must not end in a stack overflow, in either direction."""
    deep: JSON = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(EvidenceError):
        encode({"note": deep})
    with pytest.raises(EvidenceError):
        decode(b'{"note":' + b"[" * 30_000 + b"]" * 30_000 + b',"v":1}')


def test_an_entry_over_the_limit_is_refused() -> None:
    """The bundle's length prefix ends at 65,535."""
    room = LONGEST_ENTRY - len(encode({"note": ""}))
    assert len(encode({"note": "x" * room})) == LONGEST_ENTRY
    with pytest.raises(EvidenceError, match="longer than 65535 bytes"):
        encode({"note": "x" * (room + 1)})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"v":1} ',
        b'{"v": 1}',
        b'{"v":1,"a":1}',
        b'{"a":1,"a":1,"v":1}',
        b'{"a":NaN,"v":1}',
        b'{"a":1.0,"v":1}',
        b'{"a":"\\u0041","v":1}',
        b'{"a":"\xff","v":1}',
        b'{"a":"\\ud800","v":1}',
        b'{"v":1',
    ],
)
def test_bytes_that_are_not_canonical_are_refused(content: bytes) -> None:
    """Whoever reads strictly cannot be shown two meanings."""
    with pytest.raises(EvidenceError, match="canonical JSON"):
        decode(content)


@given(st.binary(max_size=200))
def test_no_bytes_make_decoding_fail_otherwise(content: bytes) -> None:
    """Entries come out of folders that strangers may have written."""
    with pytest.raises(EvidenceError):
        decode(content + b"\0")


@pytest.mark.parametrize("version", [0, 2, "1", True, 1.5, None])
def test_another_version_is_refused(version: JSON) -> None:
    """Old code must not guess what a new entry means."""
    with pytest.raises(EvidenceError, match="version"):
        Entry.from_bytes(encode({"kind": "q"}).replace(b'"v":1', b'"v":' + _json(version)))


def _json(value: JSON) -> bytes:
    return encode({"x": value}).removesuffix(b',"v":1}').removeprefix(b'{"x":')


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"surprise": 1}, "has no field 'surprise'"),
        ({"kind": None}, "empty field"),
        ({"caller": ""}, "empty field must be left out"),
        ({"caller": 5}, "field caller: it has the wrong type"),
        ({"suppressed": True}, "field suppressed: it has the wrong type"),
        ({"suppressed": 1.5}, "field suppressed: it has the wrong type"),
        ({"remembered": 1}, "field remembered: it has the wrong type"),
        ({"members": "jfk"}, "field members: it has the wrong type"),
        ({"members": [1]}, "field members: it must be a list of texts"),
        ({"budget": [1]}, "field budget: it has the wrong type"),
        ({"parts": [{"department": "jfk"}]}, "field parts"),
        ({"parts": ["x"]}, "field parts"),
        ({"parts": [{"department": 1, "index": "x", "leaf_hash": None}]}, "field parts"),
        ({"time": "2026-01-31T12:00:00Z"}, "field time"),
        ({"time": "2026-01-31T12:00:00.000001+00:00"}, "field time"),
        ({"time": "9999-99-99T99:99:99.999999Z"}, "field time"),
        ({"time": "2026-02-30T12:00:00.000001Z"}, "field time"),
        ({"time": "\u0662\u0660\u0662\u0666-01-31T12:00:00.000001Z"}, "field time"),
        ({"outcome": "maybe"}, "field outcome"),
    ],
)
def test_a_field_of_the_wrong_form_is_named(changes: dict[str, JSON], message: str) -> None:
    """Slips are found when an entry is written, not years later by its reader."""
    content = encode({"kind": "query", "time": TIME, **changes})
    with pytest.raises(EvidenceError, match=re.escape(message)):
        Entry.from_bytes(content)


def test_a_missing_kind_or_time_is_named() -> None:
    """An event without a kind or a time is none."""
    with pytest.raises(EvidenceError, match="the field time is missing"):
        Entry.from_bytes(encode({"kind": "query"}))
    with pytest.raises(EvidenceError, match="field kind"):
        replace(FULL, kind="").to_bytes()


def test_instants_are_utc_with_microseconds() -> None:
    """Text order is time order, in every time zone."""
    moment = datetime(2026, 1, 31, 13, 0, 0, 1, timezone(timedelta(hours=1)))
    assert instant(moment) == TIME
    assert instant(datetime(2026, 1, 31, 12, 0, 0, 1, UTC)) == TIME
    with pytest.raises(ValueError, match="time zone"):
        instant(datetime(2026, 1, 31))  # noqa: DTZ001 - the point of the test


def test_every_field_is_documented() -> None:
    """The log's readers are not its programmers."""
    text = (Path(__file__).parents[2] / "docs/log-entry.md").read_text()
    table = text.partition("| kind | the event |")[0]
    documented = set(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE))
    assert documented == {part.name for part in fields(Entry)}


def test_subjects_appear_only_to_the_key_s_holder(tmp_path: Path) -> None:
    """The same person has one digest under one key and an unrelated one under another."""
    key, other = SubjectKey.create(), SubjectKey.create()
    digest = key.digest("4711")
    assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert digest == key.digest("4711")
    assert digest not in (key.digest("4712"), other.digest("4711"))
    key.save(tmp_path / "subject.key")
    assert (tmp_path / "subject.key").stat().st_mode & 0o777 == 0o600
    assert SubjectKey.load(tmp_path / "subject.key").digest("4711") == digest
    assert (tmp_path / "subject.key").read_text().strip() not in repr(key)


def test_a_subject_digest_is_hmac_sha256() -> None:
    """RFC 4231's first test case."""
    key = SubjectKey(b"\x0b" * 20)
    assert key.digest("Hi There") == (
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    )


@pytest.mark.parametrize("content", ["", "00", "zz" * 32, "00" * 33])
def test_a_damaged_subject_key_is_refused(tmp_path: Path, content: str) -> None:
    """A wrong key would hide a person's accesses from them."""
    path = tmp_path / "subject.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(EvidenceError, match="32 bytes in hexadecimal"):
        SubjectKey.load(path)
    path.chmod(0o644)
    with pytest.raises(EvidenceError, match="chmod 600"):
        SubjectKey.load(path)


def test_an_identifier_that_is_no_text_is_refused_without_quoting_it() -> None:
    """Lone surrogates come in by way of JSON; the sentence must not repeat them."""
    with pytest.raises(EvidenceError, match="not valid Unicode"):
        SubjectKey.create().digest("x\ud800")
