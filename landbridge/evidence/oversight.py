"""A log's side of its witnesses: asks them to cosign, and stops the log that they contradict.

A witness that says no is believed only as far as it can prove: a checkpoint with this log's own
signature that this log does not extend. Then the log was forked, or put back to an older copy, and
nothing may be signed any more. Any other no is told to the operator and does not count.

A conversation with one witness is a sequence of requests and replies (C2SP tlog-witness,
add-checkpoint), whoever opened the connection: `Oversight.next_request` takes a reply and gives the
next request, until there is nothing left to ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landbridge.errors import error
from landbridge.evidence.checkpoint import Checkpoint, open_checkpoint, parse_count
from landbridge.evidence.cosignature import WitnessKey
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import consistency_proof, root_hash
from landbridge.evidence.note import MOST_SIGNATURES, read_note, verified_lines
from landbridge.evidence.quorum import Quorum
from landbridge.evidence.signer import Verifier
from landbridge.evidence.tiles import TileFolder
from landbridge.evidence.witness import OK, STALE, AddCheckpoint
from landbridge.evidence.witness_memory import Reply

MOST_REQUESTS: Final = 4
"""In one conversation: what the witness saw last, the cosignature, and room for one surprise."""

MOST_WITNESSES: Final = MOST_SIGNATURES - 1
"""Their lines and the log's own must fit into one note that can be read again."""

RETRY_SECONDS: Final = 5.0
"""After which a witness that did not cosign is asked again."""

PATIENCE_SECONDS: Final = 3.0
"""How long the log waits for all its witnesses together."""

Ask = Callable[[bytes], Reply]
"""Puts one request to a witness; raises ConnectionError, one sentence, when it cannot be reached.

It returns within seconds.
"""


@dataclass(slots=True)
class _Known:
    """What we know of one witness."""

    key: WitnessKey
    old: int = 0
    cosigned: int = -1
    line: str = ""
    asked: Checkpoint | None = None
    complaint: str = ""


