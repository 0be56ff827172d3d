"""An Open Data Contract Standard document, read into a contract.

Source: Open Data Contract Standard 3.2 (Bitol, Linux Foundation). What Landbridge adds stands in
the standard's custom properties, under names that start with `landbridge`. The one importer of
open_data_contract_standard.
"""

from __future__ import annotations

import hashlib
from typing import Final

from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError

from policies.columns import read_columns, read_custom, read_identifier
from policies.contract import Contract
from policies.document import DocumentInvalid, Tree, parse
from policies.place import Place, Problems, step
from policies.responsible import read_responsible
from policies.terms import read_terms

STANDARD: Final = "v3.2.0"
KIND: Final = "DataContract"


class ContractInvalid(Exception):
    """The document is no contract that a department could serve.

    An operator's error, not a caller's. `where` is where the document came from; `problems` is
    every problem of it, each one sentence that starts with the path of the place.
    """

    def __init__(self, where: str, problems: tuple[str, ...]) -> None:
        super().__init__(where, problems)
        self.where = where
        self.problems = problems

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n".join((f"{self.where}: the contract has {count}.", *self.problems))


def read(document: bytes | str, where: str) -> Contract:
    """The contract that the document describes; sound in every rule, or not at all.

    `where` names the document in errors, for example its path. Raises ContractInvalid with every
    problem, and nothing else, whatever the document holds.
    """
    problems = Problems()
    try:
        root = Place("", parse(document), problems)
    except DocumentInvalid as found:
        raise ContractInvalid(where, (found.problem,)) from None
    if not isinstance(root.tree, dict):
        raise ContractInvalid(where, ("The document must be a mapping, as YAML or JSON.",))
    _check_shape(root.tree, problems)

    identity = read_identifier(root.at("id"), "questions name the contract by it")
    version = root.at("version").must("a contract has a version").text()
    if version is not None and not version.strip():
        root.at("version").wrong("must not be empty.")
    root.at("kind").must(f"it is {KIND}").word((KIND,))
    root.at("apiVersion").must(f"it is {STANDARD}").word((STANDARD,))
    title = root.at("name").text()
    description = root.at("description").at("purpose").text()

    table = _table(root, identity)
    columns, names = read_columns(table.at("properties"))
    terms = read_terms(root, columns, names)
    responsible = read_responsible(root)
    if problems.found or identity is None or version is None or terms is None:
        raise ContractInvalid(where, tuple(problems.found))
    octets = document.encode() if isinstance(document, str) else document
    return Contract(
        id=identity,
        version=version,
        title=title or identity,
        description=description or "",
        columns=tuple(columns.values()),
        unit=terms.unit,
        purposes=terms.purposes,
        disclosure=terms.disclosure,
        digest=hashlib.sha256(octets).hexdigest(),
        delays=terms.delays,
        links=terms.links,
        measurements=terms.measurements,
        responsible=responsible,
        collection=terms.collection,
    )


def _table(root: Place, identity: str | None) -> Place:
    """The one schema object; its name is the contract's id, by which questions name the table."""
    schema = root.at("schema").must("a contract describes one table")
    tables = schema.entries()
    if len(tables) != 1:
        if isinstance(schema.tree, list):
            schema.wrong("must describe exactly one table; write one contract per table.")
        return Place("schema[0]", None, Problems())  # nothing more can be said about it
    table = tables[0]
    name = read_identifier(table.at("name"), "it is the table's name")
    if name is not None and identity is not None and name != identity:
        table.at("name").wrong("must be the document's id, by which questions name the table.")
    read_custom(table, ())
    return table


def _check_shape(tree: dict[str, Tree], problems: Problems) -> None:
    """Every key and type against the standard's model, unknown keys refused at every level.

    The model itself refuses them at the top level only, and would read "yes" as true.
    """
    try:
        OpenDataContractStandard.model_validate(tree, strict=True, extra="forbid")
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_context=False, include_input=False)
        found = [(*_path(tree, each["loc"]), each) for each in errors]
        paths = [path for path, _, _ in found]
        for path, whole, each in found:
            # Of the alternatives that a place has, the one that explains more is the one meant.
            if whole and any(other.startswith((f"{path}.", f"{path}[")) for other in paths):
                continue
            if each["type"] == "extra_forbidden":
                sentence = f"is not a key of the Open Data Contract Standard {STANDARD}."
            else:
                sentence = f"{each['msg'].removeprefix('Input ')}."
            problems.add(path, sentence, settles=True)


def _path(tree: Tree, location: tuple[int | str, ...]) -> tuple[str, bool]:
    """The location as a place's path, and whether it ends in the name of an alternative.

    Where the model offers alternatives, pydantic names the one it tried; that is no step.
    """
    path, alternative = "", False
    for key in location:
        match key, tree:
            case int(), list():
                tree = tree[key]
            case str(), dict() if key in tree:
                tree = tree[key]
            case _:
                alternative = True
                continue
        alternative = False
        path = step(path, key, tree)
    return path, alternative
