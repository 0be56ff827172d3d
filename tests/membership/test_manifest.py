"""The manifest: nobody but the gateway writes it, and no key is swapped behind a department."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landbridge.evidence.finding import EvidenceError
from landbridge.membership.acceptance import Change
from landbridge.membership.keys import MemberKeys
from landbridge.membership.manifest import (
    Manifest,
    ManifestInvalid,
    MemberEntry,
    read_manifest,
)
from landbridge.membership.pinned import Pinned

GATEWAY = Ed25519PrivateKey.generate()
KEYS = {name: MemberKeys.create() for name in ("lga", "ewr", "new")}


def entry(name: str) -> MemberEntry:
    """A member with its keys."""
    return MemberEntry(
        name, f"Städte {name}", "127.0.0.1:1", f"{name}.internal", ("flights",), (),
        f"log of {name}", KEYS[name].public,
    )  # fmt: skip


FIRST = Manifest("town", 0, "gateway", GATEWAY.public_key()).following((entry("lga"), entry("ewr")))
TWICE = FIRST.following((entry("lga"), entry("lga")))


@pytest.fixture
def pinned(tmp_path: Path) -> Pinned:
    """What department ewr has accepted."""
    Pinned.first(tmp_path, FIRST.signed(GATEWAY))
    return Pinned(tmp_path, "ewr")


def test_the_document_says_what_was_signed_in_canonical_form() -> None:
    """RFC 8785 by another implementation."""
    document = FIRST.signed(GATEWAY)
    assert read_manifest(document, GATEWAY.public_key()) == FIRST
    assert rfc8785.dumps(json.loads(document)) == document


def test_only_the_gateways_own_document_is_read() -> None:
    """Changed, spelt otherwise, signed by another, or for a reader who trusts another key."""
    document = FIRST.signed(GATEWAY)
    other = Ed25519PrivateKey.generate()
    stranger = replace(FIRST, gateway_key=other.public_key()).signed(other)
    for spoilt in (
        document.replace(b"127.0.0.1:1", b"127.0.0.1:2"),
        document + b"\n",
        b"[]",
        b"",
        document.replace(b'"version":1', b'"version":2'),
        stranger,
        TWICE.signed(GATEWAY),
    ):
        with pytest.raises(ManifestInvalid):
            read_manifest(spoilt, GATEWAY.public_key())
    with pytest.raises(ValueError, match="signed with the key"):
        FIRST.signed(other)


def rotated(name: str, signer: Ed25519PrivateKey) -> MemberEntry:
    """The member with new keys, for which `signer` vouches."""
    public = MemberKeys.create().public
    return replace(entry(name), keys=public, rotation=signer.sign(public.rotation("town", name)))


@pytest.mark.parametrize(
    ("members", "waits"),
    [
        (lambda: (entry("ewr"), entry("lga"), entry("new")), False),
        (lambda: (entry("ewr"), replace(entry("lga"), address="10.0.0.1:7")), False),
        (lambda: (entry("ewr"), replace(entry("lga"), contracts=("flights", "more"))), False),
        (lambda: (entry("ewr"),), False),
        (lambda: (entry("ewr"), rotated("lga", KEYS["lga"].signing)), False),
        # A gateway that puts keys of its own in a member's place.
        (lambda: (entry("ewr"), replace(entry("lga"), keys=KEYS["new"].public)), True),
        (lambda: (entry("ewr"), rotated("lga", GATEWAY)), True),
        (lambda: (entry("ewr"), replace(entry("lga"), log_key="another")), True),
        (lambda: (rotated("ewr", KEYS["ewr"].signing), entry("lga")), True),
        (lambda: (entry("lga"),), True),
    ],
)
def test_what_is_taken_unasked_and_what_waits_for_a_person(
    pinned: Pinned, members: Callable[[], tuple[MemberEntry, ...]], *, waits: bool
) -> None:
    """Keys count as first seen."""
    following = FIRST.following(members())
    came = pinned.offer(following.signed(GATEWAY))
    assert came.waiting is waits
    assert pinned.manifest == (FIRST if waits else following)
    if waits:
        assert pinned.accept(following.version) == following
        assert pinned.manifest == following


def test_a_member_that_left_does_not_come_back_with_other_keys(
    pinned: Pinned, tmp_path: Path
) -> None:
    """Out and in again is no way round the pin, not even over a restart."""
    away = FIRST.following((entry("ewr"),))
    assert not pinned.offer(away.signed(GATEWAY)).waiting
    again = Pinned(tmp_path, "ewr")
    impostor = away.following((entry("ewr"), replace(entry("lga"), keys=KEYS["new"].public)))
    assert again.offer(impostor.signed(GATEWAY)).waiting
    honest = impostor.following((entry("ewr"), entry("lga")))
    assert not again.offer(honest.signed(GATEWAY)).waiting
    assert again.waiting() is None  # overtaken


def test_versions_do_not_go_back_and_are_not_used_twice(pinned: Pinned) -> None:
    """A gateway cannot show two lists under one number."""
    second = FIRST.following((entry("ewr"), entry("lga"), entry("new")))
    pinned.offer(second.signed(GATEWAY))
    assert pinned.offer(second.signed(GATEWAY)).pinned == second.version  # heard twice
    for older in (FIRST, FIRST.following((entry("ewr"),))):
        with pytest.raises(ManifestInvalid):
            pinned.offer(older.signed(GATEWAY))


def test_nothing_is_pinned_that_is_not_in_the_log(tmp_path: Path) -> None:
    """The entry is durable first; without it the change does not count."""
    Pinned.first(tmp_path, FIRST.signed(GATEWAY))

    def no_log(_: Manifest, __: tuple[Change, ...]) -> None:
        raise OSError("full")

    pinned = Pinned(tmp_path, "ewr", no_log)
    with pytest.raises(OSError, match="full"):
        pinned.offer(FIRST.following((entry("ewr"),)).signed(GATEWAY))
    assert pinned.manifest == FIRST
    assert Pinned(tmp_path, "ewr").manifest == FIRST


def test_keys_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    """Mode 0600, and a file that others can read is not used."""
    made = MemberKeys.in_folder(tmp_path).public
    assert MemberKeys.in_folder(tmp_path).public.raw() == made.raw()
    for name in ("signing.key", "masking.key", "opening.key"):
        path = tmp_path / name
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o640)
        with pytest.raises(EvidenceError, match="others"):
            MemberKeys.in_folder(tmp_path)
        path.chmod(0o600)
