"""Randomised at the source: what it costs, that estimates are unbiased, and that nobody has more.

Where OpenDP draws, the operating system does, so there is no seed to repeat a run with; such tests
say how often they fail by chance.
"""

from __future__ import annotations

import csv
import json
import math
import random
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.combine import Combined
from gateway.unbiased import unbiased
from landbridge.answers import Answer
from landbridge.errors import InvalidQuestion, LandbridgeError
from landbridge.federation.running import Federation
from landbridge.membership.canonical import canonical_bytes, parts
from landbridge.protocols.sealing import OpeningKey
from landbridge.submission import sealed
from landbridge.submission.check import Plain
from landbridge.submission.collection import Collection
from landbridge.submission.fate import Fate
from landbridge.submission.form import read_form
from landbridge.submission.handing_in import Submission
from landbridge.submission.outbox import Outbox
from landbridge.submission.randomised import Clamped, Response, clamped
from landbridge.submission.randomising import Randomiser
from landbridge.submission.receipt import Contribution
from landbridge.submission.sealed import Record
from nodes.compile import compile_question
from policies import odcs
from policies.bounds import interval
from policies.disclosure import plan_release
from policies.question import ColumnOf, Count, Question, Sum, Whole
from tests.people import PURPOSE as RESEARCH
from tests.simulator import FederationSimulator
from tests.submission.survey import MODES, RULES, answers, contract, form, survey
from tests.submission.town import PURPOSE

epsilons = st.floats(0.05, 12)
PEOPLE = 2_500


def reported(how: Clamped, x: int, y: int) -> float:
    """The probability of report y for x, by the definition."""
    n, alpha = how.steps, math.exp(-1 / how.scale)
    if y == 0:
        return alpha**x / (1 + alpha)
    if y == n:
        return alpha ** (n - x) / (1 + alpha)
    return (1 - alpha) / (1 + alpha) * alpha ** abs(y - x)


@given(epsilons, st.integers(1, 60), st.data())
def test_a_number_counts_on_average_as_what_it_was(
    epsilon: float, n: int, data: st.DataObject
) -> None:
    """Whatever it was: no bias at the ends, no more variance than is stated, no more told."""
    how = clamped(epsilon, 0.0, float(n), 1.0)
    x, other = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    low, high = how.ends

    def counts_as(y: int) -> float:
        return low if y == 0 else high if y == n else y

    chances = [reported(how, x, y) for y in range(n + 1)]
    assert math.isclose(sum(chances), 1, rel_tol=1e-9)
    mean = sum(chance * counts_as(y) for y, chance in enumerate(chances))
    assert mean == pytest.approx(x, abs=1e-6 * (n + how.beyond))
    variance = sum(chance * (counts_as(y) - x) ** 2 for y, chance in enumerate(chances))
    assert variance <= how.variance * (1 + 1e-6)
    assert all(
        chance <= math.exp(epsilon) * reported(how, other, y) * (1 + 1e-9)
        for y, chance in enumerate(chances)
    )


@given(epsilons, st.integers(2, 40), st.data())
def test_categories_are_estimated_without_bias(
    epsilon: float, categories: int, data: st.DataObject
) -> None:
    """From reports that are just as many as they are on average, the estimates are the truth."""
    how = Response(epsilon, categories)
    assert how.keep / how.swap == pytest.approx(math.exp(epsilon))
    true = data.draw(st.lists(st.integers(0, 1000), min_size=categories, max_size=categories))
    total = sum(true)
    for number in true:
        reports = number * how.keep + (total - number) * how.swap
        assert (reports - how.swap * total) / how.gain == pytest.approx(number, abs=1e-6 * total)
    # The mean squares are those of the definition.
    for own in (True, False):
        chance = how.keep if own else how.swap
        by_hand = (
            chance * ((1 - how.swap) / how.gain) ** 2 + (1 - chance) * (how.swap / how.gain) ** 2
        )
        assert how.squared(own=own) == pytest.approx(by_hand)


def test_the_draws_are_those_that_are_counted_on() -> None:
    """OpenDP's reports against the probabilities; wrong once in 10^6 runs (5 standard deviations).

    Without this a report could tell more than it says, or the estimate be of something else.
    """
    randomiser = Randomiser(form())
    truth: list[Plain] = ["S-1", "north", True, "bicycle", 5000.0, 3]
    draws = [randomiser.values(truth) for _ in range(3_000)]
    assert all(each[0] == "S-1" and each[1] == "north" and each[5] == 3 for each in draws)
    smokes, mode = Response(1.0, 2), Response(2.0, len(MODES))
    income = clamped(2.0, 0.0, 5000.0, 50.0)
    expected = [
        (sum(each[2] is True for each in draws), smokes.keep),
        (sum(each[3] == "bicycle" for each in draws), mode.keep),
        (sum(each[3] == "foot" for each in draws), mode.swap),
        (sum(each[4] == 5000.0 for each in draws), reported(income, 100, 100)),
        (sum(each[4] == 4950.0 for each in draws), reported(income, 100, 99)),
        (sum(each[4] == 0.0 for each in draws), reported(income, 100, 0)),
    ]
    for found, chance in expected:
        deviation = math.sqrt(len(draws) * chance * (1 - chance))
        assert abs(found - len(draws) * chance) <= 5 * deviation + 1


