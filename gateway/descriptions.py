"""What departments said of themselves last, kept over a restart of the gateway.

A department that is away when the gateway starts is then missing, by its name, as it is at any
other time; without this there would be nothing of it, and nobody could tell its tables from those
that never were. What is kept decides nothing: its node is asked, and judges by the contract of now.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from landbridge.membership.pinned import replace_durably
from landbridge.v1 import node_pb2

_DIGEST: Final = sha256().digest_size


class Descriptions:
    """One file for each department, with the digest of what is in it. One gateway's alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, department: str) -> node_pb2.DescribeResponse | None:
        """What it said; None where nothing is kept, or not what was written."""
        try:
            content = self._path(department).read_bytes()
        except OSError:
            return None
        digest, said = content[:_DIGEST], content[_DIGEST:]
        if sha256(said).digest() != digest:
            return None
        with suppress(DecodeError):
            return node_pb2.DescribeResponse.FromString(said)
        return None

    def keep(self, department: str, said: node_pb2.DescribeResponse) -> None:
        """Keeps it in the place of what was said before; raises OSError."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - the seam of faults
        content = said.SerializeToString(deterministic=True)
        replace_durably(self._path(department), sha256(content).digest() + content)

    def _path(self, department: str) -> Path:
        return self._folder / f"{department}.description"
