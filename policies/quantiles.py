"""Which counts a quantile is computed of: a tree of them over the interval of the expression.

The interval's grid is cut into bins of equally many steps, and bins are joined, `FANOUT` at a time,
into the nodes of coarser levels, until one level has at most `FANOUT` nodes. All nodes are
released with noise. Any row is in exactly one node of each level, so rows of one unit move the
whole tree, taken as one vector, by at most `levels * rows` in L1 and `sqrt(levels) * rows` in L2
(all rows in one bin). That is the same as splitting the cost evenly over the levels.

How many rows lie below a bin's edge is then a sum of few nodes instead of many bins. With the
statistic of `gateway.quantile` its variance grows as (b - 1) / ln(b)^2 in the fan-out b by Gaussian
and as (b - 1) / ln(b)^3 by Laplace noise; 8 is within 5 and 11 percent of the best of either.

Everything here follows from the contract and the question; no data is needed.

Sources: M. Hay, V. Rastogi, G. Miklau, D. Suciu, Boosting the Accuracy of Differentially Private
Histograms Through Consistency (2010), section 4, for the tree and its sensitivity; W. Qardaji,
W. Yang, N. Li, Understanding Hierarchical Methods for Differentially Private Histograms (2013), for
fan-outs of about this size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from landbridge.errors import error
from policies.bounds import Interval, interval
from policies.contract import Contract
from policies.question import Histogram, Question

FANOUT = 8
MAXIMUM_BINS = FANOUT**4
"""Of one histogram in one cell: four levels. A fifth would cost more in noise than it resolves."""
MINIMUM_BINS = 16
"""Fewer tell nothing, unless the grid itself has no more."""
MAXIMUM_NUMBERS = 20_000
"""Of all histograms of a question over all its cells: noise costs 13 to 30 microseconds each."""


@dataclass(frozen=True)
class Layout:
    """The tree of one cell: `bins` of `width` grid steps each, the first at `low_units`.

    `levels` are the numbers of nodes, the coarsest level first; the last one is `bins`.
    """

    span: Interval
    low_units: int
    width: int
    bins: int
    levels: tuple[int, ...]

    @cached_property
    def numbers(self) -> int:
        """How many numbers one cell has."""
        return sum(self.levels)

    @cached_property
    def spans(self) -> tuple[int, ...]:
        """How many bins one node of each level holds (the last node of a level can hold fewer)."""
        return tuple(FANOUT**depth for depth in reversed(range(len(self.levels))))

    @property
    def pointed(self) -> bool:
        """Whether a bin is one single value, so that to know the bin is to know the value."""
        return self.span.whole and self.width == 1

    def places(self, index: int) -> list[int]:
        """Where a row of that bin counts among the numbers of its cell: once in each level."""
        found, before = [], 0
        for nodes, span in zip(self.levels, self.spans, strict=True):
            found.append(before + index // span)
            before += nodes
        return found

    def tree(self, numbers: Sequence[int]) -> list[Sequence[int]]:
        """The levels of one cell's numbers, the coarsest first."""
        found, before = [], 0
        for nodes in self.levels:
            found.append(numbers[before : before + nodes])
            before += nodes
        return found

    def edge(self, index: int) -> float:
        """The lower edge of a bin, or the upper edge of the last one.

        Half a step under the bin's first grid value: what lies above is rounded up to it.
        Never outside the interval.
        """
        value = (self.low_units + index * self.width - 0.5) * self.span.step
        return min(max(value, self.span.low), self.span.high)

    def middle(self, index: int) -> float:
        """The middle of a bin; of a bin of one value, that value."""
        if self.pointed:
            return float(self.low_units + index)
        return (self.edge(index) + self.edge(index + 1)) / 2


def levels(bins: int) -> tuple[int, ...]:
    """The nodes of each level over so many bins, the coarsest first."""
    found = [bins]
    while found[0] > FANOUT:
        found.insert(0, -(-found[0] // FANOUT))
    return tuple(found)


def layout(span: Interval, most: int) -> Layout:
    """The finest tree of at most `most` numbers over that interval, never finer than its grid."""
    values = span.high_units - span.low_units + 1
    bins = max(1, min(values, MAXIMUM_BINS, most))
    while bins > 1 and sum(levels(bins)) > most:
        bins -= 1
    width = -(-values // bins)
    bins = -(-values // width)
    return Layout(span, span.low_units, width, bins, levels(bins))


def layout_of(measure: Histogram, question: Question, contract: Contract, cells: int) -> Layout:
    """The tree of one histogram of a question with so many cells.

    Raises UNBOUNDED_EXPRESSION, and TOO_MANY_CELLS where too few bins would be left for each cell.
    """
    together = sum(isinstance(other, Histogram) for other in question.measures)
    found = layout(interval(measure.of, contract), MAXIMUM_NUMBERS // (cells * together))
    if found.bins < MINIMUM_BINS and found.width > 1:
        raise error(
            "TOO_MANY_CELLS",
            f"Quantiles of {together} expressions over {cells} cells leave too few bins for each.",
            hint="Group by less, or ask for quantiles of fewer expressions at once.",
        )
    return found
