"""A text cut into what can be left out of it: outputs, conditions, keys, and what follows.

Works on the words alone, before any grammar, so that it can cut texts that are refused for their
grammar; linear in their length. What stays is the caller's own spelling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

from gateway.sql.source import position_of
from gateway.sql.words import MAXIMUM_WORDS
from landbridge.errors import Position
from policies.question import Span

_CLAUSES: Final = (
    TokenType.SELECT, TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING,
    TokenType.ORDER_BY, TokenType.LIMIT,
)  # fmt: skip
_COUNTED: Final = "count"
_EXTREMES: Final = {"min": "0.05", "max": "0.95"}
_LESS: Final = 3
"""Weight, in words, of a change that keeps a piece but makes it say less."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a list: its text and its words, lower case, without what they are quoted by."""

    text: str
    words: tuple[str, ...]

    @property
    def named(self) -> str:
        """The alias, empty where there is none."""
        return self.words[-1] if len(self.words) > 2 and self.words[-2] == "as" else ""

    @property
    def meant(self) -> tuple[str, ...]:
        """The words without an alias."""
        return self.words[:-2] if self.named else self.words


@dataclass(frozen=True, slots=True)
class Pieces:
    """One SELECT in pieces; `source` is all of FROM, `having` and `limit` are one piece or none."""

    outputs: tuple[Piece, ...]
    source: Piece
    where: tuple[Piece, ...]
    groups: tuple[Piece, ...]
    having: tuple[Piece, ...]
    order: tuple[Piece, ...]
    limit: tuple[Piece, ...]

    def text(self) -> str:
        """The pieces put together again."""
        return "".join(word + piece.text for word, piece in self._laid_out())

    def at(self, position: Position) -> Piece | None:
        """The piece that stands at a place of `text`; None between pieces."""
        offset = 0
        whole = self.text()
        for word, piece in self._laid_out():
            start = offset + len(word)
            offset = start + len(piece.text)
            last = position_of(whole, offset - 1)
            first = position_of(whole, start)
            where = (position.line, position.column)
            if (first.line, first.column) <= where <= (last.line, last.column):
                return piece
        return None

    def __contains__(self, piece: Piece) -> bool:
        return any(piece == own for _, own in self._laid_out())

    def _laid_out(self) -> Iterator[tuple[str, Piece]]:
        """Every piece in order, with what is written before it."""
        clauses = (
            ("SELECT ", ", ", self.outputs), (" FROM ", "", (self.source,)),
            (" WHERE ", " AND ", self.where), (" GROUP BY ", ", ", self.groups),
            (" HAVING ", "", self.having), (" ORDER BY ", ", ", self.order),
            (" LIMIT ", "", self.limit),
        )  # fmt: skip
        for word, between, pieces in clauses:
            for place, piece in enumerate(pieces):
                yield (between if place else word), piece

    def smaller(self) -> Iterator[tuple[int, Pieces]]:
        """Every text that is one change away and asks for less, with how many words it gives up."""
        for place in range(len(self.outputs)):
            if len(self.outputs) > 1:
                yield len(self.outputs[place].words), self._without_output(place)
        for place, key in enumerate(self.groups):
            yield len(key.words), self._without_group(place)
        for place, condition in enumerate(self.where):
            yield len(condition.words), replace(self, where=_without(self.where, place))
        for place, key in enumerate(self.order):
            yield len(key.words), replace(self, order=_without(self.order, place))
        if self.having:
            yield len(self.having[0].words), replace(self, having=())
        if self.limit:
            yield 1, replace(self, limit=())
        yield from self._plainer()
        yield from self._coarser()

    def _plainer(self) -> Iterator[tuple[int, Pieces]]:
        """A column's aggregate as its count, extremes as quantiles, what is alone as count(*)."""
        if len(self.outputs) == 1:
            yield len(self.outputs[0].words), self._with_output(0, "count(*)")
        for place, output in enumerate(self.outputs):
            match output.meant:
                case (function, "(", column, ")") if function != _COUNTED and column != "*":
                    kinds = [f"{_COUNTED}({column})"]
                    if function in _EXTREMES:
                        kinds.insert(0, f"quantile_cont({column}, {_EXTREMES[function]})")
                    for kind in kinds:
                        alias = f" AS {output.text.split()[-1]}" if output.named else ""
                        yield _LESS, self._with_output(place, f"{kind}{alias}")

    def _coarser(self) -> Iterator[tuple[int, Pieces]]:
        """Half the buckets, or the next longer span, wherever the same key stands."""
        for key in dict.fromkeys((*self.groups, *self.outputs)):
            match key.meant:
                case ("width_bucket", "(", *_, count, ")") if count.isdigit() and int(count) > 1:
                    found, instead = count, str(int(count) // 2)
                case ("date_trunc", "(", span, ",", *_) if _longer(span):
                    found, instead = span, _longer(span)
                case _:
                    continue
            head, found_at, tail = key.text.rpartition(found)
            if not found_at:
                continue
            written = head + instead + tail

            def swapped(piece: Piece, key: Piece = key, written: str = written) -> Piece:
                return _piece(written) if piece.meant == key.meant and not piece.named else piece

            changed = replace(
                self,
                groups=tuple(map(swapped, self.groups)),
                outputs=tuple(
                    _piece(written) if piece == key else swapped(piece) for piece in self.outputs
                ),
            )
            yield _LESS, changed

    def _with_output(self, place: int, text: str) -> Pieces:
        outputs = (*self.outputs[:place], _piece(text), *self.outputs[place + 1 :])
        return replace(self, outputs=outputs)

    def _without_output(self, place: int) -> Pieces:
        """Without an output and whatever stands for it."""
        output = self.outputs[place]

        def stays(piece: Piece) -> bool:
            return not _stands_for(piece, output, place)

        return replace(
            self,
            outputs=_without(self.outputs, place),
            groups=tuple(_moved(piece, place) for piece in self.groups if stays(piece)),
            order=tuple(_moved(piece, place) for piece in self.order if stays(piece)),
        )

    def _without_group(self, place: int) -> Pieces:
        """Without a key and the outputs that show it."""
        key = self.groups[place]
        found = replace(self, groups=_without(self.groups, place))
        shown = [at for at, output in enumerate(self.outputs) if _stands_for(key, output, at)]
        for at in reversed(shown):
            if len(found.outputs) > 1:
                found = found._without_output(at)
        return found


def cut(text: str) -> Pieces | None:
    """The pieces; None for what is not one SELECT with its clauses in order."""
    words = _words(text)
    if words and words[-1].token_type is TokenType.SEMICOLON:
        words.pop()
    clauses = {clause: list[list[Token]]() for clause in _CLAUSES}
    depth, between, current = 0, False, -1
    for word in words:
        kind = word.token_type
        if kind is TokenType.SEMICOLON:
            return None
        if not depth and kind in clauses:
            place = _CLAUSES.index(kind)
            if place <= current or (current < 0 and place):
                return None
            current, between = place, False
            clauses[kind].append([])
            continue
        if current < 0:
            return None
        clause = _CLAUSES[current]
        if not depth and kind is TokenType.BETWEEN:
            between = True
        elif not depth and (
            (kind is TokenType.COMMA and clause not in (TokenType.FROM, TokenType.WHERE))
            or (kind is TokenType.AND and clause is TokenType.WHERE and not between)
        ):
            clauses[clause].append([])
            continue
        elif not depth and kind is TokenType.AND:
            between = False
        clauses[clause][-1].append(word)
        depth += kind in (TokenType.L_PAREN, TokenType.CASE)
        depth -= kind in (TokenType.R_PAREN, TokenType.END)
    return _pieces(text, clauses)


def _pieces(text: str, clauses: dict[TokenType, list[list[Token]]]) -> Pieces | None:
    if not all(words for pieces in clauses.values() for words in pieces):
        return None
    if len(clauses[TokenType.FROM]) != 1 or any(
        len(clauses[one]) > 1 for one in (TokenType.HAVING, TokenType.LIMIT)
    ):
        return None
    found = {
        clause: [
            Piece(text[words[0].start : words[-1].end + 1], tuple(w.text.lower() for w in words))
            for words in pieces
        ]
        for clause, pieces in clauses.items()
    }
    where = found[TokenType.WHERE]
    if any(word.token_type is TokenType.OR for part in clauses[TokenType.WHERE] for word in part):
        # AND binds closer than OR: only the whole condition can be left out.
        whole = clauses[TokenType.WHERE]
        where = [
            Piece(
                text[whole[0][0].start : whole[-1][-1].end + 1],
                tuple(word.text.lower() for part in whole for word in part),
            )
        ]
    return Pieces(
        tuple(found[TokenType.SELECT]),
        found[TokenType.FROM][0],
        tuple(where),
        tuple(found[TokenType.GROUP_BY]),
        tuple(found[TokenType.HAVING]),
        tuple(found[TokenType.ORDER_BY]),
        tuple(found[TokenType.LIMIT]),
    )


def _words(text: str) -> list[Token]:
    try:
        words = sqlglot.tokenize(text, read="duckdb")
    except (SqlglotError, ValueError):
        return []
    return words if len(words) <= MAXIMUM_WORDS else []


def _piece(text: str) -> Piece:
    return Piece(text, tuple(word.text.lower() for word in _words(text)))


def _without(pieces: tuple[Piece, ...], place: int) -> tuple[Piece, ...]:
    return (*pieces[:place], *pieces[place + 1 :])


def _stands_for(piece: Piece, output: Piece, place: int) -> bool:
    """Whether a key of GROUP BY or ORDER BY means the output at that place."""
    words = piece.words
    while words and words[-1] in ("asc", "desc", "nulls first", "nulls last"):
        words = words[:-1]
    return words in ((str(place + 1),), output.meant) or (
        bool(output.named) and words == (output.named,)
    )


def _moved(piece: Piece, place: int) -> Piece:
    """A key that names an output by its number, after the output at `place` went."""
    number = piece.words[0] if piece.words else ""
    if number.isdigit() and len(number) < 4 and int(number) > place + 1:
        return _piece(piece.text.replace(number, str(int(number) - 1), 1))
    return piece


def _longer(span: str) -> str:
    return next((after.value for before, after in pairwise(Span) if before == span), "")
