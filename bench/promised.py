"""The least that could be promised: a plain server that signs, verifies and has each entry on disk.

Run as `python -m bench.promised serve SETTINGS --with-parent`; SETTINGS as `bench.echo` has them,
and `journal`, the file that entries are added to. There is no TLS, no token, no policy, no plan, no
ledger and no proof: only what costs native code and the disk their time, in as little Python as
that takes. Each hop verifies one signature and makes one, and adds an entry of `ENTRY` bytes that
is synced together with those of the calls beside it, before the reply.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.echo import forwarded, plain, serve

ENTRY: Final = 858
"""Bytes of an entry, as docs/scale.md has them."""


class Journal:
    """A file whose syncs are shared by all who wait at the time."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._come = threading.Condition()
        self._waiting: list[bytes] = []
        self._group, self._done = 0, 0
        self._busy = False

    def add(self, entry: bytes) -> None:
        """Returns when it is on disk."""
        with self._come:
            self._waiting.append(entry)
            mine = self._group + 1
            while self._busy and self._done < mine:
                self._come.wait()
            if self._done >= mine:
                return
            self._busy = True
            self._group += 1
            group, self._waiting = self._waiting, []
        os.write(self._file, b"".join(group))
        os.fsync(self._file)
        with self._come:
            self._done, self._busy = mine, False
            self._come.notify_all()


def promising(answer: Callable[[bytes], bytes], journal: Journal) -> Callable[[bytes], bytes]:
    """The same answer, after what was promised."""
    key = Ed25519PrivateKey.generate()
    known, asked = key.public_key(), b"a question of a caller"
    shown = key.sign(asked)

    def answered(request: bytes) -> bytes:
        known.verify(shown, asked)
        reply = answer(request)
        journal.add(sha256(request).digest() + bytes(ENTRY - 32))
        key.sign(reply)
        return reply

    return answered


def main(arguments: list[str]) -> None:
    """Serves until standard input closes."""
    settings = json.loads(Path(arguments[1]).read_bytes())
    answer = plain if settings["forward"] is None else forwarded(settings["forward"])
    serve(promising(answer, Journal(Path(settings["journal"]))), settings["threads"])


if __name__ == "__main__":
    main(sys.argv[1:])
