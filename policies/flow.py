"""Whether every value of a procedure may flow where it goes, by what each department declares.

A handler's own terms say to which departments each of its values goes, and from which handlers an
argument may come. Both sides must say so, or the procedure is not loaded; each side holds itself
to its own word again when a step is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from policies.procedure import Procedure, Silence, Step


@dataclass(frozen=True, slots=True)
class Offered:
    """What of a handler a procedure has to fit: types are "text" or "integer".

    `passes` gives the type of a value and the departments that it goes to; `sources` the
    `department.handler.value` that an argument comes from. `codes` is empty for a number.
    """

    arguments: Mapping[str, str]
    sources: Mapping[str, Set[str]]
    passes: Mapping[str, tuple[str, Set[str]]]
    codes: Set[str]
    purposes: Set[str]
    procedures: Set[str]
    subject: str = ""
    consent: bool = False
    choices: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flow:
    """A value on its way: from the form or a step, to an argument of a step."""

    source: str
    value: str
    step: str
    argument: str
    sealed_by: str
    """A department, or empty for the applicant's own client."""
    sealed_to: str


def flows(procedure: Procedure) -> tuple[Flow, ...]:
    """Every value that flows, in the order of the steps."""
    found = []
    for step in procedure.steps:
        found += [
            Flow("form", name, step.name, argument, "", step.department)
            for argument, name in step.form.items()
        ]
        found += [
            Flow(
                source, value, step.name, argument, procedure.step(source).department,
                step.department,
            )
            for argument, (source, value) in step.receives.items()
        ]  # fmt: skip
    return tuple(found)


def problems(procedure: Procedure, offered: Mapping[str, Offered]) -> tuple[str, ...]:
    """Why the procedure cannot be loaded; nothing where it can. `offered` by department.handler."""
    found: list[str] = []
    types = {each.name: each.type for each in procedure.form}
    for step in procedure.steps:
        own = offered.get(step.handler)
        if own is None:
            found.append(f"step {step.name}: handler {step.handler} is not offered")
            continue
        given = {*step.form, *step.receives}
        missing = set(own.arguments) - given
        found += [f"step {step.name}: nothing gives {name}" for name in sorted(missing)]
        found += [
            f"step {step.name}: {step.handler} has no argument {name}"
            for name in sorted(given - set(own.arguments))
        ]
        found += [
            f"step {step.name}: {argument} comes sealed from another department only, not from "
            "the form"
            for argument in step.form
            if own.sources.get(argument)
        ]
        found += [
            f"step {step.name}: field {name} is {types[name]}, {argument} is not"
            for argument, name in step.form.items()
            if argument in own.arguments and types[name] != own.arguments[argument]
        ]
        found += _received(procedure, step, own, offered)
        found += _terms(procedure, step, own)
    return tuple(found)


def _received(
    procedure: Procedure, step: Step, own: Offered, offered: Mapping[str, Offered]
) -> list[str]:
    found = []
    for argument, (source, value) in step.receives.items():
        sender = procedure.step(source)
        theirs = offered.get(sender.handler)
        if theirs is None or argument not in own.arguments:
            continue  # said for the other step, or above
        passed = theirs.passes.get(value)
        if passed is None:
            found.append(f"step {source}: {sender.handler} hands over no {value}")
            continue
        kind, departments = passed
        if step.department not in departments:
            found.append(
                f"step {source}: {sender.handler} does not let {value} flow to {step.department}"
            )
        if f"{sender.handler}.{value}" not in own.sources.get(argument, ()):
            found.append(
                f"step {step.name}: {step.handler} does not take {argument} from "
                f"{sender.handler}.{value}"
            )
        if kind != own.arguments[argument]:
            found.append(f"step {step.name}: {argument} is {own.arguments[argument]}, not {kind}")
    return found


def _terms(procedure: Procedure, step: Step, own: Offered) -> list[str]:
    found = []
    if not own.codes:
        found.append(f"step {step.name}: {step.handler} replies with a number, which is no verdict")
    elif not step.passing <= own.codes:
        found.append(f"step {step.name}: pass names a code that {step.handler} does not have")
    elif step.passing == own.codes:
        found.append(f"step {step.name}: every code of {step.handler} would be a pass")
    if own.procedures and procedure.name not in own.procedures:
        found.append(f"step {step.name}: {step.handler} is no step of {procedure.name}")
    unfit = procedure.purposes - own.purposes
    found += [
        f"step {step.name}: {step.handler} does not allow purpose {each}" for each in sorted(unfit)
    ]
    if step.silence is Silence.APPROVE and step.name in {
        source for other in procedure.steps for source, _ in other.receives.values()
    }:
        found.append(f"step {step.name}: a deemed approval hands nothing over")
    return found