def test_a_half_width_holds_what_it_says() -> None:
    """Tables of reports, estimated: nearly all lie within, and not all by far too much.

    4,000 intervals, each missing with at most 5 %; more than 6.8 % would be chance once in 10^6.
    """
    seed = secrets.randbits(64)
    chance = random.Random(seed)
    plan = plan_release(
        Question("survey", (Count(),), (Whole("mode"),)), contract(), 100_000_000, 1
    )
    how = Response(2.0, len(MODES))
    true = [400, 150, 30, 0]
    held = 0
    widths: list[float] = []
    for _ in range(1_000):
        reports = [0] * len(MODES)
        for place, number in enumerate(true):
            for _ in range(number):
                others = [at for at in range(len(MODES)) if at != place]
                kept = chance.random() < how.keep
                reports[place if kept else chance.choice(others)] += 1
        (found,) = unbiased(plan, [Combined(plan.mechanisms[0], tuple(reports), 0.0, 1.96)])
        assert found.estimates is not None
        assert found.sampled is not None
        held += sum(
            abs(estimate - number) <= width
            for estimate, number, width in zip(found.estimates, true, found.sampled, strict=True)
        )
        widths += found.sampled
    assert held >= 0.932 * 4_000, (seed, held)
    assert max(widths) < 80  # a width that holds everything would say nothing


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rules": None}, "landbridgeCollection: must be there"),
        ({"rules": {"visible": {"seconds": 1}}}, "must bound the records of a subject"),
        ({"rules": {**RULES, "correct": {}}}, "must be left out: a correction is another draw"),
        ({"rules": {"one": {"per": ["smokes"]}}}, "cannot name whom a record is about (smokes)"),
        ({"columns": {"smokes": {"required": False}}}, "needs required: true"),
        ({"columns": {"mode": {"enum": None}}}, "belongs to booleans, to columns with an enum"),
        ({"columns": {"income": {"logicalTypeOptions": {"minimum": 0, "maximum": 5001}}}},
         "whole number of steps"),
        ({"columns": {"smokes": {"classification": "sealed"}}}, "left out on a sealed column"),
        ({"columns": {"smokes": {"customProperties": [
            {"property": "landbridgeRandomised", "value": {"epsilon": 0}}]}}},
         "must be from 0.01 to 20"),
        ({"columns": {"smokes": {"customProperties": [
            {"property": "landbridgeRandomised", "value": True}]}}},
         "must be a mapping with an epsilon"),
        ({"columns": {"income": {"customProperties": [
            {"property": "landbridgeRandomised", "value": {"epsilon": 1}},
            {"property": "landbridgeClip", "value": [0, 10]}]}}},
         "must be left out on a column with landbridgeRandomised"),
        ({"landbridgeMethod": "unprotected", "landbridgeProtectedUnit": "none",
          "landbridgeBudget": None, "landbridgeEpsilon": None, "landbridgeRowsPerUnit": None},
         "must belong to the method dp"),
    ],
)  # fmt: skip
def test_rules_that_would_tell_more_are_no_contract(changes: dict[str, Any], problem: str) -> None:
    """A second draw, a NULL or a name would undo what the epsilon says, so nothing is served."""
    with pytest.raises(odcs.ContractInvalid) as invalid:
        odcs.read(survey(**changes), "survey")
    assert problem in str(invalid.value)


