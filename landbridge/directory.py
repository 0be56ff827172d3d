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
class OfferedRole:
    """A role that answers for a contract, and how its team calls whoever has it."""

    role: str
    who: str
    description: str


@dataclass(frozen=True, slots=True)
class OfferedChannel:
    """A way to reach those who answer for a contract."""

    name: str
    url: str
    description: str


@dataclass(frozen=True, slots=True)
class OfferedProcedure:
    """A procedure of the gateway that this caller may open."""

    name: str
    title: str
    description: str
    purposes: tuple[str, ...]
    departments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfferedGroup:
    """A group in which this caller takes part, as "department.group"."""

    name: str
    title: str


@dataclass(frozen=True, slots=True)
class OfferedContract:
    """A table that a department answers questions about.

    `method` is how answers are protected ("dp", "cell_key", "exact" or "unprotected"), `unit`
    the column whose values are protected, empty where the table describes nobody. `queryable`:
    policy answers some questions; `consultable`: an officer of the owner considers others
    (`client.consult`). `submittable`: this caller may hand in records or reports, by the rules that
    `collects` says in words; `watchable`: they may make watches. `team`, `roles` and `channels` say
    who answers for it and how to reach them. `as_of` is the day that the data are of, where their
    owner said so.
    """

    id: str
    description: str
    method: str
    unit: str
    columns: tuple[OfferedColumn, ...]
    purposes: tuple[str, ...]
    title: str = ""
    version: str = ""
    consultable: bool = False
    queryable: bool = True
    team: str = ""
    roles: tuple[OfferedRole, ...] = ()
    channels: tuple[OfferedChannel, ...] = ()
    submittable: bool = False
    collects: str = ""
    watchable: bool = False
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class OfferedHandler:
    """A handler that replies for one subject with one of `codes`."""

    name: str
    description: str
    arguments: tuple[str, ...]
    codes: tuple[str, ...]
    purposes: tuple[str, ...]
    consultable: bool = False
    queryable: bool = True


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
    """The members, the procedures that join their handlers, and the groups of the caller."""

    members: tuple[Member, ...]
    federation: str = ""
    procedures: tuple[OfferedProcedure, ...] = ()
    groups: tuple[OfferedGroup, ...] = ()
