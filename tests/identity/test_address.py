"""Keys that an issuer serves: how seldom they are fetched, what is refused, and when all closes."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from landbridge.identity.address import LAST_GOOD, KeyAddress
from landbridge.identity.development import DevelopmentAuthority
from landbridge.identity.fetch import Address, Fetched, Fetcher
from landbridge.identity.followed import SourceError
from landbridge.identity.keys import KeySet
from landbridge.identity.tokens import TokenVerifier

from .forge import (
    AUDIENCE,
    ISSUER,
    NOW,
    Clock,
    Signer,
    claims,
    compact,
    ed25519_signer,
    header,
    token,
)
from .key_server import Answer, dripping, endless, key_server, replying
from .refusal import assert_refused

URL = "https://identity.example/jwks"
OK = b"HTTP/1.1 200 OK\r\n"


def jwks(*signers: Signer) -> bytes:
    """The document with those keys."""
    return json.dumps({"keys": [signer.jwk for signer in signers]}).encode()


@dataclass
class Issuer:
    """A key server in memory: what it answers next, and what it was asked."""

    document: bytes | None
    fresh: int | None = None
    tag: str = ""
    trouble: str = ""
    asked: list[str] = field(default_factory=list)

    def __call__(self, tag: str) -> Fetched:
        self.asked.append(tag)
        if self.trouble:
            raise SourceError(self.trouble)
        return Fetched(self.document, self.tag, self.fresh)


@dataclass
class World:
    """A verifier whose keys come from an issuer; time is moved by the test."""

    issuer: Issuer
    clock: Clock
    address: KeyAddress
    keys: KeySet
    verifier: TokenVerifier

    def pass_time(self, seconds: int, step: int = 10) -> None:
        """The thread's rounds, and the request path's looks, while that time passes."""
        for _ in range(0, seconds, step):
            self.clock.now += step
            if self.address.fetch_if_due():
                self.keys.renew()

    def token(self, signer: Signer) -> str:
        """A token that is fresh now."""
        return token(signer, iat=self.clock.now, exp=self.clock.now + 60)


@pytest.fixture
def world(ed: Signer, clock: Clock) -> World:
    """An issuer that says nothing of freshness."""
    issuer = Issuer(jwks(ed))
    address = KeyAddress(URL, issuer, clock)
    keys = KeySet(address, clock, LAST_GOOD)
    return World(issuer, clock, address, keys, TokenVerifier(ISSUER, AUDIENCE, keys, clock))


def test_a_question_never_fetches(world: World, ed: Signer) -> None:
    """Who asks must not wait for an identity provider, nor find out how slow it is."""
    for _ in range(500):
        world.clock.now += 1
        world.keys.current()
    world.verifier.verify(token(ed, iat=NOW, exp=NOW + 3600))
    assert world.issuer.asked == [""]


def test_ten_thousand_unknown_keys_fetch_once_a_minute(world: World, ed: Signer) -> None:
    """Attack 93: a stranger must not make us flood the provider."""
    strangers = [compact(ed, header(ed, kid=f"k-{n}"), claims()) for n in range(100)]
    for _ in range(10_000 // 100 // 10):
        for stranger in strangers:
            assert_refused(world.verifier, stranger)
        for _ in range(10):
            world.address.hurry()
            world.pass_time(6, step=6)
    elapsed = int(world.clock.now - NOW)
    assert len(world.issuer.asked) == 1 + elapsed // 60


def test_a_token_of_an_unknown_key_brings_the_next_fetch_forward(world: World, ed: Signer) -> None:
    """A provider that rotates without notice is followed within a minute, not within the hour."""
    world.issuer.fresh = 3600
    world.pass_time(300)
    assert len(world.issuer.asked) == 2
    fresh = ed25519_signer("ed-2")
    world.issuer.document = jwks(ed, fresh)
    world.pass_time(1800)
    assert len(world.issuer.asked) == 2
    assert_refused(world.verifier, world.token(fresh))
    world.pass_time(10)
    assert len(world.issuer.asked) == 3
    assert world.verifier.verify(world.token(fresh)).subject == "alice"


@pytest.mark.parametrize(
    ("said", "kept"), [(None, 300), (0, 60), (5, 60), (120, 120), (3600, 3600), (10**8, 3600)]
)
def test_freshness_is_respected_within_a_minute_and_an_hour(
    ed: Signer, clock: Clock, said: int | None, kept: int
) -> None:
    """RFC 9111, and no provider's word for a year or for a second."""
    issuer = Issuer(jwks(ed), fresh=said)
    address = KeyAddress(URL, issuer, clock)
    clock.now += kept - 1
    assert not address.fetch_if_due()
    clock.now += 1
    assert address.fetch_if_due()
    assert len(issuer.asked) == 2


