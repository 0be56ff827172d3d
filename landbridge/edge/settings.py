"""Reading a server's TOML file strictly: what is unknown or missing is named, all of it at once."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class SettingsInvalid(Exception):
    """The file cannot be used; one sentence that names it and every problem in it."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        super().__init__(f"{where}: {'; '.join(problems)}")


class Section:
    """One table of the file. Every key is taken once; `done` refuses what nobody took."""

    def __init__(self, name: str, values: dict[str, Any], folder: Path, problems: list[str]):
        self.name = name
        self._values = dict(values)
        self._folder = folder
        self._problems = problems

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        return str(self._take(key, str, default))

    def integer(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        """A whole number, `least` or more."""
        value = self._take(key, int, default)
        if isinstance(value, bool) or (isinstance(value, int) and value < least):
            self._problems.append(f"{self.name}{key} must be a whole number above {least - 1}")
            return least
        return value if isinstance(value, int) else least

    def path(self, key: str, default: str | None = None) -> Path:
        """A path, relative to the file's own folder."""
        return self._folder / self.text(key, default)

    def optional_path(self, key: str) -> Path | None:
        """A path, relative to the file's own folder; None where the key is absent."""
        written = self.text(key, "")
        return self._folder / written if written else None

    def texts(self, key: str, default: Sequence[str]) -> tuple[str, ...]:
        """A list of texts."""
        value = self._values.pop(key, list(default))
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            self._problems.append(f"{self.name}{key} must be a list of texts")
            return tuple(default)
        return tuple(value)

    def tables(self, key: str) -> list[Section]:
        """The tables of an array; none where it is absent."""
        values = self._values.pop(key, [])
        if not isinstance(values, list) or not all(isinstance(table, dict) for table in values):
            self._problems.append(f"{self.name}{key} must be an array of tables, [[{key}]]")
            return []
        return [
            Section(f"{self.name}{key}[{place}].", table, self._folder, self._problems)
            for place, table in enumerate(values, start=1)
        ]

    def section(self, key: str) -> Section:
        """A table inside this one; an absent one is empty."""
        values = self._values.pop(key, {})
        if not isinstance(values, dict):
            self._problems.append(f"{self.name}{key} must be a table")
            values = {}
        return Section(f"{self.name}{key}.", values, self._folder, self._problems)

    def done(self) -> None:
        """Names every key that nobody took."""
        self._problems += [f"unknown key {self.name}{key}" for key in sorted(self._values)]

    def _take(self, key: str, kind: type, default: object) -> Any:
        value = self._values.pop(key, default)
        if value is None:
            self._problems.append(f"key {self.name}{key} is missing")
            return ""
        if not isinstance(value, kind):
            wanted = "text" if kind is str else "a whole number"
            self._problems.append(f"{self.name}{key} must be {wanted}")
            return "" if kind is str else 1
        return value


def open_settings(path: Path) -> tuple[Section, list[str]]:
    """The file's top table and the list that collects problems.

    Raises SettingsInvalid when there is no such file or it is no TOML.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise SettingsInvalid(str(path), [f"cannot be read ({failure.strerror})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as failure:
        raise SettingsInvalid(str(path), [f"is no TOML ({failure})"]) from None
    problems: list[str] = []
    return Section("", values, path.parent, problems), problems
