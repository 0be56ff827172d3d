"""The fully linear proof that a measurement is what its circuit wants, on shares of both.

Source: draft-irtf-cfrg-vdaf-18, section 7.3; Boneh, Boyle, Corrigan-Gibbs, Gilboa and Ishai,
Zero-Knowledge Proofs on Secret-Shared Data via Fully Linear PCPs (2019), theorem 4.3.

The prover writes down the polynomial that the gadget makes of its wires. A verifier, with a share
of measurement and proof, evaluates wires and polynomial at a random point; the evaluations of all
verifiers together say whether the polynomial is the gadget's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landbridge.protocols.prio3.circuit import Circuit
from landbridge.protocols.prio3.field import Elements
from landbridge.protocols.prio3.polynomial import completed, doubled, power, weights


@dataclass(frozen=True, slots=True)
class Proof:
    """Proofs for one circuit."""

    circuit: Circuit

    @property
    def points(self) -> int:
        """How many values a wire has: a seed and one for each call, to a power of two."""
        return 1 << self.circuit.calls.bit_length()

    @property
    def length(self) -> int:
        """Of a proof: the wires' seeds and the gadget's polynomial."""
        return self.circuit.arity + 2 * self.points - 1

    @property
    def prover_length(self) -> int:
        """Of the prover's randomness."""
        return self.circuit.arity

    @property
    def query_length(self) -> int:
        """Of the verifiers' randomness."""
        return 1 + (self.circuit.outputs if self.circuit.outputs > 1 else 0)

    @property
    def verifier_length(self) -> int:
        """Of a verifier."""
        return self.circuit.arity + 2

    def prove(self, encoded: Elements, seeds: Elements, joint: Elements) -> Elements:
        """Proofs for measurements, one row each; `seeds` is the prover's randomness."""
        calls = self.circuit.wires(encoded, joint, 1)
        polynomial = self.circuit.gadget(doubled(self.circuit.field, self._wires(seeds, calls)))
        return np.concatenate([seeds, polynomial[:, :-1]], axis=1)

    def query(
        self, encoded: Elements, proof: Elements, query: Elements, joint: Elements, shares: int
    ) -> tuple[Elements, list[bool]]:
        """Shares of the verifiers, and which of them may be shown.

        A random point among the wires' own would show a wire of the measurement; about one in
        2^60 is, and its report is lost.
        """
        circuit, field = self.circuit, self.circuit.field
        wires = self._wires(proof[:, : circuit.arity], circuit.wires(encoded, joint, shares))
        polynomial = completed(field, proof[:, circuit.arity :])
        # Every second value of the gadget's polynomial is at a point of the wires.
        called = polynomial[:, 2 : 2 * circuit.calls + 1 : 2]
        out = circuit.result(encoded, called, shares)
        checked = field.dot(query[:, :-1], out) if circuit.outputs > 1 else out[:, 0]
        points = query[:, -1]
        of_wires = weights(field, self.points, points)
        verifier = np.concatenate(
            [
                checked[:, np.newaxis],
                field.dot(wires, of_wires[:, np.newaxis, :]),
                field.dot(polynomial, weights(field, 2 * self.points, points))[:, np.newaxis],
            ],
            axis=1,
        )
        shown: list[bool] = (power(field, points, self.points) != 1).tolist()
        return verifier, shown

    def decide(self, verifier: Elements) -> list[bool]:
        """Whether each report's verifiers, added up, are those of a valid measurement."""
        gadget = self.circuit.gadget(verifier[:, 1:-1, np.newaxis])[:, 0]
        found: list[bool] = ((verifier[:, 0] == 0) & (gadget == verifier[:, -1])).tolist()
        return found

    def _wires(self, seeds: Elements, calls: Elements) -> Elements:
        """The wires' values: the seed, the calls, and zeros."""
        wires = self.circuit.field.zeros((len(seeds), self.circuit.arity, self.points))
        wires[:, :, 0] = seeds
        wires[:, :, 1 : self.circuit.calls + 1] = calls
        return wires
