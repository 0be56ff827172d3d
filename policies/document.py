"""The text of a document, read into a plain tree, without surprises.

YAML as people write it, read as JSON would read it: only `null`, `true`, `false` and JSON's
numbers are anything but text, so `NO` stays a country, `1e-6` is a number and `12:30` is no
integer. What could make two readers disagree, or a small text a large tree, is refused.

Source: YAML 1.2.2, chapter 10.2 (JSON schema).
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final

import yaml

Tree = None | bool | int | float | str | list["Tree"] | dict[str, "Tree"]
"""What a document holds."""

MAXIMUM_BYTES: Final = 256 * 1024
MAXIMUM_DEPTH: Final = 32
KEPT: Final = 16
KEPT_CHARACTERS: Final = 64 * 1024
"""So many trees of texts of at most that length are remembered: departments serve one contract, and
a node reads its own more than once, each at twenty milliseconds for a page of YAML."""
MAXIMUM_DIGITS: Final = 32
"""Longest numeral; every number that a contract can mean is shorter."""

_CONSTANTS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    "null": None,
    "true": True,
    "false": False,
}
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_REAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", re.ASCII)


class DocumentInvalid(Exception):
    """The text is not such a document; `problem` is one sentence that says where and why."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def parse(document: bytes | str) -> Tree:
    """The document's tree: UTF-8, at most 256 KiB, at most 32 levels deep.

    Refuses, as DocumentInvalid, what is not YAML, a key written twice, a key that is no text, an
    anchor, an alias, a merge key, a tag and a second document.
    """
    try:
        octets = document.encode() if isinstance(document, str) else document
        text = octets.decode()
    except UnicodeError:
        raise DocumentInvalid("The document must be text in UTF-8.") from None
    if len(octets) > MAXIMUM_BYTES:
        raise DocumentInvalid(f"The document must be no larger than {MAXIMUM_BYTES // 1024} KiB.")
    read = _read if len(text) <= KEPT_CHARACTERS else _read.__wrapped__
    return _copied(read(text))


@lru_cache(KEPT)
def _read(text: str) -> Tree:
    """One tree for all who read that text."""
    try:
        node = _Composer(text).get_single_node()
        return None if node is None else _tree(node)
    except yaml.MarkedYAMLError as found:
        mark = found.problem_mark or found.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DocumentInvalid(where + _sentence(found.problem or found.context)) from None
    except yaml.YAMLError:
        # PyYAML's reader reports characters that YAML excludes, and nothing else, without a mark.
        raise DocumentInvalid("The document must hold no control characters.") from None


def _copied(tree: Tree) -> Tree:
    """A reader may take its tree apart."""
    match tree:
        case dict():
            return {key: _copied(value) for key, value in tree.items()}
        case list():
            return [_copied(value) for value in tree]
        case _:
            return tree


def _sentence(problem: str | None) -> str:
    words = " ".join((problem or "this is not YAML").split()).rstrip(".")
    return f"{words[:1].upper()}{words[1:]}."


class _Composer(yaml.SafeLoader):
    """PyYAML's parser; no constructor of PyYAML's runs on what it composes."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        # An alias can make kilobytes mean gigabytes, and makes a reviewer read in two places.
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refusal("anchors and aliases are not accepted; write the value out", event)
        if getattr(event, "tag", None) is not None:
            raise _refusal("tags are not accepted; write the plain value", event)
        # Checked on the way down, so that neither PyYAML nor `_tree` can run out of stack.
        self.depth += 1
        if self.depth > MAXIMUM_DEPTH:
            raise _refusal(f"the document is nested deeper than {MAXIMUM_DEPTH} levels", event)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _tree(node: yaml.Node) -> Tree:
    match node:
        case yaml.MappingNode():
            return _mapping(node)
        case yaml.SequenceNode():
            return [_tree(child) for child in node.value]
        case _:
            return _scalar(node)


def _mapping(node: yaml.MappingNode) -> dict[str, Tree]:
    built: dict[str, Tree] = {}
    for key_node, value_node in node.value:
        key = _tree(key_node)
        if not isinstance(key, str):
            raise _refusal("a key must be text", key_node)
        if key == "<<":
            raise _refusal("merge keys are not accepted; write the keys out", key_node)
        # Readers differ in which of the two they keep.
        if key in built:
            raise _refusal("this key is written twice in one mapping", key_node)
        built[key] = _tree(value_node)
    return built


def _scalar(node: yaml.Node) -> Tree:
    text = str(node.value)
    if getattr(node, "style", None):  # quoted, or a block: text whatever it looks like
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if not _REAL.fullmatch(text):
        return text
    if len(text) > MAXIMUM_DIGITS:
        raise _refusal(f"a number must have no more than {MAXIMUM_DIGITS} characters", node)
    if _INTEGER.fullmatch(text):
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise _refusal("a number is too large for a 64-bit float", node)
    return number


def _refusal(problem: str, at: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    mark = at.start_mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)  # type: ignore[arg-type]
