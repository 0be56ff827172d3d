"""What a page of the console is given and gives: values, no sockets and no templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.console.roles import Roles
from landbridge.edge.record import Draft
from landbridge.web.front import Visit


@dataclass(frozen=True, slots=True)
class Looking:
    """A visit by somebody whose roles are known; `draft` is the entry that it will leave.

    `place` holds what stands in the address's path, by name; `now` is in seconds since 1970.
    """

    visit: Visit
    roles: Roles
    draft: Draft
    now: float
    place: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its template and what it is filled with; `note` says in the log what was looked at.

    It holds nothing but what was filtered by: never a plain name of a person.
    """

    template: str
    values: Mapping[str, Any]
    note: str


@dataclass(frozen=True, slots=True)
class Data:
    """Something for a program or a file; `headers` as HTTP has them."""

    body: bytes | Iterable[bytes]
    kind: str
    note: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """Something was done; the browser goes on to `place`."""

    place: str
    note: str


class View(Protocol):
    """One page of the console. It raises a refusal of the catalogue."""

    def __call__(self, looking: Looking) -> Page | Data | Done:
        """What is shown."""
        ...
