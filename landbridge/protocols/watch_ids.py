"""The question id of an alert: both sides' entries carry it, so that they can be held together."""

from __future__ import annotations

from hashlib import sha256


def alert_question(watch: str, number: int) -> str:
    """32 hexadecimal digits, of the watch's id and the number of its alert, from 1 on."""
    return sha256(f"landbridge alert v1\0{watch}\0{number}".encode()).hexdigest()[:32]
