"""`procedure-check`: what a federation's procedures do, in pictures, or why they are not loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cases.procedures import read_folder
from policies import handler as sql_source
from policies import handler_source
from policies.contract import Type
from policies.flow import Flow, Offered, flows, problems
from policies.handler import Handler
from policies.procedure import Procedure, Silence


class NoProcedures(Exception):
    """There is nothing to check; one sentence."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A procedure, and why it could not be loaded."""

    procedure: Procedure
    problems: tuple[str, ...]


def check(folder: Path) -> tuple[Checked, ...]:
    """Every procedure of the federation in `folder`, held against its departments' handlers.

    Raises ProcedureInvalid, HandlerInvalid, NoProcedures.
    """
    declared = read_folder(folder / "gateway" / "procedures")
    if not declared:
        raise NoProcedures(f"{folder / 'gateway' / 'procedures'} holds no procedure (*.yaml).")
    offered = {
        f"{place.name}.{handler.name}": _offered(handler)
        for place in sorted(folder.iterdir())
        if (place / "handlers").is_dir()
        for handler in _handlers(place / "handlers")
    }
    return tuple(Checked(each, problems(each, offered)) for each in declared.values())


def show(checked: tuple[Checked, ...], console: Console) -> None:
    """Writes everything for a person."""
    for each in checked:
        procedure = each.procedure
        console.print(Text(f"{procedure.name}, version {procedure.version}: {procedure.title}"))
        for line in picture(procedure):
            console.print(Text(f"  {line}"), soft_wrap=True)
        console.print(_table(procedure))
        for flow in flows(procedure):
            console.print(Text(_flow(flow)), soft_wrap=True)
        needed, all_ = procedure.needed, len(procedure.steps)
        console.print(Text(f"Approved when {needed} of {all_} steps pass.  "
                           f"Opened by: {_names(procedure.opens) or 'whom the policy lets'}; "
                           f"followed by: {_names(procedure.follows)}; "
                           f"cancelled by: {_names(procedure.cancels)}."))  # fmt: skip
        for problem in each.problems:
            console.print(Text(f"NOT LOADED: {problem}"), soft_wrap=True)
        console.print()


def document(checked: tuple[Checked, ...]) -> list[dict[str, object]]:
    """The same for a program."""
    return [
        {
            "procedure": each.procedure.name,
            "version": each.procedure.version,
            "digest": each.procedure.digest,
            "waves": waves(each.procedure),
            "flows": [
                {
                    "from": f"{flow.source}.{flow.value}",
                    "to": f"{flow.step}.{flow.argument}",
                    "sealed_by": flow.sealed_by or "applicant",
                    "sealed_to": flow.sealed_to,
                }
                for flow in flows(each.procedure)
            ],
            "problems": list(each.problems),
        }
        for each in checked
    ]


def waves(procedure: Procedure) -> list[list[str]]:
    """The steps that can be asked at once, wave after wave."""
    done: set[str] = set()
    found = []
    while len(done) < len(procedure.steps):
        wave = [
            step.name
            for step in procedure.steps
            if step.name not in done and set(step.after) <= done
        ]
        found.append(wave)
        done |= set(wave)
    return found


def picture(procedure: Procedure) -> Iterator[str]:
    """One line a wave: form, then what runs at the same time, then the decision."""
    yield f"form({', '.join(field.name for field in procedure.form)})"
    for wave in waves(procedure):
        yield "  |"
        yield "  +-> " + "   +-> ".join(f"{name} [{procedure.step(name).handler}]" for name in wave)
    yield "  |"
    yield "  +-> decision"


def _table(procedure: Procedure) -> Table:
    table = Table()
    for name in ("step", "after", "pass", "deadline", "silence"):
        table.add_column(name, overflow="fold")
    for step in procedure.steps:
        silence = (
            f"escalate to {step.role}" if step.silence is Silence.ESCALATE else step.silence.value
        )
        cells = (
            step.name,
            ", ".join(step.after),
            _names(step.passing),
            f"{step.deadline} s",
            silence,
        )
        table.add_row(*map(Text, cells))
    return table


def _flow(flow: Flow) -> str:
    by = flow.sealed_by or "applicant"
    return (
        f"{flow.source}.{flow.value} -> {flow.step}.{flow.argument}: sealed by {by}, "
        f"opened by {flow.sealed_to} alone"
    )


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


def _handlers(folder: Path) -> Iterator[Handler]:
    for path in sorted((*folder.glob("*.sql"), *folder.glob("*.py"))):
        read = handler_source.read if path.suffix == ".py" else sql_source.read
        yield read(path.read_text(encoding="utf-8"), str(path))


def _offered(handler: Handler) -> Offered:
    def kind(of: Type) -> str:
        return "text" if of is Type.TEXT else "integer"

    return Offered(
        arguments={name: kind(each) for name, each in handler.arguments},
        sources=handler.sources,
        passes={each.name: (kind(each.type), each.to) for each in handler.passes},
        codes=frozenset(handler.codes),
        purposes=handler.purposes,
        procedures=handler.procedures,
        subject=handler.subject,
        consent=handler.consent,
    )
