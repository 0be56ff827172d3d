"""What a handler may say about a subject: a closed list of types, none of which can hold a row.

A department declares the type when the handler is loaded. Whatever its SQL or its function then
gives back is either a value of that type or no reply at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, assert_never

CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
PASS: Final = "PASS"  # noqa: S105 - a verdict
FAIL: Final = "FAIL"
MOST_REASONS: Final = 8
MOST_STEPS: Final = 1_000
"""Different values of a bounded number: enough for a share in per mille, too few for an income."""
_MOST_CODES: Final = 100


class ReplyUnfit(Exception):
    """What was computed is no value of the declared type. Says nothing of it."""


@dataclass(frozen=True, slots=True)
class Codes:
    """One code of a declared list; `absent` for an unknown subject."""

    codes: tuple[str, ...]
    absent: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """PASS or FAIL, with reason codes; an unknown subject fails for the reason `absent`."""

    reasons: tuple[str, ...]
    absent: str


@dataclass(frozen=True, slots=True)
class Bands:
    """The band in which a number lies. `edges` are the bands' lower ends, ascending.

    A number under the first edge is in the first band. The edges are the owner's, so that no caller
    can move them.
    """

    edges: tuple[tuple[str, float], ...]
    absent: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """A number clamped to bounds and rounded to a multiple of `step` above `minimum`."""

    minimum: float
    maximum: float
    step: float
    absent: float


Returns = Codes | Verdicts | Bands | Numbers


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: a code, with a verdict's reasons; or a bounded number, with an empty code."""

    code: str
    reasons: tuple[str, ...] = ()
    number: float | None = None


def codes_of(returns: Returns) -> tuple[str, ...]:
    """Every code that a reply may have; none for a number."""
    match returns:
        case Codes():
            return returns.codes
        case Verdicts():
            return (PASS, FAIL)
        case Bands():
            return (*(name for name, _ in returns.edges), returns.absent)
        case Numbers():
            return ()
        case _:
            assert_never(returns)


def reasons_of(returns: Returns) -> tuple[str, ...]:
    """Every reason that a reply may give."""
    return returns.reasons if isinstance(returns, Verdicts) else ()


def width(returns: Returns) -> int:
    """How many columns of a SELECT hold the reply: a verdict's reasons are a second one."""
    return 2 if isinstance(returns, Verdicts) else 1


def absent(returns: Returns) -> Reply:
    """The reply about a subject that the department does not know."""
    match returns:
        case Codes() | Bands():
            return Reply(returns.absent)
        case Verdicts():
            return Reply(FAIL, (returns.absent,))
        case Numbers():
            return Reply("", (), returns.absent)
        case _:
            assert_never(returns)


def replied(returns: Returns, found: Sequence[object]) -> Reply:
    """The reply that these values are; raises ReplyUnfit, which quotes none of them.

    A verdict is true, false, 'PASS' or 'FAIL', then its reasons in one text with spaces between
    them; a pass has none of them, a failure at least one.
    """
    if len(found) != width(returns):
        raise ReplyUnfit
    value = found[0]
    match returns:
        case Codes():
            if not isinstance(value, str) or value not in returns.codes:
                raise ReplyUnfit
            return Reply(value)
        case Verdicts():
            return _verdict(returns, value, found[1])
        case Bands():
            number = _number(value)
            name = returns.edges[0][0]
            for each, edge in returns.edges:
                if number >= edge:
                    name = each
            return Reply(name)
        case Numbers():
            inside = min(max(_number(value), returns.minimum), returns.maximum)
            steps = round((inside - returns.minimum) / returns.step)
            return Reply("", (), min(returns.minimum + steps * returns.step, returns.maximum))
        case _:
            assert_never(returns)


def require_declared(returns: Returns, reply: Reply) -> None:
    """Raises ReplyUnfit for a reply that the declared type does not have."""
    match returns:
        case Numbers():
            number = reply.number
            fits = (
                number is not None
                and not reply.code
                and returns.minimum <= number <= returns.maximum
                and number in (replied(returns, (number,)).number, returns.absent)
            )
        case _:
            fits = reply.number is None and reply.code in codes_of(returns)
    reasons = set(reply.reasons)
    if not fits or len(reasons) != len(reply.reasons) or not reasons <= set(reasons_of(returns)):
        raise ReplyUnfit


