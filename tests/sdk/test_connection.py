"""Whom a client talks to, and how it says who asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import landbridge
from landbridge import LandbridgeError
from landbridge.errors import Unavailable
from landbridge.v1 import gateway_pb2
from tests.sdk.asking import (
    TOKEN,
    Ask,
    ask_with_asyncio,
    ask_with_threads,
    both,
    says,
)
from tests.sdk.loopback import Authority, gateway


@both
def test_a_server_with_a_foreign_certificate_never_sees_the_token(
    authority: Authority, ask: Ask
) -> None:
    """Whoever takes over the address must not get the token."""
    with gateway(Authority()) as served:
        with pytest.raises(Unavailable):
            ask(served, "directory", connection={"ca": authority.pem})
        assert served.servicer.requests == []


@both
def test_a_certificate_for_another_host_is_not_the_gateway(authority: Authority, ask: Ask) -> None:
    """Every member of the federation has a certificate of the same authority."""
    with gateway(authority, host="node.example", address="127.0.0.2") as served:
        with pytest.raises(Unavailable):
            ask(served, "directory")
        assert served.servicer.requests == []


@both
def test_a_client_certificate_is_shown(authority: Authority, ask: Ask, tmp_path: Path) -> None:
    """Services may be known by their certificate alone; keys are given as bytes or files."""
    key, chain = authority.issue()
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    with gateway(authority, says(gateway_pb2.DirectoryResponse()), mutual=True) as served:
        connection = {
            "token": None,
            "ca": tmp_path / "ca.pem",
            "certificate": (tmp_path / "key.pem", chain),
        }
        assert ask(served, "directory", connection=connection).members == ()
        assert "authorization" not in served.servicer.metadata[0]


@both
def test_the_token_is_read_anew_for_every_call(
    authority: Authority, ask: Ask, tmp_path: Path
) -> None:
    """Tokens live for an hour, services for months."""
    tokens = iter(["first", "second"])
    file = tmp_path / "token"
    with gateway(authority, says(gateway_pb2.DirectoryResponse())) as served:
        ask(served, "directory", connection={"token": lambda: next(tokens)})
        ask(served, "directory", connection={"token": lambda: next(tokens)})
        for text in ("third\n", "fourth\n"):
            file.write_text(text)
            ask(served, "directory", connection={"token": file})
        seen = [metadata["authorization"] for metadata in served.servicer.metadata]
    assert seen == ["Bearer first", "Bearer second", "Bearer third", "Bearer fourth"]


def test_a_coroutine_function_gives_the_token_for_asyncio_only(authority: Authority) -> None:
    """Fetching a token must not block the event loop; a thread cannot await it."""

    async def fetch() -> str:
        return "fetched"

    with gateway(authority, says(gateway_pb2.DirectoryResponse())) as served:
        ask_with_asyncio(served, "directory", connection={"token": fetch})
        assert served.servicer.metadata[0]["authorization"] == "Bearer fetched"
        fetched = fetch()
        with pytest.raises(LandbridgeError, match="aconnect only"):
            ask_with_threads(served, "directory", connection={"token": lambda: fetched})
        fetched.close()


@pytest.mark.parametrize(
    "address",
    [
        "http://gateway:80",
        "gateway",
        "gateway:0",
        "gateway:99999",
        "unix:socket",
        "dns:///gateway:443",
        "https://gateway:443/path",
        "user@gateway:443",
        "gate way:443",
        "",
        None,
    ],
)
def test_an_address_that_is_not_host_and_port_is_refused(address: object) -> None:
    """Plaintext above all; and no other scheme that gRPC would take."""
    with pytest.raises(LandbridgeError, match="TLS only") as caught:
        landbridge.connect(address, token=TOKEN)  # type: ignore[arg-type]
    assert caught.value.reason == "INVALID_ARGUMENT"


@pytest.mark.parametrize("address", ["gateway:443", "https://gateway.example:8443/", "[::1]:443"])
def test_usual_addresses_are_taken(address: str) -> None:
    """Connecting waits for the first call, so that nothing is asked of a network here."""
    landbridge.connect(address, token=TOKEN).close()


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({}, "TOKEN_MISSING"),
        ({"token": ""}, "TOKEN_MISSING"),
        ({"token": "two words"}, "TOKEN_INVALID"),
        ({"token": "line\nbreak"}, "TOKEN_INVALID"),
        ({"token": "Bearer x"}, "TOKEN_INVALID"),
        ({"token": TOKEN, "ca": b"no PEM"}, "INVALID_ARGUMENT"),
        ({"token": TOKEN, "ca": Path("/nonexistent/ca.pem")}, "INVALID_ARGUMENT"),
        ({"token": TOKEN, "certificate": (b"no key", b"no chain")}, "INVALID_ARGUMENT"),
    ],
)
def test_credentials_that_can_never_work_are_refused_at_once(
    named: dict[str, Any], reason: str
) -> None:
    """With one sentence; gRPC would say it later, and with the token in its text."""
    with pytest.raises(LandbridgeError) as caught:
        landbridge.connect("gateway:443", **named)
    assert caught.value.reason == reason
    assert "two words" not in str(caught.value)


def test_a_missing_token_file_is_named(authority: Authority, tmp_path: Path) -> None:
    """The file is read per call, so that it may appear later."""
    with gateway(authority) as served, pytest.raises(LandbridgeError, match="none") as caught:
        ask_with_threads(served, "directory", connection={"token": tmp_path / "none"})
    assert caught.value.reason == "TOKEN_MISSING"


def test_the_token_does_not_show_in_a_representation() -> None:
    """Clients get printed."""
    with landbridge.connect("gateway:443", token=TOKEN) as client:
        assert TOKEN not in repr(client)
        assert "gateway:443" in repr(client)
