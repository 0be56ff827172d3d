"""What may be published of a log: checkpoint, tiles and key, derived from the journal.

Every file arrives by rename and whole. Tiles are durable before the checkpoint that needs them
takes its place, so that a reader who starts from the checkpoint always finds the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from landbridge.evidence.disk import TEMPORARY, Disk
from landbridge.evidence.tiles import Tile


class Publication:
    """The folder of a log, as its one writer sees it."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk

    def tidy(self) -> None:
        """Remove what a crash left over: unfinished files, and partial tiles that have a full one.

        Run it when the checkpoint is known to hold.
        """
        for leftover in list(self._folder.rglob(f"*{TEMPORARY}")):
            self._disk.remove(leftover)
        for partial in list(self._folder.rglob("*.p")):
            if partial.with_suffix("").exists():
                self._disk.remove_folder(partial)

    def put_key(self, vkey: str) -> None:
        """Publish the verifier key, once."""
        path = self._folder / "vkey"
        if not path.exists():
            self._disk.make_folder(self._folder)
            self._disk.put(path, f"{vkey}\n".encode())
            self._disk.sync_folder(self._folder)

    def advance(self, files: Iterable[tuple[Tile, bytes]], checkpoint: str) -> None:
        """Publish tiles and bundles, then the checkpoint that covers them; all durable after."""
        folders: dict[Path, None] = {}
        full: list[Tile] = []
        for tile, content in files:
            path = self._folder / tile.path
            self._disk.make_folder(path.parent)
            self._disk.put(path, content)
            folders[path.parent] = None
            if tile == tile.full:
                full.append(tile)
        for folder in folders:
            self._disk.sync_folder(folder)
        self.show(checkpoint)
        # A partial tile may go once the full one can be had instead (tlog-tiles, Partial Tiles).
        for tile in full:
            partial = self._folder / f"{tile.path}.p"
            if partial.is_dir():
                self._disk.remove_folder(partial)

    def show(self, checkpoint: str) -> None:
        """Publish a checkpoint whose tiles are there, durably."""
        self._disk.put(self._folder / "checkpoint", checkpoint.encode())
        self._disk.sync_folder(self._folder)
