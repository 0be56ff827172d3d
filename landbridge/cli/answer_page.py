"""An answer for people: the table on standard output, what it cost and meant beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from landbridge.cli.terminal import page, plain, tell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from landbridge.answers import Answer, Budget

BAR = 20


def table(answer: Answer) -> Table:
    """The whole answer, the error bar beside each released number."""
    from rich.table import Table
    from rich.text import Text

    from landbridge.table import cell_text

    shown = Table()
    for column in answer.columns:
        shown.add_column(
            Text(plain(column.name)),
            justify="right" if column.released else "left",
            overflow="fold",
        )
    for row in answer.cells:
        shown.add_row(
            *(
                Text(plain(cell_text(column, cell)))
                for column, cell in zip(answer.columns, row, strict=True)
            )
        )
    return shown


def show(answer: Answer) -> None:
    """The table on standard output; everything else on standard error."""
    page().print(table(answer))
    tell_beside(answer)


def tell_beside(answer: Answer) -> None:
    """Cost, budgets, notes and who is missing, on standard error."""
    if answer.missing:
        tell(f"PARTIAL, without: {', '.join(answer.missing)}")
    tell(f"± 95 % half-width; charged epsilon {answer.cost.epsilon:g}, delta {answer.cost.delta:g}")
    for line in budget_lines(answer.cost.budgets):
        tell(line)
    for note in answer.notes:
        tell(f"{note.kind}: {note.text}")


def budget_lines(budgets: Iterable[Budget]) -> list[str]:
    """One line per department: what is spent of its budget, and a bar of what is left."""
    return [
        f"{budget.department:<10} [{bar(budget.left_share)}] {budget.left_share:4.0%} left; "
        f"epsilon {budget.spent_epsilon:.3g} of {budget.limit_epsilon:.3g} spent"
        + (f"; renews {budget.renews}" if budget.renews else "")
        for budget in budgets
    ]


def bar(share: float) -> str:
    """`BAR` characters, the share of them full; only a spent budget shows an empty bar."""
    full = 0 if share <= 0 else min(BAR, max(1, int(share * BAR)))
    return "#" * full + "." * (BAR - full)
