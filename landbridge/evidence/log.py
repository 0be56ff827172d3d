"""The log: one append-only Merkle log of one signer, durable before it answers.

    append -> journal (one write, one sync for all that wait) -> tree -> receipts
                                                                  └──> published folder, later

Two threads serve a log. The committer takes whatever waits and makes it durable together, at once
unless many others are on their way (`gathering`); a receipt's checkpoint is signed after that. The
publisher brings the folder up to date, at once after a pause and then at most once per
`publish_every`, however many entries arrive; what it publishes is durable before the journal lets
go of it. After that the publisher asks the log's witnesses, if it has any, and shows their
cosignatures under the published checkpoint.

A failed write or sync stops the log until the process starts again, a full disk only while it is
full: whoever waits is refused, what was written of their entries is cut off again before anything
is synced, and the publisher looks for room until there is some.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final

from landbridge.errors import error
from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.disk import Disk, NoRoom
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.gathering import LINGER_SECONDS, Coming
from landbridge.evidence.journal import SEGMENT_SIZE, Journal
from landbridge.evidence.merkle import (
    TILE_HEIGHT,
    TILE_WIDTH,
    inclusion_proofs,
    leaf_hash,
    root_hash,
)
from landbridge.evidence.oversight import RETRY_SECONDS, Oversight
from landbridge.evidence.publication import Publication
from landbridge.evidence.receipt import Receipt
from landbridge.evidence.recovery import Recovered, hold, owner_of, recover
from landbridge.evidence.signer import Signer
from landbridge.evidence.tiles import ENTRIES, LONGEST_ENTRY, Tile, encode_bundle, grown_tiles
from landbridge.evidence.tlog_proof import TlogProof
from landbridge.evidence.waiting import Promised, Waiting
from landbridge.evidence.witness_memory import Reply

LARGEST_BATCH: Final = 1024
"""In entries: how many share one sync at most."""

LOOK_SECONDS: Final = 0.5
"""How often a full disk is looked at again."""


class Log:
    """An open log; `Log.open` makes one. Every method may be called from any thread."""

    def __init__(
        self,
        signer: Signer,
        found: Recovered,
        journal: Journal,
        publication: Publication,
        publish_every: float,
        oversight: Oversight | None = None,
    ) -> None:
        self._signer = signer
        self._journal = journal
        self._publication = publication
        self._publish_every = publish_every
        self._oversight = oversight
        self.coming = Coming()
        self._shown = ""
        self._heard = False
        self._held = ExitStack()
        # The tree and the entries from its edge tile on that are durable and may be unpublished.
        self._edge = threading.Lock()
        self._tree = found.tree
        self._tail = found.bundle
        self._published = found.tree.size
        # What callers, committer and publisher tell one another.
        self._state = threading.Lock()
        self._arrived = threading.Condition(self._state)
        self._grown = threading.Condition(self._state)
        self._ending = threading.Condition(self._state)
        self._waiting: list[Waiting] = []
        self._size = 0
        self._checkpoint = ""
        self._failure: BaseException | None = None
        self._full: NoRoom | None = None
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._grow([(entry, leaf_hash(entry)) for entry in found.tail.entries])

    @classmethod
    def open(
        cls,
        folder: Path,
        state: Path,
        signer: Signer,
        *,
        disk: Disk | None = None,
        publish_every: float = 0.5,
        segment_size: int = SEGMENT_SIZE,
        oversight: Oversight | None = None,
    ) -> Log:
        """The log whose public part is `folder` and whose journal and lock are in `state`.

        A new log is made where there is none. What was published is verified in full (a million
        entries take about seven seconds), the journal's tail is replayed and published.
        EvidenceError, with file and entry, when anything published or in the middle of the journal
        is damaged, when the journal ends before the published checkpoint, when the key is another
        log's, or while another process has the log open. `publish_every` is in seconds,
        `segment_size`, of the journal's files, in bytes. With `oversight`, the log's witnesses have
        been asked once when this returns, before anything new can be signed; one that does not
        answer within the oversight's patience is not waited for.
        """
        disk = disk or Disk()
        with ExitStack() as held:
            try:
                for place in (state, folder):
                    disk.make_folder(place)
                held.callback(os.close, hold(state / "lock", os.O_RDWR | os.O_CREAT))
                held.callback(os.close, hold(folder, os.O_RDONLY | os.O_DIRECTORY))
                found = recover(folder, state / "journal", signer)
                publication = Publication(folder, disk)
                publication.tidy()
                journal = Journal(
                    state / "journal", owner_of(signer), disk, segment_size=segment_size
                )
                held.callback(journal.close)
                journal.start(found.tail)
                log = cls(signer, found, journal, publication, publish_every, oversight)
                publication.put_key(signer.vkey)
                if found.new or found.tail.entries:
                    log._publish()
                if oversight is not None:
                    oversight.started(folder, log._size)
                    oversight.published(log._checkpoint)
                    log._witness(oversight)
            except OSError as problem:
                raise EvidenceError(
                    str(problem.filename or state), f"the log cannot be opened: {problem.strerror}"
                ) from problem
            log._start(held.pop_all())
        return log

    @property
    def size(self) -> int:
        """The number of durable entries."""
        with self._state:
            return self._size

    def checkpoint(self) -> str:
        """The signed note over all durable entries; the published one can be a moment older."""
        with self._state:
            return self._checkpoint

    def require(self) -> None:
        """Raise unless the log can be relied on, so that nothing begins that could not be logged.

        LOG_CONTRADICTED, LOG_UNWITNESSED, or LOG_UNAVAILABLE after a failed write and on a full
        disk.
        """
        if self._oversight is not None:
            self._oversight.require()
        with self._state:
            self._require_writable()

    def next_request(self, witness: str, reply: Reply | None = None) -> bytes:
        """The next request to a witness that comes by itself; see `Oversight.next_request`."""
        if self._oversight is None:
            raise KeyError(witness)
        request = self._oversight.next_request(witness, reply)
        with self._state:
            self._heard = True
            self._grown.notify()
        return request

    def append(self, entry: bytes) -> Receipt:
        """The receipt of `entry`, once it is durable.

        EvidenceError for an entry over `LONGEST_ENTRY` bytes; Unavailable (LOG_UNAVAILABLE) after
        any failed write, until the process starts again, and while the disk is full;
        SHUTTING_DOWN after `close`.
        """
        waiting = Waiting(bytes(entry), leaf_hash(entry))
        self._enter(waiting)
        return waiting.result()

    def submit(self, entry: bytes) -> Future[Receipt]:
        """As `append`, without waiting; the future cannot be cancelled, for the entry stands.

        Raises LOG_CONTRADICTED too: such a log must never sign another checkpoint.
        """
        promised = Promised(bytes(entry), leaf_hash(entry))
        self._enter(promised)
        return promised.future

    def _enter(self, waiting: Waiting) -> None:
        if self._oversight is not None:
            self._oversight.require_no_contradiction()
        if len(waiting.entry) > LONGEST_ENTRY:
            raise EvidenceError("log entry", f"it is longer than {LONGEST_ENTRY} bytes")
        with self._state:
            self._require_writable()
            if self._closing:
                raise error("SHUTTING_DOWN")
            self._waiting.append(waiting)
            # For the others it is awake already, or waits until all have come.
            if len(self._waiting) == 1 or len(self._waiting) >= self.coming.count:
                self._arrived.notify()

    def _require_writable(self) -> None:
        stopped = self._failure or self._full
        if stopped is not None:
            raise error("LOG_UNAVAILABLE") from stopped

    def close(self) -> None:
        """Commit what waits, publish everything, ask the witnesses once, let go of the files.

        What a full disk has no room for is published by the next start. A second call is nothing.
        """
        with self._state:
            if self._closing:
                return
            self._closing = True
            self._wake()
        for thread in self._threads:
            thread.join()
        with self._held:
            if self._failure is None:
                try:
                    if self._size > self._published:
                        self._publish()
                    if self._oversight is not None:
                        # What came last could otherwise be cut off while the log is stopped.
                        self._witness(self._oversight)
                except NoRoom:
                    return  # the journal holds all of it
                except OSError as problem:
                    raise error("LOG_UNAVAILABLE") from problem

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _start(self, held: ExitStack) -> None:
        self._held = held
        for name, work in (("committer", self._commit_always), ("publisher", self._publish_always)):
            thread = threading.Thread(target=work, name=f"log-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _wake(self) -> None:
        self._arrived.notify_all()
        self._grown.notify_all()
        self._ending.notify_all()

    def _commit_always(self) -> None:
        while True:
            with self._state:
                self._arrived.wait_for(lambda: self._waiting or self._closing or self._failure)
                if self._failure is not None or not self._waiting:
                    return
                if self.coming.worth_waiting(len(self._waiting)):
                    self._arrived.wait_for(
                        lambda: self._closing or len(self._waiting) >= self.coming.count,
                        timeout=LINGER_SECONDS,
                    )
                batch = self._waiting[:LARGEST_BATCH]
                self._waiting = self._waiting[LARGEST_BATCH:]
            if not batch:
                continue  # they were refused meanwhile
            try:
                self._commit(batch)
            except NoRoom as problem:
                self._refuse(problem, batch)
            except BaseException as problem:  # noqa: BLE001 - whoever waits must be told
                self._fail(problem, batch)

    def _commit(self, batch: list[Waiting]) -> None:
        self._journal.append([waiting.entry for waiting in batch])
        # Only now may anything be signed: a checkpoint over what a crash can take back would be
        # a fork of the log.
        first, texts = self._grow([(waiting.entry, waiting.leaf) for waiting in batch])
        receipts = [
            Receipt(waiting.entry, index, waiting.leaf, text)
            for index, (waiting, text) in enumerate(zip(batch, texts, strict=True), start=first)
        ]
        for waiting, receipt in zip(batch, receipts, strict=True):
            waiting.tell(receipt)

    def _grow(self, entries: list[tuple[bytes, bytes]]) -> tuple[int, list[str]]:
        """Take durable entries and their leaf hashes into the tree; first index, and the proofs."""
        with self._edge:
            first = self._tree.size
            for _, leaf in entries:
                self._tree.append(leaf)
            self._tail += [entry for entry, _ in entries]
            size, node = self._tree.size, self._tree.node
            root = root_hash(size, node)
            paths = inclusion_proofs(first, size, node)
        checkpoint = Checkpoint(self._signer.name, size, root).sign(self._signer)
        if self._oversight is not None:
            self._oversight.grew(size)
        with self._state:
            self._size, self._checkpoint = size, checkpoint
            self._grown.notify()
        return first, TlogProof.texts(first, paths, checkpoint)

    def _fail(self, problem: BaseException, batch: list[Waiting]) -> None:
        """Stop for good: what a failed write or sync left behind, only a restart can tell."""
        with self._state:
            self._failure = self._failure or problem
            batch = batch + self._waiting
            self._waiting = []
            self._wake()
        self._tell(problem, batch)

    def _refuse(self, problem: NoRoom, batch: list[Waiting]) -> None:
        """Refuse everybody until there is room: nothing that was durable is touched by it."""
        with self._state:
            self._full = problem
            batch = batch + self._waiting
            self._waiting = []
            self._grown.notify()
        self._tell(problem, batch)

    @staticmethod
    def _tell(problem: BaseException, batch: list[Waiting]) -> None:
        for waiting in batch:
            if not waiting.told:
                unavailable = error("LOG_UNAVAILABLE")
                unavailable.__cause__ = problem
                waiting.tell(unavailable)

    def _publish_always(self) -> None:
        retry = None if self._oversight is None else RETRY_SECONDS
        while True:
            with self._state:
                self._grown.wait_for(
                    lambda: (
                        self._size > self._published
                        or self._heard
                        or self._full
                        or self._closing
                        or self._failure
                    ),
                    timeout=retry,
                )
                if self._closing or self._failure is not None:
                    return
                grown, self._heard = self._size > self._published, False
                full = self._full
            try:
                if full is not None:
                    self._journal.probe()
                if grown or full is not None:
                    self._publish()
                if self._oversight is not None:
                    self._witness(self._oversight)
            except NoRoom as problem:
                self._refuse(problem, [])
            except BaseException as problem:  # noqa: BLE001 - appends must stop too
                self._fail(problem, [])
            else:
                self._resume(full)
            with self._state:
                # Not `_grown`: every commit would wake this thread, for nothing.
                self._ending.wait_for(
                    lambda: self._closing or self._failure,
                    timeout=LOOK_SECONDS if self._full else self._publish_every,
                )

    def _resume(self, full: NoRoom | None) -> None:
        """Room was found after `full`, and everything is published; later news stands."""
        with self._state:
            if self._full is full:
                self._full = None

    def _witness(self, oversight: Oversight) -> None:
        """Ask the witnesses of what is published and show what they cosigned."""
        if oversight.outstanding:
            oversight.ask()
        note = oversight.cosigned()
        if note and note != self._shown:
            self._publication.show(note)
            self._shown = note

    def _publish(self) -> None:
        with self._state:
            size, checkpoint = self._size, self._checkpoint
        with self._edge:
            files = [(tile, self._render(tile)) for tile in grown_tiles(self._published, size)]
        self._publication.advance(files, checkpoint)
        with self._edge:
            first = self._published - self._published % TILE_WIDTH
            del self._tail[: size - size % TILE_WIDTH - first]
            self._tree.forget(size)
            self._published = size
        self._shown = checkpoint
        if self._oversight is not None:
            self._oversight.published(checkpoint)
        self._journal.drop(size)
        self._journal.prepare()

    def _render(self, tile: Tile) -> bytes:
        if tile.level == ENTRIES:
            at = tile.first - (self._published - self._published % TILE_WIDTH)
            return encode_bundle(self._tail[at : at + tile.width])
        level = TILE_HEIGHT * tile.level
        places = range(tile.first, tile.first + tile.width)
        return b"".join([self._tree.node(level, place) for place in places])
