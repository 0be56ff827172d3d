"""One policy of a policy set, cut out of its text with the line that it starts on.

Cedar's parser reports no position, and it runs out of stack, which ends the process, on text that
nests some hundred levels deep. Both are met here, before it sees the text: each policy is parsed
alone, and none nests deeper than is safe.

Source: Cedar policy language 4, "Grammar specification for Cedar policy syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAXIMUM_BYTES: Final = 256 * 1024
MAXIMUM_POLICIES: Final = 1_000
MAXIMUM_TOKENS: Final = 10_000
MAXIMUM_OPERATORS: Final = 100
"""Operators in one policy. Each may nest the one before it: 490 in a chain were seen to end a
thread of 2 MiB stack, 1,500 the main thread."""
MAXIMUM_DEPTH: Final = 32
"""Deepest brackets; 3,000 were seen to end the main thread."""

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n\r]*)
      | (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<operator>&&|\|\||[-+*.!]|\b(?:if|has|in|like|is)\b)
      | (?P<word>[A-Za-z0-9_]+)
      | (?P<open>[(\[{])
      | (?P<close>[)\]}])
      | (?P<end>;)
      | (?P<unended>")
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


class StatementInvalid(Exception):
    """The text cannot be cut into policies; `line` is 1-based, `problem` is one sentence."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(line, problem)
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy's text, and the 1-based line of its first token."""

    line: int
    text: str


def statements(text: str) -> Iterator[Statement]:
    """The policies of a policy set, in order.

    Raises StatementInvalid for text that is too long, nested too deep, or has no end.
    """
    if len(text.encode(errors="replace")) > MAXIMUM_BYTES:
        raise StatementInvalid(1, f"The text must be no larger than {MAXIMUM_BYTES // 1024} KiB.")
    start: int | None = None
    line = first = 1
    depth = tokens = operators = policies = 0
    for token in _TOKEN.finditer(text):
        here, line = line, line + token.group().count("\n")
        if token.lastgroup == "space":
            continue
        if start is None:
            start, first, tokens, operators = token.start(), here, 0, 0
        tokens += 1
        if tokens > MAXIMUM_TOKENS:
            raise StatementInvalid(first, f"A policy must have at most {MAXIMUM_TOKENS} words.")
        match token.lastgroup:
            case "operator":
                operators += 1
                if operators > MAXIMUM_OPERATORS:
                    raise StatementInvalid(
                        first,
                        f"A policy must have at most {MAXIMUM_OPERATORS} operators; a list and "
                        "contains() say the same in one.",
                    )
            case "unended":
                raise StatementInvalid(here, "A text in quotes must end.")
            case "open":
                depth += 1
                if depth > MAXIMUM_DEPTH:
                    raise StatementInvalid(
                        here, f"Brackets must nest at most {MAXIMUM_DEPTH} levels deep."
                    )
            case "close":
                depth -= 1
                if depth < 0:
                    raise StatementInvalid(here, "A bracket is closed that was not opened.")
            case "end" if depth == 0:
                policies += 1
                if policies > MAXIMUM_POLICIES:
                    raise StatementInvalid(
                        here, f"A policy set must have at most {MAXIMUM_POLICIES} policies."
                    )
                yield Statement(first, text[start : token.end()])
                start = None
    if start is not None:
        raise StatementInvalid(first, "A policy must end with a semicolon.")
