"""The way to a server of ours: its address, TLS, and the token that goes along.

There is no way in the clear, so a token cannot travel in the clear.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Protocol, cast

import grpc

from landbridge.errors import error
from landbridge.replicas import AsyncReplicas, Replicas
from landbridge.status import CLIENT_METADATA_BYTES

Pem = bytes | Path
"""PEM, or the file that holds it."""

TokenSource = str | Path | Callable[[], str | Awaitable[str]]
"""A bearer token; or where to get it before every call, so that it can rotate: a file, or a
function (for asyncio it may be a coroutine function)."""

_HOST_AND_PORT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*)):(\d{1,5})")
# RFC 6750, section 2.1.
_BEARER: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_metadata_size", CLIENT_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", CLIENT_METADATA_BYTES),
    # A server that vanished is noticed within 40 s while a call runs.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A restarted server is found soon, not after gRPC's usual second and more.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
# gRPC shares connections to one address, and with them the wait before they are tried again.
REPLICA_OPTIONS: Final = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))


class Way(Protocol):
    """How a client comes to a gateway: `target` names it for people."""

    @property
    def target(self) -> str:
        """Where it leads, for messages."""
        ...

    def channel(self) -> grpc.Channel:
        """A channel for threads."""
        ...

    def aio_channel(self) -> grpc.aio.Channel:
        """A channel for the running event loop."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is and how to know it: `target` is "host:port", or several with commas."""

    target: str
    credentials: grpc.ChannelCredentials = field(repr=False)

    @classmethod
    def at(
        cls, address: str, *, ca: Pem | None = None, certificate: tuple[Pem, Pem] | None = None
    ) -> Endpoint:
        """The server at "host:port" or "https://host:port"; its replicas follow after commas.

        `ca` signs its certificate (None: the public authorities that gRPC ships); `certificate` is
        our (key, certificate chain) for mutual TLS. Raises INVALID_ARGUMENT.
        """
        key, chain = certificate if certificate is not None else (None, None)
        credentials = grpc.ssl_channel_credentials(
            root_certificates=_pem(ca, "ca", "CERTIFICATE"),
            private_key=_pem(key, "the certificate's key", "PRIVATE KEY"),
            certificate_chain=_pem(chain, "the certificate", "CERTIFICATE"),
        )
        return cls(_targets(address), credentials)

    def channel(self) -> grpc.Channel:
        """A channel for threads; connects when first used."""
        if "," not in self.target:
            return grpc.secure_channel(self.target, self.credentials, options=CHANNEL_OPTIONS)
        openers = [
            partial(grpc.secure_channel, target, self.credentials, options=REPLICA_OPTIONS)
            for target in self.target.split(",")
        ]
        return cast(grpc.Channel, Replicas(openers))

    def aio_channel(self) -> grpc.aio.Channel:
        """A channel for the running event loop; connects when first used."""
        if "," not in self.target:
            return grpc.aio.secure_channel(self.target, self.credentials, options=CHANNEL_OPTIONS)
        openers = [
            partial(grpc.aio.secure_channel, target, self.credentials, options=REPLICA_OPTIONS)
            for target in self.target.split(",")
        ]
        return cast(grpc.aio.Channel, AsyncReplicas(openers))


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that carries the token (RFC 6750); raises TOKEN_MISSING, TOKEN_INVALID."""
    if not token:
        raise error("TOKEN_MISSING", "The token is empty; give connect the caller's bearer token.")
    if not _BEARER.fullmatch(token):
        raise error(
            "TOKEN_INVALID",
            "The token holds characters that no bearer token has; give the token alone, without "
            '"Bearer" and without line breaks.',
        )
    return (("authorization", f"Bearer {token}"),)


def current_token(source: TokenSource | None) -> str | Awaitable[str] | None:
    """The token to send now, or the promise of one; None where the certificate alone speaks."""
    match source:
        case None | str():
            return source
        case Path():
            try:
                return source.read_text(encoding="ascii").strip()
            except (OSError, ValueError):
                raise error("TOKEN_MISSING", f"The token file {source} cannot be read.") from None
        case _ if callable(source):
            return source()
        case _:
            raise error(
                "INVALID_ARGUMENT",
                "token must be text, a Path or a function that returns the token.",
            )


def _targets(address: object) -> str:
    each = address.split(",") if isinstance(address, str) else [""]
    return ",".join(_target(one.strip()) for one in each)


def _target(address: str) -> str:
    rest = address.removeprefix("https://").removesuffix("/")
    match = _HOST_AND_PORT.fullmatch(rest)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise error(
            "INVALID_ARGUMENT",
            'The address must be "host:port" or "https://host:port"; the gateway speaks TLS only.',
        )
    return rest


def _pem(source: Pem | None, what: str, label: str) -> bytes | None:
    if source is None:
        return None
    pem = source
    if isinstance(source, Path):
        try:
            pem = source.read_bytes()
        except OSError:
            raise error(
                "INVALID_ARGUMENT", f"The file {source} for {what} cannot be read."
            ) from None
    if not isinstance(pem, bytes) or f"{label}-----".encode() not in pem:
        raise error(
            "INVALID_ARGUMENT",
            f"{what} must be PEM with a {label} block, as bytes or the Path of a file.",
        )
    return pem
