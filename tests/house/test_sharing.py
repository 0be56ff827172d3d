"""The workers of `make check` share the tests as they must: units whole, the longest first."""

from __future__ import annotations

import ast
import random
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.ports import EACH, LOWEST, WORKERS, free_port
from tests.sharing import LONGEST_FIRST, TOGETHER, ordered, unit

ROOT = Path(__file__).parents[2]
STARTS_PROCESSES = {"federation", "up"}


def test_a_unit_is_a_file_or_a_folder_that_shares_its_federation() -> None:
    """Whatever stands in the brackets of a parameter."""
    assert unit("tests/sdk/test_wire.py::test_a[x::y/z]") == "tests/sdk/test_wire.py"
    assert unit("tests/attacks/test_a.py::test_a") == unit("tests/attacks/test_b.py::test_b")
    assert unit("tests/attacks_more/test_a.py::test_a") == "tests/attacks_more/test_a.py"


def test_the_longest_units_go_first_and_keep_their_order_within() -> None:
    """A long one that starts last is waited for alone."""
    rest = ["tests/a/test_a.py::test_1", "tests/a/test_a.py::test_2"]
    named = [f"{name}::{test}" for name in LONGEST_FIRST for test in ("test_2", "test_1")]
    mixed = [*rest, *(f"{name}::test_2" for name in reversed(LONGEST_FIRST))]
    mixed += [f"{name}::test_1" for name in random.sample(LONGEST_FIRST, len(LONGEST_FIRST))]
    items = [cast("pytest.Item", SimpleNamespace(nodeid=_test(name))) for name in mixed]
    assert [item.nodeid for item in ordered(items)] == [*map(_test, named), *rest]


def _test(name: str) -> str:
    """A test of that unit, also where it is a folder."""
    place, _, test = name.partition("::")
    return name if place.endswith(".py") else f"{place}/test_a.py::{test}"


def test_what_is_named_is_there() -> None:
    """A renamed file would lose its place unseen."""
    for name in (*TOGETHER, *LONGEST_FIRST):
        assert (ROOT / name).exists(), f"tests/sharing.py: there is no {name}"
    assert len(set(LONGEST_FIRST)) == len(LONGEST_FIRST)
    assert {unit(f"{name}/x.py") for name in TOGETHER} == set(TOGETHER)


def test_a_federation_of_a_folder_is_started_once() -> None:
    """A conftest's federation for the whole session would start in every worker."""
    for path in (ROOT / "tests").glob("*/conftest.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and _starts_for_all(function):
                folder = str(path.parent.relative_to(ROOT))
                assert folder in TOGETHER, f"tests/sharing.py: TOGETHER lacks {folder}"


def _starts_for_all(function: ast.FunctionDef) -> bool:
    """Whether it is a fixture of scope "session" or "package" whose body starts processes."""
    scopes = ast.dump(ast.List(function.decorator_list))
    whole = "'session'" in scopes or "'package'" in scopes
    called = {
        getattr(node.func, "attr", getattr(node.func, "id", ""))
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    }
    return whole and bool(called & STARTS_PROCESSES)


def test_the_search_for_federations_sees_one() -> None:
    """Positive control."""
    found = ast.parse(
        '@fixture(scope="session")\ndef x():\n    with testing.federation(A) as y:\n        yield y'
    ).body[0]
    assert isinstance(found, ast.FunctionDef)
    assert _starts_for_all(found)


def test_no_port_is_given_twice_nor_taken_from_another_worker() -> None:
    """Nor from the ports that the system gives out by itself."""
    given = [free_port() for _ in range(50)]
    assert len(set(given)) == len(given)
    assert min(given) >= LOWEST
    assert max(given) - min(given) < EACH
    assert LOWEST + EACH * WORKERS <= 32_768
