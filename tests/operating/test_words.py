"""What a server says on standard error: ours in full, what others wrote by its place alone."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from landbridge.edge.operating import JSON, TEXT
from landbridge.edge.words import Words

SECRET = "Quirin Probe-77"


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """Python has one root logger for everybody."""
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    root.handlers[:] = before


def said(form: str) -> tuple[str, list[dict[str, Any]]]:
    """Everything that can be said, once; as text, and as the lines that JSON has."""
    stream = io.StringIO()
    words = Words(form, stream, clock=lambda: 1_800_000_000.25)
    words.listen()
    words.tell("department north does not answer yet")
    try:
        int(SECRET)
    except ValueError as defect:
        words.report(defect)
    words.call("landbridge.v1.Gateway/Query", "OK", "", 0.25, "0" * 32)
    logging.getLogger("some.library").warning("cannot parse %s", SECRET)
    logging.getLogger("landbridge.identity.keys").warning("the keys were not renewed")
    text = stream.getvalue()
    return text, [json.loads(line) for line in text.splitlines()] if form == JSON else []


@pytest.mark.parametrize("form", [TEXT, JSON])
def test_what_others_wrote_is_told_by_its_place_alone(form: str) -> None:
    """A message can quote what it was given; a type and a place cannot."""
    text, _ = said(form)
    assert SECRET not in text
    assert "Probe" not in text
    assert "ValueError" in text
    assert "some.library" in text
    assert text.count("test_words.py:") == 2


@pytest.mark.parametrize("form", [TEXT, JSON])
def test_our_own_sentences_are_told_in_full(form: str) -> None:
    """The operator must know what to do."""
    text, _ = said(form)
    assert "department north does not answer yet" in text
    assert "the keys were not renewed" in text


def test_a_line_is_an_object_with_time_level_and_event() -> None:
    """RFC 3339, UTC, milliseconds: what log shippers sort by."""
    _, lines = said(JSON)
    assert [line["event"] for line in lines] == ["told", "defect", "call", "library", "told"]
    assert {line["time"] for line in lines} == {"2027-01-15T08:00:00.250Z"}
    assert [line["level"] for line in lines] == ["info", "error", "info", "warning", "warning"]
    assert lines[2] == {
        "time": lines[2]["time"], "level": "info", "event": "call",
        "method": "landbridge.v1.Gateway/Query", "status": "OK", "reason": "", "seconds": 0.25,
        "trace": "0" * 32,
    }  # fmt: skip


def test_people_are_not_told_of_every_call() -> None:
    """Sentences are for what somebody should read."""
    text, _ = said(TEXT)
    assert "Gateway/Query" not in text
