"""Discrete noise, drawn by OpenDP; the only file that imports it.

Before a mechanism draws for the first time OpenDP is asked what it costs, and nothing is drawn when
that is more than was accounted for, so that a wrong scale is a fault and not a leak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

# Not its prelude, which takes a tenth of a second longer and loads Polars where it is installed.
from opendp import measurements
from opendp.domains import atom_domain, vector_domain
from opendp.metrics import l1_distance, l2_distance
from opendp.mod import enable_features

from policies.contract import Noise
from policies.disclosure import Mechanism

Draw = Callable[[Sequence[int], Mechanism], list[int]]
"""Exact cells in, noisy cells out, both in grid steps."""


REMEMBERED: Final = 512
"""Measurements kept ready. One holds a few hundred bytes; making it costs as much time as drawing
fifteen numbers."""


class NoiseError(RuntimeError):
    """The mechanism would cost more than was accounted for."""


def draw(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
    """The cells with the mechanism's own discrete noise added, saturating at 64 bits.

    Randomness is OpenDP's: the operating system's, through a sampler for the exact distribution.
    """
    if mechanism.scale == 0:
        return list(cells)
    measurement = _measurement(mechanism.noise, mechanism.scale, mechanism.sensitivity)
    return [int(value) for value in measurement(list(cells))]


@lru_cache(maxsize=REMEMBERED)
def _measurement(noise: Noise, scale: float, sensitivity: float) -> Any:
    """OpenDP's measurement of that scale, whose cost at that sensitivity was found to be accounted.

    It has no state: each call of it draws anew from the operating system. So one that is remembered
    stays right for as long as its arguments are the same, and they are all that it depends on.
    Raises NoiseError, which is not remembered.
    """
    if noise is Noise.LAPLACE:
        metric = l1_distance(T="i64")
        distance: float | int = int(sensitivity)
        allowed = sensitivity / scale
        then = measurements.then_laplace
    else:
        metric = l2_distance(T="f64")
        distance = sensitivity
        allowed = (sensitivity / scale) ** 2 / 2
        then = measurements.then_gaussian
    enable_features("contrib")
    space = vector_domain(atom_domain(T="i64")), metric
    measurement = space >> then(scale=scale)
    if measurement.map(distance) > allowed * (1 + 1e-9):
        raise NoiseError("OpenDP accounts a higher cost than the plan")
    return measurement
