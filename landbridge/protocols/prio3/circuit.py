"""What a measurement must be, as an arithmetic circuit: a bit, a number in a range, one of several.

Source: draft-irtf-cfrg-vdaf-18, section 7.4. Each of the three has one gadget, of degree 2, that it
calls several times; everything around the calls is affine, so a share goes through it as the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from landbridge.protocols.prio3.field import FIELD64, FIELD128, Elements, Field


class Circuit(Protocol):
    """One measurement type. Lengths count field elements.

    `arity` is the gadget's number of input wires, `calls` how often it is called; `outputs` values
    must all be 0 for a valid measurement.
    """

    @property
    def field(self) -> Field:
        """Where it computes."""

    @property
    def measurement_length(self) -> int:
        """Of an encoded measurement."""

    @property
    def joint_length(self) -> int:
        """Of the randomness that all aggregators know."""

    @property
    def output_length(self) -> int:
        """Of what is added up."""

    @property
    def outputs(self) -> int:
        """Values that must be 0."""

    @property
    def arity(self) -> int:
        """Of the gadget."""

    @property
    def calls(self) -> int:
        """Of the gadget."""

    def encode(self, measurement: int) -> list[int]:
        """The measurement's encoding; raises ValueError outside its range."""

    def gadget(self, wires: Elements) -> Elements:
        """The gadget over wires (reports, arity, points): (reports, points)."""

    def wires(self, encoded: Elements, joint: Elements, shares: int) -> Elements:
        """The inputs of the gadget's calls: (reports, arity, calls)."""

    def result(self, encoded: Elements, called: Elements, shares: int) -> Elements:
        """The values that must be 0 of what the calls gave: (reports, outputs)."""

    def truncate(self, encoded: Elements) -> Elements:
        """What is added up: (reports, output length)."""


class Count:
    """A bit, to be counted (Prio3Count)."""

    field = FIELD64
    measurement_length = 1
    joint_length = 0
    output_length = 1
    outputs = 1
    arity = 2
    calls = 1

    def encode(self, measurement: int) -> list[int]:
        """0 or 1."""
        if measurement not in (0, 1):
            raise ValueError("What is counted is 0 or 1.")
        return [int(measurement)]

    def gadget(self, wires: Elements) -> Elements:
        """A product."""
        return self.field.mul(wires[:, 0], wires[:, 1])

    def wires(self, encoded: Elements, joint: Elements, shares: int) -> Elements:  # noqa: ARG002
        """The bit, twice."""
        return np.stack([encoded, encoded], axis=1)

    def result(self, encoded: Elements, called: Elements, shares: int) -> Elements:  # noqa: ARG002
        """Its square less itself."""
        return self.field.sub(called, encoded)

    def truncate(self, encoded: Elements) -> Elements:
        """Itself."""
        return encoded


@dataclass(frozen=True, slots=True)
class Sum:
    """A whole number from 0 to `maximum`, to be added up (Prio3Sum).

    It is written as bits whose weights are powers of two, except for the last, whose weight makes
    them all together exactly `maximum`: whatever the bits, the number is in range.
    """

    maximum: int

    def __post_init__(self) -> None:
        if self.maximum < 1 or 1 << self.maximum.bit_length() >= self.field.modulus:
            raise ValueError("A sum's maximum is from 1 to below half of 2^63.")

    @property
    def field(self) -> Field:
        """64 bits."""
        return FIELD64

    @property
    def measurement_length(self) -> int:
        """As many as bits."""
        return self.maximum.bit_length()

    @property
    def joint_length(self) -> int:
        """None is used."""
        return 0

    @property
    def output_length(self) -> int:
        """The number alone."""
        return 1

    @property
    def outputs(self) -> int:
        """One for each bit."""
        return self.measurement_length

    @property
    def arity(self) -> int:
        """Of x^2 - x."""
        return 1

    @property
    def calls(self) -> int:
        """One for each bit."""
        return self.measurement_length

    @property
    def _weights(self) -> list[int]:
        bits = self.maximum.bit_length()
        rest = (1 << (bits - 1)) - 1
        return [*(1 << place for place in range(bits - 1)), self.maximum - rest]

    def encode(self, measurement: int) -> list[int]:
        """Its bits."""
        if not 0 <= measurement <= self.maximum:
            raise ValueError(f"What is added up is a whole number from 0 to {self.maximum}.")
        *powers, last = self._weights
        rest = (1 << len(powers)) - 1
        over = int(measurement > rest)
        left = int(measurement) - over * last
        return [*((left >> place) & 1 for place in range(len(powers))), over]

    def gadget(self, wires: Elements) -> Elements:
        """x^2 - x, which is 0 for bits alone."""
        return self.field.sub(self.field.mul(wires[:, 0], wires[:, 0]), wires[:, 0])

    def wires(self, encoded: Elements, joint: Elements, shares: int) -> Elements:  # noqa: ARG002
        """Each bit by itself."""
        return encoded[:, np.newaxis, :]

    def result(self, encoded: Elements, called: Elements, shares: int) -> Elements:  # noqa: ARG002
        """What the gadget says of each."""
        return called

    def truncate(self, encoded: Elements) -> Elements:
        """The number that the bits spell."""
        number = self.field.dot(encoded, self.field.array(self._weights))
        return number[:, np.newaxis]


