"""The words of a text, before any grammar: a closed list, and how they may stand side by side.

sqlglot's parser backtracks: some thirty characters can cost it seconds (nested type names, chained
joins). Its tokenizer is linear, so everything that the question algebra has no use for is refused
here, by its kind and place, and the parser only ever sees what it reads quickly. Joins have one
shape, held word by word: what the parser sees of them has nothing left to guess.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

from sqlglot import Token, TokenType

from gateway.sql.places import filled, words_of
from gateway.sql.source import position_of
from landbridge.errors import LandbridgeError, error
from landbridge.literals import Value
from policies.joined import MAXIMUM_PARTS
from policies.links import MAXIMUM_KEY

MAXIMUM_WORDS = 2_000
MAXIMUM_BRACKETS = 16
MAXIMUM_JUNCTIONS = 128
MAXIMUM_OPERATORS = 256
MAXIMUM_PREFIXES = 16
MAXIMUM_CASES = 16
MAXIMUM_JOINS = MAXIMUM_PARTS - 1

FUNCTIONS = frozenset(
    {
        "count", "sum", "avg", "stddev", "stddev_samp", "variance", "var_samp", "corr",
        "regr_slope", "regr_intercept", "date_trunc", "width_bucket", "median", "quantile",
        "quantile_cont", "quantile_disc", "min", "max",
    }
)  # fmt: skip

_TAKES = {"quantile": 2, "quantile_cont": 2, "quantile_disc": 2}
"""Arguments at the most, where the parser drops what is too much without a word."""

_NAMES = frozenset({TokenType.VAR, TokenType.IDENTIFIER, TokenType.FIRST})
_MOMENTS = frozenset(
    {TokenType.DATE, TokenType.TIMESTAMP, TokenType.TIMESTAMPNTZ, TokenType.DATETIME}
)
_VALUES = frozenset(
    {TokenType.NUMBER, TokenType.STRING, TokenType.TRUE, TokenType.FALSE, TokenType.NULL}
)
_OPERATORS = frozenset({TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH})
_CASES = frozenset({TokenType.CASE, TokenType.WHEN, TokenType.THEN, TokenType.ELSE, TokenType.END})
_COMPARISONS = frozenset(
    {
        TokenType.EQ, TokenType.NEQ, TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE,
        TokenType.BETWEEN, TokenType.IN, TokenType.IS, TokenType.LIKE,
    }
)  # fmt: skip
_JUNCTIONS = frozenset({TokenType.AND, TokenType.OR})
_CLAUSES = frozenset(
    {
        TokenType.SELECT, TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.ORDER_BY,
        TokenType.HAVING, TokenType.LIMIT, TokenType.DISTINCT, TokenType.ALIAS, TokenType.ASC,
        TokenType.DESC,
    }
)  # fmt: skip
_JOINS = frozenset({TokenType.INNER, TokenType.JOIN, TokenType.USING})
_OTHER_JOINS = frozenset(
    {
        TokenType.LEFT, TokenType.RIGHT, TokenType.FULL, TokenType.OUTER, TokenType.CROSS,
        TokenType.SEMI, TokenType.ANTI, TokenType.NATURAL, TokenType.ASOF, TokenType.POSITIONAL,
        TokenType.LATERAL, TokenType.ON,
    }
)  # fmt: skip
_MARKS = frozenset(
    {TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA, TokenType.DOT, TokenType.SEMICOLON}
)
_ACCEPTED = (
    _NAMES | _MOMENTS | _VALUES | _OPERATORS | _COMPARISONS | _JUNCTIONS | _CLAUSES | _MARKS
    | _CASES | _JOINS | {TokenType.NOT}
)  # fmt: skip
_ENDS = _NAMES | _MOMENTS | _VALUES | {TokenType.R_PAREN}
_HINT = (
    "A question is SELECT of aggregates, FROM one table or tables joined USING their unit, with "
    "WHERE, GROUP BY, HAVING, ORDER BY and LIMIT."
)
JOIN_HINT = (
    "Joins are inner, on the unit that both tables protect or on a key that their departments "
    "allow: FROM table JOIN other USING (unit)."
)


_LETTERS = {
    TokenType.DOT: ".", TokenType.ALIAS: "a", TokenType.USING: "u", TokenType.L_PAREN: "(",
    TokenType.R_PAREN: ")", TokenType.COMMA: ",",
}  # fmt: skip
_JOINED = re.compile(rf"(n\.)?n(a?n)?(?P<using>u)\(n(,n){{0,{MAXIMUM_KEY - 1}}}\)")
_LONGEST_JOIN = 8 + 2 * (MAXIMUM_KEY - 1) + 1


def require_words(text: str, names: Container[str], values: Sequence[Value] = ()) -> list[Token]:
    """The words, `values` in their places; raises INVALID_QUESTION at one that no question has.

    `names` are those of tables and columns, which may be words that SQL knows otherwise (temp).
    """
    words = words_of(text)
    if len(words) > MAXIMUM_WORDS:
        raise error("INVALID_QUESTION", f"The text has more than {MAXIMUM_WORDS} words.")
    words = filled(text, words, values)
    _Words(text, names).check(words)
    return words


class _Words:
    """One pass over the words of a text."""

    def __init__(self, text: str, names: Container[str]) -> None:
        self._text = text
        self._names = names
        self._open: list[tuple[str, int]] = []  # of every open bracket: what is called, and commas
        self._depth = self._junctions = self._operators = self._prefixes = self._cases = 0
        self._joins = 0
        self._usings: set[int | None] = set()
        self._clause: TokenType | None = None

    def check(self, words: list[Token]) -> None:
        """Raises at the first word that is not accepted, or stands where it may not."""
        before: Token | None = None
        for place, word in enumerate(words):
            kind = word.token_type
            named = kind not in _ACCEPTED and word.text.lower() in self._names
            if kind in _OTHER_JOINS and not named:
                raise self._refusal(word, f"{word.text.upper()} is not accepted here.", JOIN_HINT)
            if not (named or kind in _ACCEPTED) or (kind is TokenType.NOT and word.text == "!"):
                shown = word.text[:30] if word.text.isprintable() else "This"
                raise self._refusal(
                    word, f"{shown!r} is not accepted here.", f"{_HINT} A name can be quoted."
                )
            if before is not None:
                self._neighbours(before, word)
            self._arguments(word, before)
            self._count(word, before)
            if kind in _CLAUSES and not self._depth and kind is not TokenType.ALIAS:
                self._clause = kind
            if self._clause is TokenType.FROM and kind is TokenType.COMMA and not self._depth:
                raise self._refusal(word, "Tables are not listed with commas.", JOIN_HINT)
            if kind in _JOINS:
                self._join(words, place)
            before = word

    def _join(self, words: list[Token], place: int) -> None:
        """JOIN is part of FROM and followed by a table, USING and names in brackets."""
        word, after = words[place], words[place + 1 : place + 2]
        if word.token_type is TokenType.INNER:
            shaped = bool(after) and after[0].token_type is TokenType.JOIN
        elif word.token_type is TokenType.USING:
            shaped = place in self._usings  # one that belongs to a JOIN
        else:
            using = self._using(words, place)
            shaped = self._clause is TokenType.FROM and not self._depth and using is not None
            self._usings.add(using)
            self._joins += 1
            if self._joins > MAXIMUM_JOINS:
                raise self._refusal(word, f"There are more than {MAXIMUM_JOINS} joins.", JOIN_HINT)
        if not shaped:
            raise self._refusal(word, "This is no join of the question algebra.", JOIN_HINT)

    def _using(self, words: list[Token], place: int) -> int | None:
        """Where USING stands behind `[department .] table [[AS] alias]`, in its one shape: names in
        brackets.
        """
        at = place + 1
        shape = "".join(map(self._letter, words[at : at + _LONGEST_JOIN]))
        found = _JOINED.match(shape)
        return None if found is None else at + found.start("using")

    def _letter(self, word: Token) -> str:
        """A word's part in a join, as one character."""
        kind = word.token_type
        if kind in _NAMES or (kind not in _ACCEPTED and word.text.lower() in self._names):
            return "n"
        return _LETTERS.get(kind, "?")

    def _neighbours(self, before: Token, word: Token) -> None:
        kind, earlier = word.token_type, before.token_type
        ended = earlier in _ENDS or earlier not in _ACCEPTED  # a name that SQL knows otherwise
        if kind is TokenType.L_PAREN and ended:
            called = before.text.lower()
            if earlier is not TokenType.VAR or called not in FUNCTIONS:
                raise self._refusal(
                    before,
                    "This is no function of the question algebra.",
                    f"Accepted are {', '.join(sorted(FUNCTIONS))}.",
                )
        if kind is TokenType.STRING and ended and earlier not in _MOMENTS:
            raise self._refusal(
                word,
                "A text cannot follow here.",
                "Put an operator before it, or double its quote.",
            )
        if earlier is TokenType.SEMICOLON and kind is not TokenType.SEMICOLON:
            raise self._refusal(word, "Only one statement is accepted.", _HINT)

    def _arguments(self, word: Token, before: Token | None) -> None:
        kind = word.token_type
        if kind is TokenType.L_PAREN:
            self._open.append(("" if before is None else before.text.lower(), 1))
        elif kind is TokenType.R_PAREN and self._open:
            self._open.pop()
        elif kind is TokenType.COMMA and self._open:
            called, many = self._open.pop()
            if many == _TAKES.get(called, MAXIMUM_WORDS):
                raise self._refusal(
                    word, f"{called} takes {many} arguments.", f"Write {called}(x, 0.9)."
                )
            self._open.append((called, many + 1))

    def _count(self, word: Token, before: Token | None) -> None:
        kind = word.token_type
        self._depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        self._junctions += kind in _JUNCTIONS
        self._operators += kind in _OPERATORS
        self._cases += kind is TokenType.WHEN
        prefix = kind is TokenType.NOT or (
            kind is TokenType.DASH and (before is None or before.token_type not in _ENDS)
        )
        self._prefixes = self._prefixes + 1 if prefix else 0
        for many, most, what in (
            (self._depth, MAXIMUM_BRACKETS, "brackets inside one another"),
            (self._junctions, MAXIMUM_JUNCTIONS, "AND and OR"),
            (self._operators, MAXIMUM_OPERATORS, "operators"),
            (self._cases, MAXIMUM_CASES, "WHEN"),
            (self._prefixes, MAXIMUM_PREFIXES, "NOT or minus signs in a row"),
        ):
            if many > most:
                raise self._refusal(word, f"There are more than {most} {what}.", "Ask for less.")

    def _refusal(self, word: Token, message: str, hint: str) -> LandbridgeError:
        place = position_of(self._text, word.start)
        return error("INVALID_QUESTION", message, hint=hint, position=place)
