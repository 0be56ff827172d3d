"""What a server says of itself in its log: that it began, under which rules, what changed, that it
ended.

The comparison is with the last start in the log itself, so that nobody can make a change unseen by
taking a file away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from landbridge.edge.record import Recorder
from landbridge.evidence.archive import archived
from landbridge.evidence.entry import Entry
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.merkle import TILE_WIDTH
from landbridge.evidence.tiles import ENTRIES, Tile, TileFolder

MEMBER: Final = "member:"
"""What the name of a member's digest begins with."""
_MARK: Final = b'"kind":"start"'
_CHANGE: Final = b'"kind":"policy_change"'
"""In canonical JSON no text can hold it: a quotation mark inside a text is escaped."""


def program() -> str:
    """Name and version of what runs."""
    try:
        return f"landbridge {version('landbridge')}"
    except PackageNotFoundError:
        return "landbridge, from its source tree"


def begin(
    recorder: Recorder,
    folder: Path,
    size: int,
    digests: Mapping[str, str],
    *,
    unknown: tuple[str, ...] = (),
    policy: str = "",
    followed: tuple[str, ...] = ("",),
) -> None:
    """Logs the start, before it what is another than at the last one.

    `digests` are SHA-256, hexadecimal, by name: `access`, `contract:<id>`, `handler:<name>`,
    `group:<name>`, `member:<department>`. What begins with one of `unknown` cannot be told now; its
    last digests are carried on. `policy` is the digest in force, as changes of it are logged while
    the server runs: where the last of them since that start says this one, what begins with one of
    `followed` has been told already. `folder` is the published log, `size` its number of entries.
    Raises LOG_UNAVAILABLE, and EvidenceError where the log cannot be read.
    """
    found = _last_start(folder, size)
    now = dict(digests)
    if found is not None:
        before = found.entry.digests
        told = followed if policy and found.policy == policy else ()
        carried = {name: value for name, value in before.items() if name.startswith(unknown)}
        now = {**carried, **now}
        for kind, member in (("policy_change", False), ("membership_change", True)):
            changed = [
                line
                for line, name in _differences(before, now)
                if name.startswith(MEMBER) == member and (member or not name.startswith(told))
            ]
            if changed:
                recorder.event(kind, program=program(), changed=changed)
    recorder.event("start", program=program(), digests=now)


def end(recorder: Recorder) -> None:
    """Logs that the server ended in order; raises LOG_UNAVAILABLE."""
    recorder.event("stop", program=program())


def last_start(folder: Path, size: int) -> Mapping[str, str] | None:
    """The digests in the last entry of kind start among the first `size`; None without any."""
    found = _last_start(folder, size)
    return None if found is None else found.entry.digests


def last_start_index(folder: Path, size: int) -> int | None:
    """Where that entry stands."""
    found = _last_start(folder, size)
    return None if found is None else found.index


@dataclass(frozen=True, slots=True)
class _Start:
    """The last start; `policy` is the digest that the last change of policy since then says."""

    index: int
    entry: Entry
    policy: str


def _last_start(folder: Path, size: int) -> _Start | None:
    files = TileFolder(folder)
    policy = ""
    # The archive holds none: the last start is never moved there.
    for number in reversed(range(archived(folder) // TILE_WIDTH, -(-size // TILE_WIDTH))):
        tile = Tile(ENTRIES, number, min(TILE_WIDTH, size - number * TILE_WIDTH))
        for place, content in reversed(list(enumerate(files.entries(tile)))):
            if _MARK not in content and (policy or _CHANGE not in content):
                continue
            try:
                entry = Entry.from_bytes(content)
            except EvidenceError:
                continue  # another version's: nothing to compare with
            if entry.kind == "start":
                return _Start(tile.first + place, entry, policy)
            if entry.kind == "policy_change" and entry.outcome != "refused" and not policy:
                policy = entry.policy_digest
    return None


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """A line for every name whose digest is another."""
    return [line for line, _ in _differences(before, now)]


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str]]:
    """A line for a person and the name, for every name whose digest is another."""
    found = []
    for name in sorted({*before, *now}):
        if name not in before:
            found.append((f"added {name}", name))
        elif name not in now:
            found.append((f"removed {name}", name))
        elif before[name] != now[name]:
            found.append((f"changed {name}", name))
    return found
