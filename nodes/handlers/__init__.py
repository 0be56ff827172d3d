"""What a department's Python handler is written with: the decorator, the view and the results.

    from nodes.handlers import Verdict, View, failed, handler, passed

    @handler(version=1, description="...", contract="people", subject="person_id", ...)
    def eligibility(view: View, person_id: str) -> Verdict:
        row = view.one("SELECT income FROM people WHERE person_id = ?", person_id)
        ...

It runs in a worker that can open nothing (`nodes.handlers.sandbox`), in a namespace that is made
anew for every call. Few imports on purpose: every idle worker pays for them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

Code = str
"""One of the declared codes."""
Band = float
"""A number; which declared band it lies in is found outside of the function."""
Number = float
"""A number; it is clamped to the declared bounds and rounded to the declared step."""

MOST_ROWS = 10_000


class Verdict:
    """Made by `passed` and `failed`."""

    __slots__ = ("passed", "reasons")

    def __init__(self, *, passed: bool, reasons: tuple[str, ...]) -> None:
        self.passed = passed
        self.reasons = reasons


def passed() -> Verdict:
    """The subject passes."""
    return Verdict(passed=True, reasons=())


def failed(*reasons: str) -> Verdict:
    """The subject fails, for declared reasons, at least one."""
    return Verdict(passed=False, reasons=reasons)


def handler(**_terms: Any) -> Callable[[Function], Function]:
    """Declares the function below it; the terms were read, and checked, when the node started."""

    def unchanged(function: Function) -> Function:
        return function

    return unchanged


class View:
    """The department's tables, to be read. `select` runs one SELECT with `?` for parameters."""

    def __init__(
        self, select: Callable[[str, list[Any], int], list[tuple[Any, ...]] | None]
    ) -> None:
        self._select = select
        self.handed: dict[str, Any] = {}

    def all(self, sql: str, *parameters: object, most: int = 1_000) -> list[tuple[Any, ...]]:
        """Every row; ValueError where there are more than `most`."""
        rows = self._select(sql, list(parameters), min(most, MOST_ROWS))
        if rows is None:
            raise ValueError("more rows than asked for")
        return rows

    def one(self, sql: str, *parameters: object) -> tuple[Any, ...] | None:
        """The only row, or None; ValueError where there are several."""
        rows = self.all(sql, *parameters, most=1)
        return rows[0] if rows else None

    def hand_over(self, **values: object) -> None:
        """Values that the handler passes on, sealed, within a case; all that it declares."""
        self.handed.update(values)
