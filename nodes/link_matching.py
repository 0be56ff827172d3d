"""A department's rows on their way to the gateway, and keys that are nobody's.

Every batch is given once and in order; what does not follow is LINK_LOST.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from landbridge.errors import error
from landbridge.protocols.envelope import Envelope
from landbridge.protocols.pseudonyms import BLOCK, Blocks, matched
from nodes.link_peers import Peers
from nodes.link_rows import Batch, RowWriter, SortedRows
from nodes.link_state import Underway, Underways, lost

MESSAGE_BYTES: Final = 2 << 20
"""Of rows in one message, about."""
ROWS: Final = 250_000
"""Of its own that are looked at at a time."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The rounds Show, Match and Fetch. `folder` is where rows wait in files without a name."""

    peers: Peers
    underways: Underways
    folder: Path

    def show(
        self, question_id: str, question_hash: bytes, first: int, recipient: str
    ) -> tuple[Envelope, int]:
        """The next keys of a table that protects nobody, sealed to one that must hide its own.

        They are pseudonyms, which that department can turn back; the gateway cannot read them.
        """
        with self.underways.at(question_id, question_hash) as underway:
            plan, rows = underway.plan, underway.rows
            if plan.shower != self.peers.department or recipient not in plan.hiders:
                raise lost()
            if rows is None or first != underway.shown.get(recipient, 0) or first >= rows.count:
                raise lost()
            batch = rows.read(first, MESSAGE_BYTES // BLOCK)
            underway.shown[recipient] = first + len(batch.codes)
            info = _info_of_keys(question_hash, first)
            sealed = self.peers.seal(batch.pseudonyms.tobytes(), info, recipient)
            return sealed, len(batch.codes)

    def match(
        self,
        question_id: str,
        question_hash: bytes,
        first: int,
        envelope: Envelope | None,
        *,
        last: bool,
    ) -> int:
        """Makes one row for each key shown, its values 0 where this department has none.

        `envelope` is None where the other table has no keys at all.
        """
        with self.underways.at(question_id, question_hash) as underway:
            plan, side, rows = underway.plan, underway.side, underway.rows
            if self.peers.department not in plan.hiders or rows is None or underway.matched:
                raise lost()
            if underway.matching is None:
                underway.matching = RowWriter(self.folder, side.vectors)
            if first != underway.matching.count:
                raise lost()
            if envelope is not None:
                info = _info_of_keys(question_hash, first)
                keys = self.peers.open(envelope, info, plan.shower)
                _match(underway, rows, underway.matching, keys)
            if last:
                underway.matched = True
                underway.rows, underway.matching = underway.matching.finished(), None
                rows.close()
                return underway.rows.count
            return underway.matching.count if underway.matching is not None else 0

    def fetch(self, question_id: str, question_hash: bytes, first: int) -> tuple[bytes, bytes]:
        """The next rows: pseudonyms, and codes where there is more than one."""
        with self.underways.at(question_id, question_hash) as underway:
            rows = underway.rows
            if rows is None or first != underway.fetched or first >= rows.count:
                raise lost()
            underway.require_matched()
            batch = rows.read(first, MESSAGE_BYTES // (BLOCK + 4))
            underway.fetched += len(batch.codes)
            codes = b"" if underway.side.codes == 1 else batch.codes.astype("<u4").tobytes()
            return batch.pseudonyms.tobytes(), codes


def _match(underway: Underway, rows: SortedRows, into: RowWriter, content: bytes) -> None:
    if len(content) % BLOCK or not content:
        raise error("ANSWER_REJECTED", "A sealed message holds no keys.")
    keys = np.frombuffer(content, dtype=np.uint8).reshape(-1, BLOCK)
    values = np.zeros((len(keys), underway.side.vectors), dtype=np.int64)
    final = keys[-1].tobytes()
    while underway.own < rows.count:
        batch = rows.read(underway.own, ROWS)
        try:
            theirs, ours = matched(keys, batch.pseudonyms)
        except ValueError:
            raise error("ANSWER_REJECTED", "A sealed message holds no keys.") from None
        values[theirs] = batch.values[ours]
        if batch.pseudonyms[-1].tobytes() > final:
            passed = (_numbers(batch.pseudonyms) <= _numbers(keys[-1:])[0]).sum()
            underway.own += int(passed)
            break
        underway.own += len(batch.codes)
    into.add(Batch(keys, np.zeros(len(keys), dtype=np.uint32), values))


def _info_of_keys(question_hash: bytes, first: int) -> bytes:
    return b"keys" + question_hash + first.to_bytes(8, "big")


def _numbers(blocks: Blocks) -> np.ndarray:
    """Keys as values that compare like their bytes."""
    return np.ascontiguousarray(blocks).view(f"S{BLOCK}").reshape(-1)
