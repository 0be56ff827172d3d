"""A declared procedure: which departments' handlers take part in a case, in which order, by when.

One YAML file at the gateway. It moves references only: form fields and handed values are named
here and sealed elsewhere. docs/procedures.md describes every key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from policies.document import DocumentInvalid, parse
from policies.reply import PASS

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_HANDLER: Final = re.compile(r"[a-z][a-z0-9_]{0,30}\.[a-z][a-z0-9_]{0,62}")
_VALUE: Final = re.compile(r"([a-z][a-z0-9_]{0,62})\.([a-z][a-z0-9_]{0,62})")
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_LONGEST: Final = 366 * 86_400
MOST_STEPS: Final = 50
APPLICANT: Final = "applicant"
"""In `follow` and `cancel`: whoever opened the case."""

_KEYS = {
    "procedure", "version", "title", "purposes", "form", "steps", "decision", "roles", "open",
    "follow", "cancel",
}  # fmt: skip
_STEP_KEYS = {"title", "handler", "form", "receives", "after", "deadline", "silence", "pass"}


class ProcedureInvalid(Exception):
    """The text is no procedure; the message names the file and every problem."""

    def __init__(self, where: str, problems: list[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        super().__init__(f"{where}: " + "; ".join(problems))


class Silence(StrEnum):
    """What a step becomes when its department says nothing until the deadline."""

    ESCALATE = "escalate"
    APPROVE = "approve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of the application form: "text" or "integer"."""

    name: str
    type: str
    title: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step. `form` maps the handler's arguments to fields, `receives` them to (step, value).

    `after` are the steps that must have passed before it is asked, those that it receives from
    among them. `deadline` is in seconds from then on. `passing` are the codes that count as a pass;
    `role` is who an overdue step is escalated to.
    """

    name: str
    title: str
    handler: str
    form: Mapping[str, str]
    receives: Mapping[str, tuple[str, str]]
    after: tuple[str, ...]
    deadline: int
    silence: Silence
    role: str
    passing: frozenset[str]

    @property
    def department(self) -> str:
        """Whose handler it is."""
        return self.handler.partition(".")[0]

    @property
    def handler_name(self) -> str:
        """The handler's name within its department."""
        return self.handler.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Procedure:
    """`needed` is how many steps must pass; `roles` are organisations by role.

    `opens`, `follows` and `cancels` are organisations; `APPLICANT` among the latter two is whoever
    opened the case. An empty `opens` lets everybody whom the access policy lets. `digest` is the
    SHA-256 of `text` in hex: a case keeps to the text that it was opened under.
    """

    name: str
    version: str
    title: str
    purposes: frozenset[str]
    form: tuple[FormField, ...]
    steps: tuple[Step, ...]
    needed: int
    roles: Mapping[str, frozenset[str]]
    opens: frozenset[str]
    follows: frozenset[str]
    cancels: frozenset[str]
    text: str
    digest: str

    def step(self, name: str) -> Step:
        """The step of that name; raises KeyError."""
        return next_or_raise(self.steps, name)

    def recipients(self, name: str) -> dict[str, tuple[str, ...]]:
        """The later steps that get values of this one, each with the values' names."""
        found: dict[str, tuple[str, ...]] = {}
        for step in self.steps:
            values = sorted({value for source, value in step.receives.values() if source == name})
            if values:
                found[step.name] = tuple(values)
        return found


def next_or_raise(steps: tuple[Step, ...], name: str) -> Step:
    """The step of that name; raises KeyError."""
    for step in steps:
        if step.name == name:
            return step
    raise KeyError(name)