def _verdict(returns: Verdicts, value: object, said: object) -> Reply:
    passed = {True: True, False: False, PASS: True, FAIL: False}.get(value)
    reasons = tuple(dict.fromkeys(said.split())) if isinstance(said, str) else ()
    if passed is None or not set(reasons) <= set(returns.reasons) or len(reasons) > MOST_REASONS:
        raise ReplyUnfit
    if passed == bool(reasons):
        raise ReplyUnfit
    return Reply(PASS if passed else FAIL, tuple(sorted(reasons)))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ReplyUnfit
    return float(value)


def read_returns(terms: Mapping[str, Any], problems: list[str]) -> Returns | None:
    """The type that a handler's terms declare; adds a sentence for whatever is wrong."""
    kind = terms.get("returns", "code")
    if kind not in _READERS:
        problems.append(f"returns is one of {', '.join(_READERS)}")
        return None
    own = _OWN_KEYS[kind]
    problems += [
        f"key {key!r} does not belong to a handler that returns a {kind}"
        for keys in _OWN_KEYS.values()
        for key in keys
        if key not in own and key in terms
    ]
    problems += [f"key {key!r} is missing" for key in (*own, "absent") if key not in terms]
    if any(key not in terms for key in (*own, "absent")):
        return None
    return _READERS[kind](terms, problems)


def _codes(terms: Mapping[str, Any], problems: list[str]) -> Returns | None:
    codes = _words(terms["codes"], "codes", problems)
    if codes and terms["absent"] not in codes:
        problems.append("absent is one of the codes")
    return Codes(codes, str(terms["absent"]))


def _verdicts(terms: Mapping[str, Any], problems: list[str]) -> Returns | None:
    reasons = _words(terms["reasons"], "reasons", problems)
    if reasons and terms["absent"] not in reasons:
        problems.append("absent is one of the reasons: why an unknown subject fails")
    problems += [
        f"reason {reason} could say a date or a value; a reason has at most three digits"
        for reason in reasons
        if sum(character.isdigit() for character in reason) > 3
    ]
    return Verdicts(reasons, str(terms["absent"]))


def _bands(terms: Mapping[str, Any], problems: list[str]) -> Returns | None:
    tree = terms["bands"]
    pairs = list(tree.items()) if isinstance(tree, dict) else []
    numbers = [edge for _, edge in pairs if _is_number(edge)]
    names = _words([name for name, _ in pairs], "bands", problems)
    rising = len(numbers) == len(pairs) and all(a < b for a, b in pairwise(numbers))
    if len(pairs) < 2 or not rising:
        problems.append("bands is a mapping of at least two names to ascending lower ends")
    if not CODE.fullmatch(str(terms["absent"])) or terms["absent"] in names:
        problems.append("absent is an upper-case word beside the bands")
    return Bands(
        tuple((str(name), float(edge)) for name, edge in pairs if _is_number(edge)),
        str(terms["absent"]),
    )


def _numbers(terms: Mapping[str, Any], problems: list[str]) -> Returns | None:
    tree = terms["number"]
    keys = {"minimum", "maximum", "step"}
    if not isinstance(tree, dict) or set(tree) != keys or not all(map(_is_number, tree.values())):
        problems.append("number is a mapping of minimum, maximum and step to numbers")
        return None
    low, high, step = float(tree["minimum"]), float(tree["maximum"]), float(tree["step"])
    if not low < high or step <= 0 or (high - low) / step > MOST_STEPS:
        problems.append(
            f"number has a maximum above its minimum and at most {MOST_STEPS} steps between them: "
            "a finer one would give the subject's own value away"
        )
    if not _is_number(terms["absent"]) or not low <= terms["absent"] <= high:
        problems.append("absent is a number within the bounds")
        return None
    return Numbers(low, high, step, float(terms["absent"]))


def _words(listed: object, key: str, problems: list[str]) -> tuple[str, ...]:
    words = [str(each) for each in listed] if isinstance(listed, list) else []
    good = 0 < len(words) <= _MOST_CODES and all(map(CODE.fullmatch, words))
    if not good or len(set(words)) != len(words):
        problems.append(f"{key} is a list of different upper-case words")
        return ()
    return tuple(words)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


_READERS: Final = {"code": _codes, "verdict": _verdicts, "band": _bands, "number": _numbers}
_OWN_KEYS: Final = {
    "code": ("codes",),
    "verdict": ("reasons",),
    "band": ("bands",),
    "number": ("number",),
}


def spelt(reply: Reply) -> str:
    """The reply in one line, which is what logs commit to: code and reasons, or the number."""
    if reply.number is not None:
        return f"{reply.number:.12g}"
    return " ".join((reply.code, *reply.reasons))