def test_an_unchanged_document_is_not_sent_again(world: World, ed: Signer) -> None:
    """RFC 9110: its tag goes along, and "not modified" renews what we have."""
    world.issuer.tag = '"one"'
    world.pass_time(300)
    world.issuer.document = None
    world.pass_time(6000)
    assert world.issuer.asked[:3] == ["", "", '"one"']
    assert world.verifier.verify(world.token(ed)).subject == "alice"
    assert world.keys.generation == 1


@pytest.mark.parametrize("breakage", ["status", "garbage"])
def test_a_broken_issuer_leaves_the_last_good_keys_for_the_grace_and_no_longer(
    world: World, ed: Signer, breakage: str
) -> None:
    """Attack 93: serve on through an outage, and fail closed before long."""
    if breakage == "status":
        world.issuer.trouble = f"{URL} answers with status 500."
    else:
        world.issuer.document = b"<html>502</html>"
    world.pass_time(7190)
    world.verifier.verify(world.token(ed))
    assert world.keys.trouble.startswith(URL)
    world.pass_time(10)
    assert_refused(world.verifier, world.token(ed))
    world.issuer.trouble, world.issuer.document = "", jwks(ed)
    world.pass_time(60)
    world.verifier.verify(world.token(ed))
    assert world.keys.trouble == ""


def test_a_question_just_before_a_fetch_does_not_hide_what_was_fetched(
    world: World, ed: Signer
) -> None:
    """A withdrawn key must not live on because nobody asked before the provider went down."""
    world.issuer.document = jwks(ed25519_signer("ed-2"))
    world.clock.now += 299.5
    world.keys.current()
    world.clock.now += 0.5
    assert world.address.fetch_if_due()
    world.keys.renew()
    world.issuer.trouble = f"{URL} answers with status 500."
    world.pass_time(600)
    assert_refused(world.verifier, world.token(ed))


def test_a_fetch_that_hangs_counts_as_none(world: World, ed: Signer) -> None:
    """A thread stuck in a name server's silence must not keep a withdrawn key alive."""
    for _ in range(7199):
        world.clock.now += 1
        world.keys.current()
    assert world.keys.trouble == f"{URL} is being waited for."
    world.verifier.verify(world.token(ed))
    world.clock.now += 1
    assert_refused(world.verifier, world.token(ed))


def test_without_a_first_document_nobody_is_served(clock: Clock) -> None:
    """Invariant I6: the operator learns it at the start."""
    with pytest.raises(SourceError, match="status 500"):
        KeyAddress(URL, Issuer(b"", trouble=f"{URL} answers with status 500."), clock)


def test_the_thread_follows_and_ends(ed: Signer) -> None:
    """What the other tests do step by step, on its own; the clock says that a minute is over."""
    clock, seen = Clock(), threading.Event()
    issuer = Issuer(jwks(ed))
    address = KeyAddress(URL, issuer, clock)
    clock.now += 300
    address.start(seen.set)
    assert seen.wait(60)
    assert len(issuer.asked) == 2
    address.close()
    assert address._thread is not None
    address._thread.join(60)
    assert not address._thread.is_alive()


@pytest.mark.parametrize(
    "url",
    [
        "http://identity.example/jwks",
        "http://127.0.0.1.example/jwks",
        "ftp://identity.example/jwks",
        "file:///etc/passwd",
        "https://",
        "identity.example/jwks",
        "https://alice:geheim@identity.example/jwks",
        "https://identity.example/jwks#keys",
        "https://identity.example:port/jwks",
        "https://identity.example/a b",
        "https://identity.example/\r\nHost: x",
    ],
)
def test_an_address_is_https_and_nothing_else(url: str) -> None:
    """Keys that came in the clear could be anybody's; a password in an address ends up in logs."""
    with pytest.raises(SourceError) as caught:
        Address.of(url)
    assert "geheim" not in str(caught.value)


