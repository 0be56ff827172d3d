"""Entries in other people's formats say what those formats ask for, whatever the entry."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from landbridge.evidence import cloudevent, ocsf
from landbridge.evidence.entry import Entry, decode
from landbridge.evidence.kind import KINDS
from landbridge.evidence.merkle import leaf_hash
from landbridge.evidence.selection import Found
from tests.evidence.foreign_schemas import API_ACTIVITY, APPLICATION_LIFECYCLE, CLOUDEVENT
from tests.evidence.schema import problems
from tests.evidence.test_entry import FULL, TIME
from tests.evidence.test_schema import EVENTS


def found(entry: Entry) -> Found:
    """The entry as a search finds it."""
    content = entry.to_bytes()
    return Found("town/gateway", 7, leaf_hash(content), decode(content))


EVERY = [FULL, *(Entry(kind=kind, time=TIME, **EVENTS[kind]) for kind in KINDS)]


def wrong(schema: dict[str, Any], event: dict[str, Any]) -> list[str]:
    """What the schema finds."""
    return [error.message for error in Draft202012Validator(schema).iter_errors(event)]


@pytest.mark.parametrize("entry", EVERY, ids=lambda entry: entry.kind)
def test_every_kind_is_a_valid_event_of_ocsf(entry: Entry) -> None:
    """Classes, required attributes, "at least one of", and no attribute of our own making."""
    event = ocsf.event(found(entry))
    schema = APPLICATION_LIFECYCLE if entry.kind in ("start", "stop") else API_ACTIVITY
    assert wrong(schema, event) == []
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert event["time"] == 1769860800000
    if event["activity_id"] == 99:
        assert event["activity_name"] == entry.kind  # OCSF: the source's own word
    json.dumps(event, allow_nan=False)


@pytest.mark.parametrize("entry", EVERY, ids=lambda entry: entry.kind)
def test_nothing_of_an_entry_is_lost_in_ocsf(entry: Entry) -> None:
    """What has no attribute there stands in `unmapped`, under its own name."""
    event = json.dumps(ocsf.event(found(entry)))
    for name, value in decode(entry.to_bytes()).items():
        if name not in ("v", "outcome"):
            assert json.dumps(value) in event, name


@pytest.mark.parametrize("entry", EVERY, ids=lambda entry: entry.kind)
def test_every_kind_is_a_valid_cloudevent(entry: Entry) -> None:
    """Its data are the entry, whole, and valid by our own schema."""
    event = cloudevent.event(found(entry))
    assert wrong(CLOUDEVENT, event) == []
    assert (event["id"], event["source"]) == ("7", "urn:landbridge:log:town/gateway")
    assert problems(json.dumps(event["data"]).encode()) == []


def test_the_schemas_of_the_test_refuse_what_is_wrong() -> None:
    """Else the above would prove nothing."""
    event = ocsf.event(found(FULL))
    for name in ("actor", "api", "src_endpoint", "time", "metadata", "severity_id"):
        assert wrong(API_ACTIVITY, {key: value for key, value in event.items() if key != name})
    assert wrong(API_ACTIVITY, {**event, "actor": {}})
    assert wrong(API_ACTIVITY, {**event, "ours": 1})
    assert wrong(CLOUDEVENT, {**cloudevent.event(found(FULL)), "leaf_hash": "x"})


def test_bytes_that_are_no_entry_make_a_cloudevent_and_no_ocsf_event() -> None:
    """A search shows them; a store of events has no place for what has no time."""
    odd = Found("town/gateway", 0, b"\0" * 32, {"unreadable": "it is no entry"})
    assert wrong(CLOUDEVENT, cloudevent.event(odd)) == []
    with pytest.raises(ValueError, match="isoformat"):
        ocsf.event(odd)
