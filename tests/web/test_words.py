"""Every sentence of the consoles is there in every language, with the same things filled in."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from landbridge.web.words import LANGUAGES, Words
from tests.web.catalogue import CONSOLE, DESK, ROOMS, names_of_values, said

TAGS = [tag for tag in LANGUAGES if tag != "en"]


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_every_sentence_is_translated_and_nothing_else_is(room: Path, tag: str) -> None:
    """What a template says and no catalogue has would stand in English between the others."""
    with (room / "words" / f"{tag}.po").open("rb") as file:
        catalogue = read_po(file, locale=tag.replace("-", "_"))
    found = {str(each.id): each for each in catalogue if each.id}
    assert set(found) == said(room)
    for message, each in found.items():
        assert each.string, message
        assert not each.fuzzy, message
        assert names_of_values(message) == names_of_values(str(each.string)), message


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("zh-Hant-MO", "zh-Hant"),
        ("zh-CN,en", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("zh-Hans-HK", "zh-Hans"),
        ("fr-FR, en;q=0.5, zh;q=0.7", "zh-Hans"),
        ("fr", "en"),
        ("x" * 1000, "en"),
        (";q=,,;;", "en"),
        ("", "en"),
    ],
)
def test_a_browser_gets_the_language_that_its_reader_reads(accepted: str, tag: str) -> None:
    """Script and territory decide between the two; whatever cannot be read is passed over."""
    words = Words([CONSOLE / "words"])
    assert words.wanted("", accepted).tag == tag
    assert words.wanted("en", accepted).tag == "en"
    assert words.wanted("nonsense", accepted).tag == tag


def test_both_consoles_have_all_languages() -> None:
    """A room without a catalogue would show two languages on one page."""
    for room in (CONSOLE, DESK):
        assert list(Words([room / "words"]).names) == list(LANGUAGES)


def test_numbers_are_grouped_as_the_reader_is_used_to() -> None:
    """And the sentence is in their language."""
    chinese = Words([CONSOLE / "words"]).wanted("zh-Hant", "")
    assert chinese.number(1234567) == "1,234,567"
    assert str(chinese("Entry %(n)s", n=5)) == "條目 5"
