"""The bearer token of a gRPC call (RFC 6750, section 2.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from landbridge.errors import error

_BEARER: Final = re.compile(r"bearer ([A-Za-z0-9_.-]+)", re.ASCII | re.IGNORECASE)


def bearer_token(metadata: Sequence[tuple[str, str | bytes]]) -> str:
    """The one token that the call's metadata carries, not yet verified.

    Exactly one `authorization` entry, "Bearer", one space, the token, nothing else. Raises
    TOKEN_MISSING where there is no such entry, TOKEN_INVALID where there are two, where an
    `authorization-bin` stands anywhere, or where the entry is written in another way: which of two
    identities counts must never depend on who reads the list.
    """
    entries = [
        (name.lower(), value)
        for name, value in metadata
        if name.lower() in {"authorization", "authorization-bin"}
    ]
    if not entries:
        raise error("TOKEN_MISSING")
    name, value = entries[0]
    if len(entries) > 1 or name != "authorization" or not isinstance(value, str):
        raise error("TOKEN_INVALID")
    written = _BEARER.fullmatch(value)
    if written is None:
        raise error("TOKEN_INVALID")
    return written[1]
