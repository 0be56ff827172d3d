"""Prio3 beyond its vectors: what is valid always passes, what is not never does.

The chance that a false report passes is below 2^-50 (one multiplication in the field against one
random point); no test below can fail by it in practice.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landbridge.protocols.prio3.aggregation import Prio3, Report, Sharded
from landbridge.protocols.prio3.circuit import Circuit, Count, Histogram, Sum
from landbridge.protocols.prio3.field import FIELD64, FIELD128, Field
from landbridge.protocols.prio3.polynomial import coefficients, doubled, transform, weights
from landbridge.protocols.prio3.xof import Xof

KEY = bytes(range(32))
CTX = b"a census"
CIRCUITS: tuple[Circuit, ...] = (Count(), Sum(5), Sum(255), Sum(1000), Histogram(5, 2))
FIELDS = {FIELD64.name: FIELD64, FIELD128.name: FIELD128}


def most(circuit: Circuit) -> int:
    """The largest measurement."""
    match circuit:
        case Sum():
            return circuit.maximum
        case Histogram():
            return circuit.length - 1
        case _:
            return 1


def report(prio3: Prio3, measurement: int) -> tuple[bytes, Sharded]:
    """A report as a contributor makes it."""
    nonce = secrets.token_bytes(16)
    return nonce, prio3.shard(measurement, nonce, secrets.token_bytes(prio3.random_bytes))


def verified(
    prio3: Prio3, reports: Sequence[tuple[bytes, Sharded]], publics: Sequence[bytes] | None = None
) -> list[tuple[bytes, ...] | None]:
    """The parts of each report at all aggregators, None where it was refused.

    `publics` are what the second aggregator has been told in place of the public shares.
    """
    rows = [
        prio3.verify_init(
            KEY,
            number,
            [
                Report(
                    nonce, publics[at] if publics and number else each.public, each.inputs[number]
                )
                for at, (nonce, each) in enumerate(reports)
            ],
        )
        for number in range(2)
    ]
    shares = [[each.share if each else None for each in row] for row in rows]
    found: list[tuple[bytes, ...] | None] = []
    for at, message in enumerate(prio3.verifier_shares_to_messages(shares)):
        each = [row[at] for row in rows]
        try:
            assert message is not None
            found.append(
                tuple(prio3.verify_next(one.waiting, message) for one in each if one is not None)
            )
        except (AssertionError, ValueError):
            found.append(None)
    return found


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_what_is_in_range_is_added_up_exactly(data: st.DataObject) -> None:
    """Completeness: every valid report passes, and the sums are the plain ones."""
    circuit = data.draw(st.sampled_from(CIRCUITS))
    values = data.draw(st.lists(st.integers(0, most(circuit)), min_size=1, max_size=8))
    prio3 = Prio3(circuit, CTX)
    parts = verified(prio3, [report(prio3, value) for value in values])
    kept = [each for each in parts if each is not None]
    assert len(kept) == len(values)
    sums = [prio3.add_up([each[number] for each in kept]) for number in range(2)]
    plain = (
        [values.count(bucket) for bucket in range(circuit.length)]
        if isinstance(circuit, Histogram)
        else [sum(values)]
    )
    assert prio3.unshard(sums) == plain


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_report_that_was_changed_anywhere_is_refused_and_takes_no_other_with_it(
    data: st.DataObject,
) -> None:
    """Soundness: no byte of any share can change, and the neighbours in the batch still count."""
    circuit = data.draw(st.sampled_from(CIRCUITS))
    prio3 = Prio3(circuit, CTX)
    nonce, good = report(prio3, data.draw(st.integers(0, most(circuit))))
    parts = [good.public, *good.inputs]
    place = data.draw(st.sampled_from([n for n, part in enumerate(parts) if part]))
    at = data.draw(st.integers(0, len(parts[place]) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    changed = bytearray(parts[place])
    changed[at] ^= bit
    parts[place] = bytes(changed)
    bad = Sharded(parts[0], (parts[1], parts[2]))
    neighbours = [report(prio3, 1), (nonce, bad), report(prio3, 0)]
    assert [each is not None for each in verified(prio3, neighbours)] == [True, False, True]


class _CountOfTwo(Count):
    """A contributor that counts for two."""

    def encode(self, measurement: int) -> list[int]:  # noqa: ARG002
        return [2]


class _SumOverTheMaximum(Sum):
    """A contributor whose first bit is a 2."""

    def encode(self, measurement: int) -> list[int]:  # noqa: ARG002
        return [2, *([0] * (self.measurement_length - 1))]


class _SumBelowNothing(Sum):
    """A contributor that takes away."""

    def encode(self, measurement: int) -> list[int]:  # noqa: ARG002
        return [-1, *([0] * (self.measurement_length - 1))]


class _TwoBuckets(Histogram):
    """A contributor that is in two places."""

    def encode(self, measurement: int) -> list[int]:  # noqa: ARG002
        return [1, 1, *([0] * (self.length - 2))]


class _NoBucket(Histogram):
    """A contributor that is nowhere."""

    def encode(self, measurement: int) -> list[int]:  # noqa: ARG002
        return [0] * self.length


class _BucketOfTwo(Histogram):
    """A contributor whose buckets add up to 1 and are no bits."""

    def encode(self, measurement: int) -> list[int]:  # noqa: ARG002
        return [2, -1, *([0] * (self.length - 2))]


@pytest.mark.parametrize(
    ("honest", "cheat"),
    [
        (Count(), _CountOfTwo()),
        (Sum(255), _SumOverTheMaximum(255)),
        (Sum(5), _SumBelowNothing(5)),
        (Histogram(5, 2), _TwoBuckets(5, 2)),
        (Histogram(5, 2), _NoBucket(5, 2)),
        (Histogram(5, 2), _BucketOfTwo(5, 2)),
    ],
    ids=lambda circuit: type(circuit).__name__,
)
def test_a_measurement_out_of_range_is_refused_however_well_it_is_proven(
    honest: Circuit, cheat: Circuit
) -> None:
    """A contributor that runs the whole protocol over what is no measurement is found."""
    assert verified(Prio3(honest, CTX), [report(Prio3(cheat, CTX), 0)]) == [None]


def test_a_report_under_another_key_context_or_id_is_refused() -> None:
    """Material that is made for one census is useless in another."""
    prio3, other = Prio3(Sum(9), CTX), Prio3(Sum(9), b"another census")
    nonce, good = report(prio3, 7)
    assert verified(other, [(nonce, good)]) == [None]
    joint = Prio3(Histogram(5, 2), CTX)
    nonce, good = report(joint, 2)
    assert verified(joint, [(secrets.token_bytes(16), good)]) == [None]


def test_two_aggregators_that_were_told_different_public_shares_refuse() -> None:
    """Who relays may not show each its own version."""
    prio3 = Prio3(Histogram(5, 2), CTX)
    reports = [report(prio3, 1), report(prio3, 2)]
    swapped = [reports[1][1].public, reports[0][1].public]
    assert verified(prio3, reports, swapped) == [None, None]


def test_nothing_is_too_short_too_long_or_over_the_modulus() -> None:
    """What cannot be read is no report, and no exception either."""
    prio3 = Prio3(Sum(9), CTX)
    nonce, good = report(prio3, 7)
    over = b"\xff" * 8 + good.inputs[0][8:]
    for leader in (b"", good.inputs[0][:-1], good.inputs[0] + b"\0", over):
        assert verified(prio3, [(nonce, Sharded(b"", (leader, good.inputs[1])))]) == [None]
    assert verified(prio3, [(nonce, Sharded(b"x", good.inputs))]) == [None]
    assert verified(prio3, [(nonce[:-1], good)]) == [None]
    assert prio3.verifier_shares_to_messages([[b""], [None]]) == (None,)


@pytest.mark.parametrize("measurement", [-1, 2, 10])
def test_the_contributors_own_side_refuses_what_is_out_of_range(measurement: int) -> None:
    """An honest mistake is told at once, and where it was made."""
    with pytest.raises(ValueError, match="0"):
        report(Prio3(Count(), CTX), measurement)
    with pytest.raises(ValueError, match="bucket"):
        report(Prio3(Histogram(2, 1), CTX), measurement)


def test_what_one_aggregator_holds_is_uniform_whatever_the_value() -> None:
    """Chi-square over 4,096 bytes of 512 leader's shares of the same value, 255 degrees.

    False-alarm rate about 1e-7 for each of the two (the limit is 400; mean 255, deviation 22.6).
    """
    prio3 = Prio3(Count(), CTX)
    for value in (0, 1):
        counts = np.zeros(256)
        for _ in range(512):
            for byte in report(prio3, value)[1].inputs[0][:8]:
                counts[byte] += 1
        statistic = float(((counts - 16) ** 2 / 16).sum())
        print("value", value, "chi-square", statistic)  # noqa: T201
        assert statistic < 400


EDGES = st.sampled_from([0, 1, 2, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, -1, -2, -(1 << 32)])


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_arithmetic_is_that_of_whole_numbers_modulo_p(field: Field, data: st.DataObject) -> None:
    """Against Python's own integers, the edges of words included."""
    number = (st.integers(0, field.modulus - 1) | EDGES).map(lambda n: n % field.modulus)
    pairs = data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=9))
    left, right = field.array([a for a, _ in pairs]), field.array([b for _, b in pairs])
    p = field.modulus
    assert field.add(left, right).tolist() == [(a + b) % p for a, b in pairs]
    assert field.sub(left, right).tolist() == [(a - b) % p for a, b in pairs]
    assert field.mul(left, right).tolist() == [a * b % p for a, b in pairs]
    assert int(field.sum(left)) == sum(a for a, _ in pairs) % p
    assert int(field.dot(left, right)) == sum(a * b for a, b in pairs) % p
    again, sound = field.decode([field.encode(left)], len(pairs))
    assert sound == [True]
    assert again[0].tolist() == left.tolist()


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_polynomials_are_the_same_by_coefficients_and_by_values(field: Field) -> None:
    """Transform, its inverse, doubling and evaluation against Horner's rule."""
    p, numbers = field.modulus, [3, 1, 4, 1, 5, 9, 2, 6]
    rows = field.array([numbers, numbers[::-1]])
    values = transform(field, rows)

    def at(row: Sequence[int], point: int) -> int:
        return sum(each * pow(point, power, p) for power, each in enumerate(row)) % p

    roots = field.roots(8).tolist()
    assert values[0].tolist() == [at(numbers, int(root)) for root in roots]
    assert coefficients(field, values).tolist() == rows.tolist()
    twice = field.roots(16).tolist()
    assert doubled(field, values)[1].tolist() == [at(numbers[::-1], int(x)) for x in twice]
    points = field.array([12345, 67890])
    found = field.dot(values, weights(field, 8, points))
    assert found.tolist() == [at(numbers, 12345), at(numbers[::-1], 67890)]


class _Stream(Xof):
    """A stream that says what the test wants."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.read = self._next

    def _next(self, count: int) -> bytes:
        found, self._content = self._content[:count], self._content[count:]
        return found


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_a_stream_is_read_on_past_numbers_over_the_modulus(field: Field) -> None:
    """Once in 2^32 elements: too rare for any vector, and a census is lost where sides differ."""
    over = field.modulus.to_bytes(field.size, "little")
    one, two = (n.to_bytes(field.size, "little") for n in (1, 2))
    streams = [_Stream(one + two), _Stream(over + one + over + two + two)]
    assert field.expand(streams, 2).tolist() == [[1, 2], [1, 2]]
