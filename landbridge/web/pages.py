"""Pages from templates. Owner file of Jinja2.

Everything that is filled in is escaped; a name that nobody gave is an error, not an empty place.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from landbridge.web.asking import Reply

FOLDER: Final = Path(__file__).parent
_KINDS: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Pages:
    """The templates in `folders`, each with its static files in `static`; the first one counts.

    What all consoles share, in this room, comes after them.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = (*folders, FOLDER)
        self._environment = Environment(
            loader=FileSystemLoader([folder / "templates" for folder in self._folders]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._static = {
            path.name: (path.read_bytes(), _kind(path))
            for folder in reversed(self._folders)
            for path in sorted((folder / "static").glob("*"))
            if path.is_file()
        }

    def render(self, template: str, **values: Any) -> bytes:
        """The page in UTF-8."""
        return self._environment.get_template(template).render(**values).encode()

    def static(self, name: str) -> Reply | None:
        """One of the site's own files; None where there is no such one."""
        found = self._static.get(name)
        if found is None:
            return None
        content, kind = found
        return Reply(200, content, kind, (("cache-control", "max-age=3600"),))


def _kind(path: Path) -> str:
    return _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
