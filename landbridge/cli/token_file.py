"""A file that keeps the resume token of what was printed last."""

from __future__ import annotations

import os
from pathlib import Path

from landbridge.cli.ending import OperatorError


def kept_token(path: Path) -> str:
    """The token that was kept there; empty where none was."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        raise OperatorError(f"{path} cannot be read as a resume token.") from None


def keep_token(path: Path, token: str) -> None:
    """Durable before the next event is printed; the whole token or the one before."""
    beside = path.with_name(f"{path.name}.new")
    try:
        with beside.open("w", encoding="ascii") as file:
            file.write(f"{token}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        raise OperatorError(f"{path} cannot be written.") from None