def read(text: str, where: str) -> Procedure:
    """The procedure in a file's text; raises ProcedureInvalid, listing every problem."""
    try:
        tree: Any = parse(text)
    except DocumentInvalid as invalid:
        raise ProcedureInvalid(where, [f"it is no YAML mapping: {invalid.problem}"]) from None
    if not isinstance(tree, dict):
        raise ProcedureInvalid(where, ["it is no YAML mapping"])
    unknown = [f"unknown key {key!r}" for key in sorted(map(str, tree.keys() - _KEYS))]
    needed = ("procedure", "version", "title", "purposes", "form", "steps", "decision")
    missing = [f"key {key!r} is missing" for key in needed if key not in tree]
    if unknown or missing:
        raise ProcedureInvalid(where, [*unknown, *missing])
    problems: list[str] = []
    if not _NAME.fullmatch(str(tree["procedure"])):
        problems.append("procedure is no lower-case name")
    for key in ("title", "version"):
        _readable(tree[key], key, problems)
    form = _form(tree["form"], problems)
    roles = {
        role: _organisations(listed, f"role {role}", problems)
        for role, listed in _mapping(tree.get("roles", {}), "roles", problems).items()
    }
    steps = _steps(tree["steps"], {field.name for field in form}, roles.keys(), problems)
    purposes = _organisations(tree["purposes"], "purposes", problems)
    if not purposes:
        problems.append("purposes is a list of at least one purpose")
    decision = _decision(tree["decision"], len(steps), problems)
    unused = {field.name for field in form} - {f for step in steps for f in step.form.values()}
    problems += [f"no step takes the form's field {name}" for name in sorted(unused)]
    if problems:
        raise ProcedureInvalid(where, problems)
    return Procedure(
        name=tree["procedure"],
        version=str(tree["version"]),
        title=str(tree["title"]),
        purposes=purposes,
        form=form,
        steps=steps,
        needed=decision,
        roles=roles,
        opens=_organisations(tree.get("open", []), "open", problems),
        follows=_organisations(tree.get("follow", [APPLICANT]), "follow", problems),
        cancels=_organisations(tree.get("cancel", [APPLICANT]), "cancel", problems),
        text=text,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )


def _readable(text: object, what: str, problems: list[str]) -> str:
    """As people are shown it, in a terminal too."""
    if not str(text).isprintable():
        problems.append(f"{what} holds control or invisible characters")
    return str(text)


def _mapping(tree: object, what: str, problems: list[str]) -> Mapping[str, Any]:
    if isinstance(tree, dict) and all(_NAME.fullmatch(str(name)) for name in tree):
        return tree
    problems.append(f"{what} is a mapping with lower-case names")
    return {}


def _organisations(listed: object, what: str, problems: list[str]) -> frozenset[str]:
    if isinstance(listed, list) and all(isinstance(each, str) and each for each in listed):
        return frozenset(listed)
    problems.append(f"{what} is a list of names")
    return frozenset()


def _form(tree: object, problems: list[str]) -> tuple[FormField, ...]:
    found = []
    types = {"string": "text", "integer": "integer"}
    for name, terms in _mapping(tree, "form", problems).items():
        kind = terms.get("type") if isinstance(terms, dict) else terms
        if kind not in types or (isinstance(terms, dict) and not set(terms) <= {"type", "title"}):
            problems.append(f"field {name} of the form is of type string or integer")
            continue
        title = terms.get("title", name) if isinstance(terms, dict) else name
        title = _readable(title, f"title of field {name}", problems)
        found.append(FormField(name, types[kind], title))
    return tuple(found)


def _steps(tree: object, fields: set[str], roles: object, problems: list[str]) -> tuple[Step, ...]:
    declared = _mapping(tree, "steps", problems)
    if not 0 < len(declared) <= MOST_STEPS:
        problems.append(f"steps are 1 to {MOST_STEPS}")
    steps = tuple(
        step
        for name, terms in declared.items()
        if (step := _step(str(name), terms, problems)) is not None
    )
    names = {step.name for step in steps}
    for step in steps:
        problems += [
            f"step {step.name} names step {other!r}, which there is not"
            for other in step.after
            if other not in names
        ]
        problems += [
            f"step {step.name} takes field {field!r}, which the form has not"
            for field in step.form.values()
            if field not in fields
        ]
        if step.silence is Silence.ESCALATE and step.role not in roles:  # type: ignore[operator]
            problems.append(f"step {step.name} escalates to a role that roles does not name")
        both = set(step.form) & set(step.receives)
        problems += [f"step {step.name} gets {name} twice" for name in sorted(both)]
        problems += [
            f"step {source} hands a value over, so its silence cannot be taken for a yes"
            for source, _ in step.receives.values()
            if source in names and next_or_raise(steps, source).silence is Silence.APPROVE
        ]
    problems += [f"step {name} waits for itself" for name in sorted(_circular(steps))]
    return steps


