"""The blocks of a page: which language, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_FENCE = re.compile(r"(?ms)^ *```(\{code-block\} )?([a-z]*)\n(.*?)^ *```$")
_OPTION = re.compile(r"(?m)\A:name: (\w+)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """`name` is the option of that name, for blocks that are not like others."""

    language: str
    text: str
    name: str


def blocks(page: Path) -> Iterator[Block]:
    """In the order of the page."""
    for _, language, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        option = _OPTION.match(text)
        yield Block(language, _OPTION.sub("", text), option[1] if option else "")
