"""What a log finds when it starts: the published part, verified, and the journal's tail."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from landbridge.evidence.audit import verify_folder
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.journal import Replay, replay
from landbridge.evidence.merkle import TILE_WIDTH, Tree, leaf_hash
from landbridge.evidence.signer import Signer
from landbridge.evidence.tiles import ENTRIES, Tile, TileFolder


@dataclass(frozen=True, slots=True)
class Recovered:
    """`tree` over what is published, the `bundle` of entries at its edge, and the `tail` after it.

    `new`: nothing at all is published yet.
    """

    tree: Tree
    bundle: list[bytes]
    tail: Replay
    new: bool


def hold(path: Path, flags: int) -> int:
    """A descriptor that keeps `path` for this process alone, until it is closed."""
    file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise EvidenceError(
            str(path), "another process has this log open; stop it, or give this one its own folder"
        ) from None
    return file


def owner_of(signer: Signer) -> bytes:
    """How a journal names the log that it belongs to."""
    return sha256(signer.vkey.encode()).digest()


def recover(folder: Path, journal: Path, signer: Signer) -> Recovered:
    """What is published in `folder` and goes on in `journal`; reads only.

    EvidenceError, with file and entry, for damage, for a journal that ends before the published
    checkpoint or begins after it, and for another log's key.
    """
    new = not (folder / "checkpoint").exists()
    size = 0 if new else verify_folder(folder, signer.vkey, without_archive=True).size
    held = replay(journal, owner_of(signer))
    if held is None:
        if size:
            raise EvidenceError(
                str(journal),
                f"there is no journal, but {size} entries are published; restore the state folder, "
                "or start a new log under a new name",
            )
        held = Replay(0, [], 0, 0)
    files = TileFolder(folder)
    _check_continues(files, journal, size, held)
    tree = Tree.resume(size, files.edge(size))
    number, width = divmod(size, TILE_WIDTH)
    bundle = files.entries(Tile(ENTRIES, number, width)) if width else []
    tail = Replay(size, held.entries[size - held.first :], held.sequence, held.cut)
    return Recovered(tree, bundle, tail, new)


def _check_continues(files: TileFolder, journal: Path, size: int, held: Replay) -> None:
    """Raise unless the journal goes on from what is published."""
    if held.end < size:
        raise EvidenceError(
            str(journal),
            f"it ends at entry {held.end}, but {size} entries are published: the state folder is "
            "damaged, or older than the published log",
        )
    if held.first > size:
        raise EvidenceError(
            str(files.folder),
            f"{size} entries are published, but the journal begins at entry {held.first}: the "
            "published folder is damaged, or older than the journal",
        )
    number, leaves = -1, list[bytes]()
    for index in range(held.first, size):
        if index // TILE_WIDTH != number:
            number = index // TILE_WIDTH
            leaves = files.hashes(Tile(0, number, min(TILE_WIDTH, size - number * TILE_WIDTH)))
        if leaf_hash(held.entries[index - held.first]) != leaves[index % TILE_WIDTH]:
            raise EvidenceError(str(journal), f"entry {index} is not the one that was published")
