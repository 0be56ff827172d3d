"""The door of a web console: HTTPS in front of a site. Owner file of starlette and uvicorn here.

Every reply carries what a browser needs to keep strangers out: no script and no style but our own
files, no frames, no other hosts, nothing remembered on disk.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from landbridge.web.asking import Answer, Ask, Reply
from landbridge.web.headers import HEADERS

LONGEST_BODY: Final = 64 * 1024
LONGEST_QUERY: Final = 8 * 1024
MOST_FIELDS: Final = 100
BODY_SECONDS: Final = 10.0
MOST_CONNECTIONS: Final = 200
START_SECONDS: Final = 10.0


def application(answer: Answer, report: Callable[[BaseException], None]) -> Starlette:
    """The ASGI application; `report` takes defects for the operator's eyes."""

    async def every(request: Request) -> Response:
        if len(request.url.query) > LONGEST_QUERY:
            return _response(_sentence(414, "The address is too long."))
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _bounded(request)
        except TimeoutError:
            return _response(_sentence(408, "The request did not arrive in time."))
        except ClientDisconnect:
            return _response(_sentence(400, "The request was cut off."))
        if body is None:
            return _response(_sentence(413, f"A form has at most {LONGEST_BODY} bytes."))
        try:
            asked = _asked(request, body)
        except ValueError:
            return _response(_sentence(400, "The request is not one of this site's."))
        return _response(await run_in_threadpool(answer, asked))

    async def fault(request: Request, defect: Exception) -> Response:
        del request
        report(defect)
        return _response(_sentence(500, "The console failed; its operator's log says where."))

    return Starlette(
        routes=[Route("/{path:path}", every, methods=["GET", "HEAD", "POST"])],
        exception_handlers={Exception: fault},
    )


class Door:
    """Serves a site on a bound socket, in threads of its own, until `close`."""

    def __init__(
        self,
        answer: Answer,
        listening: socket.socket,
        key: Path,
        certificate: Path,
        report: Callable[[BaseException], None],
    ) -> None:
        self.port: int = listening.getsockname()[1]
        self._listening = listening
        self._tls = (key, certificate)
        config = uvicorn.Config(
            application(answer, report),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=32 * 1024,
            ssl_keyfile=key,
            ssl_certfile=certificate,
        )
        config.load()
        context = config.ssl
        if context is None:
            raise ValueError("a console speaks TLS or nothing")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context = context
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Shows the certificate that the files hold now, from the next connection on."""
        key, certificate = self._tls
        with suppress(OSError, ssl.SSLError):  # half written: the next look finds it whole
            self._context.load_cert_chain(certificate, key)

    def close(self) -> None:
        """Ends it, and waits until it has ended."""
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
        self._listening.close()

    def _run(self) -> None:
        # Not `Server.run`, which takes the process's signals for itself.
        asyncio.run(self._server._serve([self._listening]))


def listen(address: str) -> socket.socket:
    """A socket bound to HOST:PORT; ValueError, one sentence, where that is none or is taken."""
    host, gap, port = address.rpartition(":")
    if not gap or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{address} is no address to listen on; write HOST:PORT.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=128)
    except OSError as problem:
        raise ValueError(f"Cannot listen on {address}: {problem.strerror}.") from None


def _asked(request: Request, body: bytes) -> Ask:
    form: dict[str, list[str]] = {}
    if request.method == "POST":
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            raise ValueError("not a form")
        form = _fields(body.decode("ascii"))
    return Ask(
        "GET" if request.method == "HEAD" else request.method,
        request.url.path,
        _fields(request.url.query),
        form,
        request.cookies,
        {name.lower(): value for name, value in request.headers.items()},
        request.client.host if request.client else "",
    )


def _fields(text: str) -> dict[str, list[str]]:
    return parse_qs(text, keep_blank_values=False, errors="strict", max_num_fields=MOST_FIELDS)


async def _bounded(request: Request) -> bytes | None:
    """The body; None as soon as it is longer than a form can be."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            return None
    return bytes(body)


def _response(reply: Reply) -> Response:
    own = {name for name, _ in reply.headers}
    headers = [*((name, value) for name, value in HEADERS if name not in own), *reply.headers]
    made: Response = (
        Response(reply.body, reply.status)
        if isinstance(reply.body, bytes)
        else StreamingResponse(_sent(reply.body), reply.status)
    )
    # One Set-Cookie line each: a dictionary would keep the last only.
    made.raw_headers.extend(
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in (("content-type", reply.kind), *headers)
    )
    return made


def _sent(parts: Iterable[bytes]) -> Iterable[bytes]:
    yield from parts


def _sentence(status: int, sentence: str) -> Reply:
    return Reply(status, f"{sentence}\n".encode(), "text/plain; charset=utf-8")