def _step(name: str, terms: object, problems: list[str]) -> Step | None:
    if not isinstance(terms, dict) or not set(terms) <= _STEP_KEYS:
        problems.append(f"step {name} is a mapping with the keys {', '.join(sorted(_STEP_KEYS))}")
        return None
    before = len(problems)
    handler = str(terms.get("handler", ""))
    if not _HANDLER.fullmatch(handler):
        problems.append(f"step {name} has a handler, department.handler")
    form = _mapping(terms.get("form", {}), f"form of step {name}", problems)
    receives: dict[str, tuple[str, str]] = {}
    for argument, source in _mapping(
        terms.get("receives", {}), f"receives of step {name}", problems
    ).items():
        match = _VALUE.fullmatch(str(source))
        if match is None:
            problems.append(f"step {name} receives {argument} as step.value")
        else:
            receives[argument] = (match[1], match[2])
    after = terms.get("after", [])
    if not isinstance(after, list):
        problems.append(f"after of step {name} is a list of steps")
        after = []
    duration = _DURATION.fullmatch(str(terms.get("deadline", "")))
    seconds = int(duration[1]) * _SECONDS[duration[2]] if duration else 0
    if not 0 < seconds <= _LONGEST:
        problems.append(f"step {name} has a deadline such as 30m, 4h or 10d, at most a year")
    silence, role = _silence(name, terms.get("silence"), problems)
    passing = terms.get("pass", [PASS])
    if not isinstance(passing, list) or not passing:
        problems.append(f"pass of step {name} is a list of codes")
        passing = []
    title = _readable(terms.get("title", name), f"title of step {name}", problems)
    if len(problems) > before:
        return None
    earlier = [*map(str, after), *(source for source, _ in receives.values())]
    return Step(
        name,
        title,
        handler,
        {str(key): str(value) for key, value in form.items()},
        receives,
        tuple(dict.fromkeys(earlier)),
        seconds,
        silence,
        role,
        frozenset(map(str, passing)),
    )


def _silence(name: str, terms: object, problems: list[str]) -> tuple[Silence, str]:
    if terms in ("approve", "refuse"):
        return Silence(str(terms)), ""
    if (
        isinstance(terms, dict)
        and set(terms) == {"escalate"}
        and isinstance(terms["escalate"], str)
    ):
        return Silence.ESCALATE, terms["escalate"]
    problems.append(f"silence of step {name} is approve, refuse, or escalate: ROLE")
    return Silence.REFUSE, ""


def _decision(terms: object, steps: int, problems: list[str]) -> int:
    """How many steps must pass."""
    if terms == "all":
        return steps
    if terms == "any":
        return 1
    least = terms.get("at_least") if isinstance(terms, dict) and len(terms) == 1 else None
    if type(least) is int and 1 <= least <= steps:
        return least
    problems.append("decision is all, any, or at_least: a number of steps")
    return steps


def _circular(steps: tuple[Step, ...]) -> set[str]:
    """Steps that wait for themselves, by way of others or not."""
    waits = {step.name: set(step.after) for step in steps}
    free: set[str] = set()
    while True:
        more = {name for name, after in waits.items() if name not in free and after <= free}
        if not more:
            known = set(waits)
            return {name for name in known - free if waits[name] <= known}
        free |= more