class Oversight:
    """The witnesses of one log. Every method may be called from any thread.

    `witnesses` maps each witness's key to how it is asked, or to None for one that comes by itself.
    `tell` takes sentences for the operator. `clock` is monotonic, in seconds. EvidenceError for a
    quorum of more than there are, for two of one name, and for more than `MOST_WITNESSES`.
    """

    def __init__(
        self,
        log: Verifier,
        witnesses: Mapping[WitnessKey, Ask | None],
        *,
        tell: Callable[[str], None],
        needed: int = 0,
        limit: float = 0.0,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if needed > len(witnesses):
            raise EvidenceError(
                f"quorum of {log.name}", f"it is {needed}, but {len(witnesses)} witnesses are known"
            )
        names = [key.name for key in witnesses]
        if len(set(names)) < len(names):
            raise EvidenceError(f"witnesses of {log.name}", "two of them have the same name")
        if len(names) > MOST_WITNESSES:
            raise EvidenceError(
                f"witnesses of {log.name}",
                f"they are {len(names)}, but a checkpoint has room for {MOST_WITNESSES}",
            )
        self._log = log
        self._ask = {key.name: ask for key, ask in witnesses.items() if ask is not None}
        self._asking: set[str] = set()
        self._defect: BaseException | None = None
        self._patience = patience
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._known = {key.name: _Known(key) for key in witnesses}
        self._quorum = Quorum(needed, limit)
        self._files: TileFolder | None = None
        self._published: Checkpoint | None = None
        self._note = ""
        self._size = 0
        self._contradiction = ""
        self._looked = threading.Event()

    def include(self, key: WitnessKey, ask: Ask | None) -> None:
        """One more witness, from the next conversation on; nothing changes for a known one.

        EvidenceError for another key under a known name, and for more than `MOST_WITNESSES`.
        """
        with self._lock:
            known = self._known.get(key.name)
            if known is not None and known.key == key:
                return
            if known is not None:
                raise EvidenceError(f"witnesses of {self._log.name}", "two have the same name")
            if len(self._known) >= MOST_WITNESSES:
                raise EvidenceError(
                    f"witnesses of {self._log.name}",
                    f"a checkpoint has room for {MOST_WITNESSES}",
                )
            # A new dictionary: other threads go through this one.
            self._known = {**self._known, key.name: _Known(key)}
            if ask is not None:
                self._ask = {**self._ask, key.name: ask}

    # What the log tells us.

    def started(self, folder: Path, size: int) -> None:
        """The log was opened: its published folder, and how many entries were found."""
        with self._lock:
            self._files, self._size = TileFolder(folder), size
            self._quorum.started(size)

    def grew(self, size: int) -> None:
        """The log has that many durable entries."""
        with self._lock:
            self._size = size
            self._quorum.grew(size, self._clock())

    def published(self, note: str) -> None:
        """That checkpoint, signed by the log alone, and its tiles are in the folder now."""
        with self._lock:
            self._note, self._published = note, Checkpoint.parse(read_note(note)[0])

    # What the log asks.

    def require(self) -> None:
        """Raise unless the log may be relied on: LOG_CONTRADICTED or LOG_UNWITNESSED."""
        with self._lock:
            self._require_no_contradiction()
            if self._quorum.overdue(self._clock()):
                raise error("LOG_UNWITNESSED")

    def require_no_contradiction(self) -> None:
        """Raise LOG_CONTRADICTED once a witness has proved that the log lost or changed entries."""
        with self._lock:
            self._require_no_contradiction()

    def looked(self, seconds: float) -> bool:
        """Whether a witness has replied since the start; waits for so long that one does."""
        return self._looked.wait(seconds)

    @property
    def outstanding(self) -> bool:
        """Whether a witness that can be asked has not cosigned what is published."""
        with self._lock:
            published = self._published
            return published is not None and any(
                self._known[name].cosigned < published.size for name in self._ask
            )

    def ask(self) -> None:
        """One conversation with every witness that can be asked, side by side.

        Returns after `patience` at the latest. A conversation that is not over then goes on by
        itself; its witness is not asked again before it ends, and holds up nothing any more.
        """
        end = time.monotonic() + self._patience
        with self._lock:
            names = [name for name in self._ask if name not in self._asking]
            self._asking.update(names)
        threads = []
        for name in names:
            thread = threading.Thread(
                target=self._visit, args=(name,), name=f"witness-{name}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # the system gives no thread now; the next round asks it
                with self._lock:
                    self._asking.discard(name)
                continue
            threads.append(thread)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        with self._lock:
            defect, self._defect = self._defect, None
        if defect is not None:
            raise defect

    def cosigned(self) -> str:
        """The published checkpoint with the cosignatures there are; empty where there is none.

        Lines stand in the order of the witnesses.
        """
        with self._lock:
            size = -1 if self._published is None else self._published.size
            lines = [known.line for known in self._known.values() if known.cosigned == size]
            return self._note + "".join(lines) if lines else ""

    # What is said between the log and one witness.

    def next_request(self, witness: str, reply: Reply | None = None) -> bytes:
        """Take a witness's reply to the last request and give the next one; empty: nothing more.

        KeyError for a name that is no witness of this log.
        """
        with self._lock:
            known = self._known[witness]
            if reply is not None:
                more = self._take(known, reply)
                self._looked.set()
                if not more:
                    return b""
            if self._contradiction or self._published is None or self._files is None:
                return b""
            published = self._published
            if known.cosigned >= published.size:
                return b""
            old = min(known.old, published.size)
            proof = consistency_proof(old, published.size, self._files.nodes(published.size))
            known.asked = published
            return AddCheckpoint(old, tuple(proof), self._note).body

    def _visit(self, name: str) -> None:
        try:
            self._converse(name)
        except BaseException as defect:  # noqa: BLE001 - whoever asks next must be told
            with self._lock:
                self._defect = defect
        finally:
            with self._lock:
                self._asking.discard(name)

    def _converse(self, name: str) -> None:
        request = self.next_request(name)
        for _ in range(MOST_REQUESTS):
            if not request:
                return
            try:
                reply = self._ask[name](request)
            except ConnectionError as problem:
                with self._lock:
                    self._complain(self._known[name], f"cannot be asked: {problem}")
                return
            request = self.next_request(name, reply)

    def _take(self, known: _Known, reply: Reply) -> bool:
        """Believe what the reply proves; whether there may be something left to ask."""
        asked, known.asked = known.asked, None
        if asked is None:
            return True  # a reply to nothing that we asked, for example from before a restart
        if reply.status == OK:
            return self._take_cosignature(known, asked, reply)
        self._take_evidence(known, reply.checkpoint)
        if self._contradiction:
            return False
        if reply.status == STALE:
            try:
                old = parse_count(reply.body.decode("ascii", "replace").removesuffix("\n"), "size")
            except EvidenceError:
                old = known.old
            if old != known.old and old <= asked.size:
                known.old = old
                return True
            self._complain(known, f"says it saw {old} entries, and shows no checkpoint of ours")
            return False
        self._complain(known, f"declined with status {reply.status}")
        return False

    def _take_cosignature(self, known: _Known, asked: Checkpoint, reply: Reply) -> bool:
        try:
            block = reply.body.decode()
            _, lines = read_note(f"{asked.text}\n{block}")
            own = verified_lines(asked.text, lines, [known.key])
        except (EvidenceError, UnicodeDecodeError):
            own = ()
        if not own:
            self._complain(known, "sent no cosignature of its key")
            return False
        known.old = known.cosigned = asked.size
        known.line, known.complaint = own[-1].text, ""
        self._quorum.cosigned(k.cosigned for k in self._known.values() if k.cosigned >= 0)
        return True

    def _take_evidence(self, known: _Known, note: str) -> None:
        """Stop the log when `note` is a checkpoint of its own that it does not extend."""
        try:
            held = open_checkpoint(note, self._log) if note else None
        except EvidenceError:
            held = None
        if held is None or self._files is None or self._published is None or self._contradiction:
            return
        if held.size > self._size:
            what = f"the log has {self._size}: it was put back to an older copy"
        elif held.size <= self._published.size and held.root != root_hash(
            held.size, self._files.nodes(self._published.size)
        ):
            what = "other entries than the log has now: its history was replaced"
        else:
            return
        self._contradiction = (
            f"witness {known.key.name} holds a checkpoint of {held.size} entries under this log's "
            f"own signature, and {what}"
        )
        self._tell(
            f"Log {self._log.name} is stopped: {self._contradiction}. Nothing is answered until "
            "the newest copy of the state folder is restored and the server started again."
        )

    def _complain(self, known: _Known, what: str) -> None:
        """Tell the operator once, until the witness cosigns again."""
        if what != known.complaint:
            known.complaint = what
            self._tell(f"Witness {known.key.name} of log {self._log.name} {what}.")

    def _require_no_contradiction(self) -> None:
        if self._contradiction:
            raise error("LOG_CONTRADICTED")
