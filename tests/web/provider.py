"""A development issuer that serves, and a browser with a cookie jar that does what pages say."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from landbridge.federation.development_provider import DevelopmentProvider
from landbridge.identity.development import (
    DevelopmentAuthority,
    DevelopmentIssuer,
    write_private,
)

ISSUER, AUDIENCE, CLIENT = "https://issuer.test", "https://gateway.test", "test-console"


@dataclass(slots=True)
class World:
    """The issuer, where it serves, and the authority of its certificate."""

    issuer: DevelopmentIssuer
    provider: DevelopmentProvider
    ca: Path
    key: Path
    certificate: Path
    jwks: Path


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Real TLS on loopback."""
    issuer = DevelopmentIssuer.create(folder / "issuer", ISSUER, AUDIENCE)
    authority = DevelopmentAuthority.create(folder / "authority", "test")
    key, certificate = authority.certificate("gateway", ["127.0.0.1", "localhost"])
    write_private(folder / "tls.key", key)
    (folder / "tls.pem").write_bytes(certificate)

    def token(caller: str) -> str:
        return issuer.issue(
            caller, organisation="audit-office", clearance="restricted", purposes=[]
        )

    provider = DevelopmentProvider.serve(
        issuer,
        {"auditor": "audit-office", "other": "audit-office"},
        [CLIENT],
        token,
        folder / "tls.key",
        folder / "tls.pem",
    )
    try:
        yield World(
            issuer,
            provider,
            folder / "authority" / "development-ca.pem",
            folder / "tls.key",
            folder / "tls.pem",
            folder / "issuer" / "jwks.json",
        )
    finally:
        provider.close()


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a request."""

    status: int
    body: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str:
        """The first header of that name."""
        return next((value for each, value in self.headers if each.lower() == name), "")


@dataclass(slots=True)
class Browser:
    """Keeps cookies, follows nothing by itself."""

    ca: Path
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, url: str, **headers: str) -> Came:
        """A plain request."""
        return self._send("GET", url, None, headers)

    def post(self, url: str, form: dict[str, str], **headers: str) -> Came:
        """A form."""
        return self._send("POST", url, urlencode(form), headers)

    def _send(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> Came:
        parts = urlsplit(url)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent.setdefault("content-type", "application/x-www-form-urlencoded")
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = HTTPSConnection(parts.hostname or "", parts.port, timeout=20, context=context)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            came = Came(answer.status, answer.read().decode(), tuple(answer.getheaders()))
        finally:
            connection.close()
        for name, value in came.headers:
            if name.lower() == "set-cookie":
                cookie, _, terms = value.partition(";")
                called, _, kept = cookie.partition("=")
                if "max-age=0" in terms.lower():
                    self.cookies.pop(called, None)
                else:
                    self.cookies[called] = kept
        return came


def fields_of(url: str) -> dict[str, str]:
    """The query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def authorize(browser: Browser, where: str, caller: str = "auditor") -> str:
    """Presses that caller's button at the provider; gives where the browser is sent."""
    parts = urlsplit(where)
    came = browser.post(
        f"{parts.scheme}://{parts.netloc}/authorize", {**fields_of(where), "as": caller}
    )
    assert came.status == 303, came.body
    return came.header("location")