def test_a_sum_is_bounded_by_what_reports_count_as() -> None:
    """The release's noise hides a report that counts beyond its column's bounds, too."""
    served = contract()
    low, high = served.by_name["income"].randomised.ends  # type: ignore[union-attr]
    assert low < 0
    assert high > 5000
    span = interval(ColumnOf("income"), served)
    assert (span.low, span.high) == (low, high)
    question = Question("survey", (Count(), Sum(ColumnOf("income"))))
    plan = plan_release(question, served, 1_000_000, 1)
    assert plan.mechanisms[1].sensitivity >= (high - low) / 2 / 50
    assert "CASE WHEN" in compile_question(plan, served).sql


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FederationSimulator]:
    """2,500 reports at a department that adds no noise: what is left is the randomisation's."""
    folder = tmp_path_factory.mktemp("survey")
    randomiser = Randomiser(form())
    with (folder / "reports.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(answers(0))
        writer.writerows(
            randomiser.values(list(answers(number).values())) for number in range(PEOPLE)
        )
    document = survey(landbridgePurposes=[RESEARCH]).encode()
    federation = FederationSimulator(folder, {"rescue": folder / "reports.csv"}, document)
    yield federation
    federation.close()


def estimated(found: Answer, column: int = -1) -> list[tuple[float, float]]:
    """Numbers and their half-widths."""
    widths = found.accuracy[found.columns[column].name]
    return [
        (float(str(row[column])), width or 0.0)
        for row, width in zip(found.rows(), widths, strict=True)
    ]


def require_near(found: list[tuple[float, float]], true: list[float]) -> None:
    """Within 2.6 half-widths, which is five standard deviations: chance breaks it once in 10^6."""
    for (number, width), wanted in zip(found, true, strict=True):
        assert width > 0
        assert abs(number - wanted) <= 2.6 * width, (number, width, wanted)


def test_answers_are_estimates_of_the_truth(simulated: FederationSimulator) -> None:
    """Counts by a category, sums within it, sums and averages of a number; each with its error."""
    people = [answers(number) for number in range(PEOPLE)]
    found = simulated.query(
        "SELECT mode, count(*), sum(rooms), avg(income) FROM survey GROUP BY mode", epsilon=100
    )
    for column, of in ((1, lambda _: 1), (2, lambda each: each["rooms"])):
        true = [sum(of(each) for each in people if each["mode"] == mode) for mode in MODES]
        require_near(estimated(found, column), [float(each) for each in true])
    # The reports themselves say something else, by far more than the error.
    assert [kind for kind in (note.kind for note in found.notes) if kind == "randomised"] == [
        "randomised",
        "randomised",
    ]
    total = simulated.query("SELECT sum(income), avg(income) FROM survey", epsilon=100)
    incomes = [each["income"] for each in people]
    require_near(estimated(total, 0), [sum(incomes)])
    require_near(estimated(total, 1), [sum(incomes) / PEOPLE])
    by_area = simulated.query(
        "SELECT area, smokes, count(*) AS n FROM survey GROUP BY area, smokes "
        "HAVING count(*) > 1 ORDER BY n DESC",
        epsilon=100,
    )
    counts = Counter((each["area"], each["smokes"]) for each in people)
    require_near(estimated(by_area), [float(counts[row[0], row[1]]) for row in by_area.rows()])
    assert len(by_area.rows()) == 4


def test_an_error_of_the_randomisation_is_told_with_the_plan(
    simulated: FederationSimulator,
) -> None:
    """Beforehand it is not known how many reports there are, so no half-width is promised."""
    plan = simulated.explain("SELECT smokes, count(*) FROM survey GROUP BY smokes")
    assert set(plan.accuracy.values()) == {None}
    assert any("smokes was randomised" in note.text for note in plan.notes)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM survey WHERE smokes",
        "SELECT count(*) FROM survey WHERE income > 3000",
        "SELECT sum(CASE WHEN mode = 'bus' THEN 1 ELSE 0 END) FROM survey",
        "SELECT sum(income * income) FROM survey",
        "SELECT sum(income + rooms) FROM survey",
        "SELECT stddev(income) FROM survey",
        "SELECT median(income) FROM survey",
        "SELECT width_bucket(income, 0, 5000, 5), count(*) FROM survey GROUP BY 1",
        "SELECT smokes, mode, count(*) FROM survey GROUP BY smokes, mode",
        "SELECT smokes, median(rooms) FROM survey GROUP BY smokes",
        "SELECT smokes, count(DISTINCT person) FROM survey GROUP BY smokes",
    ],
)
def test_what_has_no_unbiased_estimate_is_refused(simulated: FederationSimulator, sql: str) -> None:
    """A number about reports would look like one about people."""
    with pytest.raises(InvalidQuestion, match="randomised at the source"):
        simulated.query(sql, epsilon=1)


def described(key: OpeningKey) -> Collection:
    """What a client knows of the collection, sealed to a key that the test has."""
    return Collection(form(), key.sealing, "", b"")


def test_what_is_sealed_is_a_report() -> None:
    """Opened with the department's own key: the true value is there as often as chance has it.

    1,500 records; five standard deviations, wrong once in 10^6 runs.
    """
    key = OpeningKey.create()
    collection = described(key)
    truth = [answers(0) | {"person": f"S-{number}"} for number in range(1_500)]
    asked = Submission("survey", truth, PURPOSE, None)
    sending = asked.sending(collection)
    stream, _ = sending.begin()
    reports: list[Any] = []
    while len(reports) < len(truth):
        request = sending.next(stream, "token")
        assert request is not None, sending.failure
        _, lines = sealed.open_(
            request.batch.sealed,
            collection.target,
            request.batch.batch_id,
            request.batch.key_id,
            key,
        )
        reports += [json.loads(line)[3] for line in lines]
    kept = sum(report[2] is True for report in reports)
    chance = Response(1.0, 2).keep
    assert abs(kept - 1_500 * chance) < 5 * math.sqrt(1_500 * chance * (1 - chance))


