"""What the gateway's entry says of a department's own entry, once its proof holds."""

from __future__ import annotations

from gateway.catalogue import Catalogue
from landbridge.errors import LandbridgeError, error
from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.receipt import verify_receipt
from landbridge.v1 import evidence_pb2


def part_of(
    department: str,
    receipt: evidence_pb2.Receipt,
    question_id: str,
    known: Catalogue,
    seen: int,
) -> dict[str, object]:
    """The department's entry of this very question; raises ANSWER_REJECTED unless it is proved.

    `seen` entries of its log were seen before it was asked: an entry in their midst was not made
    for this question, or the log has two histories.
    """
    offer = known.offers.get(department)
    if offer is None:
        raise rejected(department, "an answer, but is no member any more")
    try:
        proven = verify_receipt(receipt.entry, receipt.proof, offer.log_key)
        entry = Entry.from_bytes(receipt.entry)
    except EvidenceError:
        raise rejected(department, "no valid proof that it logged its answer") from None
    if (entry.question_id, entry.outcome) != (question_id, "answered"):
        raise rejected(department, "the proof of another entry than this answer's")
    if proven.index < seen:
        raise rejected(department, "an answer whose entry stands where another one was seen")
    return {
        "department": department,
        "index": proven.index,
        "leaf_hash": proven.leaf_hash.hex(),
    }


def rejected(department: str, what: str) -> LandbridgeError:
    """ANSWER_REJECTED, with the department's name."""
    return error("ANSWER_REJECTED", f"Department {department} sent {what}.", missing=(department,))
