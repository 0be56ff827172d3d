"""Random SQL at running federations: refused, or a released aggregate with its half-widths.

The short form; `tests/audit/test_random_texts.py` and `make torture` ask many more in memory.
"""

from __future__ import annotations

from collections import Counter

import pytest

from landbridge.errors import CATALOGUE
from tests.attacks.conftest import Worlds
from tests.attacks.worlds import Seen
from tests.audit.grammar import Grammar

pytestmark = pytest.mark.journey

SEED = 20_261
TEXTS = 250


def test_a_random_text_is_refused_or_answered_with_half_widths(worlds: Worlds) -> None:
    """Every end is one of the catalogue, alike in all worlds; no value comes without its error."""
    grammar = Grammar(SEED, sound=0.35)
    ends: Counter[str] = Counter()
    for number in range(TEXTS):
        text = grammar.text()
        where = f"seed {SEED}, text {number}: {text!r}"
        seen = [world.ask(text, f"random{number}") for world in worlds]
        assert len({(each.code, each.reason) for each in seen}) == 1, where
        ends["answered" if seen[0].code == "OK" else "refused"] += 1
        if seen[0].code == "OK":
            for each in seen:
                _released(each, where)
        else:
            assert len({each.refusal for each in seen}) == 1, where
            assert CATALOGUE[seen[0].reason].status == seen[0].code, where
            assert seen[0].code in ("INVALID_ARGUMENT", "PERMISSION_DENIED"), where
    # Not vacuous: both sides of the line are reached.
    assert ends["answered"] > TEXTS / 10
    assert ends["refused"] > TEXTS / 3


def _released(seen: Seen, where: str) -> None:
    """Each released number has a half-width, or is the NULL of a ratio that its noise swallowed."""
    answer = seen.answer
    untold = any(note.kind == "untold" for note in answer.notes)
    assert answer.cost.epsilon > 0, where
    for row in answer.cells:
        for column, cell in zip(answer.columns, row, strict=True):
            if not column.released:
                assert cell.half_width is None, where
            elif cell.value is None:
                assert untold, where
            else:
                assert cell.half_width is not None or untold, where
                # corr(x, x) is 1 of whatever data, and says so with a half-width of 0.
                exact = cell.half_width == 0 and cell.value in (0, 1)
                assert cell.half_width is None or cell.half_width > 0 or exact, where
