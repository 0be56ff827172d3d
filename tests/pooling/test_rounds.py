"""What a round tells the gateway, what it costs, and what happens when it is asked again."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from landbridge.errors import LandbridgeError, Unavailable, error
from landbridge.v1 import pooled_pb2
from nodes import pooling
from nodes.convert import masked_to
from nodes.load import load
from nodes.release import Released
from nodes.share import Masked, Share, mask, share
from nodes.store import Store
from policies.noise import draw
from policies.pooling import plan_pooling
from tests.people import contract, crowd, document, write
from tests.pooling.asking import COUNT, PLENTY, numbers, pool, spent
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
THREE = ("east", "north", "south")
SQL = "SELECT district, count(*) AS n FROM people GROUP BY district"


def three(simulate: Simulate, **more: Any) -> FederationSimulator:
    """Three departments with the same contract."""
    return simulate({name: crowd(20, at) for at, name in enumerate(THREE)}, **more)


def test_nothing_but_the_release_step_makes_what_leaves() -> None:
    """The wrong thing cannot be spelt: neither cells nor a bare share have a way out."""
    plan = plan_pooling(COUNT, contract(), 1_000_000, 2)
    own = share(plan, [(7,)], draw)
    with pytest.raises(TypeError, match="makes a Share"):
        Share(own.numbers, object())
    with pytest.raises(TypeError, match="makes a Masked"):
        Masked(own.numbers, bytes(32), object())
    for thing in (own, own.numbers, b"the whole table"):
        with pytest.raises(TypeError, match="only what the release step masked"):
            masked_to(thing)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="only a share"):
        mask(own.numbers, "a", None, {}, bytes(32))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Nobody else"):
        mask(own, "a", None, {"a": None}, bytes(32))  # type: ignore[arg-type, dict-item]
    with pytest.raises(TypeError, match=r"only nodes\.release"):
        Released(plan.release, (), 0, object())


def test_what_the_gateway_receives_is_uniform_and_says_nothing_else(simulate: Simulate) -> None:
    """Without noise, so that masks alone hide: chi-square of all bytes, false alarm 1e-6."""
    federation = three(simulate, contract=PLENTY)
    received: list[pooled_pb2.PoolResponse] = []
    federation.nodes["east"].change = lambda reply: received.append(
        pooled_pb2.PoolResponse.FromString(reply.SerializeToString())
    )
    for age in range(20, 28):
        federation.query(
            f"SELECT sex, count(*) AS n FROM people WHERE age > {age} "
            "GROUP BY date_trunc('day', moved), sex"
        )
    content = b"".join(reply.masked for reply in received)
    assert len(content) > 50_000
    counts = [content.count(bytes([value])) for value in range(256)]
    expected = len(content) / 256
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    # Wilson and Hilferty's normal approximation, at 4.75 standard deviations.
    assert ((chi_square / 255) ** (1 / 3) - (1 - 2 / (9 * 255))) / math.sqrt(2 / (9 * 255)) < 4.75
    named = {field.name for reply in received for field, _ in reply.ListFields()}
    assert named <= {
        "question_hash", "masked", "recipient_budget", "overall_budget", "charged_micro_rho",
        "receipt",
    }  # fmt: skip


def test_the_same_cells_look_unrelated_in_two_rounds(simulate: Simulate) -> None:
    """Masks are bound to the round's hash, so a difference tells nothing of the cells."""
    federation = three(simulate)
    first = pool(federation, "east", THREE)
    second = pool(federation, "east", THREE, question_id="b" * 32, anew=True)
    assert first.question_hash != second.question_hash
    assert abs(numbers(first)[0] - numbers(second)[0]) > 2**20  # false alarm 2^-43


def test_all_vectors_together_are_the_total_and_all_but_one_are_nothing(simulate: Simulate) -> None:
    """Sixty people in three places; a sum that lacks a member is far from any number of people."""
    federation = three(simulate)
    bits = plan_pooling(COUNT, contract(), 1_000_000, 3).shares[0].bits
    replies = {name: pool(federation, name, THREE) for name in THREE}
    assert len({reply.question_hash for reply in replies.values()}) == 1
    total = sum(numbers(reply)[0] for reply in replies.values()) % 2**64
    assert total == 60 << bits
    partly = (total - numbers(replies["north"])[0]) % 2**64
    assert 2**32 < partly < 2**64 - 2**32  # false alarm 2^-31


def test_the_same_id_is_the_same_draw_and_one_charge(simulate: Simulate) -> None:
    """I5: a retry, however often and in whatever order, gets the very bytes and pays nothing."""
    federation = three(simulate, draw=draw)
    replies = [pool(federation, "east", THREE) for _ in range(3)]
    assert [reply.charged_micro_rho for reply in replies] == [replies[0].charged_micro_rho, 0, 0]
    assert [reply.remembered for reply in replies] == [False, True, True]
    assert len({reply.masked for reply in replies}) == 1
    assert spent(federation, "east") == replies[0].charged_micro_rho


def test_a_restart_changes_neither_draw_nor_charge(simulate: Simulate) -> None:
    """The round is in the ledger before its vector leaves."""
    federation = three(simulate, draw=draw)
    first = pool(federation, "east", THREE)
    restart(federation, "east")
    again = pool(federation, "east", THREE)
    assert (again.masked, again.charged_micro_rho) == (first.masked, 0)


