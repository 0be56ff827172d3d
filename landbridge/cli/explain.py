"""`landbridge explain`: what a question would do, need and cost."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.connection import Address, Authority, Purpose, TokenFile, connected
from landbridge.cli.formats import Page, notes_document, write_json
from landbridge.cli.query import Epsilon, MixedDates, Sql
from landbridge.cli.refusal import about
from landbridge.cli.terminal import page, plain, tell

if TYPE_CHECKING:
    from landbridge.answers import Plan


def explain(
    sql: Sql,
    *,
    purpose: Purpose,
    epsilon: Epsilon = None,
    mixed_dates: MixedDates = False,
    format_: Annotated[
        Page, typer.Option("--format", help="How the plan is written to standard output.")
    ] = Page.TABLE,
    address: Address = "",
    ca: Authority = None,
    token_file: TokenFile = None,
) -> None:
    """Show what a question would do, need and cost.

    Touches no data and charges nothing.
    """
    with connected(address, ca, token_file) as client, about(sql):
        plan = client.explain(sql, purpose=purpose, epsilon=epsilon, mixed_dates=mixed_dates)
    if format_ is Page.JSON:
        write_json(_document(plan))
    else:
        _show(plan)


def _document(plan: Plan) -> dict[str, object]:
    return {
        "mode": plan.mode,
        "why": plan.why,
        "question": plan.question,
        "contract": plan.contract,
        "departments": list(plan.departments),
        "columns": [dataclasses.asdict(used) for used in plan.columns],
        "cells": plan.cells,
        "epsilon": plan.epsilon,
        "delta": plan.delta,
        "accuracy": dict(plan.accuracy),
        "rounds": plan.rounds,
        "bytes": plan.bytes,
        "as_of": dict(plan.as_of),
        **notes_document(plan.notes, plan.budgets),
    }


def _show(plan: Plan) -> None:
    from rich.table import Table
    from rich.text import Text

    from landbridge.cli.answer_page import budget_lines

    shown = Table(show_header=False)
    lines = [
        ("question", plan.question),
        ("contract", plan.contract),
        ("departments", ", ".join(plan.departments)),
        ("mode", f"{plan.mode}: {plan.why}"),
        *(("column", f"{used.name} ({used.level}), {used.clause}") for used in plan.columns),
        ("cells", str(plan.cells or "not known beforehand")),
        ("cost", f"epsilon {plan.epsilon:g}, delta {plan.delta:g}"),
        *(
            ("accuracy", f"{name} ± {_half_width(half_width)}")
            for name, half_width in plan.accuracy.items()
        ),
        ("transport", _transport(plan)),
        *(("budget", line) for line in budget_lines(plan.budgets)),
    ]
    for name, text in lines:
        shown.add_row(name, Text(plain(text)))
    page().print(shown)
    for note in plan.notes:
        tell(f"{note.kind}: {note.text}")


def _transport(plan: Plan) -> str:
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    sent = f"at most {plan.bytes:,} bytes of numbers" if plan.bytes else "numbers not known yet"
    return f"{rounds}; {sent} from each department"


def _half_width(half_width: float | None) -> str:
    return "? (depends on the data)" if half_width is None else f"{half_width:.3g}"
