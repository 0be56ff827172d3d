"""The log that an auditor can check without trusting its keeper.

    signer, keyfile, subject     whose keys
    merkle                       the tree (RFC 6962), pure
    note, checkpoint, tlog_proof the text formats (C2SP), tiles the file layout
    entry                        what is logged
    disk, segment, journal       durable before anything is answered
    publication, log             one writer: journal -> tree -> receipts and published folder
    cosignature, witness,        what a witness of other logs signs, decides
    witness_memory               and remembers
    quorum, oversight            a log's own witnesses, and when it stops without them
    receipt, audit               the checks that anybody can run

Names are loaded when they are first used, so that checking a receipt does not load the writer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landbridge.evidence.audit import Verification, verify_folder
    from landbridge.evidence.entry import Entry, SubjectKey, decode, encode
    from landbridge.evidence.finding import EvidenceError
    from landbridge.evidence.log import Log
    from landbridge.evidence.receipt import Receipt, Verified, verify_receipt
    from landbridge.evidence.signer import Signer

__all__ = [
    "Entry",
    "EvidenceError",
    "Log",
    "Receipt",
    "Signer",
    "SubjectKey",
    "Verification",
    "Verified",
    "decode",
    "encode",
    "verify_folder",
    "verify_receipt",
]

_HOMES = {
    "Entry": "entry",
    "EvidenceError": "finding",
    "Log": "log",
    "Receipt": "receipt",
    "Signer": "signer",
    "SubjectKey": "subject",
    "Verification": "audit",
    "Verified": "receipt",
    "decode": "entry",
    "encode": "entry",
    "verify_folder": "audit",
    "verify_receipt": "receipt",
}


def __getattr__(name: str) -> object:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{home}"), name)
