"""Purpose and epsilon in a comment: what is read, what is left alone, what is refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.annotation import Terms, agreed, annotated
from landbridge.errors import LandbridgeError
from landbridge.reasons import EpsilonOutOfRange, InvalidArgument


@pytest.mark.parametrize(
    ("sql", "terms"),
    [
        ("SELECT 1", Terms()),
        ("/* purpose=dpv:Research */ SELECT 1", Terms("dpv:Research")),
        ("SELECT /*epsilon=0.5*/ 1", Terms(micro_epsilon=500_000)),
        ("SELECT 1 /* purpose = a , epsilon = 2 */", Terms("a", 2_000_000)),
        ("/* epsilon=1.000001 */ SELECT 1 /* purpose=a */", Terms("a", 1_000_001)),
        ("/* purpose=a */ SELECT 1 /* purpose=a */", Terms("a")),
        ("/* the usual report */ SELECT 1 -- by carrier", Terms()),
        ("SELECT '/* purpose=a */' AS \"/* epsilon=1 */\"", Terms()),
        ("SELECT 'it''s /* purpose=a */'", Terms()),
        ("/* never ends, purpose=a", Terms()),
        ("", Terms()),
    ],
)
def test_what_a_comment_states(sql: str, terms: Terms) -> None:
    """Two keys, in comments only; a quoted text is data."""
    assert annotated(sql) == terms


@pytest.mark.parametrize(
    "sql",
    [
        "/* porpose=a */ SELECT 1",
        "/* purpose=a, partial=true */ SELECT 1",
        "/* purpose=a b */ SELECT 1",
        "/* purpose= */ SELECT 1",
        "/* purpose='a' */ SELECT 1",
        "/* epsilon=1e-3 */ SELECT 1",
        "/* epsilon=-1 */ SELECT 1",
        "/* epsilon=0.0000001 */ SELECT 1",
        "/* epsilon=nan */ SELECT 1",
        "/* Epsilon=1 */ SELECT 1",
        "/* see: epsilon=0.1 */ SELECT 1",
        "/* purpose=a, */ SELECT 1",
        "/* purpose=a */ SELECT 1 /* purpose=b */",
        "/* epsilon=1, epsilon=2 */ SELECT 1",
        "-- epsilon=0.1\nSELECT 1",
        "/* a /* purpose=b */ */ SELECT 1",
    ],
)
def test_what_looks_like_a_statement_of_terms_and_is_not_one_is_refused(sql: str) -> None:
    """Overlooked, it would be asked with the contract's default epsilon, which costs more."""
    with pytest.raises(LandbridgeError) as caught:
        annotated(sql)
    assert caught.value.reason == "INVALID_ARGUMENT"
    assert caught.value.position is not None


@pytest.mark.parametrize("epsilon", ["0", "0.000000", "1000001"])
def test_an_epsilon_out_of_range_says_so(epsilon: str) -> None:
    """Nought would arrive as the contract's default."""
    with pytest.raises(LandbridgeError) as caught:
        annotated(f"/* epsilon={epsilon} */ SELECT 1")
    assert caught.value.reason == "EPSILON_OUT_OF_RANGE"


def test_text_and_connection_may_say_the_same_and_not_different_things() -> None:
    """Nobody could tell which of two epsilons was meant to be charged."""
    sql = "/* purpose=a, epsilon=0.5 */ SELECT 1"
    assert agreed(sql, Terms("a", 500_000)) == Terms("a", 500_000)
    assert agreed(sql, Terms()) == Terms("a", 500_000)
    assert agreed("SELECT 1", Terms("b", 7)) == Terms("b", 7)
    for other in (Terms("b"), Terms("a", 500_001)):
        with pytest.raises(LandbridgeError, match="two different"):
            agreed(sql, other)


@given(st.text(alphabet="'\"/*- =,purposeps\nilan1.", max_size=60))
def test_any_text_is_read_or_refused(sql: str) -> None:
    """And never takes the reader down."""
    with suppress(InvalidArgument, EpsilonOutOfRange):
        assert annotated(sql) == annotated(sql)


@given(st.integers(1, 10**12))
def test_an_epsilon_is_exact_to_the_millionth(micro: int) -> None:
    """No float stands between what is written and what is charged."""
    text = f"{micro // 10**6}.{micro % 10**6:06d}"
    assert annotated(f"/* epsilon={text} */").micro_epsilon == micro
