"""Access by column: a forbid takes columns out of what a permit opens, and opens nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.errors import Refused
from landbridge.levels import Level
from policies import odcs
from policies.access import AccessPolicy, Decision, PolicyInvalid
from policies.closed import closed
from policies.column_sight import ColumnSight
from policies.contract import Contract
from policies.joined import columns_in, joined
from policies.outlet import ROWS, outlets
from policies.question import ColumnOf, Comparison, Count, Question, Relation, Sum, Units
from policies.review import Usage, review
from tests.people import document
from tests.policies.policy_sets import ASK, NOON, PERMIT

PEOPLE = odcs.read(document(), "people")
AGE = (("age", Level.OPEN),)
NO_AGE = """@id("no-age") @hint("Ask without the age.")
forbid (principal, action, resource == Column::"people.age");
"""
COLUMNS = {"age": Level.OPEN, "income": Level.INTERNAL, "name": Level.RESTRICTED}


def load(text: str, columns: Iterable[str] | None = PEOPLE.column_ids) -> AccessPolicy:
    """A policy set over two contracts."""
    return AccessPolicy.load(
        text,
        "x.cedar",
        contracts=["people", "visits"],
        handlers=["tax.band"],
        columns=None if columns is None else [*columns, "visits.cost"],
    )


def problems(text: str, columns: Iterable[str] | None = PEOPLE.column_ids) -> tuple[str, ...]:
    """What is wrong with the policy set."""
    with pytest.raises(PolicyInvalid) as caught:
        load(text, columns)
    return caught.value.problems


def test_a_permit_of_the_contract_covers_its_columns() -> None:
    """Whatever form the permit has: what was written before columns could be named goes on."""
    for scope in ("resource", 'resource == Contract::"people"', 'resource in Contract::"people"'):
        access = load(f'@id("p") permit (principal, action == Action::"query", {scope});')
        assert access.require(replace(ASK, columns=AGE)) == ("p",)
    listed = load(
        '@id("p") permit (principal, action == Action::"query", resource) '
        'when { [Contract::"people", Contract::"visits"].contains(resource) };'
    )
    assert listed.require(replace(ASK, columns=AGE)) == ("p",)


def test_a_forbid_of_the_others_does_not_forbid_the_columns_of_this_one() -> None:
    """A column is not equal to its contract; policies that speak of no column never see one."""
    only = (
        '@id("only") forbid (principal, action, resource) '
        'unless { resource == Contract::"people" };'
    )
    access = load(PERMIT + only)
    assert access.decide(replace(ASK, columns=AGE)).permitted
    assert not access.decide(replace(ASK, resource="visits")).permitted


def test_a_forbidden_column_refuses_the_question_that_uses_it_and_no_other() -> None:
    """By the id and the hint of the forbid."""
    access = load(PERMIT + NO_AGE)
    assert access.decide(ASK).permitted
    assert access.decide(replace(ASK, columns=(("income", Level.INTERNAL),))).permitted
    with pytest.raises(Refused) as caught:
        access.require(replace(ASK, columns=(*AGE, ("income", Level.INTERNAL))))
    assert (caught.value.rule, caught.value.hint) == ("no-age", "Ask without the age.")
    # The same name in another contract is another column.
    assert access.decide(replace(ASK, resource="visits", columns=AGE)).permitted


def test_without_a_permit_of_the_contract_no_column_is_permitted() -> None:
    """Default deny: that nothing forbids a column opens nothing."""
    assert load(NO_AGE).decide(replace(ASK, columns=(("income", Level.INTERNAL),))) == Decision(
        permitted=False, policies=()
    )


@pytest.mark.parametrize(
    ("scope", "condition", "forbidden"),
    [
        ('resource is Column in Contract::"people"', "", {"age", "income", "name"}),
        ('resource is Column in Contract::"visits"', "", set[str]()),
        ("resource is Column", "when { resource.level > 0 }", {"income", "name"}),
        ("resource", 'when { resource == Column::"people.name" }', {"name"}),
        (
            "resource",
            'when { resource in [Column::"people.name", Column::"people.age"] }',
            {"name", "age"},
        ),
        ("resource is Column", 'unless { resource == Column::"people.age" }', {"income", "name"}),
        ("resource is Column", 'when { context.purpose == "dpv:Marketing" }', set[str]()),
    ],
)
def test_a_forbid_may_say_which_columns_in_any_way(
    scope: str, condition: str, forbidden: set[str]
) -> None:
    """One by one, all of a contract, by level, or all but some."""
    access = load(PERMIT + f'@id("f") forbid (principal, action, {scope}) {condition};')
    assert access.decide(ASK).permitted
    for name, level in COLUMNS.items():
        decided = access.decide(replace(ASK, columns=((name, level),)))
        assert decided.permitted == (name not in forbidden), name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            NO_AGE.replace("age", "agf"),
            "line 1: It names Column people.agf, which does not exist here; known are",
        ),
        (
            '@id("x") permit (principal, action, resource == Column::"people.age");',
            "line 1: It permits by column; permit the whole contract",
        ),
        (
            '@id("x") permit (principal, action, resource) '
            'unless { resource == Column::"people.age" };',
            "line 1: It permits by column",
        ),
        ('@id("x") permit (principal, action, resource is Column);', "line 1: It permits by"),
        (
            '@id("x") permit (principal, action, resource) when { resource has level };',
            "line 1: It permits by column",
        ),
        (
            '@id("x") forbid (principal, action, resource) when { resource.level > 1 };',
            "line 1: It does not fit the schema",
        ),
        (
            '@id("x") forbid (principal, action == Action::"call", resource == '
            'Column::"people.age");',
            "line 1: It does not fit the schema",
        ),
    ],
)
def test_what_cannot_mean_what_it_says_stops_the_start(text: str, expected: str) -> None:
    """With line and reason; a mistyped column would otherwise stay open."""
    found = problems(text)
    assert any(each.startswith(expected) for each in found), found


def test_where_columns_are_not_known_their_contracts_are() -> None:
    """A gateway starts before departments have described what they serve."""
    load(NO_AGE.replace("age", "agf"), columns=None)
    (found,) = problems(NO_AGE.replace("people", "peopel"), columns=None)
    assert found.startswith("line 1: It names Column peopel.age, whose contract does not exist")
    assert load(NO_AGE).named("Column") == {"people.age"}


def test_a_column_is_decided_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All columns of a question in one batch, and the same question again from memory."""
    calls: list[int] = []
    real = cedarpy.is_authorized_batch

    def counted(requests: list[object], *more: object, **named: object) -> object:
        calls.append(len(requests))
        return real(requests, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(cedarpy, "is_authorized_batch", counted)
    access = load(PERMIT + NO_AGE)
    asked = replace(ASK, columns=tuple(sorted(COLUMNS.items())))
    for _ in range(5):
        assert not access.decide(asked).permitted
    assert calls == [1, 3]
    plain = load(PERMIT)
    calls.clear()
    for name, level in COLUMNS.items():
        assert plain.decide(replace(ASK, columns=((name, level),))).permitted
    assert calls == [1]


def test_a_forbid_of_a_column_that_fails_denies() -> None:
    """Cedar skips it, and would let the column through."""
    text = PERMIT + NO_AGE.replace(";", " when { principal.vetted };")
    access = AccessPolicy(cedarpy.PolicySet.from_str(text), "")
    assert access.decide(ASK).failed == ()
    assert access.decide(replace(ASK, columns=AGE)).failed == ("no-age",)


RULES = st.lists(
    st.tuples(
        st.sampled_from(["permit", "forbid"]),
        st.sampled_from(["", "institute", "office"]),
        st.sampled_from(["", "people", "visits"]),
        st.sampled_from(["", *COLUMNS, "all", "level"]),
        st.sampled_from(["", "dpv:A", "dpv:B"]),
    ),
    max_size=6,
)


def written(rules: list[tuple[str, str, str, str, str]]) -> str:
    """The rules as a policy set; what permits says no column."""
    found = []
    for number, (effect, organisation, contract, column, purpose) in enumerate(rules):
        who = f'principal in Organisation::"{organisation}"' if organisation else "principal"
        what = f'resource == Contract::"{contract}"' if contract else "resource"
        conditions = [f'context.purpose == "{purpose}"'] if purpose else []
        if effect == "forbid" and column in COLUMNS:
            what = f'resource == Column::"people.{column}"'
        elif effect == "forbid" and column:
            what = f'resource is Column in Contract::"{contract or "people"}"'
            conditions += ["resource.level > 0"] if column == "level" else []
        when = f" when {{ {' && '.join(conditions)} }}" if conditions else ""
        found.append(f'@id("r{number}") {effect} ({who}, action, {what}){when};')
    return "\n".join(found)


def by_hand(
    rules: list[tuple[str, str, str, str, str]],
    organisation: str,
    contract: str,
    purpose: str,
    columns: Iterable[str],
) -> bool:
    """The same rules, without Cedar."""
    permitted = forbidden = False
    for effect, who, where, column, why in rules:
        if who not in ("", organisation) or why not in ("", purpose):
            continue
        if effect == "permit":
            permitted |= where in ("", contract)
        elif column in COLUMNS:
            forbidden |= contract == "people" and column in columns
        elif column:
            forbidden |= (where or "people") == contract and any(
                column == "all" or COLUMNS[each] > Level.OPEN for each in columns
            )
        else:
            forbidden |= where in ("", contract)
    return permitted and not forbidden


@given(
    rules=RULES,
    organisation=st.sampled_from(["institute", "office", "press"]),
    contract=st.sampled_from(["people", "visits"]),
    purpose=st.sampled_from(["dpv:A", "dpv:B"]),
    columns=st.sets(st.sampled_from(sorted(COLUMNS))),
)
def test_columns_are_decided_as_the_rules_say(
    rules: list[tuple[str, str, str, str, str]],
    organisation: str,
    contract: str,
    purpose: str,
    columns: set[str],
) -> None:
    """Against an evaluator of a few lines that has never heard of Cedar."""
    asked = replace(
        ASK,
        organisation=organisation,
        resource=contract,
        purpose=purpose,
        level=max((COLUMNS[each] for each in columns), default=Level.OPEN),
        columns=tuple((each, COLUMNS[each]) for each in sorted(columns)),
    )
    expected = by_hand(rules, organisation, contract, purpose, columns)
    assert load(written(rules)).decide(asked).permitted == expected


class Person:
    """A caller of the institute."""

    subject = "alice"
    organisation = "institute"
    clearance = Level.RESTRICTED
    purposes = frozenset({ASK.purpose})


def hidden(text: str, contract: Contract = PEOPLE) -> frozenset[str]:
    """The columns that do not exist for that person."""
    return ColumnSight(load(text)).shown(Person(), contract, NOON).hidden


def test_a_column_that_is_never_permitted_does_not_exist() -> None:
    """Forbidden for good, or above what any permit reaches; the unit's name is public."""
    assert hidden(PERMIT) == frozenset()
    assert hidden(PERMIT + NO_AGE) == {"age"}
    open_only = PERMIT.replace(" };", " && context.level == 0 };")
    assert hidden(open_only) == {
        column.name
        for column in PEOPLE.columns
        if column.level > Level.OPEN and column.level is not Level.SEALED
    }
    assert hidden(PERMIT + NO_AGE.replace("people.age", "people.person_id")) == frozenset()


@pytest.mark.parametrize(
    "condition", ["context.hour < 8", 'context.purpose == "dpv:Other"', "context.level > 1"]
)
def test_a_column_that_is_sometimes_permitted_exists(condition: str) -> None:
    """Whoever may use it at another time, for another purpose, is told what stands in the way."""
    text = PERMIT.replace(' when { context.purpose == "dpv:ResearchAndDevelopment" }', "")
    assert hidden(text + NO_AGE.replace(";", f" when {{ {condition} }};")) == frozenset()


def test_what_an_officer_may_consider_exists() -> None:
    """A forbid of `query` leaves the request for it open where the owner permits to ask."""
    query = NO_AGE.replace("action,", 'action == Action::"query",')
    assert hidden(PERMIT + query) == {"age"}
    consult = '@id("c") permit (principal, action == Action::"consult", resource);'
    assert hidden(PERMIT + query + consult) == frozenset()
    assert hidden(PERMIT + NO_AGE + consult) == {"age"}


def used(question: Question) -> set[str]:
    """The columns that the policies are asked about."""
    usage = review(question, PEOPLE, Level.RESTRICTED)
    return {name for name, _ in columns_in(PEOPLE, PEOPLE, usage, question)}


def test_every_clause_uses_its_columns_and_a_counted_unit_is_one() -> None:
    """Selected, filtered on, grouped by, counted; joined on is the unit of every part."""
    over = Comparison("age", Relation.GREATER_OR_EQUAL, 4)
    assert used(Question("people", (Count(None),))) == set()
    assert used(Question("people", (Sum(ColumnOf("age")),))) == {"age"}
    assert used(Question("people", (Count(None),), where=over)) == {"age"}
    assert used(Question("people", (Units(),))) == {"person_id"}
    other = replace(PEOPLE, id="visits")
    whole = joined([PEOPLE, other])
    question = Question("people", (Count(None),), joined=("visits",))
    usage = Usage((), Level.OPEN, 1)
    for part in (PEOPLE, other):
        assert columns_in(part, whole, usage, question) == (("person_id", Level.SEALED),)
        # Tables of several departments may be linked on other columns than the unit.
        linked = columns_in(part, whole, usage, question, ("district", "nowhere"))
        assert linked == (("district", part.by_name["district"].level),)


def test_a_review_shows_what_is_forbidden_by_not_showing_it_as_let_out() -> None:
    """`policy check` and `policy diff` rest on this."""
    found: dict[str, set[str]] = {}
    for text in (PERMIT, PERMIT + NO_AGE):
        listed = outlets("north", {"people": PEOPLE}, {}, [load(text)])
        found[text] = {each.column for each in listed}
    assert found[PERMIT] - found[PERMIT + NO_AGE] == {"age"}
    assert ROWS in found[PERMIT + NO_AGE]


def test_requests_for_other_things_have_no_columns() -> None:
    """A handler is decided as a whole: its own text says what it reads."""
    text = '@id("h") permit (principal, action == Action::"call", resource);' + NO_AGE
    call = replace(
        ASK,
        action="call",
        resource_kind="handler",
        resource="tax.band",
    )
    assert load(text).decide(call).permitted


def test_a_review_names_who_is_refused_which_column_and_by_what() -> None:
    """Always, or at some times; whoever may not ask at all is not listed."""
    late = NO_AGE.replace(";", " when { context.hour > 20 };")
    for text, always in ((NO_AGE, True), (late, False)):
        (found,) = closed({"people": PEOPLE}, [load(PERMIT + text)])
        assert (found.resource, found.column, str(found.who)) == ("people", "age", "institute")
        assert (found.always, found.policies) == (always, ("no-age",))
    assert closed({"people": PEOPLE}, [load(PERMIT)]) == ()
    assert closed({"people": PEOPLE}, [load(NO_AGE)]) == ()
    # Of two ends each may forbid.
    (found,) = closed({"people": PEOPLE}, [load(PERMIT), load(PERMIT + NO_AGE)])
    assert found.policies == ("no-age",)
