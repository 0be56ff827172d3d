"""What a procedure may say, whose values it may move, and how a case goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.flow import Offered, flows, problems
from policies.procedure import Procedure, ProcedureInvalid, Silence, read
from policies.progress import GOOD, UNDER_WAY, CaseState, StepState, next_changes, silent

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXT = (EXAMPLES / "one_stop_licence/gateway/procedures/open_restaurant.yaml").read_text()


def tree(**changes: Any) -> dict[str, Any]:
    """The example's procedure, changed."""
    found: dict[str, Any] = yaml.safe_load(TEXT)
    return {**found, **changes}


def steps(**changes: Any) -> dict[str, Any]:
    """The same with other steps; None takes one away, a mapping changes some of its keys."""
    declared = tree()["steps"]
    for name, change in changes.items():
        if change is None:
            del declared[name]
        else:
            declared[name] = {**declared.get(name, {}), **change}
    return tree(steps=declared)


def procedure(found: dict[str, Any] | None = None) -> Procedure:
    """The procedure of that tree."""
    return read(yaml.safe_dump(found or tree(), sort_keys=False), "p.yaml")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (tree(surprise=1), "unknown key 'surprise'"),
        (tree(decision="most"), "decision is"),
        (tree(decision={"at_least": 9}), "decision is"),
        (tree(purposes=[]), "at least one purpose"),
        (tree(form={"company": "real"}), "string or integer"),
        (tree(form={"company": "string", "age": "integer"}), "no step takes the form's field age"),
        (tree(roles={}), "a role that roles does not name"),
        (steps(tax={"silence": "maybe"}), "silence of step tax"),
        (steps(tax={"deadline": "2 weeks"}), "has a deadline such as"),
        (steps(tax={"deadline": "900d"}), "has a deadline such as"),
        (steps(tax={"handler": "tax"}), "department.handler"),
        (steps(tax={"after": ["customs"]}), "step 'customs', which there is not"),
        (steps(tax={"form": {"company_id": "age"}}), "field 'age', which the form has not"),
        (
            steps(tax={"form": {"company_id": "a\u200bge"}}),
            r"field 'a\u200bge', which the form has not",
        ),
        (steps(tax={"after": ["cus\x1btoms"]}), r"step 'cus\x1btoms', which there is not"),
        (steps(registry={"after": ["fire"]}), "waits for itself"),
        (steps(registry={"silence": "approve"}), "cannot be taken for a yes"),
        (steps(fire={"form": {"premises": "company"}}), "gets premises twice"),
        (steps(fire={"receives": {"premises": "registry"}}), "as step.value"),
        (steps(tax={"extra": 1}), "is a mapping with the keys"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_unclear_is_no_procedure(changed: dict[str, Any], problem: str) -> None:
    """The operator reads every problem before the gateway serves anybody."""
    with pytest.raises(ProcedureInvalid) as invalid:
        procedure(changed)
    assert any(problem in each for each in invalid.value.problems), invalid.value.problems


REGISTERED = Offered(
    arguments={"company_id": "text"},
    sources={},
    passes={"premises": ("text", {"fire"})},
    codes={"PASS", "FAIL"},
    purposes={"dpv:ServiceProvision"},
    procedures={"open_restaurant"},
)
PLAIN = replace(REGISTERED, passes={})
SAFE = replace(
    PLAIN,
    arguments={"premises": "text"},
    sources={"premises": {"market.registered.premises"}},
)
OFFERED = {
    "market.registered": REGISTERED,
    "fire.safe": SAFE,
    "health.kitchen": PLAIN,
    "tax.arrears": PLAIN,
}


def test_a_procedure_is_loaded_where_both_ends_of_every_flow_agree() -> None:
    """And the flows are those that a person would draw."""
    assert problems(procedure(), OFFERED) == ()
    drawn = {(f.source, f.value, f.step, f.sealed_by, f.sealed_to) for f in flows(procedure())}
    assert drawn == {
        ("form", "company", "registry", "", "market"),
        ("form", "company", "health", "", "health"),
        ("form", "company", "tax", "", "tax"),
        ("registry", "premises", "fire", "market", "fire"),
    }


@pytest.mark.parametrize(
    ("name", "changes", "problem"),
    [
        ("market.registered", {"passes": {}}, "hands over no premises"),
        ("market.registered", {"passes": {"premises": ("text", {"tax"})}}, "flow to fire"),
        ("market.registered", {"passes": {"premises": ("integer", {"fire"})}}, "not integer"),
        ("fire.safe", {"sources": {"premises": {"tax.x.premises"}}}, "does not take premises"),
        ("health.kitchen", {"sources": {"company_id": {"a.b.c"}}}, "not from the form"),
        ("health.kitchen", {"arguments": {"company_id": "integer"}}, "field company is text"),
        ("health.kitchen", {"arguments": {"other": "text"}}, "nothing gives other"),
        ("tax.arrears", {"procedures": {"another"}}, "is no step of open_restaurant"),
        ("tax.arrears", {"purposes": {"dpv:Marketing"}}, "does not allow purpose"),
        ("tax.arrears", {"codes": frozenset()}, "replies with a number"),
        ("tax.arrears", {"codes": {"YES"}}, "pass names a code"),
        ("tax.arrears", {"codes": {"PASS"}}, "every code of tax.arrears would be a pass"),
        ("tax.arrears", None, "is not offered"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_one_department_that_does_not_let_a_value_flow_keeps_it_unloaded(
    name: str, changes: dict[str, Any] | None, problem: str
) -> None:
    """When the procedure is loaded, not when somebody's case comes to that step."""
    offered = {key: value for key, value in OFFERED.items() if key != name}
    if changes is not None:
        offered[name] = replace(OFFERED[name], **changes)
    found = problems(procedure(), offered)
    assert any(problem in each for each in found), found


GRAPHS = st.lists(
    st.tuples(st.sets(st.integers(0, 5)), st.sampled_from(["approve", "refuse"])),
    min_size=1,
    max_size=6,
)


def graph(drawn: list[tuple[set[int], str]], needed: int) -> Procedure:
    """A procedure in which each step waits for some of those before it."""
    declared = {
        f"s{number}": {
            "handler": "d.h",
            "form": {"x": "f"},
            "after": [f"s{each}" for each in sorted(after) if each < number],
            "deadline": "1h",
            "silence": silence,
        }
        for number, (after, silence) in enumerate(drawn)
    }
    return procedure(
        tree(
            form={"f": "string"},
            steps=declared,
            decision={"at_least": min(needed, len(declared))},
            roles={},
        )
    )


@given(GRAPHS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_every_case_ends_however_its_departments_answer(
    drawn: list[tuple[set[int], str]], needed: int, chance: Any
) -> None:
    """No step is asked before those it waits for have passed, none twice, and none is forgotten."""
    declared = graph(drawn, needed)
    states = {step.name: StepState.WAITING for step in declared.steps}
    asked: set[str] = set()
    for _ in range(4 * len(states) + 4):
        follows = next_changes(declared, states)
        for name in follows.skip:
            assert states[name] is StepState.WAITING
            states[name] = StepState.SKIPPED
        for name in follows.ask:
            assert name not in asked
            assert all(states[each] in GOOD for each in declared.step(name).after)
            asked.add(name)
            states[name] = StepState.ASKED
        if follows.decided is not None:
            break
        under_way = sorted(name for name, state in states.items() if state is StepState.ASKED)
        assert under_way, states
        name = chance.choice(under_way)
        states[name] = chance.choice(
            [StepState.PASSED, StepState.FAILED, StepState.DENIED, silent(declared, name)]
        )
    assert not any(state in UNDER_WAY for state in states.values())
    good = sum(state in GOOD for state in states.values())
    expected = CaseState.APPROVED if good >= declared.needed else CaseState.REFUSED
    assert follows.decided is expected


def test_silence_means_what_the_procedure_says() -> None:
    """A yes, a no, or somebody else's matter."""
    declared = procedure()
    assert silent(declared, "tax") is StepState.DEEMED_PASSED
    assert silent(declared, "health") is StepState.DEEMED_FAILED
    assert silent(declared, "registry") is None
    assert declared.step("registry").silence is Silence.ESCALATE
