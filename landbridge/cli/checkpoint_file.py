"""The auditor's memory of a log: the last checkpoint that was verified, as the log signed it.

It is a C2SP signed note, so that other people's tools read it, and so that it convicts the log's
keeper by itself should a later checkpoint contradict it.
"""

from __future__ import annotations

from pathlib import Path

from landbridge.cli.ending import OperatorError, sentence
from landbridge.evidence.disk import Disk


def keep(file: Path, checkpoint: str) -> None:
    """Puts the signed note in the place of an earlier one, whole or not at all, and durably."""
    disk = Disk()
    try:
        disk.put(file, checkpoint.encode())
        disk.sync_folder(file.absolute().parent)
    except OSError as problem:
        raise OperatorError(sentence(problem)) from None
