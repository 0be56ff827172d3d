"""Several contracts of one department, joined on the unit that all of them protect.

The joined contract is one like any other: review, bounds, keys and the release plan work on it as
it is. Its columns are named "contract.column"; the unit keeps its bare name.

Only method `dp` is joined. A join is a filter (it leaves out units that another table does not
have) which no rule about filters, minimum counts or cell keys sees; noise for a unit's part holds
whatever a question leaves out. For a unit that counts with at most a rows in one table and b in
another, the join has at most a x b rows: adding or removing its rows in one table or in all
changes the joined table by at most these, so `rows_per_unit` is the product.

Sources: N. Johnson, J. Near, D. Song, Towards Practical Differential Privacy for SQL Queries
(2018), for how joins multiply what one unit can change; R. Wilson et al., Differentially Private
SQL with Bounded User Contribution (2020), for joins on the unit's own key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from math import prod
from operator import itemgetter
from typing import Final

from landbridge.errors import error
from landbridge.levels import Level
from policies.contract import Allowance, Column, Contract, Disclosure, Method, Pooling
from policies.review import Usage
from policies.terms import MAXIMUM_ROWS, PERIODS

MAXIMUM_PARTS: Final = 4


def joined(parts: Sequence[Contract]) -> Contract:
    """The contract of a join; that of one table is its own.

    The order of the parts does not matter. Raises INVALID_QUESTION, from the contracts alone, where
    they cannot be joined: too many, one twice, another method than `dp`, other units or noise.
    """
    ordered = tuple(sorted(parts, key=lambda part: part.id))
    first = ordered[0]
    if len(ordered) == 1:
        return first
    _require_joinable(ordered)
    assert first.unit is not None  # joinable
    unit = replace(
        first.by_name[first.unit],
        nullable=any(part.by_name[first.unit].nullable for part in ordered),
        unique=False,
        domain=(),
    )
    columns = (_renamed(part, column) for part in ordered for column in part.columns)
    return Contract(
        id=" JOIN ".join(part.id for part in ordered),
        version=" ".join(part.version for part in ordered),
        title=", ".join(part.title for part in ordered),
        description="",
        columns=(unit, *(column for column in columns if column is not None)),
        unit=first.unit,
        purposes=frozenset.intersection(*(part.purposes for part in ordered)),
        disclosure=common_terms([part.disclosure for part in ordered]),
        digest=sha256("".join(part.digest for part in ordered).encode()).hexdigest(),
        # Per purpose the longest: dict keeps the last of what is sorted by days.
        delays=tuple(
            sorted(
                dict(
                    sorted((each for part in ordered for each in part.delays), key=itemgetter(1))
                ).items()
            )
        ),
        parts=ordered,
    )


def level_in(part: Contract, whole: Contract, usage: Usage) -> Level:
    """The highest level among the columns of one part that a question uses; OPEN for none.

    The unit is sealed and may be joined on, so joining alone asks for no clearance.
    """
    if not whole.parts:
        return usage.level
    own = (use.column for use in usage.uses if use.column.startswith(f"{part.id}."))
    return max((whole.by_name[name].level for name in own), default=Level.OPEN)


def column_in(part: Contract, name: str) -> str:
    """What a column of a part is called in the joined contract."""
    return name if name == part.unit else f"{part.id}.{name}"


def _renamed(part: Contract, column: Column) -> Column | None:
    """The column under its joined name, in which a value may repeat; None for the unit.

    Found values stay with their own table: each part's ledger would have to keep a share of its
    delta for a selection over the join.
    """
    if column.name == part.unit:
        return None
    return replace(column, name=column_in(part, column.name), unique=False, discovered=False)


def _require_joinable(parts: Sequence[Contract]) -> None:
    names = [part.id for part in parts]
    if len(parts) > MAXIMUM_PARTS:
        raise error("INVALID_QUESTION", f"At most {MAXIMUM_PARTS} tables are joined.")
    if len(set(names)) < len(names):
        raise error(
            "INVALID_QUESTION",
            "A table is joined with itself.",
            hint="Each table stands behind FROM once.",
        )
    for part in parts:
        if part.disclosure.method is not Method.DP:
            raise error(
                "INVALID_QUESTION",
                f"Contract {part.id} is released by the method {part.disclosure.method} and cannot "
                "be joined: a join is a filter that none of its rules would see.",
                hint="Contracts by the method dp can be joined; ask this one alone.",
            )
    keys = {(part.unit, part.by_name[part.unit].type) for part in parts if part.unit is not None}
    if len(keys) > 1:
        raise error(
            "INVALID_QUESTION",
            f"Contracts {_listed(names)} do not protect the same unit.",
            hint="Tables are joined on the protected unit, of one name and type in all of them.",
        )
    noises = sorted({part.disclosure.noise.value for part in parts})
    if len(noises) > 1:
        raise error(
            "INVALID_QUESTION",
            f"Contracts {_listed(names)} add different noise, {_listed(noises)}.",
            hint="Their owner can choose one for all of them.",
        )
    rows = prod(part.disclosure.rows_per_unit for part in parts)
    if rows > MAXIMUM_ROWS:
        raise error(
            "INVALID_QUESTION",
            f"One unit could count with {rows} joined rows; at most {MAXIMUM_ROWS} are accepted.",
            hint="Join fewer tables.",
        )


def common_terms(each: Sequence[Disclosure]) -> Disclosure:
    """What all owners' terms allow."""
    first = each[0]
    return Disclosure(
        method=Method.DP,
        rows_per_unit=prod(terms.rows_per_unit for terms in each),
        # The largest: what a ledger charges is shared among all departments where the contract says
        # that its unit can be, and one of the parts says so of that many.
        units_span=max(terms.units_span for terms in each),
        recipient=_tighter(terms.recipient for terms in each),
        overall=_tighter(terms.overall for terms in each),
        # Only shown; every part's ledger keeps its own.
        period=max((terms.period for terms in each), key=PERIODS.index),
        noise=first.noise,
        default_epsilon=min(terms.default_epsilon for terms in each),
        maximum_epsilon=min(terms.maximum_epsilon for terms in each),
        maximum_cells=min(terms.maximum_cells for terms in each),
        pooling=_pooling([terms.pooling for terms in each]),
    )


def _pooling(each: Sequence[Pooling]) -> Pooling:
    """The strictest of each; fewer honest members is stricter, and 0 leaves it to the rest."""
    return Pooling(
        minimum=max(terms.minimum for terms in each),
        honest=min((terms.honest for terms in each if terms.honest), default=0),
        alone=all(terms.alone for terms in each),
        department=all(terms.department for terms in each),
    )


def _tighter(each: Iterable[Allowance]) -> Allowance:
    """No larger than any in epsilon and in delta, so that what fits it fits them all."""
    known = tuple(each)
    return Allowance(
        min(allowance.epsilon for allowance in known),
        min(allowance.delta for allowance in known),
        selecting=any(allowance.selecting for allowance in known),
    )


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"
