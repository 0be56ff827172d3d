"""Privacy loss in zero-concentrated differential privacy, shown as (epsilon, delta).

Source: M. Bun, T. Steinke, Concentrated Differential Privacy (2016): rho-zCDP implies
(rho + 2 sqrt(rho ln(1/delta)), delta)-DP (proposition 1.3), losses add up (lemma 1.7), and
epsilon-DP implies (epsilon^2 / 2)-zCDP (proposition 1.4).

Where a contract lets values be found by selection (`policies.selection`), half of each allowance's
delta is kept for that and the other half converts rho. A question may use the share of the kept
half that it is charged of the budget. So whatever questions the ledger admits in a period, their
deltas add up to no more than the kept half (approximate zCDP, ibid. section 8), without being
counted.

The ledger counts whole micro-rho (1 = 10^-6 rho), so that no float ever accumulates; a charge is
rounded up and a limit down.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from policies.contract import Allowance, Noise

MICRO = 1_000_000


def rho_of(epsilon: float, delta: float) -> float:
    """The largest rho for which rho-zCDP implies (epsilon, delta)-DP by proposition 1.3."""
    log = math.log(1 / delta)
    return (math.sqrt(log + epsilon) - math.sqrt(log)) ** 2


def epsilon_of(rho: float, delta: float) -> float:
    """The epsilon that rho-zCDP implies at `delta`, by proposition 1.3."""
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def limit(allowance: Allowance) -> int:
    """A budget in micro-rho, rounded down; 0 for the empty allowance."""
    if not allowance.epsilon:
        return 0
    return math.floor(rho_of(allowance.epsilon, allowance.converting) * MICRO)


def question_rho(epsilon: float, delta: float, noise: Noise) -> float:
    """What a question of `epsilon` may cost: the rho that its mechanisms share."""
    if noise is Noise.LAPLACE:
        return epsilon * epsilon / 2
    return rho_of(epsilon, delta)


def selection_delta(micro_rho: int, allowances: Iterable[Allowance]) -> float:
    """What the selection of one question may use of delta, when it is charged so much."""
    shares = (
        allowance.selections * min(1.0, micro_rho / max(1, limit(allowance)))
        for allowance in allowances
    )
    return min(shares) * (1 - 1e-12)  # so that rounding never makes the sum too large


def charge(rho: float) -> int:
    """A cost in micro-rho, rounded up and at least 1."""
    return max(1, math.ceil(rho * MICRO))


def shown(micro_rho: int, delta: float) -> float:
    """Micro-rho as the epsilon that a person reads beside `delta`."""
    return epsilon_of(micro_rho / MICRO, delta) if micro_rho else 0.0
