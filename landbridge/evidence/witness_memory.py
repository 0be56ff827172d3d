"""A witness that remembers: nothing is cosigned before its checkpoint is on disk.

The folder holds one file per log, named by the SHA-256 of the log's origin in hexadecimal: the
last checkpoint, with the log's own signatures and the cosignature that was given for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.cosignature import Cosigner, WitnessKey, cosignatures
from landbridge.evidence.disk import Disk, NoRoom, read_file
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.note import read_note, verified_lines
from landbridge.evidence.recovery import hold
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness import OK, STALE, Accepted, Declined, Logs, consider


@dataclass(frozen=True, slots=True)
class Reply:
    """What a witness says to an add-checkpoint request: status and body of the protocol.

    `checkpoint` is what the witness holds of that log where it declines to go on from it, so that
    nobody has to believe its word: the log's own signature is under it.
    """

    status: int
    body: bytes
    checkpoint: str = ""

    @property
    def content_type(self) -> str:
        """Of the body."""
        return "text/x.tlog.size" if self.status == STALE else "text/plain; charset=utf-8"


class Witness:
    """An open witness; `Witness.open` makes one. Every method may be called from any thread."""

    def __init__(
        self, folder: Path, cosigner: Cosigner, logs: Logs, clock: Callable[[], float], disk: Disk
    ) -> None:
        self._folder = folder
        self._cosigner = cosigner
        self._logs = logs
        self._clock = clock
        self._disk = disk
        self._lock = threading.Lock()
        self._held = -1
        self._seen: dict[str, Checkpoint] = {}
        self._notes: dict[str, str] = {}
        self._time = 0
        self._failed = False

    @classmethod
    def open(
        cls,
        folder: Path,
        cosigner: Cosigner,
        logs: Iterable[Verifier],
        *,
        clock: Callable[[], float],
        disk: Disk | None = None,
    ) -> Witness:
        """The witness of `logs` that keeps what it saw in `folder`; `clock` in seconds since 1970.

        EvidenceError names a file that is damaged: a witness that forgets would cosign a fork; and
        a log with two keys: whoever holds the second could sign in the name of the first.
        """
        known: dict[str, list[Verifier]] = {}
        for verifier in logs:
            held = known.setdefault(verifier.name, [verifier])
            if held != [verifier]:
                raise EvidenceError(f"keys of log {verifier.name}", "there are two; it has one")
        disk = disk or Disk()
        disk.make_folder(folder)
        witness = cls(folder, cosigner, known, clock, disk)
        witness._held = hold(folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            for origin in known:
                witness._remember(origin)
        except BaseException:
            witness.close()
            raise
        return witness

    @property
    def vkey(self) -> str:
        """The public line that verifies this witness's cosignatures."""
        return self._cosigner.vkey

    def know(self, log: Verifier) -> None:
        """One more log to witness, from now on; nothing changes for one that is known already.

        EvidenceError for another key under a known name, and for a damaged memory of it.
        """
        with self._lock:
            held = self._logs.get(log.name)
            if held is not None:
                if list(held) != [log]:
                    raise EvidenceError(f"keys of log {log.name}", "there are two; it has one")
                return
            self._logs = {**self._logs, log.name: [log]}
            try:
                self._remember(log.name)
            except EvidenceError:
                self._logs = {name: at for name, at in self._logs.items() if name != log.name}
                raise

    def add_checkpoint(self, body: bytes) -> Reply:
        """The reply to an add-checkpoint request; a cosignature only for what is durable.

        OSError when the memory cannot be written; nothing more is cosigned then until a restart, or
        while the disk is full.
        """
        with self._lock:
            verdict = consider(body, self._logs, self._seen)
            match verdict:
                case Declined():
                    held = self._notes.get(verdict.origin, "")
                    return Reply(verdict.status, verdict.body.encode(), held)
                case Accepted():
                    return Reply(OK, self._cosign(verdict).encode())

    def latest(self, origin: str) -> Checkpoint | None:
        """The last checkpoint of that log that was cosigned."""
        with self._lock:
            return self._seen.get(origin)

    def published(self, name: str) -> str | None:
        """The same as a note with its cosignature, by the SHA-256 of its origin in hexadecimal."""
        with self._lock:
            return next((note for at, note in self._notes.items() if _name(at) == name), None)

    def close(self) -> None:
        """Let go of the folder."""
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)

    def _cosign(self, accepted: Accepted) -> str:
        if self._failed:
            raise OSError("an earlier checkpoint could not be written")
        # A clock that is set back must not make a later cosignature look like an earlier one.
        self._time = max(self._time, int(self._clock()))
        origin = accepted.checkpoint.origin
        line = self._cosigner.cosign(accepted.checkpoint.text, self._time).text
        note = accepted.note + line
        if self._seen.get(origin) != accepted.checkpoint:
            # After a failed write nobody knows what is on disk; only a restart can tell.
            self._failed = True
            try:
                self._disk.put(self._folder / _name(origin), note.encode())
                self._disk.sync_folder(self._folder)
            except NoRoom:
                # The file is as it was, or the new one without its name synced; whichever it is,
                # the next one is written and synced before anything is cosigned.
                self._failed = False
                raise
            self._failed = False
        self._seen[origin], self._notes[origin] = accepted.checkpoint, note
        return line

    def _remember(self, origin: str) -> None:
        path = self._folder / _name(origin)
        if not path.exists():
            return
        note = read_file(path).decode(errors="surrogateescape")
        try:
            text, lines = read_note(note)
            checkpoint = Checkpoint.parse(text)
            own = verified_lines(text, lines, self._logs[origin])
            cosigned = cosignatures(note, [WitnessKey.parse(self._cosigner.vkey)])
        except EvidenceError as problem:
            raise EvidenceError(
                str(path), f"what the witness remembers is damaged: {problem}"
            ) from None
        if checkpoint.origin != origin or not own:
            raise EvidenceError(
                str(path), "what the witness remembers was not signed by a key that is trusted now"
            )
        self._seen[origin], self._notes[origin] = checkpoint, note
        self._time = max([self._time, *(each.time for each in cosigned)])


def _name(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()
