"""The text form of an offline-verifiable proof: index, inclusion proof and checkpoint.

Source: C2SP tlog-proof v1 (https://c2sp.org/tlog-proof).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from landbridge.evidence.checkpoint import parse_count
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import HASH_SIZE
from landbridge.evidence.signer import decode_base64

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_LONGEST_PATH: Final = 63


@dataclass(frozen=True, slots=True)
class TlogProof:
    """One entry's place in a log: `hashes` from the leaf's sibling upwards, `checkpoint` verbatim.

    `extra` is opaque and not authenticated.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    @property
    def text(self) -> str:
        """The lines of the format."""
        extra = f"extra {base64.b64encode(self.extra).decode()}\n" if self.extra else ""
        hashes = "".join([base64.b64encode(part).decode() + "\n" for part in self.hashes])
        return f"{_HEADER}\n{extra}index {self.index}\n{hashes}\n{self.checkpoint}"

    @staticmethod
    def texts(first: int, paths: Sequence[Sequence[bytes]], checkpoint: str) -> list[str]:
        """The lines for consecutive entries from index `first`, as `text` gives them for each."""
        spelt: dict[bytes, str] = {}
        found = []
        for index, path in enumerate(paths, start=first):
            for part in path:
                if part not in spelt:
                    spelt[part] = base64.b64encode(part).decode() + "\n"
            hashes = "".join([spelt[part] for part in path])
            found.append(f"{_HEADER}\nindex {index}\n{hashes}\n{checkpoint}")
        return found

    @classmethod
    def parse(cls, text: str) -> TlogProof:
        """The proof in those lines; nothing is verified yet."""
        head, gap, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not gap or lines.pop(0) != _HEADER:
            raise EvidenceError(
                "proof", f"it must begin with {_HEADER} and hold a checkpoint after an empty line"
            )
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = decode_base64(lines.pop(0).removeprefix("extra "), "proof, extra data")
        if not lines or not lines[0].startswith("index "):
            raise EvidenceError("proof", "its next line must be the index of the entry")
        index = parse_count(lines.pop(0).removeprefix("index "), "proof, index")
        if len(lines) > _LONGEST_PATH:
            raise EvidenceError("proof", f"it has more than {_LONGEST_PATH} hashes")
        hashes = tuple(decode_base64(line, "proof, hash") for line in lines)
        if any(len(part) != HASH_SIZE for part in hashes):
            raise EvidenceError("proof, hash", f"it must be {HASH_SIZE} bytes")
        return cls(index, hashes, checkpoint, extra)
