"""The catalogue of reasons, its classes and its pages say the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from landbridge import errors, reasons
from landbridge.errors import CATALOGUE, error
from landbridge.reasons import BY_REASON

ROOT = Path(__file__).parents[2]


def test_classes_and_pages_are_generated_from_the_catalogue() -> None:
    """A reason without a page, or a page of a reason that is gone, fails here."""
    ran = subprocess.run(
        [sys.executable, ROOT / "docs/errors/generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("reason", CATALOGUE)
def test_every_reason_has_a_class_of_its_own_under_one_of_the_six(reason: str) -> None:
    """`except BudgetExhausted` and `except Refused` both catch it, and nothing else does."""
    raised = error(reason)
    assert type(raised) is BY_REASON[reason]
    assert isinstance(raised, CATALOGUE[reason].exception)
    assert [type(raised) is each for each in BY_REASON.values()].count(True) == 1


def test_a_class_of_a_reason_is_not_its_namesake_above() -> None:
    """`landbridge.InvalidQuestion` catches every invalid question, its namesake one reason."""
    assert isinstance(error("TOO_MANY_CELLS"), errors.InvalidQuestion)
    assert not isinstance(error("TOO_MANY_CELLS"), reasons.InvalidQuestion)
    assert isinstance(error("INVALID_QUESTION"), reasons.InvalidQuestion)


def test_every_page_is_linked_from_the_contents() -> None:
    """A page that nobody finds is none."""
    contents = (ROOT / "docs/errors/README.md").read_text()
    for reason in CATALOGUE:
        assert f"({reason}.md)" in contents
