"""Who there is to ask, and what: the members of a federation as far as the caller may use them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OfferedColumn:
    """A column that can be asked about; with `grouping` it can be grouped by as it is."""

    name: str
    type: str
    level: str
    description: str
    grouping: bool


@dataclass(frozen=True, slots=True)
class OfferedContract:
    """A table that a department answers questions about.

    `method` is how answers are protected ("dp" or "unprotected"), `unit` the column whose values
    are protected, empty where the table describes nobody.
    """

    id: str
    description: str
    method: str
    unit: str
    columns: tuple[OfferedColumn, ...]
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferedHandler:
    """A handler that replies for one subject with one of `codes`."""

    name: str
    description: str
    arguments: tuple[str, ...]
    codes: tuple[str, ...]
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A department; `reachable` says whether its node answered the gateway lately."""

    department: str
    title: str
    reachable: bool
    contracts: tuple[OfferedContract, ...]
    handlers: tuple[OfferedHandler, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """The federation's members."""

    members: tuple[Member, ...]
