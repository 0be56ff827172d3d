"""A place in a document: what stands there, and the list that its problems go to.

A reader asks a place for what it needs and goes on after a problem, so that the owner sees every
problem of a document at once and not the first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from policies.document import Tree

MAXIMUM_TEXT: Final = 10_000
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


@dataclass(slots=True)
class Problems:
    """Every problem found in one document, in the order found."""

    found: list[str] = field(default_factory=list)
    _settled: set[str] = field(default_factory=set)

    def add(self, path: str, sentence: str, *, settles: bool = False) -> None:
        """Notes one problem.

        `settles`: the place is unusable, and whatever is said about it later says nothing new.
        """
        if path in self._settled:
            return
        if settles:
            self._settled.add(path)
        self.found.append(f"{path}: {sentence}" if path else sentence)


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at `path`; a `tree` of None is absent, as YAML's null is.

    The methods that read (`text`, `number`, ...) return None for what is absent, silently, and
    for what is of another kind, with a problem.
    """

    path: str
    tree: Tree
    problems: Problems

    def wrong(self, sentence: str) -> None:
        """Notes a problem of this place."""
        self.problems.add(self.path, sentence)

    @property
    def absent(self) -> bool:
        """Whether nothing stands here."""
        return self.tree is None

    def must(self, why: str) -> Place:
        """This place, after noting that it is missing, if it is."""
        if self.absent:
            self.wrong(f"is missing; {why}.")
        return self

    def at(self, key: str) -> Place:
        """The member of that key; absent where this place is no mapping or has no such key."""
        tree = self.tree.get(key) if isinstance(self.tree, dict) else None
        return Place(step(self.path, key, None), tree, self.problems)

    def entries(self) -> list[Place]:
        """The elements of a list."""
        if isinstance(self.tree, list):
            return [
                Place(step(self.path, index, child), child, self.problems)
                for index, child in enumerate(self.tree)
            ]
        if not self.absent:
            self.wrong("must be a list.")
        return []

    def only(self, keys: Collection[str]) -> None:
        """Notes every key of this mapping that is not among `keys`, and if it is no mapping."""
        if isinstance(self.tree, dict):
            for key in self.tree:
                if key not in keys:
                    self.problems.add(
                        step(self.path, key, None),
                        f"is not read here; the keys are {', '.join(sorted(keys))}.",
                    )
        elif not self.absent:
            self.wrong(f"must be a mapping with the keys {', '.join(sorted(keys))}.")

    def text(self) -> str | None:
        """Text without control or invisible characters, line breaks apart."""
        if self.absent:
            return None
        if not isinstance(self.tree, str):
            self.wrong("must be text; put it in quotes.")
            return None
        if len(self.tree) > MAXIMUM_TEXT:
            self.wrong(f"must be no longer than {MAXIMUM_TEXT} characters.")
            return None
        # Descriptions are shown on terminals and in consoles to people who decide by them.
        if any(unicodedata.category(each)[0] == "C" and each not in "\n\t" for each in self.tree):
            self.wrong("must hold no control or invisible characters.")
            return None
        return self.tree

    def word(self, words: Sequence[str]) -> str | None:
        """One of `words`."""
        if self.absent:
            return None
        if not isinstance(self.tree, str) or self.tree not in words:
            self.wrong(f"must be {listed(words)}.")
            return None
        return self.tree

    def boolean(self) -> bool | None:
        """True or false."""
        if self.absent or isinstance(self.tree, bool):
            return self.tree if isinstance(self.tree, bool) else None
        self.wrong("must be true or false.")
        return None

    def number(self) -> float | None:
        """A finite number."""
        if self.absent:
            return None
        if isinstance(self.tree, bool) or not isinstance(self.tree, int | float):
            self.wrong("must be a number.")
            return None
        try:
            return float(self.tree)
        except OverflowError:
            self.wrong("must be a number that a 64-bit float can hold.")
            return None

    def integer(self, low: int, high: int) -> int | None:
        """A whole number in `[low, high]`."""
        if self.absent:
            return None
        whole = isinstance(self.tree, int) and not isinstance(self.tree, bool)
        if not (whole and isinstance(self.tree, int) and low <= self.tree <= high):
            self.wrong(f"must be a whole number from {low} to {high}.")
            return None
        return self.tree


def step(path: str, key: str | int, child: Tree) -> str:
    """The path of a member: `a.b` for a key, `a.name` for a named list element, else `a[0]`."""
    if isinstance(key, int):
        name = (child.get("name") or child.get("property")) if isinstance(child, dict) else None
        if not (isinstance(name, str) and _PLAIN_NAME.fullmatch(name)):
            return f"{path}[{key}]"
        key = name
    elif not _PLAIN_NAME.fullmatch(key):
        key = "(a key)"
    return f"{path}.{key}" if path else key


def listed(words: Sequence[str]) -> str:
    """The words as a sentence lists them: "a, b or c"."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
