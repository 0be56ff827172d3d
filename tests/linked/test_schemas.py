"""Without noise a linked answer is the clear join's, on schemas that Hypothesis makes up."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from tests.schemas import Table, clear, in_the_clear, require_same, select, tables
from tests.simulator import FederationSimulator

PRICE = 900.0
QUESTIONS = 3
"""Of one schema: making its federation is what costs."""


@st.composite
def schemas(draw: st.DrawFn) -> tuple[Table, ...]:
    """Two or three tables, one of which may have several rows of a unit."""
    count = draw(st.integers(2, 3))
    many = draw(st.integers(-1, count - 1))
    return tuple(draw(tables(f"t{number}", many=number == many)) for number in range(count))


@settings(max_examples=12, phases=(Phase.explicit, Phase.generate))
@given(found=schemas(), data=st.data())
def test_a_linked_answer_is_the_truth_whatever_the_schema(
    found: tuple[Table, ...], data: st.DataObject
) -> None:
    """Keys as numbers and as text, NULLs, clips, bounds, several rows of a unit, empty tables."""
    with tempfile.TemporaryDirectory() as place:
        federation = _federation(Path(place), found)
        try:
            whole = in_the_clear(found)
            for _ in range(QUESTIONS):
                keys, text, measures = data.draw(_questions(found))
                note(text)
                answer = federation.query(text, epsilon=PRICE, question_id=secrets.token_hex(16))
                truth = whole.execute(clear(text, found)).fetchall()
                require_same(keys, measures, answer.rows(), truth)
        finally:
            federation.close()


@st.composite
def _questions(draw: st.DrawFn, found: tuple[Table, ...]) -> tuple[int, str, list[str]]:
    many = next((table for table in found if table.rows_per_unit > 1), None)
    groups = [group for table in found for group in table.groups()]
    keys = draw(st.lists(st.sampled_from(groups), unique=True, max_size=2)) if groups else []
    measured = found if many is None else (many,)
    some = ["count(*)", *(each for table in measured for each in table.measures())]
    measures = draw(st.lists(st.sampled_from(some), unique=True, min_size=1, max_size=3))
    kept = [each for table in found for each in table.filters()]
    filters = draw(st.lists(st.sampled_from(kept), unique=True, max_size=2))
    order = draw(st.permutations(range(len(found))))
    first, *others = (f"d{number}.t{number}" for number in order)
    source = first + "".join(f" JOIN {other} USING (k)" for other in others)
    return len(keys), select(source, keys, measures, filters), measures


def _federation(place: Path, found: tuple[Table, ...]) -> FederationSimulator:
    rows, documents = {}, {}
    for number, table in enumerate(found):
        others = [f"d{other}" for other in range(len(found)) if other != number]
        link = {"with": others, "on": ["k"], "minimum": 1, "keys": 100}
        rows[f"d{number}"] = table.write(place / f"{table.name}.csv")
        documents[f"d{number}"] = table.document(landbridgeLinks=[link])
    return FederationSimulator(place, rows, documents)
