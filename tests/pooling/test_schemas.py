"""With noise off a pooled answer is that of one table, on schemas that Hypothesis makes up."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path

from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from tests.schemas import Table, clear, in_the_clear, require_same, select, tables
from tests.simulator import FederationSimulator

QUESTIONS = 3


@settings(max_examples=10, phases=(Phase.explicit, Phase.generate))
@given(
    table=st.booleans().flatmap(lambda many: tables("t0", many=many, key="integer")),
    departments=st.integers(2, 4),
    data=st.data(),
)
def test_a_pooled_answer_is_the_truth_whatever_the_schema(
    table: Table, departments: int, data: st.DataObject
) -> None:
    """Units are spread over the departments, some of which may have none."""
    names = [f"d{number}" for number in range(departments)]
    with tempfile.TemporaryDirectory() as place:
        files = {
            name: table.write(
                Path(place) / f"{name}.csv",
                [row for row in table.rows if row[0] % departments == number],
            )
            for number, name in enumerate(names)
        }
        document = table.document(landbridgePooling={"with": names})
        federation = FederationSimulator(Path(place), files, document)
        try:
            whole = in_the_clear([table])
            for _ in range(QUESTIONS):
                keys, text, measures = data.draw(_questions(table))
                note(text)
                answer = federation.query(text, epsilon=900, question_id=secrets.token_hex(16))
                assert federation.nodes["d0"].received[-1].DESCRIPTOR.name == "PoolRequest"
                truth = whole.execute(clear(text, [table])).fetchall()
                require_same(keys, measures, answer.rows(), truth)
        finally:
            federation.close()


@st.composite
def _questions(draw: st.DrawFn, table: Table) -> tuple[int, str, list[str]]:
    groups = table.groups()
    keys = draw(st.lists(st.sampled_from(groups), unique=True, max_size=2)) if groups else []
    some = ["count(*)", *table.measures()]
    measures = draw(st.lists(st.sampled_from(some), unique=True, min_size=1, max_size=3))
    filters = draw(st.lists(st.sampled_from(table.filters()), unique=True, max_size=2))
    # Columns are named by themselves: there is one table.
    keys, measures, filters = (
        [each.replace("t0.", "") for each in some] for some in (keys, measures, filters)
    )
    return len(keys), select("t0", keys, measures, filters), measures
