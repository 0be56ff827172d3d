"""What engines other than DuckDB have in common: windows beside rows, and places with names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nodes.dialects.dialect import Dialect, Part


class Standard(Dialect):
    """Places are named, so that a value can stand in several; what is selected from has a name."""

    positional = False
    looks_up = False
    derived = ' AS "derived"'
    ranks = True

    def nth_largest(self, value: str, rank: int, most: int, place: str) -> str:
        """By the rank beside each."""
        del most
        return f"max(CASE WHEN {place} = {rank} THEN {value} END)"

    def first_of(self, columns: Sequence[str], rest: str, unit: str, order: str, most: str) -> str:
        """By a rank beside each."""
        place = f'row_number() OVER (PARTITION BY {unit} ORDER BY {order}) AS "place"'
        ranked = f"SELECT {', '.join([*columns, place])} {rest}"
        return f'SELECT * FROM ({ranked}) AS "ranked" WHERE "place" <= {most}'

    def part(self, text: str, part: Part, bound: Callable[[int], str]) -> tuple[str, ...]:
        """By a hash of the key, without its sign: a row's place here is no number from 0."""
        if part.parts == 1:
            return ()
        spread = f"({self.spread(text)} & 9223372036854775807)"
        return (f"{spread} % {bound(part.parts)} = {bound(part.number)}",)

    def spread(self, text: str) -> str:
        """A 64-bit whole number of a text, by which texts fall into parts."""
        raise NotImplementedError

    def octets(self, text: str) -> str:
        """By this name."""
        return f"octet_length({text})"
