"""A department's handler: a computed reply about one subject, and the terms it is given under.

A handler is one file: an `.sql` with its terms as YAML in the comment lines at the top, or a `.py`
with one decorated function (`policies.handler_source`). It is the owner's text, not a caller's;
what a caller sends are the arguments, which are bound.

Only the subject is free. Any other argument lists the values that it may take, or comes sealed from
a handler of another department: a free threshold would let callers halve an interval until the
subject's own value is found, in about twenty calls that count as one subject.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from landbridge.errors import LandbridgeError, error
from landbridge.levels import Level
from policies.contract import Type
from policies.delay import LONGEST, Delays
from policies.document import DocumentInvalid, parse
from policies.handler_watch import HandlerWatch, read_watch
from policies.quota import KEYS as QUOTA_KEYS
from policies.quota import Quota, read_quota
from policies.reply import Returns, codes_of, read_returns

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PLACE = re.compile(r"\$([a-z][a-z0-9_]*)")
_QUOTED = re.compile(r"'(?:[^']|'')*'")
_SOURCE = re.compile(r"[a-z][a-z0-9_]{0,30}(\.[a-z][a-z0-9_]{0,62}){2}")
_DEPARTMENT = re.compile(r"[a-z][a-z0-9_]{0,30}")
_CONSENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{7,99}")
_NEEDED = {
    "handler", "version", "description", "contract", "subject", "arguments", "absent", "level",
    "purposes",
}  # fmt: skip
_KEYS = {
    *_NEEDED, *QUOTA_KEYS, "returns", "codes", "reasons", "bands", "number", "consent", "passes",
    "disclosure_delay",
    "procedures", "watch",
}  # fmt: skip
_OPTIONAL = {"disclosure_delay"}
MAXIMUM_ARGUMENT = 200
MOST_PASSED: Final = 16


class HandlerInvalid(Exception):
    """The handler's file cannot be used; the message names the file and every problem."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        super().__init__(f"{where}: " + "; ".join(problems))


@dataclass(frozen=True, slots=True)
class Passed:
    """A value that the handler hands over, sealed, to departments that its owner names."""

    name: str
    type: Type
    to: frozenset[str]


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler.

    `choices` holds what an argument may be, `sources` the `department.handler.value` that one may
    come from; the subject has neither or sources. `sql` has places `$1`, `$2`, ... in the order of
    `parameters`, which are argument names; of a function `source` is the file's text and `function`
    its name. `procedures`, where not empty, are the only ones whose cases it is a step of, and then
    nobody calls it otherwise. `delays`: how long the subject is not told of a purpose; the
    contract's term counts too, and the longer one holds. `watch`: the department evaluates it over
    its own subjects, for one responsible role.
    """

    name: str
    version: str
    description: str
    contract: str
    subject: str
    arguments: tuple[tuple[str, Type], ...]
    returns: Returns
    level: Level
    purposes: frozenset[str]
    quota: Quota
    sql: str
    parameters: tuple[str, ...]
    choices: Mapping[str, tuple[int | str, ...]]
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    consent: bool = False
    passes: tuple[Passed, ...] = ()
    procedures: frozenset[str] = frozenset()
    source: str = ""
    function: str = ""
    delays: Delays = ()
    watch: HandlerWatch | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """Every code that a reply may have."""
        return codes_of(self.returns)

    def values(
        self, given: Mapping[str, object], handed: Mapping[str, object] = {}
    ) -> dict[str, int | str]:
        """Every argument's value by name; raises INVALID_ARGUMENT, naming the argument.

        `given` come from a caller or a form, `handed` from what another department sealed. An
        argument that has sources is taken from nowhere else.
        """
        declared = dict(self.arguments)
        for name in (*given, *handed):
            if name not in declared:
                raise self._unusable(
                    f"Handler {self.name} has no argument {name[:40]!r}.",
                    f"It takes {', '.join(declared)}.",
                )
        return {name: self._value(name, kind, given, handed) for name, kind in self.arguments}

    def bind(self, given: dict[str, object]) -> list[int | str]:
        """The parameters for `sql`; raises as `values` does."""
        return self.bound(self.values(given))

    def bound(self, values: Mapping[str, int | str]) -> list[int | str]:
        """The values in the order of the places in `sql`."""
        return [values[name] for name in self.parameters]

    def require_consent(self, reference: str) -> None:
        """Raises CONSENT_MISSING unless a needed reference is there, and in the usual form."""
        if reference and not _CONSENT.fullmatch(reference):
            raise self._unusable(
                "A consent reference is 8 to 100 letters, digits, dots, colons, slashes or dashes.",
                "It names the record of the subject's consent, and holds nothing else.",
            )
        if self.consent and not reference:
            raise error(
                "CONSENT_MISSING",
                f"Handler {self.name} replies with the subject's consent only.",
                rule="handler.consent",
                hint="Give the reference of the subject's consent.",
            )

    def _value(
        self, name: str, kind: Type, given: Mapping[str, object], handed: Mapping[str, object]
    ) -> int | str:
        sealed = name in self.sources
        if name in (given if sealed else handed):
            where = "comes sealed from another department" if sealed else "comes from the form"
            raise self._unusable(f"Argument {name} of handler {self.name} {where}.", "")
        value = (handed if sealed else given).get(name)
        if not (
            (kind is Type.TEXT and isinstance(value, str) and 0 < len(value) <= MAXIMUM_ARGUMENT)
            or (kind is Type.INTEGER and type(value) is int and abs(value) < 2**62)
        ):
            wanted = "text" if kind is Type.TEXT else "a whole number"
            raise self._unusable(
                f"Argument {name} of handler {self.name} is {wanted}"
                + (f" of 1 to {MAXIMUM_ARGUMENT} characters." if kind is Type.TEXT else "."),
                "It is handed over within a case." if sealed else "",
            )
        assert isinstance(value, int | str)
        if name in self.choices and value not in self.choices[name]:
            raise self._unusable(
                f"Argument {name} of handler {self.name} is one of the listed values.",
                f"They are {', '.join(map(str, self.choices[name]))}.",
            )
        return value

    def _unusable(self, what: str, hint: str) -> LandbridgeError:
        return error("INVALID_ARGUMENT", what, hint=hint)


def read(text: str, where: str) -> Handler:
    """The handler in an SQL file's text; raises HandlerInvalid, listing every problem."""
    head = [line[2:] for line in _heading(text)]
    try:
        terms = parse("\n".join(head))
    except DocumentInvalid as invalid:
        raise HandlerInvalid(
            where, [f"the comment lines at the top are no YAML mapping: {invalid.problem}"]
        ) from None
    if not isinstance(terms, dict):
        raise HandlerInvalid(where, ["the comment lines at the top are no YAML mapping"])
    sql = "\n".join(text.splitlines()[len(head) :]).strip()
    problems: list[str] = []
    used = _places(sql, problems)
    return declared(
        terms,
        where,
        problems,
        names=used,
        sql=_PLACE.sub(lambda place: f"${used.index(place[1]) + 1}", sql),
    )


