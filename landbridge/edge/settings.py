"""Reading a server's TOML file strictly: what is unknown or missing is named, all of it at once.

Every setting can be given by an environment variable instead, by one rule: the server's prefix
(`LANDBRIDGE_GATEWAY__` or `LANDBRIDGE_NODE__`), then the names of table and key in capitals with
two underscores between them, as in `LANDBRIDGE_NODE__LIMITS__MEMORY_MB=2048`. Text stands as it is;
whatever else, as TOML writes it. The variable outweighs the file. No setting is itself a secret:
each secret is a file that a setting names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_DEPARTMENT: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")


@dataclass(frozen=True, slots=True)
class Known:
    """A setting that a server reads: for its documentation, and for nothing else.

    `kind` is text, number, path, list or tables; `default` is None where it must be given.
    """

    name: str
    kind: str
    default: object


class _Variable(str):
    """A value from the environment: text until somebody asks for something else."""

    __slots__ = ()

    def value(self, kind: type) -> object:
        """What the text says, read as TOML unless text is meant; itself where that fails."""
        if kind is str:
            return str(self)
        try:
            return tomllib.loads(f"value = {self}")["value"]
        except (ValueError, RecursionError):  # no TOML, or a number of thousands of digits
            return str(self)


class SettingsInvalid(Exception):
    """The file cannot be used; one sentence that names it and every problem in it."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        super().__init__(f"{where}: {'; '.join(problems)}")


class Section:
    """One table of the file. Every key is taken once; `done` refuses what nobody took."""

    def __init__(
        self,
        name: str,
        values: dict[str, Any],
        folder: Path,
        problems: list[str],
        known: list[Known] | None = None,
    ):
        self.name = name
        self._values = dict(values)
        self._folder = folder
        self._problems = problems
        self._known = known if known is not None else []

    def text(self, key: str, default: str | None = None) -> str:
        """A string without control or invisible characters: it may be shown on a terminal."""
        self._note(key, "text", default)
        value = str(self._take(key, str, default))
        if not value.isprintable():
            self._problems.append(f"{self.name}{key} must hold no control or invisible characters")
        return value

    def department(self, key: str) -> str:
        """A department's name, which stands in paths and policies as it is."""
        before = len(self._problems)
        value = self.text(key)
        if len(self._problems) == before and not _DEPARTMENT.fullmatch(value):
            self._problems.append(
                f"{self.name}{key} must be a lower-case letter, then at most 30 lower-case "
                "letters, digits and underscores"
            )
        return value

    def integer(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        """A whole number, `least` or more."""
        self._note(key, "number", default)
        value = self._take(key, int, default)
        if isinstance(value, bool) or (isinstance(value, int) and value < least):
            self._problems.append(f"{self.name}{key} must be a whole number above {least - 1}")
            return least
        return value if isinstance(value, int) else least

    def boolean(self, key: str, *, default: bool) -> bool:
        """True or false."""
        self._note(key, "true or false", default)
        return bool(self._take(key, bool, default))

    def path(self, key: str, default: str | None = None) -> Path:
        """A path, relative to the file's own folder."""
        self._note(key, "path", default)
        return self._folder / str(self._take(key, str, default))

    def optional_path(self, key: str) -> Path | None:
        """A path, relative to the file's own folder; None where the key is absent."""
        self._note(key, "path", "")
        written = str(self._take(key, str, ""))
        return self._folder / written if written else None

    def texts(self, key: str, default: Sequence[str]) -> tuple[str, ...]:
        """A list of texts."""
        self._note(key, "list", list(default))
        value = self._pop(key, list, list(default))
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            self._problems.append(f"{self.name}{key} must be a list of texts")
            return tuple(default)
        return tuple(value)

    def tables(self, key: str) -> list[Section]:
        """The tables of an array; none where it is absent."""
        self._note(key, "tables", [])
        values = self._pop(key, list, [])
        if not isinstance(values, list) or not all(isinstance(table, dict) for table in values):
            self._problems.append(f"{self.name}{key} must be an array of tables, [[{key}]]")
            return []
        return [
            Section(f"{self.name}{key}[{place}].", table, self._folder, self._problems, self._known)
            for place, table in enumerate(values, start=1)
        ]

    def section(self, key: str) -> Section:
        """A table inside this one; an absent one is empty."""
        values = self._pop(key, dict, {})
        if not isinstance(values, dict):
            self._problems.append(f"{self.name}{key} must be a table")
            values = {}
        return Section(f"{self.name}{key}.", values, self._folder, self._problems, self._known)

    def done(self) -> None:
        """Names every key that nobody took."""
        self._problems += [f"unknown key {self.name}{key}" for key in sorted(self._values)]

    def _note(self, key: str, kind: str, default: object) -> None:
        self._known.append(Known(f"{self.name}{key}", kind, default))

    def _pop(self, key: str, kind: type, default: object) -> Any:
        value = self._values.pop(key, default)
        return value.value(kind) if isinstance(value, _Variable) else value

    def _take(self, key: str, kind: type, default: object) -> Any:
        value = self._pop(key, kind, default)
        if value is None:
            self._problems.append(f"key {self.name}{key} is missing")
            return ""
        if not isinstance(value, kind):
            wanted = {str: "text", bool: "true or false"}.get(kind, "a whole number")
            self._problems.append(f"{self.name}{key} must be {wanted}")
            return kind() if kind is not int else 1
        return value


def open_settings(
    path: Path,
    prefix: str = "",
    environment: Mapping[str, str] = NOTHING,
    known: list[Known] | None = None,
) -> tuple[Section, list[str]]:
    """The file's top table and the list that collects problems.

    Variables of `environment` that begin with `prefix` outweigh the file. `known` collects what is
    asked for. Raises SettingsInvalid when there is no such file or it is no TOML.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as failure:
        raise SettingsInvalid(str(path), [f"cannot be read ({failure.strerror})"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise SettingsInvalid(str(path), [f"is no TOML ({failure})"]) from None
    except ValueError:
        raise SettingsInvalid(str(path), ["holds a number of thousands of digits"]) from None
    problems: list[str] = []
    for name in sorted(environment):
        if name.startswith(prefix):
            _put(values, name, prefix, environment[name], problems)
    return Section("", values, path.parent, problems, known), problems


def variable(prefix: str, name: str) -> str:
    """The environment variable that gives a setting, for example of `limits.memory_mb`."""
    return prefix + name.upper().replace(".", "__")


def _put(values: dict[str, Any], name: str, prefix: str, text: str, problems: list[str]) -> None:
    *tables, key = name.removeprefix(prefix).lower().split("__")
    place: Any = values
    for table in tables:
        place = place.setdefault(table, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict) or not key or name != name.upper():
        problems.append(f"the environment variable {name} names no setting")
    else:
        place[key] = _Variable(text)
