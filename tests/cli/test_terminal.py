"""What may reach a terminal."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from landbridge.cli.refusal import picture
from landbridge.cli.terminal import plain
from landbridge.errors import Position, error

ANY = st.text(st.characters(codec=None, exclude_categories=()))


@given(ANY)
def test_no_text_can_move_the_cursor_or_turn_the_writing(text: str) -> None:
    """Control characters, C1 included, and direction marks reach nobody's terminal."""
    shown = plain(text)
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in shown)


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    """Escaping is for what would be obeyed, not for other people's alphabets."""
    assert plain(text) == text


@given(ANY, st.integers(0, 50), st.integers(0, 500))
def test_the_picture_of_a_refusal_is_safe_whatever_was_asked(
    sql: str, line: int, column: int
) -> None:
    """A server may send any position, and a question may hold anything."""
    refusal = error("INVALID_QUESTION", sql, rule=sql, hint=sql, position=Position(line, column))
    lines = picture(refusal, sql)
    assert all(each == plain(each) for each in lines)


def caret(sql: str, line: int, column: int) -> list[str]:
    """What is drawn of a place."""
    return picture(error("INVALID_QUESTION", position=Position(line, column)), sql)[3:]


def test_the_caret_stands_under_the_place() -> None:
    """That is what it is for."""
    shown = caret("SELECT name\nFROM people", 2, 6)
    assert shown == ["  FROM people", "       ^"]


def test_the_caret_stands_right_after_characters_that_take_more_room() -> None:
    """A tab is shown as an escape, and a wide character takes two columns."""
    assert caret("a\tb", 1, 3) == ["  a\\tb", "     ^"]
    assert caret("東京 x", 1, 4) == ["  東京 x", "       ^"]


def test_a_long_line_is_cut_around_the_place() -> None:
    """A question of a thousand characters does not bury its caret."""
    shown, mark = caret("x" * 500 + "!" + "y" * 500, 1, 501)
    assert shown[mark.index("^")] == "!"
    assert shown.startswith("  …x")
    assert shown.endswith("y…")
    assert len(shown) < 110


def test_a_place_outside_the_question_shows_no_line() -> None:
    """A position that means nothing must not be drawn."""
    assert caret("SELECT 1", 2, 1) == []
    assert caret("SELECT 1", 1, 40) == []


def test_the_place_may_be_the_end_of_the_text() -> None:
    """What is missing is missing after the last character."""
    assert caret("SELECT", 1, 7) == ["  SELECT", "        ^"]