def restart(federation: FederationSimulator, name: str) -> None:
    """Stops the node and starts another one on its folder."""
    node = federation.nodes[name]
    node.put_down()
    node.tables.close()
    rows = federation.folder / f"{name}.csv"
    federation.nodes[name] = federation.node(name, document(), rows)


def test_a_question_that_is_asked_again_is_answered_again_free_of_charge(
    simulate: Simulate,
) -> None:
    """Same question, data and recipient: the same numbers, after an offer to repeat the round."""
    federation = three(simulate, draw=draw)
    first = federation.query(SQL)
    before = [spent(federation, name) for name in THREE]
    again = federation.query(SQL)
    assert again.rows() == first.rows()
    assert again.cost.epsilon == 0
    assert [spent(federation, name) for name in THREE] == before
    assert "remembered" in [note.kind for note in again.notes]
    assert federation.entries()[-1].remembered


def test_other_callers_and_prices_get_draws_of_their_own(simulate: Simulate) -> None:
    """A repetition is for the same recipient at the same accuracy."""
    federation = three(simulate, draw=draw)
    federation.query(SQL)
    before = spent(federation, "east")
    federation.query(SQL, epsilon=2)
    assert spent(federation, "east") > before
    elsewhere = federation.query(SQL, token=federation.token("bob", organisation="institute"))
    assert elsewhere.cost.epsilon > 0


def test_new_data_at_one_department_is_a_new_draw_at_all_of_them(simulate: Simulate) -> None:
    """Kept vectors beside a fresh one would give away what has changed at that department."""
    federation = three(simulate, draw=draw)
    federation.query(SQL)
    before = [spent(federation, name) for name in THREE]
    more = write(crowd(21, 1), federation.folder / "more.csv")
    load(contract(), more, Store(federation.folder / "north" / "data"))
    again = federation.query(SQL)
    assert again.cost.epsilon > 0
    now = [spent(federation, name) for name in THREE]
    assert now == [2 * charged for charged in before]


def test_a_round_is_repeated_by_all_or_by_nobody(simulate: Simulate) -> None:
    """A vector that is sent again is masked under a hash that says so: it fits no fresh one."""
    federation = three(simulate)
    first = {name: pool(federation, name, THREE) for name in THREE}
    offer = pool(federation, "east", THREE, question_id="b" * 32)
    assert (offer.masked, list(offer.earlier)) == (b"", [first["east"].question_hash])
    repeated = pool(federation, "east", THREE, question_id="b" * 32, repeats=offer.earlier[0])
    fresh = pool(federation, "north", THREE, question_id="b" * 32, anew=True)
    assert repeated.question_hash != fresh.question_hash
    assert repeated.charged_micro_rho == 0 < fresh.charged_micro_rho


@pytest.mark.parametrize(
    "other",
    [
        {"members": ("east", "north")},
        {"micro_epsilon": 2_000_000},
    ],
)
def test_a_round_cannot_be_repeated_as_something_else(
    simulate: Simulate, other: dict[str, Any]
) -> None:
    """The difference of two totals with the same vectors would be one department's part."""
    federation = three(simulate)
    first = pool(federation, "east", THREE)
    asked = {"members": THREE, **other}
    with pytest.raises(Unavailable) as said:
        pool(federation, "east", question_id="b" * 32, repeats=first.question_hash, **asked)
    assert said.value.reason == "ROUND_FORGOTTEN"


def test_a_draw_that_was_lost_is_made_again_for_the_charge_that_stands(simulate: Simulate) -> None:
    """Died after the charge: nothing was masked yet, so the hash never masks another vector."""
    federation = three(simulate)
    federation.nodes["east"].engines[-1].broken = RuntimeError("died")  # type: ignore[assignment]
    with pytest.raises(RuntimeError):
        pool(federation, "east", THREE)
    charged = spent(federation, "east")
    assert charged > 0
    restart(federation, "east")
    first = pool(federation, "east", THREE)
    assert first.masked is not None
    assert spent(federation, "east") == charged
    restart(federation, "east")
    assert pool(federation, "east", THREE).masked == first.masked
    assert spent(federation, "east") == charged


def test_nothing_is_masked_before_the_ledger_has_it(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes it safe to draw again: a vector that was masked is one that is kept."""
    federation = three(simulate)

    def full(*_: object) -> None:
        raise error("LEDGER_UNAVAILABLE")

    def masked(*_: object) -> None:
        raise AssertionError("a vector that may be forgotten was masked")

    monkeypatch.setattr(federation.nodes["east"].ledger, "finish", full)
    monkeypatch.setattr(pooling, "mask", masked)
    with pytest.raises(LandbridgeError, match="LEDGER_UNAVAILABLE"):
        pool(federation, "east", THREE)


def test_the_same_question_at_once_is_one_round(simulate: Simulate) -> None:
    """Departments may be reached in another order by each asking: then everybody drew twice.

    Without turns at the gateway about half of these questions are drawn more than once.
    """
    federation = three(simulate, contract=PLENTY)
    for age in range(20, 26):
        sql = f"SELECT count(*) AS n FROM people WHERE age > {age}"
        with ThreadPoolExecutor(4) as callers:
            answers = list(callers.map(federation.query, [sql] * 4))
        assert len({str(answer.rows()) for answer in answers}) == 1
        assert sum(answer.cost.epsilon > 0 for answer in answers) == 1
