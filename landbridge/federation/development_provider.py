"""An OpenID provider for development, tests and demonstrations: whoever comes says who they are.

NOT FOR PRODUCTION: it asks for no password, and its page says so in capitals. It listens on
loopback only, and sends codes to loopback only. What it does of the protocol it does as a provider
must: codes for one use, PKCE with S256, exact redirect addresses, nonces.
"""

from __future__ import annotations

import hmac
import html
import json
import secrets
import ssl
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from landbridge.identity.development import DevelopmentIssuer

HOST: Final = "127.0.0.1"
CODE_SECONDS: Final = 60.0
LONGEST: Final = 16 * 1024
MOST_CODES: Final = 1_000
POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
WARNING: Final = "DEVELOPMENT ISSUER - NOT FOR PRODUCTION: anybody can be anybody here"


@dataclass(frozen=True, slots=True)
class _Code:
    caller: str
    client: str
    redirect: str
    challenge: str
    nonce: str
    until: float


@dataclass(slots=True)
class DevelopmentProvider:
    """A provider that serves; `token` makes the access token of one of `callers`.

    Made by `serve`. `clients` are the client ids that may ask.
    """

    issuer: DevelopmentIssuer
    callers: Mapping[str, str]
    clients: frozenset[str]
    token: Callable[[str], str] = field(repr=False)
    clock: Callable[[], float] = time.monotonic
    _codes: dict[str, _Code] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _server: ThreadingHTTPServer | None = field(default=None, repr=False)

    @classmethod
    def serve(
        cls,
        issuer: DevelopmentIssuer,
        callers: Mapping[str, str],
        clients: Sequence[str],
        token: Callable[[str], str],
        key: Path,
        certificate: Path,
    ) -> DevelopmentProvider:
        """Serves on a free loopback port, in threads, until `close`.

        `callers` maps each to what the page says of them. Raises OSError.
        """
        made = cls(issuer, callers, frozenset(clients), token)
        server = ThreadingHTTPServer((HOST, 0), _handler(made))
        server.daemon_threads = True
        # Whoever breaks off, or does not trust the certificate, is nobody's defect.
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        # Shaken hands by the thread that serves, or one silent stranger would hold up everybody.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        made._server = server
        threading.Thread(
            target=server.serve_forever, name="development-issuer", daemon=True
        ).start()
        return made

    @property
    def address(self) -> str:
        """Where it is reached."""
        assert self._server is not None
        return f"https://{HOST}:{self._server.server_address[1]}"

    def close(self) -> None:
        """Ends it."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def metadata(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.issuer.issuer,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/jwks.json",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["EdDSA"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "landbridge_warning": WARNING,
        }

    def problem(self, asked: Mapping[str, str]) -> str:
        """What is wrong with an authorization request; empty for nothing."""
        redirect = urlsplit(asked.get("redirect_uri", ""))
        if asked.get("client_id") not in self.clients:
            return "unknown client_id"
        if redirect.scheme != "https" or redirect.hostname not in (HOST, "localhost"):
            return "redirect_uri must be https on loopback"
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            return "only response_type=code with scope openid is known here"
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return "PKCE with S256 is required"
        if not asked.get("state") or not asked.get("nonce"):
            return "state and nonce are required"
        return ""

    def authorize(self, asked: Mapping[str, str], caller: str) -> str:
        """Where to send the browser of somebody who said that they are that caller."""
        code = secrets.token_urlsafe(32)
        with self._lock:
            now = self.clock()
            self._codes = {name: each for name, each in self._codes.items() if each.until > now}
            if len(self._codes) < MOST_CODES:
                self._codes[code] = _Code(
                    caller,
                    asked["client_id"],
                    asked["redirect_uri"],
                    asked["code_challenge"],
                    asked["nonce"],
                    now + CODE_SECONDS,
                )
        said = {"code": code, "state": asked["state"], "iss": self.issuer.issuer}
        return f"{asked['redirect_uri']}?{urlencode(said)}"

    def redeem(self, form: Mapping[str, str]) -> dict[str, Any] | None:
        """The tokens for a code; None where it is not good (any more)."""
        with self._lock:
            code = self._codes.pop(form.get("code", ""), None)
        if code is None or self.clock() >= code.until:
            return None
        proof = sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(proof).rstrip(b"=").decode()
        if not (
            form.get("grant_type") == "authorization_code"
            and form.get("client_id") == code.client
            and form.get("redirect_uri") == code.redirect
            and hmac.compare_digest(challenge, code.challenge)
        ):
            return None
        return {
            "access_token": self.token(code.caller),
            "id_token": self.issuer.identify(code.caller, client=code.client, nonce=code.nonce),
            "token_type": "Bearer",
            "expires_in": 3600,
        }

    def page(self, asked: Mapping[str, str]) -> str:
        """The page that asks who somebody is."""
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        buttons = "".join(
            f'<p><button name="as" value="{html.escape(name)}">{html.escape(name)}</button> '
            f"{html.escape(said)}</p>"
            for name, said in self.callers.items()
        )
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            "<title>Development issuer</title>"
            f"<main><h1>{html.escape(WARNING)}</h1>"
            f'<form method="post" action="/authorize">{hidden}{buttons}</form></main></html>'
        )


def _handler(provider: DevelopmentProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0
        server_version = "landbridge-development-issuer"
        sys_version = ""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                self._json(200, provider.metadata())
            elif parts.path == "/jwks.json":
                self._json(200, {"keys": [provider.issuer.jwk]})
            elif parts.path == "/authorize":
                asked = _fields(parts.query)
                problem = provider.problem(asked)
                if problem:
                    self._send(400, problem, "text/plain")
                else:
                    # No form-action: the code goes to the client's own address from here.
                    self._send(200, provider.page(asked), "text/html")
            else:
                self._send(404, "not here", "text/plain")

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > LONGEST:
                self._send(413, "too long", "text/plain")
                return
            form = _fields(self.rfile.read(int(length)).decode("ascii", "replace"))
            if self.path == "/authorize":
                caller = form.pop("as", "")
                problem = provider.problem(form)
                if problem or caller not in provider.callers:
                    self._send(400, problem or "nobody of that name", "text/plain")
                    return
                self.send_response(303)
                self.send_header("Location", provider.authorize(form, caller))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif self.path == "/token":
                tokens = provider.redeem(form)
                if tokens is None:
                    self._json(400, {"error": "invalid_grant"})
                else:
                    self._json(200, tokens)
            else:
                self._send(404, "not here", "text/plain")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            """Codes stand in addresses; nothing is written down."""

        def _json(self, status: int, document: Mapping[str, Any]) -> None:
            self._send(status, json.dumps(document), "application/json")

        def _send(self, status: int, text: str, kind: str) -> None:
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _fields(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
