"""The words of a console in its readers' language. Owner file of Babel.

The English text is the message's id. Other languages are gettext catalogues (`words/<tag>.po` in a
room's folder), read as they are when a console starts: nothing has to be compiled or kept in step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from babel.core import Locale, UnknownLocaleError, parse_locale
from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from markupsafe import Markup, escape

LANGUAGES: Final[Mapping[str, str]] = {
    "en": "English",
    "zh-Hant": "繁體中文",
    "zh-Hans": "简体中文",
}
"""Tag (BCP 47) to what its readers call it."""
COOKIE: Final = "__Host-landbridge-language"
FOLDER: Final = Path(__file__).parent / "words"
_TRADITIONAL: Final = frozenset({"TW", "HK", "MO"})


@dataclass(frozen=True, slots=True)
class Language:
    """One language, for one page."""

    tag: str
    _messages: Mapping[str, str] = field(repr=False)

    def text(self, message: str) -> str:
        """The message in this language; itself where nobody has translated it."""
        return self._messages.get(message) or message

    def __call__(self, message: str, **values: object) -> Markup:
        """The message as markup, with its %(name)s filled in; what is filled in is escaped."""
        said = Markup(escape(self.text(message)))  # noqa: S704 - escaped here
        return said % values if values else said

    def number(self, value: float, digits: int = 0) -> str:
        """The number as this language groups it, with at most so many decimals."""
        pattern = "#,##0" + ("." + "#" * digits if digits else "")
        return str(format_decimal(value, format=pattern, locale=self._locale))

    def share(self, value: float) -> str:
        """A part of one, in per cent."""
        return str(format_percent(value, format="#,##0%", locale=self._locale))

    def day(self, moment: datetime) -> str:
        """The day, with its weekday."""
        return str(format_date(moment, format="EEE d MMM y", locale=self._locale))

    @property
    def _locale(self) -> Locale:
        return Locale.parse(self.tag, sep="-")


class Words:
    """Every language's messages: of what all consoles share, and of these folders.

    A language is there when each of them has it.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._languages = {"en": Language("en", {})}
        whole = (FOLDER, *folders)
        for tag in LANGUAGES:
            found = [path for folder in whole if (path := folder / f"{tag}.po").exists()]
            if len(found) == len(whole):
                messages = {name: text for path in found for name, text in _read(path).items()}
                self._languages[tag] = Language(tag, messages)

    @property
    def names(self) -> Mapping[str, str]:
        """The languages that there are, by tag, in what their readers call them."""
        return {tag: name for tag, name in LANGUAGES.items() if tag in self._languages}

    def named(self, tag: str) -> Language | None:
        """The language of that tag, exactly."""
        return self._languages.get(tag)

    def wanted(self, kept: str, accepted: str) -> Language:
        """The one that was chosen before, or the first acceptable one (RFC 9110, 12.5.4)."""
        if kept in self._languages:
            return self._languages[kept]
        for tag in _preferred(accepted):
            try:
                language, territory, script = parse_locale(tag, sep="-")[:3]
            except (ValueError, UnknownLocaleError):
                continue
            if language == "en":
                return self._languages["en"]
            if language == "zh":
                traditional = script == "Hant" or (script is None and territory in _TRADITIONAL)
                wanted = "zh-Hant" if traditional else "zh-Hans"
                if wanted in self._languages:
                    return self._languages[wanted]
        return self._languages["en"]


def _read(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem.replace("-", "_"))
    return {
        message.id: message.string
        for message in catalogue
        if isinstance(message.id, str)
        and isinstance(message.string, str)
        and message.id
        and not message.fuzzy
    }


def _preferred(accepted: str) -> list[str]:
    """Tags by their quality, the highest first."""
    found: list[tuple[float, str]] = []
    for part in accepted[:500].split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            found.append((-float(quality or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for quality, tag in sorted(found, key=lambda each: each[0]) if quality and tag]
