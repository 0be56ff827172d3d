"""What is wrong with an access policy, found before anything is decided by it.

Beside `policies.access` the only importer of cedarpy.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from importlib import resources
from typing import Final

import cedarpy
from cedarpy import pst

from policies.consultation import terms_problems
from policies.moment import Moment
from policies.statement import Statement

_LONGEST: Final = 500
"""Characters of what Cedar says about one thing."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_POSITIONAL: Final = re.compile(r"for policy `[^`]*`, ")


@lru_cache(maxsize=1)
def schema() -> cedarpy.Schema:
    """The shipped schema; a part of this package, read when it is first needed."""
    return cedarpy.Schema.from_str(_schema_text())


@lru_cache(maxsize=1)
def _schema_without_columns() -> cedarpy.Schema:
    """The schema of policies that are never asked about a column.

    By the whole one, `[Contract::"x"].contains(resource)` would not be well typed.
    """
    return cedarpy.Schema.from_str(_schema_text().replace("[Contract, Column", "[Contract"))


def _schema_text() -> str:
    return resources.files("policies").joinpath("access.cedarschema").read_text("utf-8")


def problems_of(
    statement: Statement,
    known: dict[str, frozenset[str]],
    lines: dict[str, int],
) -> Iterator[str]:
    """Every problem of one policy; enters its id into `lines`."""
    try:
        tree = cedarpy.PolicySet.from_str(statement.text).to_pst()
    except ValueError as found:
        yield _sentence("It is not Cedar", str(found))
        return
    if tree.templates or len(tree.static_policies) != 1:
        yield "It must be a plain policy; templates with slots are not accepted."
        return
    (policy,) = tree.static_policies.values()
    name = policy.annotations.get("id")
    if not name:
        yield 'It must carry an @id("..."), by which refusals name it.'
    elif not _ID.fullmatch(name):
        yield "Its @id must be at most 100 letters, digits, dots, dashes or underscores."
    elif name in lines:
        yield f"Its @id {name} is that of the policy on line {lines[name]} too; ids must differ."
    else:
        lines[name] = statement.line
    hint = policy.annotations.get("hint")
    if hint is not None and not (hint.isprintable() and 0 < len(hint) <= 300):
        yield "Its @hint must be one sentence of at most 300 printable characters."
    yield from terms_problems(written(policy.annotations))
    columned = _speaks_of_columns(policy)
    if columned and policy.effect == "permit":
        yield (
            "It permits by column; permit the whole contract, and take columns out of it by a "
            "forbid."
        )
    fitting = schema() if columned else _schema_without_columns()
    # Cedar gives them in another order each time.
    for fault in sorted(
        each.error for each in cedarpy.validate_policies(statement.text, fitting).errors
    ):
        yield _sentence("It does not fit the schema", _POSITIONAL.sub("", fault))
    for entity in sorted(pst.entity_uids(tree), key=str):
        kind = str(entity.type)
        if kind in known and entity.id not in known[kind]:
            shown = entity.id if _ID.fullmatch(entity.id) else "(an id)"
            yield f"It names {kind} {shown}, which does not exist here; {_existing(known[kind])}."
        elif kind == "Column" and "Column" not in known:
            contract = entity.id.rpartition(".")[0]
            if contract not in known["Contract"]:
                shown = entity.id if _ID.fullmatch(entity.id) else "(an id)"
                yield (
                    f"It names Column {shown}, whose contract does not exist here; "
                    f"{_existing(known['Contract'])}."
                )
    if "Group" not in known and any(_of_members(node) for node in _nodes(_elsewhere(policy))):
        yield (
            "It must ask nothing of who is in a group, nor of what a group declares: the "
            "department alone knows that, and a forbid by it would never match."
        )
    # A policy that fails is skipped by Cedar; after these two, none is left that could.
    if any(isinstance(node, pst.GetAttr) and _distant(node) for node in _nodes(policy)):
        yield (
            "It must read attributes of principal, context and a column only; no others are sure "
            "to exist."
        )
    if any(_calculates(node) for node in _nodes(policy)):
        yield "It must not calculate; what overflows or does not parse would skip the policy."


def numbers_beside_time(policies: cedarpy.PolicySet) -> frozenset[int]:
    """Every number of the policies that look at the time; empty where none does."""
    found: set[int] = set()
    for policy in policies.to_pst().static_policies.values():
        nodes = tuple(_nodes(policy))
        if any(isinstance(node, pst.GetAttr) and node.attr in Moment._fields for node in nodes):
            found |= {0, *(node.value for node in nodes if isinstance(node, pst.LongLit))}
    return frozenset(found)


def written(annotations: Mapping[str, object]) -> dict[str, str]:
    """Annotations as texts."""
    return {key: str(value) for key, value in annotations.items()}


def speaking_of_columns(policies: cedarpy.PolicySet) -> cedarpy.PolicySet | None:
    """The forbids that are asked about columns, under their positions; None where none is."""
    found = {
        position: policy
        for position, policy in policies.to_pst().static_policies.items()
        if policy.effect == "forbid" and _speaks_of_columns(policy)
    }
    if not found:
        return None
    return cedarpy.PolicySet.from_pst(
        pst.PolicySet(templates={}, static_policies=found, template_links=())
    )


def _speaks_of_columns(policy: pst.Template) -> bool:
    """Whether it names a column or the type, or looks at what only a column has."""
    return any(
        (isinstance(node, pst.EntityType) and node.basename == "Column")
        or (
            isinstance(node, pst.GetAttr | pst.HasAttr)
            and isinstance(node.base, pst.Var)
            and node.base.name == "resource"
        )
        for node in _nodes(policy)
    )


def _sentence(what: str, reason: str) -> str:
    """What Cedar says, shortened: it quotes names of any length, twice sometimes."""
    said = " ".join(reason.split()).rstrip(".")
    return f"{what}: {said if len(said) <= _LONGEST else f'{said[:_LONGEST]} ...'}."


def _existing(ids: Collection[str]) -> str:
    return f"known are {', '.join(sorted(ids))}" if ids else "there are none"


def _nodes(node: object) -> Iterator[object]:
    """The node and all below it; at most 100 levels, as cedarpy limits them."""
    yield node
    if is_dataclass(node):
        children: Collection[object] = [getattr(node, each.name) for each in fields(node)]
    elif isinstance(node, dict):
        children = node.values()
    elif isinstance(node, tuple | list | frozenset):
        children = node
    else:
        return
    for child in children:
        yield from _nodes(child)


def _elsewhere(policy: pst.Template) -> tuple[object, ...]:
    """Everything of the policy but its resource, which may be a group."""
    return (policy.principal, policy.action, policy.clauses)


def _of_members(node: object) -> bool:
    match node:
        case pst.EntityType(basename="Group"):
            return True
        case pst.GetAttr(base=pst.Var(name="context"), attr=attr):
            return bool(attr == "declared")
        case pst.HasAttr(base=pst.Var(name="context"), attrs=attrs):
            return "declared" in attrs
        case _:
            return False


def _distant(node: pst.GetAttr) -> bool:
    # Of resources only a column has attributes, as the schema says.
    return not (isinstance(node.base, pst.Var) and node.base.name != "action")


def _calculates(node: object) -> bool:
    # Nothing here is a decimal, an address or a time, so that no use of those types is lost.
    calculating = ("add", "sub", "mul", "neg", "decimal", "ip", "datetime", "duration")
    return isinstance(node, pst.BinaryOp | pst.UnaryOp) and node.op in calculating
