"""Which code a long run was made on: a commit, and whether it was that and nothing else.

Pages are no code: a run writes its table into one, and the next run on that commit is on the same
code. So what is compared is a digest of all files but `docs` and the pages at its root.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
GIT: Final = shutil.which("git") or "git"


@dataclass(frozen=True, slots=True)
class Tree:
    """`code` is the digest, of files as they are; `clean`: it is that of the commit."""

    commit: str
    code: str
    clean: bool

    def __str__(self) -> str:
        return self.commit[:12] + ("" if self.clean else " with changes that are not committed")


def here(root: Path = ROOT) -> Tree:
    """The tree as it is now; of no commit, and never clean, where git does not keep it."""
    try:
        (commit,) = _git(root, "rev-parse", "HEAD")
        kept = _git(root, "ls-files", "--stage", "-z")
        changed = [
            *_git(root, "diff", "--name-only", "-z", "HEAD"),
            *_git(root, "ls-files", "--others", "--exclude-standard", "-z"),
        ]
    except (OSError, subprocess.CalledProcessError):
        return Tree("no commit", "none", clean=False)
    places = (line.partition("\t") for line in kept)
    files = {path: place for place, _, path in places}
    changed = [path for path in changed if not _page(path)]
    for path in changed:
        file = root / path
        files[path] = sha256(file.read_bytes()).hexdigest() if file.is_file() else "gone"
    said = "\0".join(f"{path}\t{at}" for path, at in sorted(files.items()) if not _page(path))
    return Tree(commit.strip(), sha256(said.encode()).hexdigest()[:12], not changed)


def _page(path: str) -> bool:
    return path.startswith("docs/") or ("/" not in path and path.endswith(".md"))


def _git(root: Path, *words: str) -> list[str]:
    said = subprocess.run([GIT, *words], cwd=root, check=True, capture_output=True).stdout
    return [each for each in said.decode().split("\0") if each]
