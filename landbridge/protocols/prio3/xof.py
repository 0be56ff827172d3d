"""XofTurboShake128: streams of bytes from seeds, which nobody can tell from chance.

Source: draft-irtf-cfrg-vdaf-18, section 6.2; TurboSHAKE128 is RFC 9861. The one importer of
Cryptodome.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from Cryptodome.Hash import TurboSHAKE128

SEED_BYTES: Final = 32
_VERSION: Final = 18
"""Of the draft; the two after it have changed no bytes."""
_DOMAIN: Final = 1


def separation(algorithm: int, usage: int, ctx: bytes) -> bytes:
    """The domain separation tag of one use of an algorithm in one application."""
    return bytes((_VERSION, 0)) + algorithm.to_bytes(4, "big") + usage.to_bytes(2, "big") + ctx


class Xof:
    """The stream of one seed; `read` gives the next bytes."""

    def __init__(self, seed: bytes, tag: bytes, binder: bytes) -> None:
        length, size = len(tag).to_bytes(2, "little"), len(seed).to_bytes(1, "little")
        state = TurboSHAKE128.new(data=length + tag + size + seed + binder, domain=_DOMAIN)
        self.read: Callable[[int], bytes] = state.read


def derive(seed: bytes, tag: bytes, binder: bytes) -> bytes:
    """Another seed, of a seed and what it is bound to."""
    return Xof(seed, tag, binder).read(SEED_BYTES)
