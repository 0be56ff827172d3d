"""What `read_sql` reads is a question, and the second time it is not read at all."""

from __future__ import annotations

import pytest

from bench import read_sql
from gateway import planning
from policies.question import Question


def test_the_text_is_five_lines_of_a_question_and_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A text that is refused would be quick to read; one read again would not be remembered."""
    known, memory = read_sql.one_department(), read_sql.planning_alone()
    reading, served = memory._read(read_sql.SQL, read_sql.CLEARANCE, known)
    assert isinstance(reading.question, Question)
    assert read_sql.SQL.count("\n") == 4
    assert served.departments == ("ewr",)
    monkeypatch.delattr(planning, "read")
    assert memory._read(read_sql.SQL, read_sql.CLEARANCE, known) == (reading, served)
