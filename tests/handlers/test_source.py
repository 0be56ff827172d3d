"""A Python handler's terms, read from its text, which is not run for that."""

from __future__ import annotations

import pytest

from policies.contract import Type
from policies.handler import HandlerInvalid
from policies.handler_source import read
from policies.reply import Verdicts

TEXT = """
from typing import Literal
from nodes.handlers import Verdict, View, failed, handler, passed

@handler(
    version=2,
    description="Whether somebody may have a scheme",
    contract="people",
    subject="person_id",
    reasons=["TOO_RICH", "UNKNOWN"],
    absent="UNKNOWN",
    level="internal",
    purposes=["dpv:LegalCompliance"],
    subjects_per_month=30,
    consent=True,
    sources={"band": ["tax.income.band"]},
    passes={"size": {"type": "integer", "to": ["social"]}},
)
def eligible(view: View, person_id: str, scheme: Literal["basic", "child"], band: str) -> Verdict:
    return passed()
"""


def test_the_terms_are_the_decorators_and_the_functions_own() -> None:
    """Nothing is said twice: name, arguments and result stand in the function's first line."""
    handler = read(TEXT, "eligible.py")
    assert (handler.name, handler.function, handler.version) == ("eligible", "eligible", "2")
    assert handler.arguments == tuple((n, Type.TEXT) for n in ("person_id", "scheme", "band"))
    assert handler.choices == {"scheme": ("basic", "child")}
    assert handler.sources == {"band": frozenset({"tax.income.band"})}
    assert handler.returns == Verdicts(("TOO_RICH", "UNKNOWN"), "UNKNOWN")
    assert handler.quota.subjects == (("month", 30),)
    assert handler.consent
    assert handler.passes[0].to == {"social"}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("from typing import Literal", "import os, socket", "imports os"),
        ("from typing import Literal", "from subprocess import run", "imports subprocess"),
        ("from typing import Literal", "import typing.io", "imports typing.io"),
        ("    return passed()", "    import ctypes\n    return passed()", "imports ctypes"),
        ("subjects_per_month=30", "subjects_per_month=2 * 15", "is no literal"),
        ("person_id: str", "person_id", "annotated as str, int or Literal"),
        ("person_id: str", "person_id: str, threshold: int", "only the subject is free"),
        ("person_id: str", "person_id: bytes", "annotated as"),
        ("-> Verdict", "-> dict", "annotated to return"),
        ("view: View, ", "", "takes view first"),
        ("band: str)", "band: str = 'A')", "no defaults"),
        ("band: str)", "*band: str)", "no defaults"),
        ("@handler(", "@handle(", "decorated with @handler"),
        ("version=2", "version=2, handler='other'", "the function's own"),
        ("version=2", "version=2, **{}", "unknown key"),
        ("return passed()", "return (", "is no Python"),
    ],
    ids=lambda each: each[:30],
)
def test_what_is_not_plainly_declared_is_not_served(old: str, new: str, problem: str) -> None:
    """An owner reads one sentence; nothing is guessed."""
    assert old in TEXT
    with pytest.raises(HandlerInvalid) as invalid:
        read(TEXT.replace(old, new), "eligible.py")
    assert any(problem in each for each in invalid.value.problems), invalid.value.problems


def test_what_comes_sealed_comes_from_nowhere_else() -> None:
    """A caller who could give it too could try values out."""
    handler = read(TEXT, "eligible.py")
    given = {"person_id": "a", "scheme": "basic"}
    assert handler.values(given, {"band": "LOW"})["band"] == "LOW"
    for form, handed in [({**given, "band": "LOW"}, {}), (given, {}), (given, {"scheme": "child"})]:
        from landbridge.errors import InvalidQuestion

        with pytest.raises(InvalidQuestion):
            handler.values(form, handed)
