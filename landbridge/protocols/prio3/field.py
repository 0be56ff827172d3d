"""Arithmetic in the two prime fields of Prio3, over many numbers at once.

Source: draft-irtf-cfrg-vdaf-18, section 6.1. An `Elements` is an array of numbers below the
modulus, with one row for each report; every operation works element by element and gives numbers
below the modulus again.

Field64 computes in 64-bit words: a product is put together of 32-bit halves and reduced by
2^64 = 2^32 - 1 (mod p), without a branch. Field128 keeps Python's integers in the array: halves
would need over a hundred array operations for one product, which measured no faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landbridge.protocols.prio3.xof import Xof

Elements = NDArray[Any]
"""Numbers of one field: dtype uint64 in Field64, Python's integers in Field128."""
_HALF: Final = 32
_LOW: Final = 0xFFFFFFFF


class Field:
    """A prime field with a multiplicative subgroup of order 2^`order_bits`, made by `generator`.

    `size` is the number of bytes of one element on the wire, little-endian.
    """

    def __init__(self, name: str, modulus: int, order_bits: int, size: int, generator: int) -> None:
        self.name = name
        self.modulus: Final = modulus
        self.size: Final = size
        self._order_bits = order_bits
        self._generator = generator
        self._roots = cache(self._powers)

    def array(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> Elements:
        """These numbers, modulo p."""
        reduced: Elements = np.asarray(numbers, dtype=object) % self.modulus
        return reduced.astype(self._dtype)

    def zeros(self, shape: tuple[int, ...]) -> Elements:
        """So many zeros."""
        return np.zeros(shape, dtype=self._dtype)

    def inverse(self, number: int) -> int:
        """The number whose product with this one is 1."""
        return pow(number, -1, self.modulus)

    def roots(self, count: int) -> Elements:
        """The powers 0 to count - 1 of the root of unity of order `count`, a power of two."""
        return self._roots(count)

    def _powers(self, count: int) -> Elements:
        bits = count.bit_length() - 1
        if count != 1 << bits or bits > self._order_bits:
            raise ValueError("Roots of unity exist for powers of two only.")
        root = pow(self._generator, 1 << (self._order_bits - bits), self.modulus)
        return self.array([pow(root, power, self.modulus) for power in range(count)])

    # What each of the two does in its own way.
    _dtype: type = object

    def add(self, left: Elements, right: Elements) -> Elements:
        """Sums."""
        found: Elements = (left + right) % self.modulus
        return found

    def sub(self, left: Elements, right: Elements) -> Elements:
        """Differences."""
        found: Elements = (left - right) % self.modulus
        return found

    def mul(self, left: Elements, right: Elements) -> Elements:
        """Products."""
        found: Elements = (left * right) % self.modulus
        return found

    def sum(self, elements: Elements, axis: int = -1) -> Elements:
        """The sum along an axis, at most 2^32 long."""
        found: Elements = elements.sum(axis=axis) % self.modulus
        return np.asarray(found, dtype=object)

    def dot(self, left: Elements, right: Elements) -> Elements:
        """The sum of the products along the last axis."""
        found: Elements = (left * right).sum(axis=-1) % self.modulus
        return np.asarray(found, dtype=object)

    def encode(self, row: Elements) -> bytes:
        """One row of elements as bytes."""
        return b"".join([int(each).to_bytes(self.size, "little") for each in row])

    def decode(self, rows: Sequence[bytes], count: int) -> tuple[Elements, list[bool]]:
        """Rows of `count` elements, and which of them are spelt rightly; others come as zeros."""
        sound = [len(row) == count * self.size for row in rows]
        whole = b"".join(
            [
                row if good else bytes(count * self.size)
                for row, good in zip(rows, sound, strict=True)
            ]
        )
        found = self._read(whole).reshape(len(rows), count)
        over: NDArray[np.bool_] = np.any(found >= self.modulus, axis=1)
        if over.any():
            found = np.where(over[:, np.newaxis], self.zeros((1, 1)), found)
            sound = [good and not bad for good, bad in zip(sound, over.tolist(), strict=True)]
        return found, sound

    def expand(self, streams: Sequence[Xof], count: int) -> Elements:
        """The next `count` elements of each stream, by rejection of what is over the modulus."""
        rows = [stream.read(count * self.size) for stream in streams]
        found, sound = self.decode(rows, count)
        if all(sound):
            return found
        for place, good in enumerate(sound):
            if not good:  # once in 2^32 elements or less
                found[place] = self.array(self._rejecting(rows[place], streams[place], count))
        return found

    def _rejecting(self, read: bytes, stream: Xof, count: int) -> list[int]:
        kept: list[int] = []
        while True:
            for start in range(0, len(read), self.size):
                number = int.from_bytes(read[start : start + self.size], "little")
                if number < self.modulus and len(kept) < count:
                    kept.append(number)
            if len(kept) == count:
                return kept
            read = stream.read(self.size)

    def _read(self, whole: bytes) -> Elements:
        step = self.size
        numbers = [
            int.from_bytes(whole[start : start + step], "little")
            for start in range(0, len(whole), step)
        ]
        return np.array(numbers, dtype=object)


class _Words(Field):
    """Field64, in words of 64 bits."""

    _dtype = np.uint64

    def add(self, left: Elements, right: Elements) -> Elements:
        """Sums; both are below p, so one subtraction of p is enough."""
        total = left + right
        return _reduced(total + _LOW * (total < left).astype(np.uint64), self.modulus)

    def sub(self, left: Elements, right: Elements) -> Elements:
        """Differences; p is added back where the right one is the larger."""
        found: Elements = (left - right) - _LOW * (left < right).astype(np.uint64)
        return found

    def mul(self, left: Elements, right: Elements) -> Elements:
        """Products, by halves: 2^64 = 2^32 - 1 and 2^96 = -1 modulo p."""
        left_low, left_high = left & _LOW, left >> _HALF
        right_low, right_high = right & _LOW, right >> _HALF
        lowest = left_low * right_low
        middle = left_low * right_high + (lowest >> _HALF)
        other = left_high * right_low + (middle & _LOW)
        low = (other << _HALF) | (lowest & _LOW)
        high = left_high * right_high + (middle >> _HALF) + (other >> _HALF)
        top, next_ = high >> _HALF, high & _LOW
        under = low - top
        under -= _LOW * (low < top).astype(np.uint64)
        over = next_ * _LOW
        total = under + over
        total += _LOW * (total < over).astype(np.uint64)
        return _reduced(total, self.modulus)

    def sum(self, elements: Elements, axis: int = -1) -> Elements:
        """The sum along an axis, of halves first."""
        low = (elements & _LOW).sum(axis=axis, dtype=np.uint64)
        high = (elements >> _HALF).sum(axis=axis, dtype=np.uint64)
        # high * 2^32 as a product, so that it is reduced.
        shifted = self.mul(np.atleast_1d(high), np.array([1 << _HALF], dtype=np.uint64))
        found = self.add(_reduced(np.atleast_1d(low), self.modulus), shifted)
        return found.reshape(np.shape(low))

    def dot(self, left: Elements, right: Elements) -> Elements:
        """The sum of the products along the last axis."""
        return self.sum(self.mul(left, right))

    def encode(self, row: Elements) -> bytes:
        """One row of elements as bytes."""
        return row.astype("<u8").tobytes()

    def _read(self, whole: bytes) -> Elements:
        return np.frombuffer(whole, dtype="<u8").astype(np.uint64)


def _reduced(numbers: Elements, modulus: int) -> Elements:
    """Numbers below 2^64, modulo p."""
    found: Elements = numbers - np.uint64(modulus) * (numbers >= modulus).astype(np.uint64)
    return found


_P64: Final = 2**32 * 4294967295 + 1
_P128: Final = 2**66 * 4611686018427387897 + 1
FIELD64: Final = _Words("Field64", _P64, 32, 8, pow(7, 4294967295, _P64))
FIELD128: Final = Field("Field128", _P128, 66, 16, pow(7, 4611686018427387897, _P128))
