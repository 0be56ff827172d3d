"""A gateway that lies about keys, members, terms or questions: every node finds out by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from landbridge.errors import InvalidQuestion, LandbridgeError, Refused, Unavailable
from landbridge.membership.manifest import Manifest
from landbridge.protocols.agreement import keys_digest
from landbridge.protocols.masks import keystream
from policies.disclosure import plan_release
from policies.noise import draw
from policies.pooling import plan_pooling
from policies.question import Count, Question, Whole
from tests.people import contract, crowd
from tests.pooling.asking import COUNT, numbers, pool, spent
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]
THREE = ("east", "north", "south")
OTHER = Question("people", (Count(),), (Whole("sex"),))


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """Three departments."""
    return simulate({name: crowd(20, at) for at, name in enumerate(THREE)})


def with_key_of_the_gateway(manifest: Manifest, name: str) -> Manifest:
    """That member's masking key replaced by one whose private half somebody else has."""
    false = X25519PrivateKey.generate().public_key()
    return replace(
        manifest,
        members=tuple(
            replace(each, keys=replace(each.keys, masking=false))
            if each.department == name
            else each
            for each in manifest.members
        ),
    )


def test_a_swapped_key_is_found_before_anything_is_charged(
    federation: FederationSimulator,
) -> None:
    """The node compares with its own pin, and uses nothing else whatever it is told."""
    swapped = with_key_of_the_gateway(federation.manifest, "north")
    keys = keys_digest({each.department: each.keys.masking for each in swapped.members})
    with pytest.raises(Unavailable) as said:
        pool(federation, "east", THREE, keys=keys)
    assert (said.value.reason, said.value.missing) == ("MEMBERS_DIFFER", ("east",))
    assert spent(federation, "east") == federation.nodes["east"].runs == 0


def test_a_node_with_another_pin_is_named_and_nothing_is_answered(
    federation: FederationSimulator,
) -> None:
    """Its operator may still have to say yes to a member's new key."""
    federation.nodes["south"].pinned = with_key_of_the_gateway(federation.manifest, "north")
    with pytest.raises(Unavailable, match="south") as said:
        federation.query("SELECT count(*) FROM people")
    assert (said.value.reason, said.value.missing) == ("MEMBERS_DIFFER", ("south",))


def test_a_node_whose_own_pinned_key_is_not_its_own_masks_nothing(
    federation: FederationSimulator,
) -> None:
    """What others would mask towards it could be read by whoever has that key."""
    pinned = with_key_of_the_gateway(federation.manifest, "east")
    federation.nodes["east"].pinned = pinned
    keys = keys_digest({each.department: each.keys.masking for each in pinned.members})
    with pytest.raises(Unavailable, match="pinned"):
        pool(federation, "east", THREE, keys=keys)


def test_two_members_with_one_key_are_no_two_members(federation: FederationSimulator) -> None:
    """Whoever holds it would see the third one's part."""
    entries = federation.manifest.members
    twin = replace(entries[1], keys=entries[2].keys)
    pinned = replace(federation.manifest, members=(entries[0], twin, entries[2]))
    federation.nodes["east"].pinned = pinned
    keys = keys_digest({each.department: each.keys.masking for each in pinned.members})
    with pytest.raises(Unavailable):
        pool(federation, "east", THREE, keys=keys)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (("east",), "ACCESS_DENIED"),
        ((), "INVALID_ARGUMENT"),
        (("north", "south"), "INVALID_ARGUMENT"),
        (("south", "east"), "INVALID_ARGUMENT"),
        (("east", "east", "north"), "INVALID_ARGUMENT"),
    ],
)
def test_a_set_of_members_that_hides_nothing_is_refused(
    federation: FederationSimulator, members: tuple[str, ...], reason: str
) -> None:
    """Alone, without oneself, out of order or twice."""
    with pytest.raises(LandbridgeError) as said:
        pool(federation, "east", members, keys=bytes(32))
    assert said.value.reason in (reason, "INVALID_QUESTION")
    assert spent(federation, "east") == 0


