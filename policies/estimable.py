"""Which questions about columns that were randomised at their source have an unbiased answer.

What the data hold of such a column are reports. An estimate is linear in what each report counts
as, so there are three questions: how many have each value (GROUP BY the column), what something
else comes to for those who have it, and the sum and the average of a number. A condition, a product
or a bucket of reports would be a number about the reports, and say something wrong of the values.
"""

from __future__ import annotations

from collections.abc import Iterator

from landbridge.errors import LandbridgeError, error
from landbridge.submission.randomised import Clamped, Response
from policies.contract import Contract
from policies.question import (
    ColumnOf,
    Count,
    Question,
    Sum,
    Whole,
    cases_of,
    conditions,
    measured,
)


def randomised_columns(question: Question, contract: Contract) -> frozenset[str]:
    """Those that the question speaks of in any way."""
    return frozenset(
        name for name in _named(question) if contract.by_name[name].randomised is not None
    )


def require_estimable(question: Question, contract: Contract) -> None:
    """Raises INVALID_QUESTION for what has no unbiased estimate; the columns are known to exist."""
    used = randomised_columns(question, contract)
    if not used:
        return
    if contract.parts:
        raise _refusal(used, "is not asked of joined or linked tables", "Ask its own table alone.")
    for condition in _conditions(question):
        if condition in used:
            hint = (
                f"GROUP BY {condition} and read the row that you want."
                if isinstance(contract.by_name[condition].randomised, Response)
                else "Ask for its sum or average."
            )
            raise _refusal({condition}, "cannot be filtered on", hint)
    keys = [key for key in question.group_by if key.column in used]
    for key in keys:
        if not (
            isinstance(key, Whole) and isinstance(contract.by_name[key.column].randomised, Response)
        ):
            raise _refusal({key.column}, "is not grouped by", "Ask for its sum or average.")
    if len(keys) > 1:
        raise _refusal(
            {key.column for key in keys}, "are not grouped by together", "Group by one of them."
        )
    for measure in question.measures:
        plain = isinstance(measure, Count | Sum) and (
            measure.of is None or isinstance(measure.of, ColumnOf)
        )
        about = used & {*measured(measure)}
        if about and not (
            plain and all(isinstance(contract.by_name[name].randomised, Clamped) for name in about)
        ):
            raise _refusal(
                about,
                "is summed, averaged or grouped by as it is, and nothing else",
                "Write sum(column), avg(column) or GROUP BY column.",
            )
        if keys and not isinstance(measure, Count | Sum):
            raise _refusal(
                {keys[0].column},
                "is grouped by for counts, sums and averages only",
                "Ask for count(*), count(x), sum(x) or avg(x).",
            )


def _named(question: Question) -> Iterator[str]:
    for key in question.group_by:
        yield key.column
    for measure in question.measures:
        yield from measured(measure)
    yield from _conditions(question)


def _conditions(question: Question) -> Iterator[str]:
    """Columns in conditions, those inside aggregates included."""
    predicates = [] if question.where is None else [question.where]
    for measure in question.measures:
        of = getattr(measure, "of", None)
        if of is not None:
            predicates += cases_of(of)
    for predicate in predicates:
        for leaf in conditions(predicate):
            yield leaf.column


def _refusal(columns: frozenset[str] | set[str], cannot: str, hint: str) -> LandbridgeError:
    named = " and ".join(sorted(columns))
    return error(
        "INVALID_QUESTION",
        f"{named}, randomised at the source, {cannot}: there is no unbiased estimate of that.",
        hint=hint,
    )
