"""The schema, the document and the code say the same of a log entry."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from landbridge.evidence.entry import Entry, encode
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.kind import KINDS, OWN_FIELDS
from tests.evidence.schema import SCHEMA, problems
from tests.evidence.test_entry import FULL, TIME

DOCUMENT = (Path(__file__).parents[2] / "docs/log-entry.md").read_text()
EVENTS: dict[str, dict[str, Any]] = {
    "query": {"outcome": "answered"},
    "explain": {"outcome": "answered"},
    "call": {"outcome": "refused", "reason": "ACCESS_DENIED", "rule": "x", "subject": "ab" * 32},
    "submit": {"outcome": "answered", "records": 12},
    "watch": {"watch": "w1"},
    "alert": {"watch": "w1"},
    "consult": {"outcome": "answered", "basis": "Art. 6(1)(e)", "case": "c1"},
    "group": {"outcome": "answered", "resource": "north.grid", "note": "told notice 3"},
    "step": {"outcome": "answered", "procedure": "grant", "case": "c1", "step": "income"},
    "about": {"outcome": "answered", "subject": "ab" * 32},
    "console": {"outcome": "answered", "resource": "town/gateway", "note": "log?kind=query"},
    "policy_change": {"program": "landbridge 1", "changed": ("changed access",)},
    "membership_change": {"program": "landbridge 1", "changed": ("added member:faa",)},
    "refused_login": {"outcome": "refused", "reason": "TOKEN_EXPIRED"},
    "start": {"program": "landbridge 1", "digests": {"access": "ab" * 32}},
    "stop": {"program": "landbridge 1"},
    "parts": {"parts": ({"department": "jfk", "index": 3, "leaf_hash": "ff" * 32},)},
}


def test_the_schema_is_one() -> None:
    """JSON Schema 2020-12, by its own rules."""
    Draft202012Validator.check_schema(SCHEMA)


def test_every_field_of_the_code_is_in_the_schema_and_described() -> None:
    """And no other: `additionalProperties` is false."""
    assert set(SCHEMA["properties"]) == {part.name for part in fields(Entry)}
    assert SCHEMA["additionalProperties"] is False
    for name, found in SCHEMA["properties"].items():
        assert found["description"].endswith("."), name


def test_every_kind_is_in_the_schema_and_the_document() -> None:
    """The list is closed in all three places."""
    assert SCHEMA["properties"]["kind"]["enum"] == list(KINDS)
    for kind in KINDS:
        assert f"| `{kind}` |" in DOCUMENT
    assert set(EVENTS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_of_each_kind_passes_code_and_schema(kind: str) -> None:
    """What may be written may be read by a program that knows the schema alone."""
    written = Entry(kind=kind, time=TIME, **EVENTS[kind]).to_bytes()
    assert problems(written) == []
    assert Entry.from_bytes(written).kind == kind


@pytest.mark.parametrize(("name", "kinds"), OWN_FIELDS.items())
def test_a_field_of_one_kind_stands_in_no_other(name: str, kinds: frozenset[str]) -> None:
    """Code and schema refuse alike."""
    value: Any = {
        "digests": {"access": "ab" * 32},
        "changed": ("changed access",),
        "records": 3,
        "count": 3,
        "disclosable_from": TIME,
    }.get(name, "x")
    for kind in KINDS:
        entry = replace(Entry(kind=kind, time=TIME, **EVENTS[kind]), **{name: value})
        if kind in kinds:
            assert problems(entry.to_bytes()) == []
        else:
            with pytest.raises(EvidenceError, match=f"field {name}"):
                entry.to_bytes()
            whole = {"v": 1, "kind": kind, "time": TIME, **EVENTS[kind], name: value}
            assert problems(json.dumps(whole).encode()) != []


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"time": "2026-01-31T12:00:00Z"},
        {"caller": ""},
        {"surprise": 1},
        {"remembered": False},
        {"outcome": "refused"},
        {"rule": "a rule without a refusal"},
        {"suppressed": 0},
        {"parts": [{"department": "jfk", "index": 1, "leaf_hash": "zz"}]},
    ],
)
def test_what_the_schema_refuses(changes: dict[str, Any]) -> None:
    """A schema that takes everything says nothing."""
    whole = json.loads(FULL.to_bytes())
    assert problems(json.dumps(whole).encode()) == []
    assert problems(json.dumps({**whole, **changes}).encode()) != []


def test_a_kind_that_is_not_in_the_list_is_refused_by_the_code_too() -> None:
    """A reader must be able to rely on the list."""
    with pytest.raises(EvidenceError, match="field kind"):
        Entry.from_bytes(encode({"kind": "other", "time": TIME}))
