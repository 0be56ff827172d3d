"""Polynomials by their values at roots of unity.

Sources: draft-irtf-cfrg-vdaf-18, section 6.1.3; A. Faz-Hernandez, eprint 2025/1727. A polynomial
of degree below n is the row of its values at the powers of the n-th root of unity, in order.
"""

from __future__ import annotations

import numpy as np

from landbridge.protocols.prio3.field import Elements, Field


def transform(field: Field, coefficients: Elements) -> Elements:
    """The values of polynomials from their coefficients along the last axis (radix-2 NTT)."""
    count = coefficients.shape[-1]
    if count == 1:
        return coefficients
    even = transform(field, coefficients[..., 0::2])
    odd = transform(field, coefficients[..., 1::2])
    turned = field.mul(odd, field.roots(count)[: count // 2])
    return np.concatenate([field.add(even, turned), field.sub(even, turned)], axis=-1)


def coefficients(field: Field, values: Elements) -> Elements:
    """The coefficients of polynomials from their values: the transform's inverse."""
    count = values.shape[-1]
    turned = transform(field, values)
    backwards = np.concatenate([turned[..., :1], turned[..., :0:-1]], axis=-1)
    return field.mul(backwards, field.array([field.inverse(count)]))


def doubled(field: Field, values: Elements) -> Elements:
    """The same polynomials by twice as many values."""
    count = values.shape[-1]
    shifted = field.mul(coefficients(field, values), field.roots(2 * count)[:count])
    both = np.stack([values, transform(field, shifted)], axis=-1)
    return both.reshape((*values.shape[:-1], 2 * count))


def completed(field: Field, values: Elements) -> Elements:
    """With the one value that is missing of n, of polynomials of a degree below n - 1.

    The coefficient of degree n - 1 is the sum of x * P(x) over all n-th roots x, over n; it is 0.
    """
    count = values.shape[-1] + 1
    roots = field.roots(count)
    known = field.dot(values, roots[:-1])
    # The last root is the inverse of the second.
    last = field.mul(field.sub(field.zeros(known.shape), known), roots[1])
    return np.concatenate([values, last[..., np.newaxis]], axis=-1)


def weights(field: Field, count: int, points: Elements) -> Elements:
    """What each of `count` values counts for in the value at `points`, one row for each.

    The weight of the root x is x / n times the product of t - y over all other roots y. A point
    that is a root itself has weight 1 there and 0 elsewhere.
    """
    roots = field.roots(count)
    away = field.sub(points[:, np.newaxis], roots[np.newaxis, :])
    rows = len(points)
    before = field.zeros((rows, count)) + field.array([1])
    after = before.copy()
    for place in range(1, count):
        before[:, place] = field.mul(before[:, place - 1], away[:, place - 1])
        after[:, -place - 1] = field.mul(after[:, -place], away[:, -place])
    share = field.mul(roots, field.array([field.inverse(count)]))
    return field.mul(field.mul(before, after), share[np.newaxis, :])


def power(field: Field, points: Elements, exponent: int) -> Elements:
    """The points to the power of `exponent`, which is a power of two."""
    found = points
    while exponent > 1:
        found, exponent = field.mul(found, found), exponent // 2
    return found
