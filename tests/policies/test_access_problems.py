"""Unsound policy sets: refused when they are loaded, with every mistake, and harmlessly."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.access import PolicyInvalid
from policies.statement import MAXIMUM_OPERATORS
from tests.policies.policy_sets import ASK, PERMIT, load


def problems(text: str) -> tuple[str, ...]:
    """What is wrong with the policy set."""
    with pytest.raises(PolicyInvalid) as caught:
        load(text)
    return caught.value.problems


BAD = [
    ("permit (principal, action, resource);", "line 1: It must carry an @id"),
    ('@id("") permit (principal, action, resource);', "line 1: It must carry an @id"),
    ('@id("a b") permit (principal, action, resource);', "line 1: Its @id must be"),
    (PERMIT + "\n" + PERMIT, "line 5: Its @id research is that of the policy on line 1 too"),
    (PERMIT + '@id("x") @hint("") permit (principal, action, resource);', "line 4: Its @hint"),
    (PERMIT + '@id("x")\npermit (principal);', "line 4: It is not Cedar"),
    (PERMIT + '// why\n@id("x") permit (principal, action, resource)', "line 5: A policy must end"),
    ('@id("x") permit (principal, action, resource) when { "a };', "line 1: A text in quotes must"),
    ("}\n", "line 1: A bracket is closed"),
    ('@id("x") permit (principal == ?principal, action, resource);', "line 1: It must be a plain"),
    (
        '@id("x") permit (principal, action, resource) when { principal.vetted };',
        "line 1: It does not fit the schema: attribute `vetted`",
    ),
    (
        '@id("x") permit (principal in Ministry::"m", action, resource);',
        "unrecognized entity type `Ministry`",
    ),
    (
        '@id("x") permit (principal, action == Action::"drop", resource);',
        'unrecognized action `Action::"drop"`',
    ),
    (
        '@id("x") permit (principal, action == Action::"call", resource == Contract::"people");',
        "unable to find an applicable action",
    ),
    (
        '@id("x") permit (principal, action, resource) when { context.level == "1" };',
        "line 1: It does not fit the schema",
    ),
    (
        '@id("x") permit (principal, action, resource == Contract::"peopel");',
        "line 1: It names Contract peopel, which does not exist here; known are people.",
    ),
    (
        '@id("x") forbid (principal, action, resource) when { resource == Handler::"tax.bnd" };',
        "line 1: It names Handler tax.bnd, which does not exist here; known are tax.band.",
    ),
    (
        '@id("x") forbid (principal, action, resource) when { Caller::"m".clearance > 3 };',
        "line 1: It must read attributes of principal, context and a column only",
    ),
    (
        '@id("x") forbid (principal, action, resource) when { context.level + 1 > 3 };',
        "line 1: It must not calculate",
    ),
    (
        '@id("x") forbid (principal, action, resource) when { ip("10.0.0.1").isIpv4() };',
        "line 1: It must not calculate",
    ),
    (
        '@id("x") permit (principal, action, resource) when { '
        + "(" * 40
        + "true"
        + ")" * 40
        + "};",
        "line 1: Brackets must nest",
    ),
    (
        '@id("x") permit (principal, action, resource) when { true' + " && true" * 101 + " };",
        "line 1: A policy must have at most 100 operators",
    ),
    ("// " + "x" * 256 * 1024, "line 1: The text must be no larger"),
    ("@id(\"x\") permit (principal, action, resource) when { '\ud800' };", "line 1: It is not"),
]


@pytest.mark.parametrize(("text", "expected"), BAD, ids=[row[1][:60] for row in BAD])
def test_an_unsound_policy_set_is_refused_when_it_is_loaded(text: str, expected: str) -> None:
    """A mistake shows to the owner at the start, and not to a caller at night."""
    found = problems(text)
    assert any(expected in each for each in found), found
    assert all(each.endswith(".") and "\n" not in each for each in found)


def test_what_cedar_quotes_is_told_at_a_readable_length() -> None:
    """Names may be of any length, and are quoted twice; the operator reads one sentence."""
    long = "context" + "9" * 5_000
    (found,) = problems(
        f'@id("x") permit (principal, action, resource) when {{ {long}.level == 1 }};'
    )
    assert found.startswith("line 1: It is not Cedar: invalid member access `context99")
    assert len(found) < 1_000


def test_every_problem_is_told_at_once() -> None:
    """Each policy is judged apart, so that one mistake does not hide the next."""
    text = "\n".join(row[0] for row in BAD[:3]) + '\n@id("x") permit (principal);'
    assert len(problems(text)) == 4


def test_quotes_and_comments_do_not_cut_a_policy_apart() -> None:
    """A semicolon within a text ends nothing."""
    text = '@id("x") permit (principal, action, resource) when { context.purpose == "a;//\\"b" };'
    text += "// ; permit\n"
    assert load(text).decide(replace(ASK, purpose='a;//"b')).permitted
    assert not load(text).decide(ASK).permitted


@pytest.mark.parametrize(
    "body",
    [
        "true" + " && true" * MAXIMUM_OPERATORS,
        "context" + ".level" * MAXIMUM_OPERATORS + " == 1",
        "if true then " * MAXIMUM_OPERATORS + "true" + " else true" * MAXIMUM_OPERATORS,
        "[" * 30 + "]" * 30 + " == []",
        "(" * 5000,
        "true" + " && true" * 5000,
        "!" * 5000 + "true",
        "{a: " * 5000 + "1" + "}" * 5000 + " == 1",
        "principal" + '["a"]' * 5000,
        "principal has " + ".".join("a" * 5000),
    ],
    ids=lambda body: body[:20],
)
def test_no_text_ends_the_process(body: str) -> None:
    """Cedar's parser overflows its stack on deep text, and takes the process with it."""
    program = (
        "import sys, threading\n"
        "from policies.access import AccessPolicy, PolicyInvalid\n"
        "text = sys.stdin.read()\n"
        "def run():\n"
        "    try:\n"
        "        AccessPolicy.load(text, 'x', contracts=[], handlers=[])\n"
        "    except PolicyInvalid:\n"
        "        pass\n"
        "    print('alive')\n"
        "threading.stack_size(2 * 1024 * 1024)\n"
        "thread = threading.Thread(target=run)\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    text = f'@id("x") permit (principal, action, resource) when {{ {body} }};'
    done = subprocess.run(
        [sys.executable, "-c", program], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "alive\n")


WORDS = st.sampled_from(
    [
        "permit", "forbid", "(", ")", "principal", "action", "resource", ",", ";", "when", "unless",
        "{", "}", "==", "in", "has", "&&", "||", "!", "-", "+", ".", '"', '"a"', "//", "\n", "@id",
        '("x")', 'Contract::"people"', 'Action::"query"', "context", "level", "purpose", "?", "[",
        "]", "1", "9223372036854775808", "if", "then", "else", "like", "is", "Caller", "\x00", "é",
    ]
)  # fmt: skip


@given(st.text() | st.lists(WORDS, max_size=40).map(" ".join))
def test_any_text_is_a_policy_set_or_invalid(text: str) -> None:
    """An operator's typing error must not end the process."""
    try:
        policy = load(text)
    except PolicyInvalid as invalid:
        found = invalid.problems
    else:
        policy.decide(ASK)
        return
    assert found
    assert all(each.startswith("line ") for each in found)
