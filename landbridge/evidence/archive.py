"""Moving the old part of a log to cold storage: its full bundles of entries, file by file.

The hashes stay, 32 bytes for each entry, so that a log without its old entries still proves that it
was not rewritten, and every moved bundle can be checked when it is brought back. The file
`archived` in the log's folder says how many entries were moved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from landbridge.evidence.checkpoint import parse_count
from landbridge.evidence.disk import Disk, read_file
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import TILE_WIDTH, leaf_hash
from landbridge.evidence.tiles import ENTRIES, Tile, TileFolder

MARK: Final = "archived"


def archived(folder: Path) -> int:
    """How many entries of the log in `folder` were moved, a multiple of 256; 0 for none."""
    path = folder / MARK
    if not path.exists():
        return 0
    text = read_file(path).decode(errors="replace")
    count = parse_count(text.removesuffix("\n"), str(path))
    if count % TILE_WIDTH:
        raise EvidenceError(str(path), f"it must be a multiple of {TILE_WIDTH}")
    return count


def archive(folder: Path, target: Path, entries: int, disk: Disk) -> int:
    """Moves the full bundles of the first `entries` entries to `target`; how many entries that is.

    A bundle is written and synced there, and read back and held against its hashes, before it goes
    from here. A crash leaves every bundle in one place at least; the same call again goes on.
    EvidenceError where a bundle is not what its hashes say.
    """
    files = TileFolder(folder)
    before = archived(folder)
    bundles = max(entries // TILE_WIDTH, before // TILE_WIDTH)
    moving = []
    for number in range(bundles):
        tile = Tile(ENTRIES, number, TILE_WIDTH)
        if not (folder / tile.path).exists() and number < before // TILE_WIDTH:
            continue  # moved earlier, perhaps elsewhere
        _copy(files, tile, target, disk)
        moving.append(folder / tile.path)
    if bundles * TILE_WIDTH > before:
        disk.put(folder / MARK, f"{bundles * TILE_WIDTH}\n".encode())
        disk.sync_folder(folder)
    for path in moving:
        disk.remove(path)
    return bundles * TILE_WIDTH


def _copy(files: TileFolder, tile: Tile, target: Path, disk: Disk) -> None:
    content = read_file(files.folder / tile.path)
    path = target / tile.path
    disk.make_folder(path.parent)
    disk.put(path, content)
    disk.sync_folder(path.parent)
    leaves = [leaf_hash(entry) for entry in TileFolder(target).entries(tile)]
    if leaves != files.hashes(Tile(0, tile.index, TILE_WIDTH)):
        raise EvidenceError(str(path), "the bundle is not what its hashes in the log say")