def declared(
    terms: Mapping[str, Any],
    where: str,
    problems: list[str],
    *,
    names: Collection[str],
    sql: str = "",
    source: str = "",
    function: str = "",
) -> Handler:
    """The handler of these terms; raises HandlerInvalid with `problems` and every further one.

    `names` are the arguments that its body uses.
    """
    unknown = [f"unknown key {key!r}" for key in sorted(map(str, terms.keys() - _KEYS))]
    missing = [f"key {key!r} is missing" for key in sorted(_NEEDED - terms.keys())]
    if unknown or missing:
        raise HandlerInvalid(where, [*problems, *unknown, *missing])

    def check(good: bool, problem: str) -> None:  # noqa: FBT001 - reads as an assertion
        if not good:
            problems.append(problem)

    for key in ("handler", "contract", "subject"):
        check(bool(_NAME.fullmatch(str(terms[key]))), f"{key} is no lower-case name")
    kinds, choices, sources = _arguments(terms["arguments"])
    check(
        bool(kinds),
        "arguments is a mapping of names to 'string' or 'integer', to a list of values of one of "
        "these types, or to a type and from: department.handler.value",
    )
    purposes = terms["purposes"]
    check(
        isinstance(purposes, list) and bool(purposes) and all(isinstance(p, str) for p in purposes),
        "purposes is a list of at least one purpose",
    )
    level = _level(terms["level"], problems)
    returns = read_returns(terms, problems)
    quota = read_quota(terms, problems)
    passes = _passes(terms.get("passes", {}), problems)
    procedures = terms.get("procedures", [])
    check(
        isinstance(procedures, list) and all(_NAME.fullmatch(str(each)) for each in procedures),
        "procedures is a list of names of procedures",
    )
    check(isinstance(terms.get("consent", False), bool), "consent is true or false")
    if kinds:
        subject = terms["subject"]
        check(
            subject in kinds.keys() - choices.keys(),
            "subject names one of the arguments, which lists no values",
        )
        problems += [
            f"argument {name} lists no values; only the subject is free, for with a free argument "
            "beside it a caller could find out the subject's own values by trying"
            for name in kinds
            if name != subject and name not in choices and name not in sources
        ]
        check(set(names) == set(kinds), f"the {'function' if source else 'SELECT'} uses exactly "
              "the declared arguments")  # fmt: skip
    delays = terms.get("disclosure_delay", {})
    check(
        isinstance(delays, dict)
        and all(type(days) is int and 0 < days <= LONGEST for days in delays.values())
        and isinstance(purposes, list)
        and all(purpose in purposes for purpose in delays),
        f"disclosure_delay is a mapping of the handler's purposes to days, 1 to {LONGEST}",
    )
    watch = None
    if "watch" in terms and returns is not None and isinstance(purposes, list):
        watch = read_watch(terms["watch"], codes_of(returns), purposes, problems)
        check(
            len(kinds) == 1 and not choices and not sources and terms.get("consent") is not True,
            "a handler with a watch has its subject as the only argument, and needs no consent",
        )
    if problems or returns is None:
        raise HandlerInvalid(where, problems)
    return Handler(
        name=terms["handler"],
        version=str(terms["version"]),
        description=str(terms["description"]),
        contract=terms["contract"],
        subject=terms["subject"],
        arguments=tuple(kinds.items()),
        returns=returns,
        level=level,
        purposes=frozenset(purposes),
        quota=quota,
        sql=sql,
        parameters=tuple(names),
        choices=choices,
        sources=sources,
        consent=terms.get("consent", False),
        passes=passes,
        procedures=frozenset(map(str, procedures)),
        source=source,
        function=function,
        delays=tuple(sorted(delays.items())),
        watch=watch,
    )


