"""What a browser asks and what it is answered, as values; `door` carries them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. `query` and `form` hold every value of a name, in their order.

    `headers` are by lower-case name, `peer` is the address that the connection came from.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""

    def one(self, name: str) -> str:
        """The first value of that name in the query, empty without one."""
        return next(iter(self.query.get(name, ())), "")

    def field(self, name: str) -> str:
        """The first value of that name in the form, empty without one."""
        return next(iter(self.form.get(name, ())), "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; a body that is iterated over is sent as it comes."""

    status: int
    body: bytes | Iterable[bytes] = b""
    kind: str = HTML
    headers: tuple[tuple[str, str], ...] = ()

    def setting(self, *cookies: str) -> Reply:
        """The same, with these Set-Cookie lines."""
        more = tuple(("set-cookie", each) for each in cookies)
        return Reply(self.status, self.body, self.kind, (*self.headers, *more))


Answer = Callable[[Ask], Reply]
"""A site: it may be called by many threads at a time."""


def see(place: str) -> Reply:
    """Go there (303), with a plain GET."""
    return Reply(303, b"", headers=(("location", place),))


def own_place(text: str) -> str:
    """The text where it is a path of this site, else "/": nobody is sent elsewhere by a link."""
    parts = urlsplit(text)
    fits = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if fits and not parts.scheme and not parts.netloc and "\\" not in text else "/"