def test_keys_come_over_the_wire_with_their_tag(ed: Signer) -> None:
    """What is sent: no cookie, no name, no encoding but the plain one."""
    headers = ('ETag: "v1"', "Cache-Control: public, max-age=120", "Age: 20")
    with key_server(replying(jwks(ed), *headers)) as server:
        fetcher = Fetcher(f"http://127.0.0.1:{server.port}/keys?x=1")
        assert fetcher("") == Fetched(jwks(ed), '"v1"', 100)
        server.answer = replying(b"", status="304 Not Modified")
        assert fetcher('"v1"') == Fetched(None, '"v1"', None)
    first, second = server.requests
    assert first.startswith(b"GET /keys?x=1 HTTP/1.1\r\n")
    assert b"If-None-Match" not in first
    assert b'If-None-Match: "v1"\r\n' in second


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (replying(b"no", status="500 Oops"), "answers with status 500"),
        (replying(b"", status="304 Not Modified"), "answers with status 304"),
        (replying(b"", "Location: /x", status="302 Found"), "redirects"),
        (replying(b"", "Location: http://[::1]/", status="308 Moved"), "redirects"),
        (replying(b"x", "Content-Encoding: gzip"), "encoding that was not asked for"),
        (replying(b" " * 262_145), "more than 256 KiB"),
        (endless, "more than 256 KiB"),
        (lambda peer: peer.sendall(b"\0" * 100), "cannot be fetched: BadStatusLine"),
        (lambda peer: peer.sendall(OK + b"a: b\r\n" * 999), "cannot be fetched"),
        (lambda peer: peer.sendall(b""), "cannot be fetched"),
        (lambda peer: peer.sendall(OK + b"Content-Length: 9\r\n\r\n{}"), "broke off"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(answer: Answer, said: str) -> None:
    """Attack 93: errors, redirects to elsewhere, floods and garbage; nothing of it is quoted."""
    with key_server(answer) as server:
        url = f"http://127.0.0.1:{server.port}/keys"
        with pytest.raises(SourceError) as caught:
            Fetcher(url)("")
    assert str(caught.value).startswith(url)
    assert said in str(caught.value)
    assert len(server.requests) == 1


def test_a_slow_answer_has_an_end() -> None:
    """Attack 93: one byte now and then keeps every timeout of a socket happy for ever."""
    stop = threading.Event()
    with key_server(dripping(stop)) as server:
        url = f"http://127.0.0.1:{server.port}/keys"
        with pytest.raises(SourceError, match="does not answer in time"):
            Fetcher(url, seconds=0.4)("")
        stop.set()


def test_a_silent_server_has_an_end() -> None:
    """Attack 93: it takes the connection and says nothing."""
    stop = threading.Event()
    with key_server(lambda peer: peer.sendall(b"" if stop.wait(60) else b" ")) as server:
        with pytest.raises(SourceError, match="does not answer in time"):
            Fetcher(f"http://127.0.0.1:{server.port}/keys", seconds=0.4)("")
        stop.set()


def test_only_the_named_authority_vouches_for_the_server(tmp_path: Path, ed: Signer) -> None:
    """A stranger on the way to the provider cannot serve us keys."""
    ours = DevelopmentAuthority.create(tmp_path / "ours", "town")
    other = DevelopmentAuthority.create(tmp_path / "other", "town")
    key, certificate = ours.certificate("issuer", ["127.0.0.1"])
    (tmp_path / "tls.pem").write_bytes(key + certificate)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "tls.pem")
    (tmp_path / "ours.pem").write_bytes(ours.ca_pem)
    (tmp_path / "other.pem").write_bytes(other.ca_pem)
    with key_server(replying(jwks(ed)), tls) as server:
        url = f"https://127.0.0.1:{server.port}/keys"
        assert Fetcher(url, tmp_path / "ours.pem")("").document == jwks(ed)
        with pytest.raises(SourceError, match="not to be trusted"):
            Fetcher(url, tmp_path / "other.pem")("")
        elsewhere = f"https://localhost:{server.port}/keys"
        with pytest.raises(SourceError, match="not to be trusted"):
            Fetcher(elsewhere, tmp_path / "ours.pem")("")
    assert len(server.requests) == 1
