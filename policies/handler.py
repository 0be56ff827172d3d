"""A department's handler: a computed reply about one subject, and the terms it is given under.

A handler is one `.sql` file: comment lines at its top hold a YAML mapping, the rest is one
parameterised SELECT over the department's own table. It is the owner's text, not a caller's; what
a caller sends are the arguments, which are bound.

Only the subject is free. Any other argument lists the values that it may take: a free threshold
would let callers halve an interval until the subject's own value is found, in about twenty calls
that count as one subject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from landbridge.errors import error
from landbridge.levels import Level
from policies.contract import Type
from policies.delay import LONGEST, Delays

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_PLACE = re.compile(r"\$([a-z][a-z0-9_]*)")
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_KEYS = {
    "handler", "version", "description", "contract", "subject", "arguments", "codes", "absent",
    "level", "purposes", "subjects_per_day",
}  # fmt: skip
_OPTIONAL = {"disclosure_delay"}
MAXIMUM_ARGUMENT = 200


class HandlerInvalid(Exception):
    """The handler's file cannot be used; the message names the file and every problem."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        super().__init__(f"{where}: " + "; ".join(problems))


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler. A reply is one of `codes`; `absent` is the code for an unknown subject.

    `choices` holds what every argument but the subject may be. `sql` has places `$1`, `$2`, ... in
    the order of `parameters`, which are argument names. `delays`: how long the subject is not told
    of a purpose; the contract's term counts too, and the longer one holds.
    """

    name: str
    version: str
    description: str
    contract: str
    subject: str
    arguments: tuple[tuple[str, Type], ...]
    codes: tuple[str, ...]
    absent: str
    level: Level
    purposes: frozenset[str]
    subjects_per_day: int
    sql: str
    parameters: tuple[str, ...]
    choices: Mapping[str, tuple[int | str, ...]]
    delays: Delays = ()

    def bind(self, given: dict[str, object]) -> list[int | str]:
        """The parameters for `sql`; raises INVALID_ARGUMENT, naming the argument."""
        declared = dict(self.arguments)
        for name in given:
            if name not in declared:
                raise error(
                    "INVALID_ARGUMENT",
                    f"Handler {self.name} has no argument {name[:40]!r}.",
                    hint=f"It takes {', '.join(declared)}.",
                )
        values: dict[str, int | str] = {}
        for name, kind in self.arguments:
            value = given.get(name)
            if kind is Type.TEXT and isinstance(value, str) and 0 < len(value) <= MAXIMUM_ARGUMENT:
                values[name] = value
            elif kind is Type.INTEGER and type(value) is int and abs(value) < 2**62:
                values[name] = value
            else:
                wanted = "text" if kind is Type.TEXT else "a whole number"
                raise error(
                    "INVALID_ARGUMENT",
                    f"Argument {name} of handler {self.name} is {wanted}"
                    + (f" of 1 to {MAXIMUM_ARGUMENT} characters." if kind is Type.TEXT else "."),
                )
            if name in self.choices and values[name] not in self.choices[name]:
                raise error(
                    "INVALID_ARGUMENT",
                    f"Argument {name} of handler {self.name} is one of the listed values.",
                    hint=f"They are {', '.join(map(str, self.choices[name]))}.",
                )
        return [values[name] for name in self.parameters]


def read(text: str, where: str) -> Handler:
    """The handler in a file's text; raises HandlerInvalid, listing every problem."""
    problems: list[str] = []
    head = [line[2:] for line in _heading(text)]
    try:
        terms = yaml.safe_load("\n".join(head))
    except yaml.YAMLError:
        terms = None
    if not isinstance(terms, dict):
        raise HandlerInvalid(where, ["the comment lines at the top are no YAML mapping"])
    problems += [
        f"unknown key {key!r}" for key in sorted(map(str, terms.keys() - _KEYS - _OPTIONAL))
    ]
    problems += [f"key {key!r} is missing" for key in sorted(_KEYS - terms.keys())]
    if problems:
        raise HandlerInvalid(where, problems)
    handler = _build(terms, "\n".join(text.splitlines()[len(head) :]).strip(), problems)
    if problems or handler is None:
        raise HandlerInvalid(where, problems)
    return handler


