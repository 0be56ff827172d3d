"""Unsound contracts: every mistake is named at its place, and all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from policies.odcs import ContractInvalid, read
from tests.policies.documents import Change, column, open_table, sound, text

PROPERTIES = "schema.people.properties"


def problems(tree: object) -> tuple[str, ...]:
    """What is wrong with the contract."""
    with pytest.raises(ContractInvalid) as caught:
        read(text(tree), "people.yaml")
    return caught.value.problems


OPTIONS = "logicalTypeOptions"
AGE, INCOME, SEX = f"{PROPERTIES}.age", f"{PROPERTIES}.income", f"{PROPERTIES}.sex"
BUDGET = "customProperties.landbridgeBudget"
ONE: list[tuple[Change, Any, str]] = [
    # the document
    (Change("id"), None, "id: is missing"),
    (Change("id"), "People", "id: must be a lower-case letter"),
    (Change("id"), "a" * 64, "id: must be a lower-case letter"),
    (Change("id"), "people\n", "id: must be a lower-case letter"),
    (Change("version"), None, "version: is missing"),
    (Change("version"), 1.0, "version: should be a valid string"),
    (Change("version"), " ", "version: must not be empty"),
    (Change("kind"), "DataProduct", "kind: must be DataContract"),
    (Change("apiVersion"), "v3.1.0", "apiVersion: must be v3.2.0"),
    (Change("name"), "red\x1b[31m", "name: must hold no control"),
    (Change("name"), "right\u202eleft", "name: must hold no control"),
    (Change("owner"), "me", "owner: is not a key of the Open Data Contract Standard"),
    (Change("team"), {"name": "x", "colour": "red"}, "team.colour: is not a key"),
    (Change("schema"), None, "schema: is missing"),
    (Change("schema"), [], "schema: must describe exactly one table"),
    (Change("schema"), [{"name": "a"}, {"name": "b"}], "schema: must describe exactly one table"),
    (Change("schema", 0, "name"), "persons", "schema.persons.name: must be the document's id"),
    (Change("schema", 0, "properties"), [], f"{PROPERTIES}: must list from 1 to 1000 columns"),
    (Change("schema", 0, "columns"), [], "schema.people.columns: is not a key"),
    (
        Change("schema", 0, "customProperties"),
        [{"property": "landbridgeMethod", "value": "dp"}],
        "schema.people.customProperties.landbridgeMethod: is not a custom property",
    ),
    # columns
    (Change("age", "name"), "Age", f"{PROPERTIES}.Age.name: must be a lower-case letter"),
    (Change("age", "name"), None, f"{PROPERTIES}[1].name: is missing"),
    (Change("age", "name"), "sex", f"{PROPERTIES}.sex.name: is the name of an earlier column"),
    (Change("age", "classification"), None, f"{AGE}.classification: is missing"),
    (Change("age", "classification"), "public", f"{AGE}.classification: must be open, internal"),
    (Change("age", "classification"), "OPEN", f"{AGE}.classification: must be open, internal"),
    (Change("age", "classification"), 3, f"{AGE}.classification: should be a valid string"),
    (Change("age", "clasification"), "open", f"{AGE}.clasification: is not a key"),
    (
        Change("age", "customProperties"),
        [{"property": "landbridgeExtremes", "value": 0.5}],
        f"{AGE}.customProperties.landbridgeExtremes: must be a share larger than 0",
    ),
    (
        Change("age", "customProperties"),
        [{"property": "landbridgeExtremes", "value": 0}],
        f"{AGE}.customProperties.landbridgeExtremes: must be a share larger than 0",
    ),
    (
        Change("age", "customProperties"),
        [{"property": "landbridgeExtremes", "value": "x"}],
        f"{AGE}.customProperties.landbridgeExtremes: must be a number",
    ),
    (
        Change("sex", "customProperties"),
        [{"property": "landbridgeExtremes", "value": 0.01}],
        f"{SEX}.customProperties.landbridgeExtremes: belongs to integer and number",
    ),
    (Change("age", "logicalType"), None, f"{AGE}.logicalType: is missing"),
    (Change("age", "logicalType"), "object", f"{AGE}.logicalType: must be integer, number"),
    (Change("age", "required"), "yes", f"{AGE}.required: should be a valid boolean"),
    (Change("age", "unique"), 1, f"{AGE}.unique: should be a valid boolean"),
    (Change("age", "physicalName"), "alter", f"{AGE}.physicalName: must be the column's name"),
    (Change("age", "properties"), [{"name": "x"}], f"{AGE}.properties: is not accepted"),
    (Change("age", "customProperties"), {"a": 1}, f"{AGE}.customProperties: should be a valid"),
    (
        Change("age", "customProperties", 0, "property"),
        "landbridgeGroupble",
        f"{AGE}.customProperties.landbridgeGroupble: is not a custom property",
    ),
    (
        Change("age", "customProperties", 0, "property"),
        "LandbridgeGroupable",
        f"{AGE}.customProperties.LandbridgeGroupable: is not a custom property",
    ),
    (
        Change("age", "customProperties", 1, "property"),
        "landbridgeClip",
        f"{AGE}.customProperties.landbridgeClip: is written twice",
    ),
    # bounds, clip, step
    (Change("age", OPTIONS, "minimum"), 121, f"{AGE}.{OPTIONS}: must have a minimum that is no"),
    (Change("age", OPTIONS, "minimum"), None, f"{AGE}.{OPTIONS}: must hold minimum and maximum"),
    (Change("age", OPTIONS, "minimum"), 0.5, f"{AGE}.{OPTIONS}.minimum: must be a whole number"),
    (Change("age", OPTIONS, "minimum"), True, f"{AGE}.{OPTIONS}.minimum: must be a whole number"),
    (Change("age", OPTIONS, "maximum"), 2**54, f"{AGE}.{OPTIONS}.maximum: must be a whole number"),
    (Change("income", OPTIONS, "maximum"), "much", f"{INCOME}.{OPTIONS}.maximum: must be a number"),
    (Change("income", OPTIONS, "maximum"), ".inf", f"{INCOME}.{OPTIONS}.maximum: must be a number"),
    (Change("age", OPTIONS, "exclusiveMaximum"), 9, f"{AGE}.{OPTIONS}.exclusiveMaximum: is not"),
    (Change("sex", OPTIONS, "maxLength"), 1, f"{SEX}.{OPTIONS}: must be left out"),
    (Change("age", OPTIONS, "multipleOf"), 0, f"{AGE}.{OPTIONS}.multipleOf: must be larger than 0"),
    (Change("age", OPTIONS, "multipleOf"), 0.5, f"{AGE}.{OPTIONS}.multipleOf: must be a whole"),
    # the terms
    (Change("landbridgeMethod"), None, "customProperties.landbridgeMethod: is missing"),
    (
        Change("landbridgeMethod"),
        "DP",
        "customProperties.landbridgeMethod: must be dp, cell_key, exact or unprot",
    ),
    (Change("landbridgeMethud"), "dp", "customProperties.landbridgeMethud: is not a custom"),
    (Change("landbridgeProtectedUnit"), None, "customProperties.landbridgeProtectedUnit: is miss"),
    (Change("landbridgeProtectedUnit"), "none", "customProperties.landbridgeProtectedUnit: must n"),
    (Change("landbridgeProtectedUnit"), "nobody", "customProperties.landbridgeProtectedUnit: must"),
    (Change("person_id", "classification"), "restricted", "whose classification is sealed"),
    (Change("person_id", "unique"), True, "landbridgeRowsPerUnit: must be 1 where the column"),
    (Change("landbridgeRowsPerUnit"), None, "customProperties.landbridgeRowsPerUnit: is missing"),
    (Change("landbridgeRowsPerUnit"), 0, "customProperties.landbridgeRowsPerUnit: must be a whole"),
    (Change("landbridgeRowsPerUnit"), 2.0, "customProperties.landbridgeRowsPerUnit: must be a who"),
    (Change("landbridgeUnitsSpan"), -1, "customProperties.landbridgeUnitsSpan: must be a whole"),
    (Change("landbridgeNoise"), "none", "customProperties.landbridgeNoise: must be gaussian or"),
    (Change("landbridgeMaximumCells"), 0, "customProperties.landbridgeMaximumCells: must be a w"),
    (Change("landbridgeBudget"), None, f"{BUDGET}: is missing"),
    (Change("landbridgeBudget"), 8, f"{BUDGET}: must be a mapping"),
    (Change("landbridgeBudget", "period"), None, f"{BUDGET}.period: is missing"),
    (Change("landbridgeBudget", "period"), "week", f"{BUDGET}.period: must be day, month"),
    (Change("landbridgeBudget", "perion"), "day", f"{BUDGET}.perion: is not read here"),
    (Change("landbridgeBudget", "overall"), None, f"{BUDGET}.overall: is missing"),
    (Change("landbridgeBudget", "overall", "delta"), None, f"{BUDGET}.overall.delta: is missing"),
    (Change("landbridgeBudget", "overall", "delta"), 0, f"{BUDGET}.overall.delta: must be larger"),
    (Change("landbridgeBudget", "overall", "delta"), 0.01, f"{BUDGET}.overall.delta: must be"),
    (Change("landbridgeBudget", "overall", "delta"), 1e-7, f"{BUDGET}.recipient.delta: must be no"),
    (Change("landbridgeBudget", "overall", "epsilon"), 7, f"{BUDGET}.recipient.epsilon: must be n"),
    (Change("landbridgeBudget", "overall", "epsilon"), -1, f"{BUDGET}.overall.epsilon: must be at"),
    (Change("landbridgeBudget", "overall", "epsilon"), True, f"{BUDGET}.overall.epsilon: must be"),
    (Change("landbridgeBudget", "overall", "rho"), 1, f"{BUDGET}.overall.rho: is not read here"),
    (Change("landbridgeEpsilon"), None, "customProperties.landbridgeEpsilon: is missing"),
    (Change("landbridgeEpsilon", "default"), 5, "landbridgeEpsilon.default: must be no larger"),
    (Change("landbridgeEpsilon", "default"), 0, "landbridgeEpsilon.default: must be at least"),
    (Change("landbridgeEpsilon", "maximum"), 9, "landbridgeEpsilon.maximum: must be no larger"),
    (Change("landbridgePurposes"), None, "customProperties.landbridgePurposes: is missing"),
    (Change("landbridgePurposes"), [], "customProperties.landbridgePurposes: must list from 1"),
    (Change("landbridgePurposes"), "dpv:Marketing", "customProperties.landbridgePurposes: must b"),
    (Change("landbridgePurposes"), ["research"], "landbridgePurposes[0]: must be a term with"),
    (Change("landbridgePurposes"), ["a:B", "a:B"], "landbridgePurposes[1]: is listed twice"),
    (Change("landbridgePurposes"), [7], "landbridgePurposes[0]: must be text"),
]


@pytest.mark.parametrize(("change", "value", "expected"), ONE, ids=[row[2][:60] for row in ONE])
def test_one_mistake_is_one_problem_at_its_place(change: Change, value: Any, expected: str) -> None:
    """An owner repairs what is named, and nothing else is complained about."""
    found = problems(change.of(sound(), value))
    assert len(found) == 1
    assert expected in found[0]
    assert found[0].endswith(".")


COLUMNS = [
    (column("x", "integer", groupable=True), "landbridgeGroupable: needs"),
    (column("x", "date", groupable=True), "landbridgeGroupable: belongs to integer and string"),
    (column("x", "boolean", groupable=True), "landbridgeGroupable: must be left out"),
    (column("x", "integer", groupable="yes"), "landbridgeGroupable: must be true or false"),
    (
        column("x", "integer", groupable=True, logicalTypeOptions={"minimum": 0, "maximum": 1000}),
        "landbridgeGroupable: must span no more than 1000 values",
    ),
    (
        column(
            "x",
            "integer",
            groupable=True,
            enum=[{"value": 1}],
            logicalTypeOptions={"minimum": 0, "maximum": 9},
        ),
        "landbridgeGroupable: must be left out where an enum",
    ),
    (column("x", "boolean", enum=[{"value": True}]), "enum: must be left out"),
    (column("x", "integer", enum=[{"value": "a"}]), "enum[0].value: must be a whole number"),
    (column("x", "integer", enum=[{"value": True}]), "enum[0].value: must be a whole number"),
    (column("x", "integer", enum=[{"value": 1}, {"value": 1}]), "enum[1].value: is declared twice"),
    (column("x", "number", enum=[{"value": 0}, {"value": -0.0}]), "enum[1].value: is declared tw"),
    (column("x", "number", enum=[{"value": 1}, {"value": 1.0}]), "enum[1].value: is declared tw"),
    (column("x", "string", enum=[{"value": 9}]), "enum[0].value: must be text; put it in quotes"),
    (column("x", "string", enum=[{"value": "a\nb"}]), "enum[0].value: must be one line"),
    (column("x", "string", enum=[{"value": "a" * 257}]), "enum[0].value: must be one line"),
    (column("x", "string", enum=[{"value": None}]), "enum[0].value: is missing"),
    (column("x", "string", enum=[{"label": "A"}]), "enum[0].value: is missing"),
    (column("x", "string", enum=["a"]), "enum[0]: "),
    (column("x", "string", enum=[]), "enum: must declare from 1 to 10000 values"),
    (column("x", "string", enum=[{"value": "a", "colour": 1}]), "enum[0].colour: is not a key"),
    (
        column("x", "string", enum=[{"value": str(n)} for n in range(10_001)]),
        "enum: must declare from 1 to 10000 values",
    ),
    (column("x", "date", enum=[{"value": "31.1.2000"}]), "enum[0].value: must be a date"),
    (column("x", "timestamp", enum=[{"value": "noon"}]), "enum[0].value: must be a timestamp"),
    (
        column(
            "x", "integer", enum=[{"value": 7}], logicalTypeOptions={"minimum": 0, "maximum": 5}
        ),
        "enum[0].value: must lie within",
    ),
    (column("x", "number", clip=[0, 1]), "landbridgeClip: needs logicalTypeOptions"),
    (column("x", "string", clip=[0, 1]), "landbridgeClip: belongs to integer and number"),
    (column("x", "string", step=1), "landbridgeStep: belongs to integer and number"),
    (column("x", "number", step=-0.5), "landbridgeStep: must be larger than 0"),
    (column("x", "number", clip=None), "landbridgeClip: is missing"),
    *(
        (
            column("x", "number", clip=clip, logicalTypeOptions={"minimum": 0, "maximum": 9}),
            f"landbridgeClip{words}",
        )
        for clip, words in [
            ([-1, 5], ": must lie within"),
            ([5, 10], ": must lie within"),
            ([5, 4], ": must have a low end"),
            ([5], ": must be a list of two numbers"),
            (5, ": must be a list"),
            (["a", 5], "[0]: must be a number"),
        ]
    ),
    (
        column("x", "number", step=10, logicalTypeOptions={"minimum": 0, "maximum": 9}),
        "landbridgeStep: must be no wider",
    ),
]


@pytest.mark.parametrize(("extra", "expected"), COLUMNS, ids=[row[1][:50] for row in COLUMNS])
def test_one_mistake_in_a_column_is_one_problem(extra: dict[str, Any], expected: str) -> None:
    """As above, for what is declared of a single column."""
    tree = sound()
    tree["schema"][0]["properties"].append(extra)
    (found,) = problems(tree)
    assert found.startswith(f"{PROPERTIES}.x.")
    assert expected in found


@pytest.mark.parametrize(
    "name",
    [
        "landbridgeBudget",
        "landbridgeEpsilon",
        "landbridgeRowsPerUnit",
        "landbridgeUnitsSpan",
        "landbridgeNoise",
    ],
)
def test_an_unprotected_table_promises_no_protection(name: str) -> None:
    """A budget beside `unprotected` is a misunderstanding that only the owner can resolve."""
    (found,) = problems(Change(name).of(open_table(), 1))
    assert found.startswith(f"customProperties.{name}: must be left out")


def test_a_table_with_a_protected_unit_cannot_be_unprotected() -> None:
    """One word must not switch off what the other declares."""
    (found,) = problems(Change("landbridgeProtectedUnit").of(open_table(), "person_id"))
    assert found == "customProperties.landbridgeMethod: must be dp where a unit is protected."


@pytest.mark.parametrize("kind", ["number", "boolean", "date", "timestamp"])
def test_the_unit_is_text_or_integer(kind: str) -> None:
    """Two floats that look alike would be two persons."""
    tree = sound()
    tree["schema"][0]["properties"][0] = column("person_id", kind, "sealed")
    (found,) = problems(tree)
    assert found.endswith("must name a column whose logicalType is string or integer.")


def test_every_problem_is_told_at_once() -> None:
    """Mistakes in ten places, of shape and of sense, are ten problems."""
    tree = sound()
    expected = []
    for change, value, words in [
        (Change("landlord"), 1, "landlord: is not a key"),
        (Change("version"), 1.0, "version: should be"),
        (Change("kind"), "x", "kind: must be"),
        (Change("age", "clip"), 1, f"{AGE}.clip: is not a key"),
        (Change("age", "required"), "no", f"{AGE}.required: should be"),
        (Change("age", "classification"), "secret", f"{AGE}.classification: must be"),
        (Change("income", OPTIONS, "minimum"), 2e6, f"{INCOME}.{OPTIONS}: must have"),
        (Change("sex", "enum", 0, "value"), 7, f"{SEX}.enum[0].value: must be text"),
        (Change("landbridgeNoise"), "pink", "customProperties.landbridgeNoise: must be"),
        (Change("landbridgePurposes"), ["fun"], "landbridgePurposes[0]: must be a term"),
        (Change("landbridgeBudget", "overall", "delta"), 1, f"{BUDGET}.overall.delta: must be"),
    ]:
        tree = change.of(tree, value)
        expected.append(words)
    found = problems(tree)
    assert [words for words in expected if not any(words in each for each in found)] == []
    assert len(found) == len(expected)


def test_the_error_names_the_document_and_counts() -> None:
    """What an operator reads first."""
    with pytest.raises(ContractInvalid, match=r"^people.yaml: the contract has 1 problem\.\nid: "):
        read(text(Change("id").of(sound(), None)), "people.yaml")


@pytest.mark.parametrize("document", ["", "[]", "text", "42", "null", "a: [", b"\xff"])
def test_what_is_no_mapping_is_no_contract(document: str | bytes) -> None:
    """The commonest wrong file is an empty or a foreign one."""
    with pytest.raises(ContractInvalid) as caught:
        read(document, "x")
    assert len(caught.value.problems) == 1
