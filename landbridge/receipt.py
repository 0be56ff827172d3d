"""What proves to a caller that an answer, or a refusal, was logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from landbridge.evidence import Verified


@dataclass(frozen=True, slots=True)
class Receipt:
    """A log entry and the proof that the log's signer committed to it.

    `entry` is canonical JSON (RFC 8785), documented in docs/log-entry.md; `proof` is a C2SP
    tlog-proof: index, inclusion proof and signed checkpoint. `salt` opens the entry's
    `answer_digest`, SHA-256(salt || answer); it is empty for a refusal.
    """

    entry: bytes
    proof: str
    salt: bytes = b""

    def verify(self, vkey: str, witnesses: Iterable[str] = ()) -> Verified:
        """Raises unless the log with this verifier key holds exactly this entry; asks nobody.

        `vkey` is the line of the log folder's file `vkey`. Get it from somebody other than the
        gateway: a receipt checked with the sender's own key proves little. `witnesses` are keys of
        witnesses; the result says which of them cosigned the receipt's checkpoint.
        """
        from landbridge.evidence import verify_receipt

        return verify_receipt(self.entry, self.proof, vkey, witnesses)
