"""Who changed a policy's file: what git says of it, and whose the file is.

Git is asked only where the file lies in a working tree of its, and believed only of a commit that
holds these very bytes. It does not check names; the page says so. Its own rule about folders of
other users (safe.directory) stands, and nothing that a folder's configuration could run is run.
"""

from __future__ import annotations

import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gateway.console.versions import Author

SECONDS: Final = 5.0
LONGEST: Final = 200
_QUIET: Final = (
    "--no-pager",
    "-c", "core.fsmonitor=false",
    "-c", "log.showSignature=false",
    "-c", "core.hooksPath=/dev/null",
)  # fmt: skip
_FOUND_BY: Final = ("PATH", "HOME", "XDG_CONFIG_HOME")
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C.UTF-8",
}


def author_of(path: Path, text: bytes, environment: Mapping[str, str]) -> Author | None:
    """Who committed that text as the file's latest version; None where git does not say.

    Of `environment` git gets what it and its configuration are found by, and nothing else.
    """
    environment = {name: environment[name] for name in _FOUND_BY if name in environment}
    said = _git(path, environment, "log", "-1", "--format=%an <%ae>%x00%H%x00%cI", "--", path.name)
    name, commit, when = (said.decode("utf-8", "replace").strip().split("\0") + [""] * 3)[:3]
    if not commit:
        return None
    # What is committed, not what lies there: a change that nobody committed has no author.
    if _git(path, environment, "cat-file", "blob", f"{commit}:./{path.name}") != text:
        return None
    return Author(_printable(name), _printable(commit)[:40], _printable(when))


def owner_of(path: Path) -> str:
    """The user of this machine whose file it is."""
    user = path.stat().st_uid
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _git(path: Path, environment: Mapping[str, str], *words: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", *_QUIET, "-C", str(path.parent), *words],  # noqa: S607 - the operator's PATH
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            env={**environment, **_ENVIRONMENT},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def _printable(text: str) -> str:
    return "".join(each for each in text[:LONGEST] if each.isprintable())