def _heading(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line)
    return lines


def _build(terms: dict[str, Any], sql: str, problems: list[str]) -> Handler | None:
    def check(good: bool, problem: str) -> None:  # noqa: FBT001 - reads as an assertion
        if not good:
            problems.append(problem)

    for key in ("handler", "contract", "subject"):
        check(bool(_NAME.fullmatch(str(terms[key]))), f"{key} is no lower-case name")
    arguments = terms["arguments"]
    kinds, choices = _arguments(arguments)
    check(
        bool(kinds),
        "arguments is a mapping of names to 'string' or 'integer', or to a list of values of one "
        "of these types",
    )
    codes = terms["codes"]
    check(
        isinstance(codes, list) and all(_CODE.fullmatch(str(code)) for code in codes),
        "codes is a list of upper-case words",
    )
    purposes = terms["purposes"]
    check(
        isinstance(purposes, list) and bool(purposes) and all(isinstance(p, str) for p in purposes),
        "purposes is a list of at least one purpose",
    )
    per_day = terms["subjects_per_day"]
    check(type(per_day) is int and per_day > 0, "subjects_per_day is a whole number above 0")
    try:
        level = Level.named(str(terms["level"]))
    except ValueError as unknown:
        level = Level.SEALED
        problems.append(str(unknown))
    check(level is not Level.SEALED, "a handler's level is open, internal or restricted")
    delays = terms.get("disclosure_delay", {})
    check(
        isinstance(delays, dict)
        and all(type(days) is int and 0 < days <= LONGEST for days in delays.values())
        and isinstance(purposes, list)
        and all(purpose in purposes for purpose in delays),
        f"disclosure_delay is a mapping of the handler's purposes to days, 1 to {LONGEST}",
    )
    if problems:
        return None
    check(terms["subject"] in kinds.keys() - choices.keys(),
          "subject names one of the arguments, which lists no values")  # fmt: skip
    problems += [
        f"argument {name} lists no values; only the subject is free, for with a free argument "
        "beside it a caller could find out the subject's own values by trying"
        for name in kinds
        if name != terms["subject"] and name not in choices
    ]
    check(terms["absent"] in codes, "absent is one of the codes")
    check(not any("$" in quoted for quoted in _QUOTED.findall(sql)),
          "a place $name stands inside a quoted text")  # fmt: skip
    check(sql.upper().startswith("SELECT") and ";" not in sql, "the body is one SELECT")
    used = list(dict.fromkeys(_PLACE.findall(sql)))
    check(set(used) == set(arguments), "the SELECT uses exactly the declared arguments")
    if problems:
        return None
    return Handler(
        name=terms["handler"],
        version=str(terms["version"]),
        description=str(terms["description"]),
        contract=terms["contract"],
        subject=terms["subject"],
        arguments=tuple(kinds.items()),
        codes=tuple(codes),
        absent=terms["absent"],
        level=level,
        purposes=frozenset(purposes),
        subjects_per_day=per_day,
        sql=_PLACE.sub(lambda place: f"${used.index(place[1]) + 1}", sql),
        parameters=tuple(used),
        choices=choices,
        delays=tuple(sorted(delays.items())),
    )


def _arguments(tree: object) -> tuple[dict[str, Type], dict[str, tuple[int | str, ...]]]:
    """The arguments' types, and the values of those that list them; no types if it is wrong."""
    named = {"string": Type.TEXT, "integer": Type.INTEGER}
    kinds: dict[str, Type] = {}
    choices: dict[str, tuple[int | str, ...]] = {}
    for name, terms in tree.items() if isinstance(tree, dict) else ():
        listed = terms if isinstance(terms, list) else []
        if isinstance(terms, str) and terms in named:
            kind = named[terms]
        elif listed and all(isinstance(value, str) for value in listed):
            kind = Type.TEXT
        elif listed and all(type(value) is int for value in listed):
            kind = Type.INTEGER
        else:
            return {}, {}
        if not _NAME.fullmatch(str(name)):
            return {}, {}
        kinds[name] = kind
        if listed:
            choices[name] = tuple(listed)
    return kinds, choices