def _heading(text: str) -> list[str]:
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line)
    return lines


def _places(sql: str, problems: list[str]) -> list[str]:
    if any("$" in quoted for quoted in _QUOTED.findall(sql)):
        problems.append("a place $name stands inside a quoted text")
    if not sql.upper().startswith("SELECT") or ";" in sql:
        problems.append("the body is one SELECT")
    return list(dict.fromkeys(_PLACE.findall(sql)))


def _level(name: object, problems: list[str]) -> Level:
    try:
        level = Level.named(str(name))
    except ValueError as unknown:
        problems.append(str(unknown))
        return Level.SEALED
    if level is Level.SEALED:
        problems.append("a handler's level is open, internal or restricted")
    return level


_TYPES: Final = {"string": Type.TEXT, "integer": Type.INTEGER}
_Arguments = tuple[dict[str, Type], dict[str, tuple[int | str, ...]], dict[str, frozenset[str]]]


def _arguments(tree: object) -> _Arguments:
    """Types, listed values and sources of the arguments; no types if anything is wrong."""
    kinds: dict[str, Type] = {}
    choices: dict[str, tuple[int | str, ...]] = {}
    sources: dict[str, frozenset[str]] = {}
    for name, terms in tree.items() if isinstance(tree, dict) else ():
        listed = terms if isinstance(terms, list) else []
        origins = terms.get("from") if isinstance(terms, dict) else None
        if isinstance(terms, str) and terms in _TYPES:
            kind = _TYPES[terms]
        elif isinstance(terms, dict) and set(terms) == {"type", "from"}:
            named = isinstance(origins, list) and all(
                isinstance(each, str) and _SOURCE.fullmatch(each) for each in origins
            )
            if terms["type"] not in _TYPES or not named or not origins:
                return {}, {}, {}
            kind = _TYPES[terms["type"]]
            sources[name] = frozenset(origins)
        elif listed and all(isinstance(value, str) for value in listed):
            kind = Type.TEXT
        elif listed and all(type(value) is int for value in listed):
            kind = Type.INTEGER
        else:
            return {}, {}, {}
        if not _NAME.fullmatch(str(name)):
            return {}, {}, {}
        kinds[name] = kind
        if listed:
            choices[name] = tuple(listed)
    return kinds, choices, sources


def _passes(tree: object, problems: list[str]) -> tuple[Passed, ...]:
    found = []
    for name, terms in tree.items() if isinstance(tree, dict) else ():
        to = terms.get("to") if isinstance(terms, dict) else None
        if (
            not isinstance(terms, dict)
            or set(terms) != {"type", "to"}
            or terms["type"] not in _TYPES
            or not isinstance(to, list)
            or not to
            or not all(isinstance(each, str) and _DEPARTMENT.fullmatch(each) for each in to)
            or not _NAME.fullmatch(str(name))
        ):
            problems.append(
                "passes is a mapping of names to a type and a list of the departments it goes to"
            )
            return ()
        found.append(Passed(name, _TYPES[terms["type"]], frozenset(to)))
    if not isinstance(tree, dict) or len(found) > MOST_PASSED:
        problems.append(f"passes is a mapping of at most {MOST_PASSED} names")
    return tuple(found)