@dataclass(frozen=True, slots=True)
class Histogram:
    """One of `length` buckets, to be counted by bucket (Prio3Histogram).

    `chunk` is how many buckets one call of the gadget looks at: the proof is smallest about at the
    root of `length`. Both aggregators and all contributors must use the same.
    """

    length: int
    chunk: int

    def __post_init__(self) -> None:
        if self.length < 1 or self.chunk < 1:
            raise ValueError("A histogram has at least one bucket, and a chunk of at least one.")

    @property
    def field(self) -> Field:
        """128 bits, for the soundness of its joint randomness."""
        return FIELD128

    @property
    def measurement_length(self) -> int:
        """One for each bucket."""
        return self.length

    @property
    def joint_length(self) -> int:
        """One for each call."""
        return self.calls

    @property
    def output_length(self) -> int:
        """One for each bucket."""
        return self.length

    @property
    def outputs(self) -> int:
        """That all are bits, and that they add up to 1."""
        return 2

    @property
    def arity(self) -> int:
        """Two for each bucket of a chunk."""
        return 2 * self.chunk

    @property
    def calls(self) -> int:
        """As many as chunks."""
        return -(-self.length // self.chunk)

    def encode(self, measurement: int) -> list[int]:
        """1 in its bucket, 0 elsewhere."""
        if not 0 <= measurement < self.length:
            raise ValueError(f"What is counted is a bucket from 0 to {self.length - 1}.")
        return [int(place == measurement) for place in range(self.length)]

    def gadget(self, wires: Elements) -> Elements:
        """The sum of the products of each two wires."""
        return self.field.sum(self.field.mul(wires[:, 0::2], wires[:, 1::2]), axis=1)

    def wires(self, encoded: Elements, joint: Elements, shares: int) -> Elements:
        """Of each bucket x: x times a power of its chunk's randomness, and x - 1."""
        field, reports = self.field, len(encoded)
        padded = field.zeros((reports, self.calls * self.chunk))
        padded[:, : self.length] = encoded
        chunks = padded.reshape(reports, self.calls, self.chunk)
        powers = field.zeros(chunks.shape)
        powers[:, :, 0] = joint
        for place in range(1, self.chunk):
            powers[:, :, place] = field.mul(powers[:, :, place - 1], joint)
        whole = field.array([field.inverse(shares)])
        both = np.stack([field.mul(powers, chunks), field.sub(chunks, whole)], axis=-1)
        return both.reshape(reports, self.calls, self.arity).swapaxes(1, 2)

    def result(self, encoded: Elements, called: Elements, shares: int) -> Elements:
        """The sum of the calls, and the sum of the buckets less 1."""
        field = self.field
        whole = field.array([field.inverse(shares)])
        return np.stack([field.sum(called), field.sub(field.sum(encoded), whole)], axis=-1)

    def truncate(self, encoded: Elements) -> Elements:
        """All of it."""
        return encoded
