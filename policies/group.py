"""A declared group: who is registered in it, and its channels.

Notices go down, from officers of the department to the members; reports come up, under contracts
of the department that collect; polls take one ballot of each person, under a contract whose owner
fills in who hands in; declared questions are what members may ask, and nothing else. One YAML file
at the department that owns the group, docs/groups.md describes every key. Who takes part is the
access policy's to say (the action `take_part`): a file permits nobody anything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from policies.canonical import text as written
from policies.contract import Column, Contract, Type
from policies.document import DocumentInvalid, parse
from policies.place import Place, Problems
from policies.question import Count, Question, Whole

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_ROLE: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_KEYS: Final = ("group", "title", "purpose", "notices", "reports", "polls", "questions")
_REGISTERED: Final = re.compile(r"(\S{1,255})[ \t]+(\S{1,255})")
MOST_REGISTERED: Final = 1_000_000
MOST_CHANNELS: Final = 100
LONGEST_TITLE: Final = 200
BALLOTS: Final = "ballots"
"""What the released number of a poll's result is called."""

Person = tuple[str, str]
"""An organisation and a subject, as tokens name them: who is registered."""


class GroupInvalid(Exception):
    """The text is no group; the message names the file and every problem."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        super().__init__(f"{where}: " + "; ".join(problems))


@dataclass(frozen=True, slots=True)
class Poll:
    """One ballot of each person. `column` is what is voted on, `options` what it may be.

    `second`: the department that holds the other share of every ballot; empty where the owner
    alone counts.
    """

    name: str
    title: str
    contract: str
    column: str
    options: tuple[str, ...]
    second: str

    @property
    def result(self) -> Question:
        """What is asked when it is over, of a poll that the owner counts."""
        return Question(self.contract, (Count(),), (Whole(self.column),))


@dataclass(frozen=True, slots=True)
class Declared:
    """A question that members may ask: rows counted `by` columns; `micro_epsilon` 0: the usual."""

    name: str
    title: str
    contract: str
    by: tuple[str, ...]
    micro_epsilon: int

    @property
    def question(self) -> Question:
        """As it crosses the wire."""
        return Question(self.contract, (Count(),), tuple(map(Whole, self.by)))


@dataclass(frozen=True)
class Group:
    """`publishers` is the role that publishes notices, empty where there are none.

    `reports` are contracts; `registered` the people of the file beside it. `digest` is the SHA-256
    of its text in hex.
    """

    name: str
    title: str
    purpose: str
    publishers: str
    reports: tuple[str, ...]
    polls: tuple[Poll, ...]
    questions: tuple[Declared, ...]
    registered: frozenset[Person]
    digest: str

    @property
    def contracts(self) -> frozenset[str]:
        """Those under which members alone hand in: of reports and of polls."""
        return frozenset((*self.reports, *(poll.contract for poll in self.polls)))

    @cached_property
    def declared(self) -> frozenset[str]:
        """The questions that members may ask, in their one spelling; results of polls are some."""
        return frozenset((
            *(written(each.question) for each in self.questions),
            *(written(poll.result) for poll in self.polls if not poll.second),
        ))  # fmt: skip


def read(text: str, where: str, department: str, contracts: Mapping[str, Contract]) -> Group:
    """The group of that text, with nobody registered; raises GroupInvalid, with every problem."""
    try:
        tree = parse(text)
    except DocumentInvalid as invalid:
        raise GroupInvalid(where, [invalid.problem]) from None
    problems = Problems()
    root = Place("", tree, problems)
    root.only(_KEYS)
    if not isinstance(tree, dict):
        raise GroupInvalid(where, ["it must be a mapping"])
    name = _named(root.at("group").must("it names the group"), _NAME)
    purpose = root.at("purpose").must("members state it").text() or ""
    notices = root.at("notices")
    notices.only(("role",))
    role = ""
    if isinstance(notices.tree, dict):
        role = _named(notices.at("role").must("it says whose officers publish"), _ROLE)
    reading = _Reading(department, purpose, contracts)
    group = Group(
        name=name,
        title=_title(root),
        purpose=purpose,
        publishers=role,
        reports=tuple(reading.reports(root.at("reports"))),
        polls=tuple(reading.polls(root.at("polls"))),
        questions=tuple(reading.questions(root.at("questions"))),
        registered=frozenset(),
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )
    if len(set(group.reports)) + len({poll.contract for poll in group.polls}) != len(
        group.contracts
    ) or len(group.polls) + len(group.reports) != len(group.contracts):
        problems.add("", "a contract is one channel of a group: of reports, or of one poll.")
    if problems.found:
        raise GroupInvalid(where, problems.found)
    return group


def read_registered(text: str, where: str) -> frozenset[Person]:
    """The people of a registry: an organisation and a subject a line, "#" begins a remark.

    Raises GroupInvalid, which names lines and never what stands in them.
    """
    found: set[Person] = set()
    problems: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        match = _REGISTERED.fullmatch(entry)
        if match is None:
            problems.append(f"line {number} must be an organisation and a subject")
            if len(problems) == 20:
                break
            continue
        found.add((match[1], match[2]))
    if len(found) > MOST_REGISTERED:
        problems.append(f"it must name no more than {MOST_REGISTERED} people")
    if problems:
        raise GroupInvalid(where, problems)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What channels are held against."""

    department: str
    purpose: str
    contracts: Mapping[str, Contract]

    def reports(self, place: Place) -> Iterator[str]:
        for entry in _entries(place):
            contract = self._contract(entry)
            if contract is None:
                continue
            if contract.collection is None:
                entry.wrong("must name a contract that collects (landbridgeCollection).")
            yield contract.id

    def polls(self, place: Place) -> Iterator[Poll]:
        for name, terms in _members(place, ("title", "contract", "column")):
            contract = self._contract(terms.at("contract").must("ballots come under it"))
            column = terms.at("column").must("it is what is voted on")
            chosen = column.text()
            if contract is None or chosen is None:
                continue
            found = contract.by_name.get(chosen)
            if found is None or found.nullable or not _options(found):
                column.wrong("must name a required column with declared values.")
                continue
            second = self._second(column, contract, found)
            yield Poll(name, _title(terms), contract.id, chosen, _options(found), second)

    def questions(self, place: Place) -> Iterator[Declared]:
        for name, terms in _members(place, ("title", "contract", "by", "epsilon")):
            contract = self._contract(terms.at("contract").must("it is asked of it"))
            if contract is None:
                continue
            by = []
            for entry in _entries(terms.at("by")):
                column = contract.by_name.get(entry.text() or "")
                if column is None or not _options(column) or column.name in by:
                    entry.wrong("must name a column with declared values, each once.")
                else:
                    by.append(column.name)
            epsilon = terms.at("epsilon").number()
            if epsilon is not None and not 0 < epsilon <= contract.disclosure.maximum_epsilon:
                terms.at("epsilon").wrong("must be one that the contract allows.")
            micro = round((epsilon or 0) * 1e6)
            yield Declared(name, _title(terms), contract.id, tuple(by), micro)

    def _contract(self, place: Place) -> Contract | None:
        name = place.text()
        if name is None:
            return None
        contract = self.contracts.get(name)
        if contract is None:
            place.wrong("must name a contract of this department.")
            return None
        if self.purpose and self.purpose not in contract.purposes:
            place.wrong("must name a contract that allows the group's purpose.")
        return contract

    def _second(self, place: Place, contract: Contract, column: Column) -> str:
        """Who counts beside the owner; that each person has one ballot is the contract's rule."""
        for measured in contract.measurements:
            if measured.column == column.name:
                if measured.owner != self.department:
                    place.wrong("must be a measurement that this department owns.")
                if measured.each != 1:
                    place.wrong("must be a measurement with each: 1, which is one ballot a person.")
                return measured.second
        rules = contract.collection
        if rules is None or not rules.caller:
            place.wrong(
                "must be collected by a contract that fills in who hands in "
                "(landbridgeCollection: caller), or measured by two departments."
            )
        elif rules.subject != (rules.caller,) or rules.period != "never":
            place.wrong("must be collected once per caller, for ever: one: {per: [the caller]}.")
        elif len(contract.columns) != 2:
            place.wrong("must be the one column beside the caller's.")
        elif rules.closes is None:
            place.wrong("must be collected until a moment (close), after which it is counted.")
        return ""


