"""A caller whose token was good once, as the node keeps them for what goes on without a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from landbridge.identity.caller import Caller
from landbridge.levels import Level


def to_json(caller: Caller) -> dict[str, Any]:
    """Everything that the token said."""
    return {
        "subject": caller.subject,
        "organisation": caller.organisation,
        "client": caller.client,
        "clearance": caller.clearance.label,
        "purposes": sorted(caller.purposes),
        "token_id": caller.token_id,
        "expires": caller.expires,
        "certificate": caller.certificate,
    }


def from_json(kept: Mapping[str, Any]) -> Caller:
    """The same again; other members of the object are not looked at."""
    return Caller(
        kept["subject"],
        kept["organisation"],
        kept["client"],
        Level.named(kept["clearance"]),
        frozenset(kept["purposes"]),
        kept["token_id"],
        kept["expires"],
        kept["certificate"],
    )
