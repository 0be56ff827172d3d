"""The client: for threads and for asyncio, two drivers of the same methods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from landbridge.asking import Asking
from landbridge.case_handle import AsyncCase, Case
from landbridge.consultation.callers import AsyncConsultation, Consultation
from landbridge.drivers import TIMEOUT, AwaitedDriver, BlockingDriver
from landbridge.errors import error
from landbridge.group.handle import AsyncGroup, Group
from landbridge.once import Awaited, Blocking
from landbridge.transport import Endpoint, Pem, TokenSource, Way, bearer
from landbridge.watch_handle import AsyncWatch, Watch


def connect(
    address: str,
    *,
    token: TokenSource | None = None,
    ca: Pem | None = None,
    certificate: tuple[Pem, Pem] | None = None,
    manifest: Pem | None = None,
    timeout: float = TIMEOUT,
) -> Client:
    """A client of the gateway at "host:port", over TLS; connects with the first call.

    `token`: the caller's bearer token, a Path to it, or a function that returns it; the latter two
    are asked before every call. `ca`: PEM of the authority that signs the gateway's certificate
    (None: the public ones). `certificate`: (key, certificate), PEM, for mutual TLS. `manifest`:
    the federation's signed list of members, if you have it from elsewhere than the gateway: forms
    of cases and records are then sealed to the keys in it, and to no others. `timeout`: seconds
    for a call that names none. Raises InvalidQuestion or Unauthenticated for arguments that can
    never work.
    """
    return Client(
        Endpoint.at(address, ca=ca, certificate=certificate),
        _source(token, certificate),
        timeout=timeout,
        manifest=manifest,
    )


def aconnect(
    address: str,
    *,
    token: TokenSource | None = None,
    ca: Pem | None = None,
    certificate: tuple[Pem, Pem] | None = None,
    manifest: Pem | None = None,
    timeout: float = TIMEOUT,
) -> AsyncClient:
    """The same for asyncio: `async with landbridge.aconnect(...) as client`.

    The client belongs to the event loop that runs now.
    """
    asyncio.get_running_loop()
    return AsyncClient(
        Endpoint.at(address, ca=ca, certificate=certificate),
        _source(token, certificate),
        timeout=timeout,
        manifest=manifest,
    )


class Client(Asking[Case, Consultation, Watch, Group], Blocking):
    """Asks a gateway; may be used from several threads. Close it, or use it in a `with`."""

    _case = Case
    _consultation = Consultation
    _watch = Watch
    _group = Group

    def __init__(
        self,
        endpoint: Way,
        token: TokenSource | None,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        manifest: Pem | None = None,
    ) -> None:
        self._driver = BlockingDriver(endpoint, token, timeout, clock)
        self._manifest = _document(manifest)

    def close(self) -> None:
        """Ends the connection; calls that still run fail."""
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<landbridge.Client of {self._driver.target}>"


class AsyncClient(Asking[AsyncCase, AsyncConsultation, AsyncWatch, AsyncGroup], Awaited):
    """`Client` for asyncio: the same methods, awaited."""

    _case = AsyncCase
    _consultation = AsyncConsultation
    _watch = AsyncWatch
    _group = AsyncGroup

    def __init__(
        self,
        endpoint: Way,
        token: TokenSource | None,
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        manifest: Pem | None = None,
    ) -> None:
        self._driver = AwaitedDriver(endpoint, token, timeout, clock)
        self._manifest = _document(manifest)

    async def close(self) -> None:
        """Ends the connection; calls that still run fail."""
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<landbridge.AsyncClient of {self._driver.target}>"


def _source(token: TokenSource | None, certificate: tuple[Pem, Pem] | None) -> TokenSource | None:
    if token is None and certificate is None:
        raise error("TOKEN_MISSING", "Give a token, or a certificate for mutual TLS, or both.")
    if isinstance(token, str):
        bearer(token)  # a token that can never be sent is refused before anything is
    return token


def _document(manifest: Pem | None) -> bytes | None:
    if not isinstance(manifest, Path):
        return manifest
    try:
        return manifest.read_bytes()
    except OSError:
        raise error("INVALID_ARGUMENT", f"The manifest {manifest} cannot be read.") from None
