"""Random SQL in three worlds: refused before an engine runs, or answered in a shape of the text.

The noise is replaced by a function that never looks at the cells, so equality is exact and there
are no false alarms. A failure prints seed, number and text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.grammar import Grammar
from tests.audit.worlds_apart import WORLDS, World, difference

SEED = 20_260
TEXTS = 1_500


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[World]]:
    """The rare person, the common one, and nobody."""
    folder = tmp_path_factory.mktemp("apart")
    made = [World(name, folder / name) for name in ("rare", "common", "absent")]
    yield made
    for world in made:
        world.close()


def test_no_text_tells_the_worlds_apart(worlds: list[World]) -> None:
    """Same bytes everywhere; what is refused ran nothing; nothing ends as a fault."""
    grammar = Grammar(SEED, sound=0.05)
    ends: Counter[str] = Counter()
    for number in range(TEXTS):
        text = grammar.text()
        found = [world.ask(text) for world in worlds]
        assert difference(found) == "", f"seed {SEED}, text {number}: {text!r}"
        if number % 20 == 0:
            plans = {world.explained(text) for world in worlds}
            assert len(plans) == 1, f"seed {SEED}, text {number}: {text!r}"
        ends[found[0][0].split()[0]] += 1
    # Not vacuous: the grammar reaches both sides of the line.
    assert ends["answered"] > TEXTS / 30
    assert ends["refused"] > TEXTS / 2


def test_a_release_that_leaves_empty_cells_empty_is_caught(tmp_path: Path) -> None:
    """Positive control: the one thing that looks at data is found within a few hundred texts."""
    made = [World(name, tmp_path / name, look=True) for name in WORLDS]
    grammar = Grammar(SEED, sound=1.0)
    try:
        texts = (grammar.text() for _ in range(300))
        assert any(difference([world.ask(text) for world in made]) for text in texts)
    finally:
        for world in made:
            world.close()
