"""Random SQL: questions as analysts write them, the same gone wrong, and words thrown together.

Everything comes from one `random.Random`, so that a text is told by its seed and number.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

NUMBERS = ("age", "income", "height")
KEYS = ("district", "sex", "diagnosis", "member", "age")
COLUMNS = (*NUMBERS, "district", "sex", "diagnosis", "member")
FORBIDDEN = ("person_id", "name", "rowid", "__unit", "__rank", "__c_sex", "people", "nobody", "*")
TEXTS = ("D7", "D1", "F", "X1", "flu", "Zoltan Q", "", "D", "'", "%", "\u00e9", "1e9")
WHOLE = (0, 1, 2, 17, 93, 200_000, 812_345, 4711, 2**31, 2**53 + 1, 2**61, 2**63, 10**30)
REAL = ("0.0", "1.61", "0.1", "1e-300", "1e300", "9.9e18", "1e18", ".5", "2.50", "0.30000000000004")
WORDS = (
    "SELECT", "FROM", "people", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "count(*)",
    "sum(", "avg(", ")", "(", ",", "AND", "OR", "NOT", "=", "<", "1", "'D7'", "age", "name", "*",
    "CASE", "END", "UNION", "JOIN", "OVER", "DISTINCT", ";", "--", "/*", "*/", "NULL", "IN", "AS",
    "person_id", "::INT", "IS", "LIKE", "BETWEEN", "[", "]", "{", "}", "$1", "?", "@", "EXPLAIN",
)  # fmt: skip
WRAPS = (
    "hash({})", "abs({})", "CAST({} AS INT)", "{} / 0", "error({})", "{} % 2", "max({})", "{}[1]",
    "coalesce({}, 0)", "CASE WHEN {} = 93 THEN 1 END", "(SELECT {})", "date_trunc('day', {})",
)  # fmt: skip


class Grammar:
    """A stream of texts for one seed; about `sound` of them are left as they were meant."""

    def __init__(self, seed: int, sound: float = 0.5) -> None:
        self._random = random.Random(seed)
        self._sound = sound

    def text(self) -> str:
        """The next text."""
        if self._chance(self._sound):
            return self._question()
        if self._chance(0.25):
            return " ".join(self._some(WORDS, 1, 25))
        return self._spoilt(self._question())

    def _question(self) -> str:
        keys = self._keys() if self._chance(0.4) else []
        outputs = [*keys, *(self._aggregate() for _ in range(self._random.choice((1, 1, 2, 3))))]
        if self._chance(0.1):
            keys = [f"width_bucket(age, 0, {self._one(WHOLE[:7])}, {self._one((1, 4, 10, 5000))})"]
        if self._chance(0.5):
            outputs = [f"{each} AS o{n}" for n, each in enumerate(outputs)]
        text = f"SELECT {', '.join(outputs)} FROM {self._one(('people', 'people', 'north.people'))}"
        if self._chance(0.6):
            text += f" WHERE {self._condition(3)}"
        if keys:
            text += f" GROUP BY {', '.join(self._random.sample(keys, len(keys)))}"
        if self._chance(0.15):
            text += f" HAVING {self._aggregate()} {self._one('<>=')} {self._number()}"
        if self._chance(0.2):
            text += f" ORDER BY {self._one((*keys, '1', '2'))}{self._one(('', ' DESC'))}"
        if self._chance(0.15):
            text += f" LIMIT {self._one((0, 1, 5, 1000))}"
        return text

    def _spoilt(self, text: str) -> str:
        kind = self._random.randrange(6)
        if kind == 0:
            return text.replace(self._one(COLUMNS), self._one(FORBIDDEN))
        if kind == 1:
            place = self._random.randrange(len(text))
            return text[:place] + self._one("()'\",;%\0\u200b\n\t=<>!~^&|-/*") + text[place:]
        if kind == 2:
            parts = text.split(" ")
            del parts[self._random.randrange(len(parts))]
            return " ".join(parts)
        if kind == 3:
            wrap = self._one(WRAPS)
            column = self._one(COLUMNS)
            return text.replace(column, wrap.format(column), 1)
        if kind == 4:
            parts = text.split(" ")
            one, other = (self._random.randrange(len(parts)) for _ in range(2))
            parts[one], parts[other] = parts[other], parts[one]
            return " ".join(parts)
        return text + " " + " ".join(self._some(WORDS, 1, 4))

    def _keys(self) -> list[str]:
        return self._random.sample(KEYS[:4], self._random.choice((1, 1, 2)))

    def _aggregate(self) -> str:
        kinds: Sequence[Callable[[], str]] = (
            lambda: "count(*)",
            lambda: f"count({self._one(COLUMNS)})",
            lambda: "count(DISTINCT person_id)",
            lambda: f"sum({self._expression(3)})",
            lambda: f"avg({self._expression(2)})",
            lambda: f"count({self._expression(2)})",
            lambda: f"{self._one(('stddev', 'variance'))}({self._one(NUMBERS)})",
            lambda: f"corr({self._one(NUMBERS)}, {self._one(NUMBERS)})",
            lambda: f"sum(CASE WHEN {self._condition(1)} THEN {self._expression(1)} ELSE 0 END)",
            lambda: f"sum({self._one(NUMBERS)}) * 100 / count(*)",
            lambda: f"{self._one(('median', 'max', 'min'))}({self._expression(1)})",
            lambda: f"quantile_cont({self._expression(1)}, {self._one(('0.5', '0', '1', '2'))})",
        )
        return self._one(kinds)()

    def _expression(self, depth: int) -> str:
        if depth == 0 or self._chance(0.4):
            return self._one((self._one(NUMBERS), self._one(NUMBERS), self._number()))
        inner = f"{self._expression(depth - 1)} {self._one('+-*')} {self._expression(depth - 1)}"
        return f"({inner})" if self._chance(0.5) else inner

    def _number(self) -> str:
        sign = self._one(("", "", "-", "- -"))
        return sign + str(self._one(WHOLE) if self._chance(0.6) else self._one(REAL))

    def _literal(self) -> str:
        kind = self._random.randrange(10)
        if kind < 4:
            return self._number()
        if kind < 8:
            return "'" + self._one(TEXTS).replace("'", "''") + "'"
        return self._one(("TRUE", "FALSE", "NULL", "DATE '2026-01-31'", "TIMESTAMP '9999-12-31'"))

    def _condition(self, depth: int) -> str:
        if depth and self._chance(0.45):
            left, right = self._condition(depth - 1), self._condition(depth - 1)
            kind = self._random.randrange(3)
            return (
                f"({left} AND {right})", f"({left} OR {right})", f"NOT ({left})"
            )[kind]  # fmt: skip
        column = self._one(COLUMNS)
        fit = self._fitting(column)
        kinds: Sequence[Callable[[], str]] = (
            lambda: f"{column} {self._one(('=', '<>', '<', '<=', '>', '>=', '!='))} {fit()}",
            lambda: f"{fit()} {self._one(('=', '<', '>='))} {column}",
            lambda: f"{column} IN ({', '.join(fit() for _ in range(self._random.choice((1, 3))))})",
            lambda: f"{column} BETWEEN {fit()} AND {fit()}",
            lambda: f"{column} IS {self._one(('', 'NOT '))}NULL",
            lambda: f"{column} LIKE '{self._one(TEXTS[:6])}%'",
            lambda: self._one(("member", f"p.{column} = 1", f"people.{column} = {fit()}")),
        )
        return self._one(kinds)()

    def _fitting(self, column: str) -> Callable[[], str]:
        if self._chance(0.12):
            return self._literal
        if column in ("age", "income"):
            return lambda: str(self._one(WHOLE[:9]))
        if column == "height":
            return lambda: self._one(REAL)
        if column == "member":
            return lambda: self._one(("TRUE", "FALSE"))
        return lambda: "'" + self._one(TEXTS).replace("'", "''") + "'"

    def _one(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def _some(self, choices: Sequence[str], low: int, high: int) -> list[str]:
        return [self._one(choices) for _ in range(self._random.randint(low, high))]

    def _chance(self, share: float) -> bool:
        return self._random.random() < share
