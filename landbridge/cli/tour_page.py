"""The tour on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from landbridge.answers import Answer, Budget, Plan
from landbridge.cli import answer_page, log
from landbridge.cli.refusal import picture
from landbridge.cli.terminal import plain
from landbridge.cli.tour import Answered, Declined, Members, Replied, Sight
from landbridge.cli.tour_log import LogSight
from landbridge.directory import Directory

WIDTH = 100


class TourPage:
    """Shows sights as they come; the console decides about colours and width."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._answers = 0
        self._refusals = 0

    def show(self, sight: Sight) -> None:
        """One sight, and what it lacks."""
        match sight:
            case Members():
                self._title("The members")
                if sight.directory is not None:
                    self._console.print(_members(sight.directory))
            case Answered():
                self._answers += 1
                self._title(f"Question {self._answers}")
                self._asked(
                    sight.question.title,
                    sight.question.sql,
                    sight.question.caller,
                    sight.question.purpose,
                )
                if sight.plan is not None:
                    self._planned(sight.plan)
                if sight.answer is not None:
                    self._answer(sight.answer, sight.seconds)
            case Declined():
                self._refusals += 1
                self._title(f"Refusal {self._refusals}")
                self._asked(
                    sight.question.title,
                    sight.question.sql,
                    sight.question.caller,
                    sight.question.purpose,
                )
                self._declined(sight)
            case Replied():
                self._title("A handler's reply about one aircraft, never its row")
                given = ", ".join(f"{name}={value}" for name, value in sight.arguments.items())
                self._asked("", f"{sight.handler}({given})", sight.caller, sight.purpose)
                if sight.reply is not None:
                    self._line(f"{sight.reply.code}  (version {sight.reply.version})", "bold")
            case _:
                assert_never(sight)
        self._short(sight.shortcoming)

    def show_logs(self, logs: Sequence[LogSight]) -> None:
        """The entries that the tour made, log by log."""
        self._title("The log entries that this made, as published")
        for found in logs:
            held = "verified" if not found.shortcoming else "NOT VERIFIED"
            self._line(
                f"{found.name}: {found.size} entries, root {found.root[:16]}…, {held}", "bold"
            )
            if found.entries:
                self._console.print(log.table(found.entries, brief=True))
            self._short(found.shortcoming)

    def _title(self, text: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(text, style="bold"), align="left"))

    def _asked(self, title: str, sql: str, caller: str, purpose: str) -> None:
        if title:
            self._line(title)
        self._line(sql, "cyan")
        self._line(f"asked by {caller}, purpose {purpose or 'not stated'}", "dim")

    def _planned(self, plan: Plan) -> None:
        self._line(f"explain: {plan.mode}; {plan.why}")
        widths = ", ".join(
            f"{name} ± {width:.3g}" for name, width in plan.accuracy.items() if width is not None
        )
        self._line(
            f"explain: epsilon {plan.epsilon:g} at each of {', '.join(plan.departments)}; "
            f"{plan.bytes} bytes from each in {plan.rounds} round"
            + (f"; expected {widths}" if widths else "")
        )

    def _answer(self, answer: Answer, seconds: float) -> None:
        self._console.print(answer_page.table(answer))
        self._line(
            f"± 95 % half-width; charged epsilon {answer.cost.epsilon:g}; {seconds:.2f} s", "dim"
        )
        self._budgets(answer.cost.budgets)
        for note in answer.notes:
            self._line(f"{note.kind}: {note.text}", "dim")

    def _budgets(self, budgets: Iterable[Budget]) -> None:
        for line in answer_page.budget_lines(budgets):
            self._line(line)

    def _declined(self, sight: Declined) -> None:
        if sight.answered:
            self._line(f"answered {sight.answered} times before", "dim")
        if sight.refusal is not None:
            for number, line in enumerate(picture(sight.refusal, sight.question.sql)):
                self._line(line, "bold" if number == 0 else "")

    def _short(self, shortcoming: str) -> None:
        if shortcoming:
            self._line(f"FELL SHORT: {shortcoming}", "bold red")

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(plain(text), style=style), soft_wrap=True)


def _members(directory: Directory) -> Table:
    shown = Table()
    for name in ("department", "title", "contracts", "handlers"):
        shown.add_column(name, overflow="fold")
    for member in directory.members:
        contracts = ", ".join(
            f"{contract.id} ({contract.method}"
            + (f", protects {contract.unit})" if contract.unit else ")")
            for contract in member.contracts
        )
        cells = (
            member.department,
            member.title + ("" if member.reachable else " (does not answer)"),
            contracts,
            ", ".join(handler.name for handler in member.handlers),
        )
        shown.add_row(*(Text(plain(cell)) for cell in cells))
    return shown
