"""What one handler call costs, counted: nothing that was found out already is found out again.

Seconds depend on the machine; operations do not. What is remembered falls when it has to, which
the tests of each memory hold: tokens in tests/identity, policies in tests/gateway/test_following.py
and tests/nodes/test_following.py, loaded tables in tests/nodes_engine/test_store.py, statements in
tests/nodes_engine/test_parsed.py, checkpoints in tests/evidence/test_receipt_memory.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cedarpy
import pytest
from cryptography import x509

from gateway.ask_each import Asked, ask_each
from landbridge.errors import LandbridgeError
from landbridge.evidence import signer
from landbridge.identity.certificates import Admission
from landbridge.identity.development import DevelopmentAuthority
from landbridge.identity.signature import PublicKey
from landbridge.membership import canonical
from policies import odcs
from tests.people import BAND, PURPOSE, TARGET, crowd
from tests.simulator import FederationSimulator

Simulate = Callable[..., FederationSimulator]


@pytest.fixture
def federation(simulate: Simulate) -> FederationSimulator:
    """One department with one handler."""
    return simulate({"north": [TARGET, *crowd(5)]}, handlers=[BAND])


def count(monkeypatch: pytest.MonkeyPatch, done: Counter[str], owner: Any, name: str) -> None:
    """Counts calls of that function from now on."""
    whole = getattr(owner, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        done[name] += 1
        return whole(*arguments, **named)

    monkeypatch.setattr(owner, name, counted)


def test_a_call_repeats_nothing_that_an_earlier_one_found_out(
    federation: FederationSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No token, policy, contract or key is read twice; each request is written once at each end."""
    token = federation.token()
    federation.call("north.band", purpose=PURPOSE, token=token, person=4711)
    done: Counter[str] = Counter()
    count(monkeypatch, done, PublicKey, "payload")
    count(monkeypatch, done, cedarpy, "is_authorized_batch")
    count(monkeypatch, done, odcs, "read")
    count(monkeypatch, done, signer, "parse_key")
    count(monkeypatch, done, canonical, "_require_known")
    for person in (4000, 4711):
        federation.call("north.band", purpose=PURPOSE, token=token, person=person)
    federation.departments.refresh()
    # The request, its `asking`, and its one argument, at the gateway and at the node, twice.
    assert done == {"_require_known": 2 * 2 * 3}


def test_a_description_is_read_when_it_is_another_one(
    federation: FederationSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node says the same every five seconds; a changed contract or grant is seen at once."""
    read: list[str] = []
    whole = odcs.read

    def counted(text: bytes, place: str) -> Any:
        read.append(place)
        return whole(text, place)

    monkeypatch.setattr(odcs, "read", counted)
    departments = federation.departments
    before = departments.catalogue()
    for _ in range(5):
        departments.refresh()
    assert read == []
    assert departments.catalogue() is before

    def changed(*arguments: Any) -> Asked[Any]:
        found: Asked[Any] = ask_each(*arguments)
        for reply in found.replies.values():
            for each in reply.contracts:
                each.document = each.document.replace(b"name: People", b"name: Persons")
                each.document += b"\n# another text\n"
        return found

    monkeypatch.setattr("gateway.departments.ask_each", changed)
    departments.refresh()
    assert read == ["north/people"]
    old, new = before.offers["north"], departments.catalogue().offers["north"]
    assert new.contracts["people"].digest != old.contracts["people"].digest
    departments.refresh()
    assert len(read) == 1
    monkeypatch.undo()
    departments.refresh()
    assert departments.catalogue().offers["north"] == old


def test_a_certificate_is_read_once_and_judged_at_every_request(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What its bytes say cannot change; whether it was revoked or has ended can, and is asked."""
    revoked: list[str] = []
    now = [1_000_000_000.0]
    authority = DevelopmentAuthority.create(tmp_path, "town")
    shown, other = (authority.certificate("gateway", ["localhost"])[1] for _ in range(2))
    done: Counter[str] = Counter()
    count(monkeypatch, done, x509, "load_pem_x509_certificate")
    admission = Admission(
        "gateway", "town", lambda peer, _: peer.fingerprint in revoked, lambda: now[0]
    )

    def ask(certificate: bytes) -> str:
        context = {"transport_security_type": [b"ssl"], "x509_pem_cert": [certificate]}
        try:
            return admission.require(context).fingerprint
        except LandbridgeError as refusal:
            return refusal.reason

    first = {ask(shown) for _ in range(20)}
    assert done == {"load_pem_x509_certificate": 1}
    second = ask(other)
    assert done == {"load_pem_x509_certificate": 2}
    assert first != {second}
    revoked += first
    assert (ask(shown), ask(other)) == ("CERTIFICATE_REVOKED", second)
    now[0] = 1e11
    assert ask(other) == "CERTIFICATE_ENDED"
    assert done == {"load_pem_x509_certificate": 2}
