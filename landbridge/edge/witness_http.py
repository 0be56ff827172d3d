"""A witness over HTTP, for logs of other houses. Owner file of starlette and uvicorn.

Source: C2SP tlog-witness (https://c2sp.org/tlog-witness): `POST /add-checkpoint`, and
`GET /<SHA-256 of the origin, hex>/checkpoint` for monitors. There is no TLS here: put the proxy of
the house in front. What is carried is signed, and nothing of it is secret.
"""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import Callable
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from landbridge.evidence.witness import LONGEST_REQUEST
from landbridge.evidence.witness_memory import Witness

BODY_SECONDS: Final = 10.0
MOST_CONNECTIONS: Final = 100
_ORIGIN: Final = re.compile(r"[0-9a-f]{64}")


def application(witness: Witness, report: Callable[[BaseException], None]) -> Starlette:
    """The ASGI application; `report` takes defects for the operator's eyes."""

    async def add_checkpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _bounded(request)
        except TimeoutError:
            return _sentence(408, "The request did not arrive in time.")
        except ClientDisconnect:
            return _sentence(400, "The request was cut off.")
        if body is None:
            return _sentence(413, f"A request has at most {LONGEST_REQUEST} bytes.")
        try:
            reply = await run_in_threadpool(witness.add_checkpoint, body)
        except OSError as problem:
            report(problem)
            return _sentence(503, "The witness cannot write its memory, so it cosigns nothing.")
        return Response(reply.body, reply.status, headers={"content-type": reply.content_type})

    async def checkpoint(request: Request) -> Response:
        name = request.path_params["origin"]
        note = witness.published(name) if _ORIGIN.fullmatch(name) else None
        if note is None:
            return _sentence(404, "No checkpoint of such a log was cosigned here.")
        return _text(200, note)

    async def elsewhere(request: Request) -> Response:
        del request
        return _sentence(404, "A witness has POST /add-checkpoint and GET /ORIGIN/checkpoint.")

    async def fault(request: Request, defect: Exception) -> Response:
        del request
        report(defect)
        return _sentence(500, "The witness failed; its operator's log says where.")

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin}/checkpoint", checkpoint, methods=["GET"]),
            Route("/{rest:path}", elsewhere),
        ],
        exception_handlers={Exception: fault},
    )


def serve(
    witness: Witness, listening: socket.socket, report: Callable[[BaseException], None]
) -> None:
    """Serves on a bound socket until SIGTERM or SIGINT."""
    # uvicorn raises the signal that ended it once more when it is done; the end is in order.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: None)
    config = uvicorn.Config(
        application(witness, report),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=16 * 1024,
    )
    uvicorn.Server(config).run(sockets=[listening])


async def _bounded(request: Request) -> bytes | None:
    """The body; None as soon as it is longer than a request can be."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_REQUEST:
            return None
    return bytes(body)


def _sentence(status: int, sentence: str) -> Response:
    return _text(status, f"{sentence}\n")


def _text(status: int, text: str) -> Response:
    return Response(text, status, media_type="text/plain")
