"""What a gateway stands on when it starts: its access policy, its members, what they serve."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from gateway.catalogue import Catalogue
from gateway.connection import Member
from landbridge.edge.life import MEMBER


def standing(access: str, members: Iterable[Member], known: Catalogue) -> dict[str, str]:
    """Each by its SHA-256 in hexadecimal, for the log; `access` is the policy's own digest.

    A member is who it is, what it may serve and which key its log has; not where it runs.
    """
    return {
        "access": access,
        **{f"{MEMBER}{member.department}": _digest(member) for member in members},
        **{
            f"contract:{department}/{contract.id}": contract.digest
            for department, offer in known.offers.items()
            for contract in offer.contracts.values()
        },
    }


def _digest(member: Member) -> str:
    granted = [member.department, member.name, member.contracts, member.handlers, member.log_key]
    return sha256(json.dumps(granted).encode()).hexdigest()
