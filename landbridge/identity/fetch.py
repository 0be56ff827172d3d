"""One bounded exchange over HTTPS: what an issuer's keys are fetched, and codes redeemed, with.

The standard library is enough, and says less than a client library would: it follows no redirect,
reads no proxy from the environment, keeps no cookie and unpacks nothing. What it lacks, an end to
the whole exchange, is added here.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from landbridge.identity.followed import LARGEST, SourceError

T = TypeVar("T")

SECONDS: Final = 10.0
"""For the whole exchange; half of it for the connection and for each silence."""

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_SECONDS_FRESH: Final = re.compile(r"max-age=\"?(\d{1,9})\"?", re.ASCII | re.IGNORECASE)
_NOT_KEPT: Final = re.compile(r"no-store|no-cache", re.ASCII | re.IGNORECASE)
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: the document, or None where the one with our `tag` still holds.

    `fresh` is how many seconds the server says it stays so (RFC 9111), None where it says nothing.
    """

    document: bytes | None
    tag: str
    fresh: int | None


@dataclass(frozen=True, slots=True)
class Posted:
    """What a form was answered with."""

    status: int
    document: bytes


Fetch = Callable[[str], Fetched]
"""Fetches unless the document still carries that tag; SourceError where it cannot be had."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to fetch from; `of` judges it."""

    url: str
    host: str
    port: int
    target: str
    secure: bool

    @classmethod
    def of(cls, url: str) -> Address:
        """The parts of an https URL; http is for this machine alone. Raises SourceError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise SourceError(f"{url!a} is not a usable address of keys.") from None
        if not host or not url.isascii() or not url.isprintable() or " " in url:
            raise SourceError(f"{url!a} is not a usable address of keys.")
        if parts.username is not None or parts.password is not None or parts.fragment:
            # Not quoted: a password may stand in it.
            raise SourceError("An address of keys holds no name, no password and no fragment.")
        if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
            raise SourceError(f"{url} must be https; keys that came in the clear are nobody's.")
        secure = parts.scheme == "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(url, host, port or (443 if secure else 80), target, secure)


class Fetcher:
    """Fetches one address. `ca` (PEM) is the authority of its certificate, else the system's."""

    def __init__(self, url: str, ca: Path | None = None, seconds: float = SECONDS) -> None:
        self._address = Address.of(url)
        self._seconds = seconds
        self._tls: ssl.SSLContext | None = None
        if self._address.secure:
            try:
                self._tls = ssl.create_default_context(cafile=None if ca is None else str(ca))
            except (OSError, ssl.SSLError):
                raise SourceError(f"{ca} holds no certificate of an authority (PEM).") from None
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def __call__(self, tag: str) -> Fetched:
        """The document now, within `seconds` whatever the server does.

        Raises SourceError, one sentence that quotes nothing of the answer.
        """
        return self._told(lambda connected: self._answer(connected, tag))

    def post(self, form: bytes, basic: str = "") -> Posted:
        """The answer to that form, with `basic` (name:password) as authorization.

        Raises SourceError as a fetch does; a status that is no success is an answer.
        """
        return self._told(lambda connected: self._posted(connected, form, basic))

    def _told(self, talk: Callable[[socket.socket], T]) -> T:
        name = self._address.url
        try:
            return self._exchange(talk)
        except SourceError:
            raise
        except ssl.SSLCertVerificationError:
            raise SourceError(f"{name} shows a certificate that is not to be trusted.") from None
        except TimeoutError:
            raise SourceError(f"{name} does not answer in time.") from None
        except (OSError, http.client.HTTPException, ValueError) as reason:
            raise SourceError(f"{name} cannot be fetched: {type(reason).__name__}.") from None

    def _exchange(self, talk: Callable[[socket.socket], T]) -> T:
        address = self._address
        raw = socket.create_connection((address.host, address.port), timeout=self._seconds / 2)
        late = threading.Event()
        with raw if self._tls is None else self._wrapped(raw) as connected:

            def end() -> None:
                late.set()
                with suppress(OSError):
                    # Of the plain socket: TLS's own would wait for the other side's word.
                    socket.socket.shutdown(connected, socket.SHUT_RDWR)

            # A server that sends one byte a second is never silent and never done.
            timer = threading.Timer(self._seconds, end)
            timer.daemon = True
            timer.start()
            try:
                if isinstance(connected, ssl.SSLSocket):
                    connected.do_handshake()
                return talk(connected)
            except (OSError, http.client.HTTPException, ValueError):
                if late.is_set():
                    raise TimeoutError from None
                raise
            finally:
                timer.cancel()

    def _wrapped(self, raw: socket.socket) -> ssl.SSLSocket:
        assert self._tls is not None
        return self._tls.wrap_socket(
            raw, server_hostname=self._address.host, do_handshake_on_connect=False
        )

    def _answer(self, connected: socket.socket, tag: str) -> Fetched:
        connection = http.client.HTTPConnection(self._address.host, self._address.port)
        connection.sock = connected
        headers = {
            "Accept": "application/jwk-set+json, application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if tag:
            headers["If-None-Match"] = tag
        connection.request("GET", self._address.target, headers=headers)
        with connection.getresponse() as answer:
            return self._document(answer, tag)

    def _posted(self, connected: socket.socket, form: bytes, basic: str) -> Posted:
        connection = http.client.HTTPConnection(self._address.host, self._address.port)
        connection.sock = connected
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if basic:
            headers["Authorization"] = f"Basic {b64encode(basic.encode()).decode()}"
        connection.request("POST", self._address.target, body=form, headers=headers)
        with connection.getresponse() as answer:
            if 300 <= answer.status < 400:
                raise SourceError(f"{self._address.url} redirects a form, which is not followed.")
            return Posted(answer.status, self._whole(answer))

    def _whole(self, answer: http.client.HTTPResponse) -> bytes:
        """The body, which has an end and is in no encoding."""
        name = self._address.url
        if answer.getheader("Content-Encoding", "identity").lower() != "identity":
            raise SourceError(f"{name} answers in an encoding that was not asked for.")
        document = answer.read(LARGEST + 1)
        if len(document) > LARGEST:
            raise SourceError(f"{name} answers with more than 256 KiB, which no JWKS needs.")
        if answer.length:
            # http.client gives a body that broke off without a word.
            raise SourceError(f"{name} broke off in the middle of its answer.")
        return document

    def _document(self, answer: http.client.HTTPResponse, tag: str) -> Fetched:
        name = self._address.url
        if 300 <= answer.status < 400 and answer.status != 304:
            raise SourceError(f"{name} redirects; give the address where the keys are.")
        if answer.status != 200 and not (answer.status == 304 and tag):
            raise SourceError(f"{name} answers with status {answer.status}.")
        fresh = _fresh(answer.headers.get_all("Cache-Control", []), answer.getheader("Age"))
        if answer.status == 304:
            return Fetched(None, tag, fresh)
        document = self._whole(answer)
        found = answer.getheader("ETag", "")
        return Fetched(document, found if _TAG.fullmatch(found) else "", fresh)


def _fresh(directives: list[str], age: str | None) -> int | None:
    said = ",".join(directives)
    if _NOT_KEPT.search(said):
        return 0
    found = _SECONDS_FRESH.search(said)
    if found is None:
        return None
    old = int(age) if age is not None and age.isascii() and age.isdigit() and len(age) < 10 else 0
    return max(0, int(found[1]) - old)