def _options(column: Column) -> tuple[str, ...]:
    """What it may be, as people choose it."""
    if column.type is Type.BOOLEAN:
        return ("true", "false")
    return tuple(str(value) for value in column.domain)


def _title(place: Place) -> str:
    title = place.at("title").must("people read it").text() or ""
    if len(title) > LONGEST_TITLE or "\n" in title:
        place.at("title").wrong(f"must be one line of at most {LONGEST_TITLE} characters.")
    return title


def _named(place: Place, form: re.Pattern[str]) -> str:
    name = place.text() or ""
    if name and not form.fullmatch(name):
        place.wrong("must be a lower-case name.")
    return name


def _entries(place: Place) -> list[Place]:
    return [] if place.absent else place.entries()[:MOST_CHANNELS]


def _members(place: Place, keys: tuple[str, ...]) -> Iterator[tuple[str, Place]]:
    if place.absent:
        return
    if not isinstance(place.tree, dict):
        place.wrong("must be a mapping from names.")
        return
    if len(place.tree) > MOST_CHANNELS:
        place.wrong(f"must have no more than {MOST_CHANNELS} members.")
    for name in list(place.tree)[:MOST_CHANNELS]:
        terms = place.at(name)
        if not _NAME.fullmatch(name):
            terms.wrong("must have a lower-case name.")
            continue
        if not isinstance(terms.tree, dict):
            terms.wrong(f"must be a mapping with the keys {', '.join(sorted(keys))}.")
            continue
        terms.only(keys)
        yield name, terms
