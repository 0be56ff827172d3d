"""The cell key method: which perturbation a cell gets, the same one whoever asks and however.

Every record carries a random key; the key of a cell is the sum of the keys of the records that
count in it, modulo one. It picks the perturbation from a fixed table, so that the same records
always get the same noise and asking again gains nothing.

The table has one distribution per true count i: the one of largest entropy among those with mean
0, variance at most V, perturbations from -D to D, results that are never negative and never in
1..js, and probabilities that rise up to the unperturbed result. Zero stays zero, and all counts
that can fall by D without landing in 1..js share one symmetric distribution, whose variance is V.

Sources: B. Fraser, J. Wooton, A proposed method for confidentialising tabular output to protect
against differencing (2005); J. Marley, V. Leaver, A method for confidentialising user-defined
tables (2011); S. Giessing, R. Tent, Concepts for generalising tools implementing the cell key
method to the case of continuous variables (2019); the R package ptable 1.0 (T. Enderle).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import accumulate

from policies.contract import CellKey

KEYS = 2**32
"""Record keys and cell keys are whole numbers below this: a cell key over it is the fraction."""
MULTIPLIERS = (1.0, 0.5, 0.25)
"""How much of the perturbation of a sum the largest, second and third unit total carry."""
CONFIDENCE = 0.95
_ROUNDS = 200
_CLOSE = 1e-9


@dataclass(frozen=True)
class PerturbationTable:
    """`rows[i]` maps each perturbation of the true count i to its probability."""

    parameters: CellKey
    rows: tuple[Mapping[int, float], ...]

    def perturbation(self, count: int, cell_key: int) -> int:
        """What is added to a count of that cell; `cell_key` from 0 up to `KEYS`."""
        row = self._thresholds[min(count, len(self.rows) - 1)]
        return row[1][min(bisect_right(row[0], cell_key), len(row[1]) - 1)]

    def noise_of_sum(self, largest: Sequence[int], cell_key: int, label: str) -> int:
        """What is added to a sum whose largest absolute unit totals are `largest`.

        Each of them is moved by a share of itself, drawn with the cell key from the symmetric
        distribution. `label` names what is summed, so that the shares of two columns over the
        same records say nothing of each other.
        """
        found = 0.0
        for place, (weight, total) in enumerate(zip(MULTIPLIERS, largest, strict=False)):
            text = f"{cell_key}|{place}|{label}"
            own = int.from_bytes(sha256(text.encode()).digest()[:4], "big")
            found += weight * total * self.perturbation(len(self.rows), own)
        return round(self.parameters.magnitude * found / self.deviation)

    @property
    def deviation(self) -> float:
        """Standard deviation of the symmetric distribution, in counts."""
        return math.sqrt(sum(p * v * v for v, p in self.rows[-1].items()))

    @property
    def deviation_of_sum(self) -> float:
        """The same for a sum, as a share of the largest total that one unit can have."""
        return self.parameters.magnitude * math.hypot(*MULTIPLIERS)

    def half_width(self, departments: int) -> int:
        """The smallest w such that 95 % of perturbations lie in [-w, w], whatever the count."""
        alone = max(_half_width(row) for row in self.rows)
        whole: Mapping[int, float] = {0: 1.0}
        for _ in range(departments):
            whole = _convolved(whole, self.rows[-1])
        return max(alone, _half_width(whole))

    def half_width_of_sum(self) -> float:
        """The same for a sum of one department, as a share of the largest total of a unit."""
        return _share(self) * self.parameters.magnitude / self.deviation

    @cached_property
    def _thresholds(self) -> list[tuple[list[int], list[int]]]:
        return [
            ([round(up * KEYS) for up in accumulate(row.values())], list(row)) for row in self.rows
        ]


@lru_cache(maxsize=64)
def perturbation_table(parameters: CellKey) -> PerturbationTable:
    """The table of those parameters, which `policies.terms` has found to be feasible."""
    # The first count that can fall by D without landing in 1..js.
    last = parameters.maximum + (parameters.small + 1 if parameters.small else 0)
    counts = range(1, last + 1)
    return PerturbationTable(parameters, ({0: 1.0}, *(_row(count, parameters) for count in counts)))


def smallest_variance(small: int) -> int:
    """No unbiased table that avoids 1..js has less: a count k can only go to 0 or js + 1."""
    return max((k * (small + 1 - k) for k in range(1, small + 1)), default=0)


def _row(count: int, parameters: CellKey) -> dict[int, float]:
    """The distribution of largest entropy for that count."""
    moves = [
        result - count
        for result in range(max(0, count - parameters.maximum), count + parameters.maximum + 1)
        if not 1 <= result <= parameters.small
    ]
    # Probabilities rise up to the unperturbed result: where the free optimum does not, neighbours
    # share one probability, as the optimality conditions of the bounded problem say.
    blocks = [[move] for move in moves]
    rising = moves.index(0) if 0 in moves else 0
    while True:
        found = _entropy_maximum(blocks, parameters.variance)
        owner = [place for place, block in enumerate(blocks) for _ in block]
        falls = [
            place for place in range(rising)
            if owner[place] != owner[place + 1]
            and found[owner[place]] > found[owner[place + 1]] * (1 + 1e-12)
        ]  # fmt: skip
        if not falls:
            break
        first = owner[falls[-1]]
        blocks[first : first + 2] = [blocks[first] + blocks[first + 1]]
    return {move: found[place] for place, block in enumerate(blocks) for move in block}


def _entropy_maximum(blocks: Sequence[Sequence[int]], variance: float) -> list[float]:
    """Probability of each member of each block: mean 0, variance at most the one given."""
    sizes = [len(block) for block in blocks]
    firsts = [sum(block) / len(block) for block in blocks]
    # Around 1..js, squares are nearly a straight line through the two results next to it. Measured
    # from that line the problem is well conditioned; the mean being 0, it is the same problem.
    moves = [move for block in blocks for move in block]
    below, above = max(m for m in moves if m <= 0), min(m for m in moves if m >= 0)
    seconds = [sum((m - below) * (m - above) for m in block) / len(block) for block in blocks]
    variance += below * above

    def weights(a: float, b: float) -> tuple[list[float], float]:
        """Probabilities, and the value of the dual, which is convex and smallest at the answer."""
        powers = [a * first + b * second for first, second in zip(firsts, seconds, strict=True)]
        top = max(powers)
        raw = [math.exp(power - top) for power in powers]
        total = sum(size * weight for size, weight in zip(sizes, raw, strict=True))
        return [weight / total for weight in raw], top + math.log(total) - b * variance

    a = b = 0.0
    found, dual = weights(a, b)
    bounded = False
    for _ in range(_ROUNDS):
        mass = [size * each for size, each in zip(sizes, found, strict=True)]
        mean = sum(m * x for m, x in zip(mass, firsts, strict=True))
        square = sum(m * y for m, y in zip(mass, seconds, strict=True))
        if abs(mean) < _CLOSE and (not bounded or abs(square - variance) < _CLOSE):
            if bounded or square <= variance + _CLOSE:
                break
            bounded = True
        c11 = sum(m * (x - mean) ** 2 for m, x in zip(mass, firsts, strict=True))
        step = mean / c11, 0.0
        if bounded:
            c22 = sum(m * (y - square) ** 2 for m, y in zip(mass, seconds, strict=True))
            c12 = sum(
                m * (x - mean) * (y - square) for m, x, y in zip(mass, firsts, seconds, strict=True)
            )
            rest = square - variance
            determinant = max(c11 * c22 - c12 * c12, 1e-300)
            step = (c22 * mean - c12 * rest) / determinant, (c11 * rest - c12 * mean) / determinant
        # Newton's step, halved until the dual falls, as far as a double tells.
        for _ in range(_ROUNDS):
            ahead, lower = weights(a - step[0], b - step[1])
            if lower <= dual + 1e-13:
                break
            step = step[0] / 2, step[1] / 2
        a, b, found, dual = a - step[0], b - step[1], ahead, lower
    return found


def _convolved(one: Mapping[int, float], other: Mapping[int, float]) -> dict[int, float]:
    found: dict[int, float] = {}
    for v, p in one.items():
        for w, q in other.items():
            found[v + w] = found.get(v + w, 0.0) + p * q
    return found


def _half_width(distribution: Mapping[int, float]) -> int:
    reach, inside = 0, distribution.get(0, 0.0)
    while inside < CONFIDENCE - 1e-9:
        reach += 1
        inside += distribution.get(reach, 0.0) + distribution.get(-reach, 0.0)
    return reach


@lru_cache(maxsize=64)
def _share_of(parameters: CellKey) -> float:
    scaled = [
        {round(weight * 4 * v): p for v, p in perturbation_table(parameters).rows[-1].items()}
        for weight in MULTIPLIERS
    ]
    whole: Mapping[int, float] = {0: 1.0}
    for part in scaled:
        whole = _convolved(whole, part)
    return _half_width(whole) / 4


def _share(table: PerturbationTable) -> float:
    return _share_of(table.parameters)
