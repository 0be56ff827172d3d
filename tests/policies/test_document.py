"""Text to tree: what two readers could read differently never becomes a tree."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.document import (
    KEPT,
    KEPT_CHARACTERS,
    MAXIMUM_BYTES,
    MAXIMUM_DEPTH,
    DocumentInvalid,
    Tree,
    _read,
    parse,
)

TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(max_codepoint=0x24F, exclude_categories=["C"])),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text("abcdefghij", min_size=1), children, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a: NO", {"a": "NO"}),
        ("a: 1e-6", {"a": 1e-6}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 010", {"a": "010"}),
        ("a: 0x10", {"a": "0x10"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 2013-01-01", {"a": "2013-01-01"}),
        ("a: .inf", {"a": ".inf"}),
        ('a: "1"', {"a": "1"}),
        ("a: |\n  1", {"a": "1"}),
        ("a:", {"a": None}),
        ('a: ""', {"a": ""}),
        ("a: ~", {"a": None}),
        ("a: -3", {"a": -3}),
        ("", None),
        ("a: =", {"a": "="}),
    ],
)
def test_scalars_are_read_as_json_reads_them(text: str, tree: Tree) -> None:
    """YAML 1.1 turns countries into booleans and times into integers."""
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2", "line 2, column 1: This key is written twice"),
        ("a: {b: 1, b: 2}", "written twice"),
        ('{"a": 1, "\\x61": 2}', "written twice"),
        ("a: &x 1\nb: *x", "anchors and aliases"),
        ("a: *x", "anchors and aliases"),
        ("&x a: 1", "anchors and aliases"),
        ("a: !!python/object/apply:os.system [x]", "tags"),
        ("a: !!binary aGk=", "tags"),
        ("a: ! 1", "tags"),
        ("<<: {a: 1}", "merge keys"),
        ("1: a", "a key must be text"),
        ("? [a]\n: b", "a key must be text"),
        ("null: a", "a key must be text"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: [1", "line 1, column 6"),
        ("a: '\x00'", "control characters"),
        ("a: 1e999", "too large"),
        (f"a: {'9' * 5000}", "no more than 32"),
        ("[" * (MAXIMUM_DEPTH + 1), "nested deeper"),
        ("[" * 100_000, "nested deeper"),
        ("- " * 100_000, "nested deeper"),
        ("{a: " * 50_000, "nested deeper"),
        ("a" * (MAXIMUM_BYTES + 1), "no larger than 256 KiB"),
        ("a: \ud800", "UTF-8"),
        (b"a: \xff", "UTF-8"),
        ("a: 1".encode("utf-16"), "UTF-8"),
    ],
)
def test_what_readers_could_disagree_about_is_refused(text: str | bytes, words: str) -> None:
    """A reviewer, the node and the gateway must all see the same contract."""
    with pytest.raises(DocumentInvalid) as caught:
        parse(text)
    assert words.lower() in caught.value.problem.lower()
    assert "\n" not in caught.value.problem


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    """Ten lines of aliases mean ten billion nodes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11)]
    with pytest.raises(DocumentInvalid, match="nchors and aliases"):
        parse("\n".join(lines))


@given(TREES)
def test_every_json_document_reads_as_json_reads_it(tree: Tree) -> None:
    """A contract may be written as JSON, and means the same."""
    assert parse(json.dumps(tree, ensure_ascii=False)) == tree


@given(st.text() | st.binary() | st.text("[]{}:-?*&!|>'\"%@#,\n ab01.e+~<=", max_size=80))
def test_any_text_is_a_tree_or_one_refusal(text: str | bytes) -> None:
    """An operator's typing error must not end the process."""
    try:
        parse(text)
    except DocumentInvalid as found:
        problem = found.problem
    else:
        return
    assert problem
    assert "\n" not in problem


def test_a_text_is_read_once_and_its_trees_are_their_readers_own() -> None:
    """Fifty departments that serve one contract cost one reading; none sees another's changes."""
    text = "a: [1, {b: [2]}]\nc: read once\n"
    before = _read.cache_info()
    first = parse(text)
    assert isinstance(first, dict)
    first["a"][1]["b"].append(3)  # type: ignore[index, call-overload, union-attr]
    del first["c"]
    assert parse(text.encode()) == {"a": [1, {"b": [2]}], "c": "read once"}
    after = _read.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 1)


def test_long_texts_and_refusals_are_not_remembered() -> None:
    """A stranger's documents do not fill a node's memory, and a refusal is one each time."""
    long = f"a: {'x' * KEPT_CHARACTERS}"
    before = _read.cache_info()
    assert parse(long) == parse(long)
    for _ in range(2):
        with pytest.raises(DocumentInvalid):
            parse("a: &anchor 1")
    after = _read.cache_info()
    assert (after.hits, after.currsize) == (before.hits, before.currsize)
    assert KEPT * KEPT_CHARACTERS <= 1 << 20