def test_a_record_that_comes_again_is_the_same_report(tmp_path: Path) -> None:
    """Drawn once for good, also after its result: or asking often enough would tell the truth."""
    collection = described(OpeningKey.create())
    given = [Contribution(answers(number), id=f"{number:032x}") for number in range(40)]
    with pytest.raises(LandbridgeError, match="queue"):
        list(Submission("survey", given, PURPOSE, None).sending(collection)._items)
    outbox = Outbox(tmp_path / "queue")
    asked = Submission("survey", given, PURPOSE, None)
    asked.kept(outbox, collection)
    first = [item for _, item in outbox.items("survey") if isinstance(item, Record)]
    outbox.settled([(at + 1, each, Fate.ACCEPTED) for at, each in enumerate(first)], "survey")
    assert outbox.waiting("survey") == 0
    asked.kept(outbox, collection)
    again = [item for _, item in outbox.items("survey") if isinstance(item, Record)]
    assert [each.values for each in again] == [each.values for each in first]
    outbox.close()
    true = [answers(number)["income"] for number in range(40)]
    stored = sqlite3.connect(tmp_path / "queue").execute("SELECT content FROM waiting").fetchall()
    assert [json.loads(row[0])[4] for row in stored] != true  # as nobody's: 40 matches by chance


def test_a_form_that_this_version_does_not_know_is_not_answered() -> None:
    """A client that read over the randomisation would send the truth."""
    signer = Ed25519PrivateKey.generate()
    signed = form().signed(signer)
    assert read_form(signed, signer.public_key()) == form()
    signed.form.fields[2].epsilon = 99.0
    signed.signature = signer.sign(
        parts((b"landbridge collection v1", canonical_bytes(signed.form)))
    )
    with pytest.raises(LandbridgeError, match="in a way that this version does not know"):
        read_form(signed, signer.public_key())


@pytest.mark.journey
def test_a_town_is_told_what_nobody_knows_of_anyone(town: Federation) -> None:
    """Client, gateway, node, table, question: real processes, and an estimate near the truth.

    3,000 people; 2.6 half-widths are five standard deviations, wrong once in 10^6 runs.
    """
    people = [answers(number) for number in range(3_000)]
    with town.client("ann") as ann:
        receipt = ann.submit("survey", people, purpose=PURPOSE)
        assert receipt.accepted == len(people)
        again = ann.submit("survey", people[:3], purpose=PURPOSE)
        assert again.counts == {"ALREADY_REPORTED": 3}
    with town.client("office") as office:
        for _ in range(60):
            seen = office.query("SELECT count(*) FROM survey", purpose=PURPOSE, epsilon=100)
            if round(float(str(seen.rows()[0][0]))) == len(people):
                break
            time.sleep(0.5)
        found = office.query(
            "SELECT smokes, count(*) FROM survey GROUP BY smokes", purpose=PURPOSE, epsilon=100
        )
        true = Counter(each["smokes"] for each in people)
        require_near(estimated(found), [float(true[False]), float(true[True])])
        income = office.query("SELECT sum(income) FROM survey", purpose=PURPOSE, epsilon=100)
        require_near(estimated(income), [sum(each["income"] for each in people)])


@pytest.mark.journey
def test_a_trend_tells_how_a_collection_grows(town: Federation) -> None:
    """Real processes: numbers one after the other for one budget, and more after more came."""
    people = [answers(number) for number in range(10_000, 10_200)]
    with town.client("office") as office, town.client("ann") as ann:
        trend = office.watch(
            "SELECT count(*) AS n FROM survey", every=1, epsilon=50, alerts=31, purpose=PURPOSE
        )
        assert trend.view.alerts_most == 31
        first = last = 0.0
        for event in trend.follow(30):
            assert event.kind == "trend"
            (cell,) = event.cells
            assert cell.number is not None
            last = cell.number
            if not first:
                first = last
                assert ann.submit("survey", people, purpose=PURPOSE).accepted == len(people)
            elif last > first + len(people) / 2:
                break
        spent = trend.refresh()
        assert 0 < spent.spent <= spent.reserved
        assert abs(last - first - len(people)) <= 4 * spent.accuracy  # both have noise
        trend.stop()
        with pytest.raises(InvalidQuestion, match="one row that never changes"):
            office.watch("SELECT count(*) AS n FROM requests", every=1, purpose=PURPOSE)
