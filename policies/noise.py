"""Discrete noise, drawn by OpenDP; the only file that imports it.

Each draw first asks OpenDP what the mechanism costs and refuses to go on when that is more than
was accounted for, so that a wrong scale is a fault and not a leak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import opendp.prelude as opendp

from policies.contract import Noise
from policies.disclosure import Mechanism

Draw = Callable[[Sequence[int], Mechanism], list[int]]
"""Exact cells in, noisy cells out, both in grid steps."""


class NoiseError(RuntimeError):
    """The mechanism would cost more than was accounted for."""


def draw(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
    """The cells with the mechanism's own discrete noise added, saturating at 64 bits.

    Randomness is OpenDP's: the operating system's, through a sampler for the exact distribution.
    """
    if mechanism.scale == 0:
        return list(cells)
    if mechanism.noise is Noise.LAPLACE:
        metric = opendp.l1_distance(T="i64")
        distance: float | int = int(mechanism.sensitivity)
        allowed = mechanism.sensitivity / mechanism.scale
        then = opendp.m.then_laplace
    else:
        metric = opendp.l2_distance(T="f64")
        distance = mechanism.sensitivity
        allowed = (mechanism.sensitivity / mechanism.scale) ** 2 / 2
        then = opendp.m.then_gaussian
    opendp.enable_features("contrib")
    space = opendp.vector_domain(opendp.atom_domain(T="i64")), metric
    measurement = space >> then(scale=mechanism.scale)
    if measurement.map(distance) > allowed * (1 + 1e-9):
        raise NoiseError("OpenDP accounts a higher cost than the plan")
    return [int(value) for value in measurement(list(cells))]
