"""Values are randomised here, on the contributor's own machine, before anything is sealed or kept.

The only file of the SDK that imports OpenDP, whose samplers are exact and draw from the operating
system. Before a mechanism is used OpenDP is asked what it costs; nothing is drawn where that is
more than the owner's contract says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, assert_never

try:
    from opendp import measurements
    from opendp.domains import atom_domain
    from opendp.metrics import absolute_distance
    from opendp.mod import enable_features
except ImportError:
    raise ImportError(
        "This collection is randomised at its source, which needs OpenDP: "
        "pip install 'landbridge[randomised]'."
    ) from None

from landbridge.submission.check import Plain, spelt
from landbridge.submission.form import Field, Form
from landbridge.submission.randomised import Clamped, Response

_TOLERANCE: Final = 1 + 1e-9
_Draw = Callable[[Plain], Plain]


class CostsMore(RuntimeError):
    """OpenDP accounts a higher cost than the contract states."""


class Randomiser:
    """Draws reports of checked values, by the owner's signed form."""

    def __init__(self, form: Form) -> None:
        """Raises CostsMore."""
        self._draws = [_draw(field) for field in form.fields]

    def values(self, values: Sequence[Plain]) -> list[Plain]:
        """The report of one record; a new draw at every call."""
        return [draw(value) for draw, value in zip(self._draws, values, strict=True)]


def _draw(field: Field) -> _Draw:
    how = field.randomised
    match how:
        case None:
            return _as_it_is
        case Response():
            return _response(field, how)
        case Clamped():
            return _clamped(field, how)
        case _:
            assert_never(how)


def _as_it_is(value: Plain) -> Plain:
    return value


def _response(field: Field, how: Response) -> _Draw:
    enable_features("contrib")
    if field.kind == "boolean":
        fair = measurements.make_randomized_response_bool(how.keep)
        _require(fair, 1, how.epsilon)
        return lambda value: bool(fair(value))
    categories = [spelt(each) for each in field.domain]
    places = {value: place for place, value in enumerate(categories)}
    chosen = measurements.make_randomized_response(range(how.categories), how.keep, T="i32")
    _require(chosen, 1, how.epsilon)
    return lambda value: categories[chosen(places[value])]


def _clamped(field: Field, how: Clamped) -> _Draw:
    enable_features("contrib")
    space = atom_domain(T="i64"), absolute_distance(T="i64")
    noisy: Any = space >> measurements.then_laplace(scale=how.scale)
    _require(noisy, how.steps, how.epsilon)
    whole = field.kind == "integer"

    def draw(value: Plain) -> Plain:
        assert isinstance(value, int | float)  # checked against the form
        found = how.value(min(how.steps, max(0, noisy(how.index(value)))))
        return int(found) if whole else found

    return draw


def _require(mechanism: Any, distance: int, epsilon: float) -> None:
    if mechanism.map(distance) > epsilon * _TOLERANCE:
        raise CostsMore("OpenDP accounts a higher cost than the contract states")