def test_a_key_of_low_order_is_found_before_the_charge(federation: FederationSimulator) -> None:
    """It would make masks that everybody knows (RFC 7748, section 6.1)."""
    entries = federation.manifest.members
    low = X25519PublicKey.from_public_bytes(bytes(32))
    weak = replace(entries[1], keys=replace(entries[1].keys, masking=low))
    pinned = replace(federation.manifest, members=(entries[0], weak, entries[2]))
    federation.nodes["east"].pinned = pinned
    keys = keys_digest({each.department: each.keys.masking for each in pinned.members})
    with pytest.raises(Unavailable):
        pool(federation, "east", THREE, keys=keys)
    assert spent(federation, "east") == 0


def test_a_stranger_and_one_who_serves_another_table_are_no_members(
    federation: FederationSimulator,
) -> None:
    """A gateway that invents members would know their masks."""
    with pytest.raises(Unavailable):
        pool(federation, "east", ("east", "mallory"), keys=bytes(32))
    entries = federation.manifest.members
    idle = replace(entries[1], contracts=("weather",))
    federation.nodes["east"].pinned = replace(
        federation.manifest, members=(entries[0], idle, entries[2])
    )
    with pytest.raises(Unavailable):
        pool(federation, "east", THREE)


def test_members_of_the_gateways_own_making_are_kept_out_by_the_owners_list(
    simulate: Simulate,
) -> None:
    """Whose masks the gateway knows, and who add no noise.

    Without the list a node takes who is pinned, and what is left on its own cells, once their masks
    are off, is one share: the first half shows that it is as wide as an answer's noise would be.
    """
    sham = {f"sham{at}": X25519PrivateKey.generate() for at in range(200)}
    for terms in ({}, {"landbridgePooling": {"with": ["east", "north"]}}):
        federation = simulate(
            {name: crowd(20, at) for at, name in enumerate(("east", "north"))},
            contract=terms, draw=draw,
        )  # fmt: skip
        model = federation.manifest.members[0]
        enrolled = tuple(
            replace(model, department=name, keys=replace(model.keys, masking=key.public_key()))
            for name, key in sham.items()
        )
        pinned = replace(federation.manifest, members=(*federation.manifest.members, *enrolled))
        federation.nodes["east"].pinned = pinned
        members = ("east", *sorted(sham))
        keys = keys_digest(
            {name: entry.keys.masking for name in members if (entry := pinned.member(name))}
        )
        if terms:
            with pytest.raises(Refused) as said:
                pool(federation, "east", members, keys=keys)
            assert (said.value.reason, said.value.rule) == (
                "ACCESS_DENIED", "contract.pooling.with",
            )  # fmt: skip
            assert spent(federation, "east") == federation.nodes["east"].runs == 0
            answer = federation.query("SELECT count(*) FROM people")
            assert sorted(answer.departments) == ["east", "north"]
        else:
            reply = pool(federation, "east", members, keys=keys)
            east = federation.nodes["east"].exchanges.public
            number = numbers(reply)[0]
            for key in sham.values():
                mask = keystream(key.exchange(east), reply.question_hash, 1)
                number -= int(mask[0])
            (own,) = plan_pooling(COUNT, contract(), 1_000_000, len(members)).shares
            read = ((number + 2**63) % 2**64 - 2**63) / 2**own.bits
            deviation = own.scale / 2**own.bits
            alone = plan_release(COUNT, contract(), 1_000_000, 1).mechanisms[0]
            assert deviation >= 0.999 * alone.standard_deviation
            assert abs(read - 20) < 8 * deviation  # the masks are off, and the noise is whole


def test_departments_that_the_owners_do_not_name_are_not_pooled(simulate: Simulate) -> None:
    """Who serves the contract all the same is asked for a part, or nobody is."""
    for alone, asked in ((True, "fan-out"), (False, "PARTS_WITHHELD")):
        terms = {"landbridgePooling": {"with": ["east", "north"], "alone": alone}}
        federation = simulate({name: crowd(20, 1) for name in THREE}, contract=terms)
        if alone:
            plan = federation.explain("SELECT count(*) FROM people")
            assert (plan.mode, "do not name south" in plan.why) == (asked, True)
        else:
            with pytest.raises(Refused, match="do not name south") as said:
                federation.explain("SELECT count(*) FROM people")
            assert said.value.reason == asked


