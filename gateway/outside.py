"""A witness outside the federation: C2SP tlog-witness over HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPException
from typing import Final

from landbridge.evidence.oversight import Ask
from landbridge.evidence.witness import INCONSISTENT, STALE
from landbridge.evidence.witness_memory import Reply

SECONDS: Final = 2.0
LONGEST_REPLY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class OutsideWitness:
    """As the manifest lists it: its key and its submission prefix."""

    key: str
    url: str


def over_http(url: str, origin: str) -> Ask:
    """Asks the witness at that submission prefix about the log `origin`.

    Redirects are not followed. Where it declines, what it holds of the log is fetched, so that its
    word need not be believed.
    """
    opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
    prefix = url.rstrip("/")
    held = f"{prefix}/{sha256(origin.encode()).hexdigest()}/checkpoint"

    def send(request: urllib.request.Request) -> Reply:
        try:
            with opener.open(request, timeout=SECONDS) as response:
                return Reply(response.status, response.read(LONGEST_REPLY))
        except urllib.error.HTTPError as declined:
            with declined:
                return Reply(declined.code, declined.read(LONGEST_REPLY))

    def ask(body: bytes) -> Reply:
        try:
            reply = send(
                urllib.request.Request(f"{prefix}/add-checkpoint", data=body, method="POST")  # noqa: S310 - the operator's own setting, http or https only
            )
            if reply.status not in (STALE, INCONSISTENT):
                return reply
            shown = send(urllib.request.Request(held))  # noqa: S310 - as above
        except (OSError, HTTPException, ValueError) as failure:
            raise ConnectionError(type(failure).__name__) from None
        note = shown.body.decode(errors="surrogateescape") if shown.status == 200 else ""
        return Reply(reply.status, reply.body, note)

    return ask


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Whoever moves a witness says so in the manifest."""
