"""Receipts: one entry and the proof that its log committed to it. They verify offline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from landbridge.evidence.checkpoint import Checkpoint, open_checkpoint
from landbridge.evidence.cosignature import Cosigned, WitnessKey, cosignatures
from landbridge.evidence.merkle import check_inclusion, leaf_hash
from landbridge.evidence.signer import Verifier
from landbridge.evidence.tlog_proof import TlogProof

_LONGEST_REMEMBERED: Final = 4_096


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an append gives back; `proof` is the C2SP tlog-proof text."""

    entry: bytes
    index: int
    leaf_hash: bytes
    proof: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a receipt proves: the entry stands at `index` of the log `origin`, of `size` entries."""

    index: int
    size: int
    origin: str
    leaf_hash: bytes
    witnesses: tuple[Cosigned, ...] = ()
    """Of the witnesses asked for, those that cosigned the receipt's checkpoint."""


def verify_receipt(entry: bytes, proof: str, vkey: str, witnesses: Iterable[str] = ()) -> Verified:
    """The place of `entry` in the log of `vkey`; EvidenceError when the proof does not hold.

    The steps are those of C2SP tlog-proof, "Verifying a tlog proof". `witnesses` are keys of
    witnesses; how many of them are enough is for the caller to say.
    """
    parsed = TlogProof.parse(proof)
    # (1) The leaf hash comes from the entry, never from the proof.
    leaf = leaf_hash(entry)
    # (2) The checkpoint is the log's own.
    checkpoint = _opened(parsed.checkpoint, vkey)
    # (3) So are the cosignatures the witnesses'.
    keys = [WitnessKey.parse(each) for each in witnesses]
    cosigned = cosignatures(parsed.checkpoint, keys) if keys else ()
    # (4) The path binds the leaf to the signed root.
    check_inclusion(leaf, parsed.index, checkpoint.size, parsed.hashes, checkpoint.root)
    return Verified(parsed.index, checkpoint.size, checkpoint.origin, leaf, cosigned)


def _opened(note: str, vkey: str) -> Checkpoint:
    """The checkpoint of that note, which the key has signed; EvidenceError otherwise.

    Entries of one commit share theirs. It is remembered by the whole note and the whole key, which
    say all of it, and only where it held; a note as long as nobody writes them is not.
    """
    if len(note) > _LONGEST_REMEMBERED:
        return open_checkpoint(note, Verifier.parse(vkey))
    return _held(note, vkey)


@lru_cache(256)
def _held(note: str, vkey: str) -> Checkpoint:
    return open_checkpoint(note, Verifier.parse(vkey))
