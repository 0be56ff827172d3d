"""A department's part in the sums of a linked question: as dealer, as owner, and what is revealed.

Three-party products as `landbridge.protocols.dealing` has them. Every batch is multiplied once and
in order; what does not follow is LINK_LOST.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from landbridge.protocols.dealing import Dealer, Owner, per_code_of_all
from landbridge.protocols.derivation import SECRET_BYTES
from landbridge.protocols.envelope import Envelope
from landbridge.protocols.streams import Words
from nodes.link_making import require_time
from nodes.link_peers import Peers
from nodes.link_state import Dealing, Underways, lost
from policies.noise import Draw

MESSAGE_BYTES: Final = 2 << 20
"""Of numbers in one message, about."""
MOST_ROWS: Final = 1 << 31
"""Of one department: a dealer makes numbers for as many rows as it is told that there are."""


@dataclass(frozen=True, slots=True)
class Products:
    """The rounds Deal to Reveal. `draw` makes this department's noise."""

    peers: Peers
    underways: Underways
    draw: Draw

    def deal(
        self, question_id: str, question_hash: bytes, owner: str, rows: int
    ) -> tuple[bytes, Envelope]:
        """The gateway's seed, and the owner's sealed to it."""
        with self.underways.at(question_id, question_hash) as underway:
            plan = underway.plan
            theirs = next((each for each in plan.sides if each.department == owner), None)
            if theirs is None or not theirs.values or owner in underway.dealings:
                raise lost()
            if plan.dealer(theirs) is not underway.side or not 0 <= rows < MOST_ROWS:
                raise lost()
            ours, sealed = secrets.token_bytes(SECRET_BYTES), secrets.token_bytes(SECRET_BYTES)
            columns, vectors = plan.columns(theirs), theirs.vectors
            underway.dealings[owner] = Dealing(
                Dealer(ours, sealed, columns, vectors), rows, columns, vectors, theirs.codes == 1
            )
            return ours, self.peers.seal(sealed, _info_of_deal(question_hash, owner), owner)

    def dealt(
        self,
        question_id: str,
        question_hash: bytes,
        owner: str,
        first: int,
        time_left: Callable[[], float],
    ) -> tuple[bytes, int]:
        """The next numbers that the gateway needs, and for how many rows they are.

        Raises DEADLINE: of one sum the numbers for all rows are made in one call.
        """
        with self.underways.at(question_id, question_hash) as underway:
            dealing = underway.dealings.get(owner)
            if dealing is None or first != dealing.done or first >= dealing.rows:
                raise lost()
            each = max(1, MESSAGE_BYTES // (8 * dealing.columns * dealing.vectors))
            if not dealing.summed:
                rows = min(each, dealing.rows - first)
                dealing.done += rows
                return _bytes(dealing.dealer.next(rows)), rows
            total = np.zeros((dealing.columns, dealing.vectors), dtype=np.uint64)
            while dealing.done < dealing.rows:
                require_time(time_left)
                rows = min(each, dealing.rows - dealing.done)
                total += dealing.dealer.next(rows).sum(axis=2, dtype=np.uint64)
                dealing.done += rows
            return _bytes(total), dealing.rows

    def take(self, question_id: str, question_hash: bytes, envelope: Envelope) -> None:
        """The owner's part of the deal, from the department that deals for it."""
        with self.underways.at(question_id, question_hash) as underway:
            plan, side = underway.plan, underway.side
            if underway.rows is None or not side.values or underway.owner is not None:
                raise lost()
            underway.require_matched()
            info = _info_of_deal(question_hash, side.department)
            seed = self.peers.secret(envelope, info, plan.dealer(side).department)
            columns = plan.columns(side)
            underway.owner = Owner(seed, columns, side.vectors)
            underway.shares = np.zeros((side.codes, columns, side.vectors), dtype=np.uint64)

    def multiply(self, question_id: str, question_hash: bytes, first: int, bits: bytes) -> bytes:
        """The next hidden values, against the gateway's hidden bits for the same rows."""
        with self.underways.at(question_id, question_hash) as underway:
            rows, owner, side = underway.rows, underway.owner, underway.side
            columns = underway.plan.columns(side)
            count, rest = divmod(len(bits), 8 * columns)
            if rows is None or owner is None or underway.shares is None or underway.totalled:
                raise lost()
            if first != underway.multiplied or rest or not 0 < count <= rows.count - first:
                raise lost()
            asked = np.frombuffer(bits, dtype="<u8").astype(np.uint64).reshape(columns, count)
            batch = rows.read(first, count)
            values = np.ascontiguousarray(batch.values.T).view(np.uint64)
            answered, shares = owner.next(asked, values)
            underway.shares += per_code_of_all(shares, batch.codes, side.codes)
            underway.multiplied += count
            return _bytes(answered)

    def total(self, question_id: str, question_hash: bytes) -> bytes:
        """This department's shares of all sums, with its noise on them: step (9)."""
        with self.underways.at(question_id, question_hash) as underway:
            rows, shares = underway.rows, underway.shares
            if rows is None or shares is None or underway.totalled:
                raise lost()
            if underway.multiplied != rows.count:
                raise lost()
            underway.totalled = True
            wide = underway.side.vectors // len(underway.side.values)
            noisy = shares.copy()
            for place, value in enumerate(underway.side.values):
                of_value = noisy[:, :, place * wide : (place + 1) * wide]
                noise = self.draw([0] * of_value.size, value.mechanism)
                of_value += np.array(noise, dtype=np.int64).view(np.uint64).reshape(of_value.shape)
            return _bytes(noisy)

    def reveal(self, question_id: str, question_hash: bytes, codes: Sequence[int]) -> list[int]:
        """What the codes of released cells stand for. The question is over here."""
        with self.underways.at(question_id, question_hash) as underway:
            rows, side = underway.rows, underway.side
            if rows is None or underway.fetched != rows.count:
                raise lost()
            if side.values and not underway.totalled:
                raise lost()
            if sorted(set(codes)) != list(codes) or not all(code < side.codes for code in codes):
                raise lost()
            cells = np.argsort(underway.codes)
            found = [int(cells[code]) for code in codes]
        self.underways.drop(question_id)
        return found


def _info_of_deal(question_hash: bytes, owner: str) -> bytes:
    return b"deal" + question_hash + owner.encode()


def _bytes(numbers: Words) -> bytes:
    """On the wire: 8 bytes each, little-endian."""
    return numbers.astype("<u8", copy=False).tobytes()