def test_fewer_members_than_the_owner_wants_are_refused_by_the_node(simulate: Simulate) -> None:
    """And by the gateway, which then plans a fan-out."""
    terms = {"landbridgePooling": {"minimum": 3}}
    federation = simulate({name: crowd(20, 1) for name in ("east", "north")}, contract=terms)
    with pytest.raises(InvalidQuestion, match="3 departments or more"):
        pool(federation, "east", ("east", "north"))
    assert federation.explain("SELECT count(*) FROM people").mode == "fan-out"


@pytest.mark.parametrize(
    "lie",
    [
        {"members": ("east", "north")},
        {"question": OTHER},
        {"micro_epsilon": 2_000_000},
    ],
)
def test_one_id_is_one_question_of_one_set_of_members(
    federation: FederationSimulator, lie: dict[str, Any]
) -> None:
    """The same id again with other members, another question or price is refused, for ever."""
    first = pool(federation, "east", THREE)
    charged = spent(federation, "east")
    with pytest.raises(Refused) as said:
        pool(federation, "east", anew=True, **{"members": THREE, **lie})
    assert said.value.reason == "QUESTION_ID_REUSED"
    assert spent(federation, "east") == charged
    assert pool(federation, "east", THREE).masked == first.masked


def test_another_recipient_is_another_round_under_the_same_id(
    federation: FederationSimulator,
) -> None:
    """Ids are the caller's own, so two callers can have one: their masks are unrelated."""
    ours = pool(federation, "east", THREE)
    theirs = pool(
        federation, "east", THREE, token=federation.token("bob", organisation="institute")
    )
    assert ours.question_hash != theirs.question_hash
    assert ours.masked != theirs.masked


def test_departments_that_do_not_agree_are_not_added_up(federation: FederationSimulator) -> None:
    """What is left of masks that do not cancel would look like numbers."""
    federation.nodes["north"].change = lambda reply: setattr(reply, "question_hash", bytes(32))
    with pytest.raises(Unavailable, match="do not agree") as said:
        federation.query("SELECT count(*) FROM people")
    assert said.value.reason == "MEMBERS_DIFFER"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda reply: setattr(reply, "masked", reply.masked[:-1]),
        lambda reply: setattr(reply, "masked", b""),
        lambda reply: setattr(reply, "masked", reply.masked * 2),
        lambda reply: setattr(reply, "charged_micro_rho", 7),
        lambda reply: setattr(reply, "remembered", True),
        lambda reply: setattr(reply.recipient_budget, "spent_micro_rho", 2**60),
        lambda reply: setattr(reply.receipt, "entry", b'{"kind":"query","v":1}'),
        lambda reply: reply.Clear(),
    ],
)
def test_a_member_whose_reply_does_not_fit_is_named(
    federation: FederationSimulator, spoil: Callable[[Any], None]
) -> None:
    """Attack 81, as far as a masked vector lets anybody see."""
    federation.nodes["north"].change = spoil
    with pytest.raises(LandbridgeError, match="north") as said:
        federation.query("SELECT count(*) FROM people")
    assert said.value.reason == "ANSWER_REJECTED"
    assert federation.entries()[-1].outcome == "failed"


def test_a_key_that_changes_is_used_from_the_next_question_on(
    federation: FederationSimulator,
) -> None:
    """What was exchanged with the old key is forgotten with it."""
    east = federation.nodes["east"]
    old = pool(federation, "east", THREE)
    known = {each.department: each.keys.masking for each in federation.manifest.members}
    assert east.exchanges.remembered == {
        known[name].public_bytes_raw() for name in ("north", "south")
    }
    east.pinned = with_key_of_the_gateway(federation.manifest, "north")  # its operator said yes
    now = {each.department: each.keys.masking for each in east.pinned.members}
    new = pool(federation, "east", THREE, question_id="b" * 32, keys=keys_digest(now))
    assert known["north"].public_bytes_raw() not in east.exchanges.remembered
    assert now["north"].public_bytes_raw() in east.exchanges.remembered
    assert not new.earlier  # another member by that name: nothing is repeated to it
    assert numbers(new) != numbers(old)
