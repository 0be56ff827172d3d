"""The caller, once known."""

from __future__ import annotations

from dataclasses import dataclass

from landbridge.levels import Level


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as a verified token says; nothing here comes from anywhere else.

    `subject` is the person or service (`sub`), `organisation` the office that budgets count for
    (`org`), `client` the software that asked for the token (`client_id`), `token_id` its `jti`.
    `purposes` are those that the caller may state, `clearance` is the highest level they see.
    `expires` is the token's `exp`, in seconds since 1970, without leeway. `certificate` is the
    SHA-256 (64 hex digits) of the one client certificate that the token may be used with (RFC
    8705), empty for a token that anybody may bear.
    """

    subject: str
    organisation: str
    client: str
    clearance: Level
    purposes: frozenset[str]
    token_id: str
    expires: float
    certificate: str = ""
