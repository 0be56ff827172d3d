"""A member that is gone, slow or loses its reply: named, charged on the safe side, never silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from landbridge.errors import DeadlineExceeded, LandbridgeError, Refused, Unavailable, error
from policies.noise import draw
from tests.people import crowd
from tests.pooling.asking import spent
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
FOUR = ("east", "north", "south", "west")
SQL = "SELECT count(*) AS n FROM people"


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """Four departments of twenty."""
    return simulate({name: crowd(20, at) for at, name in enumerate(FOUR)})


def fails(reason: str, after: int = 0) -> Callable[[Any], None]:
    """Raises that, from the request after so many on."""
    seen: list[Any] = []

    def arrived(message: Any) -> None:
        seen.append(message)
        if len(seen) > after:
            raise error(reason)

    return arrived


@pytest.mark.parametrize("reason", ["DEPARTMENT_MISSING", "TOO_BUSY", "RUN_FAILED"])
def test_who_is_missing_is_named_and_nothing_is_told(
    federation: FederationSimulator, reason: str
) -> None:
    """A total without one member cannot be read; the others were charged."""
    federation.nodes["south"].before = fails(reason)
    with pytest.raises(LandbridgeError, match="south") as said:
        federation.query(SQL)
    assert said.value.missing == ("south",)
    assert spent(federation, "east") > 0
    assert len(federation.entries()[-1].parts) == 3


def test_a_slow_member_ends_in_one_clear_sentence(federation: FederationSimulator) -> None:
    """Time ran out, and for whom."""
    federation.nodes["south"].before = fails("DEADLINE")
    with pytest.raises(DeadlineExceeded, match="Time ran out before south answered"):
        federation.query(SQL)


def test_a_partial_total_is_asked_anew_of_the_others(federation: FederationSimulator) -> None:
    """Both rounds are charged, the answer says so and who is missing; each has its entry."""
    federation.nodes["south"].down = True
    once = federation.explain(SQL).epsilon
    answer = federation.query(SQL, partial=True)
    assert answer.rows() == [(60,)]
    assert answer.missing == ("south",)
    assert set(answer.departments) == {"east", "north", "west"}
    assert answer.cost.epsilon > once
    assert [note.text for note in answer.notes if note.kind == "missing"] == [
        "No answer came from south.",
        "2 rounds were asked, each without those who were silent in the one before, and each was "
        "charged.",
    ]
    lost, last = federation.entries()[-2:]
    assert (lost.outcome, lost.reason, len(lost.parts)) == ("failed", "DEPARTMENT_MISSING", 3)
    assert (last.outcome, len(last.parts)) == ("answered", 3)
    assert lost.question_id != last.question_id
    for name in ("east", "north", "west"):
        assert spent(federation, name) == lost.charged_micro_rho // 3 + last.charged_micro_rho // 3


def test_a_partial_answer_that_is_asked_again_is_the_same_one(simulate: Simulate) -> None:
    """The second id follows from the first, so a retry finds both rounds already charged."""
    federation = simulate({name: crowd(20, at) for at, name in enumerate(FOUR)}, draw=draw)
    federation.nodes["south"].down = True
    first = federation.query(SQL, partial=True, question_id="c" * 32)
    before = spent(federation, "east")
    again = federation.query(SQL, partial=True, question_id="c" * 32)
    assert again.rows() == first.rows()
    assert spent(federation, "east") == before


def test_a_member_that_dies_in_the_second_round_costs_a_third(
    federation: FederationSimulator,
) -> None:
    """Each round is charged to those who answered it; there are no more than three."""
    federation.nodes["south"].down = True
    federation.nodes["west"].before = fails("DEPARTMENT_MISSING", after=1)
    answer = federation.query(SQL, partial=True)
    assert (answer.rows(), answer.missing) == ([(40,)], ("south", "west"))
    assert "3 rounds" in answer.notes[1].text


def test_one_department_that_is_left_answers_for_itself(federation: FederationSimulator) -> None:
    """With noise of its own: there is nobody left to mask towards."""
    for name in ("north", "south", "west"):
        federation.nodes[name].down = True
    answer = federation.query(SQL, partial=True)
    assert (answer.rows(), answer.departments) == ([(20,)], ("east",))
    assert answer.missing == ("north", "south", "west")


def test_owners_who_tell_totals_only_tell_nothing_alone(simulate: Simulate) -> None:
    """Neither when one is named nor when one is left; the node refuses for itself."""
    terms = {"landbridgePooling": {"alone": False}}
    federation = simulate({name: crowd(20, 1) for name in ("east", "north")}, contract=terms)
    assert federation.query(SQL).rows() == [(40,)]
    with pytest.raises(Refused) as said:
        federation.query("SELECT count(*) FROM east.people")
    assert (said.value.reason, said.value.rule) == ("PARTS_WITHHELD", "contract.pooling.alone")
    federation.nodes["north"].down = True
    with pytest.raises(Unavailable, match="too few for a total") as left:
        federation.query(f"{SQL} WHERE age > 30", partial=True)
    assert left.value.missing == ("north",)


def test_nobody_left_is_said_so(federation: FederationSimulator) -> None:
    """One sentence with all names."""
    for node in federation.nodes.values():
        node.down = True
    with pytest.raises(Unavailable) as said:
        federation.query(SQL, partial=True)
    assert said.value.missing == FOUR


def test_a_reply_that_was_lost_is_given_again(simulate: Simulate) -> None:
    """F18: the work was done and charged; the same id brings the same draw, charged once."""
    federation = simulate({name: crowd(20, at) for at, name in enumerate(FOUR)}, draw=draw)

    def lose(_: Any) -> None:
        raise LookupError

    federation.nodes["west"].change = lose
    with pytest.raises(LookupError):
        federation.query(SQL, question_id="d" * 32)
    charged = [spent(federation, name) for name in FOUR]
    assert all(charged)
    federation.nodes["west"].change = None
    federation.query(SQL, question_id="d" * 32)
    assert [spent(federation, name) for name in FOUR] == charged


def test_a_member_that_forgets_a_round_makes_everybody_draw_anew(
    federation: FederationSimulator,
) -> None:
    """A node between the offer to repeat and the repetition: no kept vector meets a fresh one."""
    federation.query(SQL)
    west = federation.nodes["west"]
    offers: list[Any] = []

    def arrived(message: Any) -> None:
        offers.append(message)
        if message.repeats:
            raise error("ROUND_FORGOTTEN")

    west.before = arrived
    answer = federation.query(SQL)
    assert answer.rows() == [(80,)]
    assert answer.cost.epsilon > 0
    assert [bool(message.anew) for message in offers] == [False, False, True]
