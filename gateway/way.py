"""How a question is put to its departments: step (4), from contracts alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from landbridge.errors import error
from policies.contract import Contract
from policies.disclosure import ReleasePlan, plan_release
from policies.keys import is_open
from policies.pooling import PoolingPlan, pooled
from policies.question import Question


class Mode(StrEnum):
    """The ways of putting a question."""

    ALONE = "one department"
    FAN_OUT = "fan-out"
    POOLED = "pooled"
    LINKED = "linked"


@dataclass(frozen=True, slots=True)
class Way:
    """One of them, with the release that it means; `why` is a sentence for the caller.

    `pooling` is there where the question is pooled, and `release` is then that of the total.
    `grouped`: every department has cells of its own, and `release` is that of one of them.
    """

    mode: Mode
    why: str
    release: ReleasePlan
    pooling: PoolingPlan | None = None
    grouped: bool = False


def way(
    question: Question, contract: Contract, micro_epsilon: int, departments: tuple[str, ...]
) -> Way:
    """The way of a reviewed question: pooled wherever that is possible.

    Raises as `plan_release` does, and PARTS_WITHHELD where the owners let out totals only and there
    can be none.
    """
    count, name = len(departments), contract.id
    if count == 1:
        _require_alone(contract, f"{name} is asked of one department")
        alone = plan_release(question, contract, micro_epsilon, 1)
        return Way(Mode.ALONE, f"{name} is asked of {departments[0]} alone.", alone)
    pooling = pooled(question, contract, micro_epsilon, count)
    if isinstance(pooling, PoolingPlan):
        why = (
            f"{count} departments serve {name}; their parts are added under masks that cancel in "
            "the sum, so nobody sees one of them. Their shares of noise make one draw together, "
            f"{pooling.beside_parts:.2g} times that in parts with noise of their own."
        )
        return Way(Mode.POOLED, why, pooling.release, pooling)
    _require_alone(contract, pooling)
    why = (
        f"{count} departments serve {name}; their parts are added, each with noise of its own: "
        f"they are not pooled, since {pooling}."
    )
    return Way(Mode.FAN_OUT, why, plan_release(question, contract, micro_epsilon, count))


def apart(
    question: Question,
    contract: Contract,
    micro_epsilon: int,
    departments: tuple[str, ...],
    *,
    grouped: bool,
) -> Way:
    """The way of a question about parts by department, which its owners allow.

    Raises as `plan_release` does, and INVALID_QUESTION where departments would have other cells.
    """
    _require_alone(contract, "parts are asked for by department")
    if any(is_open(key, contract) for key in question.group_by):
        raise error(
            "INVALID_QUESTION",
            "A key whose values are found in the data has other ones at every department.",
            hint="Ask one department.",
        )
    release = plan_release(question, contract, micro_epsilon, 1 if grouped else len(departments))
    if len(departments) == 1 and not grouped:
        why = f"{contract.id} is asked of {departments[0]} alone, as the filter says."
        return Way(Mode.ALONE, why, release)
    many = f"{len(departments)} departments" if len(departments) > 1 else departments[0]
    why = (
        f"Parts of {contract.id} are asked for by department, so {many} give them with noise of "
        "their own and nothing is pooled."
    )
    return Way(Mode.FAN_OUT, why, release, grouped=grouped)


def _require_alone(contract: Contract, why: str) -> None:
    if not contract.disclosure.pooling.alone:
        raise error(
            "PARTS_WITHHELD",
            f"The owners of {contract.id} give out totals over several departments only, and this "
            f"is none: {why}.",
            rule="contract.pooling.alone",
            hint=f"Ask all departments: FROM {contract.id}.",
        )
