"""The resume token behind a notice: the group and the notice's number."""

from __future__ import annotations

from landbridge.errors import error


def token_of(group: str, number: int) -> str:
    """The token behind that notice of "department.group"."""
    return f"{group}:{number}"


def number_in(token: str, group: str) -> int:
    """The number in a resume token of that group, 0 for none; raises INVALID_ARGUMENT."""
    name, _, number = token.rpartition(":")
    if not token:
        return 0
    if name != group or not (number.isascii() and number.isdigit() and len(number) < 16):
        raise error(
            "INVALID_ARGUMENT",
            "This is no resume token of the group.",
            hint="Give the token of a notice of it, or none to begin with the first.",
        )
    return int(number)
