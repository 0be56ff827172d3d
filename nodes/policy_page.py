"""What a policy lets out, and what a change of it does, as a person reads it or a program."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nodes.policy_folder import Reviewed
from policies import admitted, considered, group_review
from policies.change import Change
from policies.contract import Contract
from policies.outlet import Outlet, budget_of, kind_of
from policies.together import exposed, together

WIDTH = 160
"""Columns of a page that no terminal limits."""


def show_outlets(reviewed: Iterable[Reviewed]) -> None:
    """One table per department: who, kind of answer, columns, budget, and what permits it."""
    console = _console()
    for each in reviewed:
        _line(console, f"{each.department}, policy {each.policy.digest[:16]}")
        table = _table(
            "who", "for", "may", "columns or codes, from which clearance", "budget", "by"
        )
        for _, of_one in groupby(each.outlets, key=_together):
            table.add_row(*map(Text, _row(each, list(of_one))))
        console.print(table if each.outlets else Text("  Nothing is let out to anybody."))
        for name, contract in each.policy.contracts.items():
            for sentence in together(contract):
                _line(console, f"{name}: {sentence}")
            if warning := exposed(contract):
                _line(console, f"Warning: {warning}")
        for column in each.closed:
            when = "Forbidden" if column.always else "Forbidden at times"
            _line(
                console,
                f"{when}: {column.resource}.{column.column} to {column.who}, by "
                f"{', '.join(column.policies)}.",
            )
        for sentence in (*considered.lines(each.considered), *admitted.lines(each.admitted)):
            _line(console, sentence)
        for group in each.groups:
            for sentence in group_review.lines(group):
                _line(console, sentence)


def outlets_document(reviewed: Iterable[Reviewed]) -> list[dict[str, Any]]:
    """The same, for programs: one object per who, purpose, resource and column.

    What can be put before an officer has the action "consult", a level and no column; who may hand
    in, watch or be told of cases the actions "submit", "watch" and "attend", and terms in words; a
    group has the action "take_part".
    """
    return (
        [
            {
                "department": each.department,
                "policy": each.policy.digest,
                "who": str(outlet.who),
                "organisation": outlet.who.organisation,
                "subject": outlet.who.subject,
                "action": outlet.action,
                "resource": outlet.resource,
                "purpose": outlet.purpose,
                "column": outlet.column,
                "declared": outlet.declared,
                "clearance": outlet.clearance.label,
                "policies": list(outlet.policies),
                "always": outlet.always,
                "together": _together_of(each, outlet, together),
                "warnings": _together_of(each, outlet, _warnings),
            }
            for each in reviewed
            for outlet in each.outlets
        ]
        + [
            {
                "department": each.department,
                "policy": each.policy.digest,
                "who": str(asked.who),
                "organisation": asked.who.organisation,
                "subject": asked.who.subject,
                "action": "consult",
                "resource": asked.resource,
                "purpose": asked.purpose,
                "clearance": asked.clearance.label,
                "level": asked.level.label,
                "policies": list(asked.policies),
                "officers": list(asked.officers),
                **dataclasses.asdict(asked.terms),
            }
            for each in reviewed
            for asked in each.considered
        ]
        + [
            {
                "department": each.department,
                "policy": each.policy.digest,
                "who": str(one.who),
                "organisation": one.who.organisation,
                "subject": one.who.subject,
                "action": one.action,
                "resource": one.resource,
                "purpose": one.purpose,
                "clearance": one.clearance.label,
                "policies": list(one.policies),
                "terms": one.terms,
            }
            for each in reviewed
            for one in each.admitted
        ]
        + [
            {
                "department": each.department,
                "policy": each.policy.digest,
                "action": "take_part",
                "resource": group.name,
                **group_review.document(group),
            }
            for each in reviewed
            for group in each.groups
        ]
    )


def _together_of(
    each: Reviewed, outlet: Outlet, said: Callable[[Contract], Sequence[str]]
) -> list[str]:
    contract = each.policy.contracts.get(outlet.resource)
    return [] if contract is None else list(said(contract))


def _warnings(contract: Contract) -> Sequence[str]:
    found = exposed(contract)
    return [found] if found else []


def show_changes(changed: Mapping[str, Sequence[Change]]) -> None:
    """What is newly let out first."""
    console = _console()
    for department, found in changed.items():
        if not found:
            _line(console, f"{department}: nothing changes.")
            continue
        wider = sum(change.wider for change in found)
        _line(console, f"{department}: {wider} of {len(found)} changes let out more.")
        table = _table("", "where", "what")
        for change in found:
            table.add_row(
                *map(Text, ("MORE" if change.wider else "less", change.where, change.what))
            )
        console.print(table)


def changes_document(changed: Mapping[str, Sequence[Change]]) -> list[dict[str, Any]]:
    """The same, for programs."""
    return [
        {"department": department, **dataclasses.asdict(change)}
        for department, found in changed.items()
        for change in found
    ]


def _together(outlet: Outlet) -> tuple[object, ...]:
    return (outlet.who, outlet.action, outlet.resource, outlet.purpose, outlet.declared)


def _row(each: Reviewed, of_one: Sequence[Outlet]) -> tuple[str, ...]:
    first = of_one[0]
    lines = [
        f"{clearance.label}: "
        + ", ".join(outlet.column for outlet in of_one if outlet.clearance is clearance)
        for clearance in sorted({outlet.clearance for outlet in of_one})
    ]
    contract = each.policy.contracts.get(first.resource)
    if contract is None:
        handler = each.policy.handlers[first.resource.rpartition(".")[2]]
        kind, budget = "one reply", str(handler.quota)
    else:
        kind, budget = kind_of(contract), budget_of(contract.disclosure)
    ids = sorted({name for outlet in of_one for name in outlet.policies})
    purpose = (
        first.purpose
        if all(outlet.always for outlet in of_one)
        else (f"{first.purpose}, at some times")
    )
    only = " (declared questions of its groups)" if first.declared else ""
    return (
        str(first.who),
        purpose,
        f"{first.action} {first.resource}: {kind}{only}",
        "\n".join(lines),
        budget,
        ", ".join(ids),
    )


def _table(*names: str) -> Table:
    table = Table(show_lines=True)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _console() -> Console:
    return Console(
        file=sys.stdout,
        width=None if sys.stdout.isatty() else WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _line(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)
