"""Questions of every kind in worlds that differ in one person: nothing but noise may tell.

As `test_random_texts`, with noise that never looks: joins, quantiles, moments, tables by cell key,
pooled totals and parts side by side. Values that are found in the data are audited by their
threshold (`test_selection`), linked questions by their transcripts (tests/linked).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.audit.worlds import OTHERS, terms
from tests.audit.worlds_apart import WORLDS, World, difference
from tests.joins import visits
from tests.people import document

RARE = "diagnosis='X1' AND age=93"
ALONE = (
    f"SELECT median(income), quantile_cont(income, 0.99) FROM people WHERE {RARE}",
    f"SELECT sex, median(height), count(*) FROM people WHERE {RARE} GROUP BY sex",
    f"SELECT stddev(income), corr(income, age), regr_slope(income, age) FROM people WHERE {RARE}",
    "SELECT width_bucket(age, 0, 120, 4) AS b, avg(income) FROM people GROUP BY b",
    "SELECT date_trunc('month', moved) AS m, count(*) FROM people GROUP BY m",
    f"SELECT sum(CASE WHEN {RARE} THEN income END) * 100 / count(*) AS x FROM people",
    "SELECT district, count(*) AS n FROM people GROUP BY district HAVING n > 3 ORDER BY n LIMIT 2",
    "SELECT max(income) FROM people WHERE district='D7'",
)
JOINED = (
    "SELECT count(*) FROM people JOIN visits USING (person_id) "
    "WHERE people.diagnosis='X1' AND people.age=93",
    "SELECT kind, sum(cost), count(DISTINCT person_id) FROM people JOIN visits USING (person_id) "
    "WHERE people.diagnosis='X1' GROUP BY kind",
    "SELECT median(cost) FROM people JOIN visits USING (person_id) WHERE people.age=93",
    "SELECT count(*) FROM people LEFT JOIN visits USING (person_id)",
    "SELECT count(*) FROM people JOIN visits ON people.person_id = visits.person_id + 1",
)
POOLED = (
    f"SELECT count(*), sum(income) FROM people WHERE {RARE}",
    "SELECT diagnosis, avg(age) FROM people GROUP BY diagnosis",
    f"SELECT median(income) FROM people WHERE {RARE}",
    f"SELECT department, count(*) FROM people WHERE {RARE} GROUP BY department",
    "SELECT count(*) FROM nowhere.people",
    "SELECT max(income) FROM people",
)
CROSSED: dict[str, Any] = {
    "landbridgePooling": {"minimum": 3, "department": True}, "landbridgeUnitsSpan": 2,
}  # fmt: skip


def _visits(name: str, folder: Path) -> Path:
    """Two of everybody who is there, the planted person's own among them."""
    rows = [
        (*row, kind, 500 if row[0] == 4711 else 20)
        for row in WORLDS[name](OTHERS)
        for kind in visits.KINDS
    ]
    return visits.write(rows, folder / f"{name}-visits.csv")


@pytest.mark.parametrize("kind", ["alone", "joined", "pooled"])
def test_no_kind_of_question_tells_the_worlds_apart(kind: str, tmp_path: Path) -> None:
    """Replies, plans, charges, both logs, what the noise is asked for, how often an engine ran."""
    texts = {"alone": ALONE, "joined": JOINED, "pooled": POOLED}[kind]
    with ExitStack() as ends:
        worlds = []
        for name in ("rare", "common", "absent"):
            more: dict[str, Any] = {}
            if kind == "joined":
                rows = _visits(name, tmp_path)
                more["more"] = {"north": [(visits.document(**terms(1.0)), rows)]}
                more["terms"] = visits.people_document(**terms(1.0))
            if kind == "pooled":
                more = {"terms": document(**terms(1.0), **CROSSED), "beside": ("east", "south"),
                        "sent": False}  # fmt: skip
            worlds.append(World(name, tmp_path / name, **more))
            ends.callback(worlds[-1].close)
        answered = 0
        for text in texts:
            found = [world.ask(text) for world in worlds]
            assert difference(found) == "", text
            assert len({world.explained(text) for world in worlds}) == 1, text
            answered += found[0][0].startswith("answered")
    assert 2 < answered < len(texts)  # both sides of the line


def test_a_release_that_looks_is_told_apart(tmp_path: Path) -> None:
    """Positive control: empty cells that stay empty."""
    with ExitStack() as ends:
        worlds = [World(name, tmp_path / name, look=True) for name in ("rare", "absent")]
        for world in worlds:
            ends.callback(world.close)
        assert any(difference([world.ask(text) for world in worlds]) for text in ALONE[:3])
