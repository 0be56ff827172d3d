"""The purpose of a request: stated, in the caller's token, and allowed by the owner."""

from __future__ import annotations

from collections.abc import Collection

from landbridge.errors import error


def require_stated(purpose: str, token: Collection[str]) -> None:
    """Raises PURPOSE_MISSING or PURPOSE_NOT_ALLOWED unless the caller's token allows it."""
    if not purpose:
        raise error(
            "PURPOSE_MISSING",
            rule="purpose",
            hint=f"Your token allows {', '.join(sorted(token)) or 'none'}.",
        )
    if purpose not in token:
        raise error(
            "PURPOSE_NOT_ALLOWED",
            "Your token does not allow the stated purpose.",
            rule="token.purposes",
            hint=f"It allows {', '.join(sorted(token)) or 'none'}.",
        )


def require_allowed(purpose: str, owner: Collection[str]) -> None:
    """Raises PURPOSE_NOT_ALLOWED unless the data's owner allows it."""
    if purpose not in owner:
        raise error(
            "PURPOSE_NOT_ALLOWED",
            "The owner does not allow the stated purpose for this data.",
            rule="contract.purposes",
            hint=f"Allowed here: {', '.join(sorted(owner)) or 'none'}.",
        )
