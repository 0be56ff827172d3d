"""Prio3 for any number of aggregators: split, verify together, add up.

Source: draft-irtf-cfrg-vdaf-18, section 7.2, with its names and encodings. Everything that travels
is bytes here. Verification is over many reports at once; what cannot be read or is not valid comes
back as None in its place and takes no other report with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from landbridge.protocols.prio3.circuit import Circuit, Count, Histogram, Sum
from landbridge.protocols.prio3.field import Elements
from landbridge.protocols.prio3.proof import Proof
from landbridge.protocols.prio3.xof import SEED_BYTES, Xof, derive, separation

NONCE_BYTES: Final = 16
KEY_BYTES: Final = SEED_BYTES
_PROOFS: Final = 1
_NO_SEED: Final = bytes(SEED_BYTES)


class _Usage(IntEnum):
    MEASUREMENT_SHARE = 1
    PROOF_SHARE = 2
    JOINT_RANDOMNESS = 3
    PROVE_RANDOMNESS = 4
    QUERY_RANDOMNESS = 5
    JOINT_SEED = 6
    JOINT_PART = 7


@dataclass(frozen=True, slots=True)
class Sharded:
    """What a contributor sends: to everybody, and to each aggregator alone."""

    public: bytes
    inputs: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A report as one aggregator has it. `nonce` is the report's id of 16 bytes."""

    nonce: bytes
    public: bytes
    input: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """What an aggregator keeps of a report until all agree: its part, and the seed it counts on."""

    out: bytes
    seed: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """Of one report: what to keep, and what to tell the other aggregators."""

    waiting: Waiting
    share: bytes


class Prio3:
    """One instance: a circuit, among so many aggregators, in one application (`ctx`)."""

    def __init__(self, circuit: Circuit, ctx: bytes, aggregators: int = 2) -> None:
        if not 2 <= aggregators < 256:
            raise ValueError("There are from 2 to 255 aggregators.")
        match circuit:
            case Count():
                algorithm = 1
            case Sum():
                algorithm = 2
            case Histogram():
                algorithm = 4
            case _:
                raise TypeError("Prio3 has no number for this circuit.")
        self.circuit = circuit
        self._field = circuit.field
        self._proof = Proof(circuit)
        self._aggregators = aggregators
        self._tags = {usage: separation(algorithm, usage, ctx) for usage in _Usage}

    @property
    def elements(self) -> int:
        """How many field elements a report has: what verifying one takes of memory goes by it."""
        return self.circuit.measurement_length + self._proof.length

    @property
    def random_bytes(self) -> int:
        """How many random bytes splitting takes."""
        return self._aggregators * SEED_BYTES * (2 if self.circuit.joint_length else 1)

    def shard(self, measurement: int, nonce: bytes, rand: bytes) -> Sharded:
        """The measurement's shares; raises ValueError for one out of range.

        `nonce` and `rand` must be random, and never used for two measurements.
        """
        if len(nonce) != NONCE_BYTES or len(rand) != self.random_bytes:
            raise ValueError("The nonce or the randomness is of another length than it must be.")
        field, others = self._field, range(1, self._aggregators)
        seeds = [rand[place : place + SEED_BYTES] for place in range(0, len(rand), SEED_BYTES)]
        joint = bool(self.circuit.joint_length)
        each = 2 if joint else 1
        helpers = seeds[: each * len(others) : each]
        encoded = field.array([self.circuit.encode(measurement)])
        own = encoded
        expanded = [self._measurement(n, [seed]) for n, seed in zip(others, helpers, strict=True)]
        for share in expanded:
            own = field.sub(own, share)
        public, blinds, rands = b"", [], field.zeros((1, 0))
        if joint:
            blinds = [seeds[-2], *seeds[1 : each * len(others) : each]]
            parts = [
                self._part(number, blind, share[0], nonce)
                for number, (blind, share) in enumerate(zip(blinds, [own, *expanded], strict=True))
            ]
            public = b"".join(parts)
            rands = self._joint([self._seed(public)])
        prover = field.expand(
            [Xof(seeds[-1], self._tags[_Usage.PROVE_RANDOMNESS], bytes((_PROOFS,)))],
            self._proof.prover_length,
        )
        proof = self._proof.prove(encoded, prover, rands)
        for number, seed in zip(others, helpers, strict=True):
            proof = field.sub(proof, self._proofs(number, [seed]))
        leader = field.encode(own[0]) + field.encode(proof[0])
        return Sharded(
            public,
            tuple(
                share + (blinds[number] if joint else b"")
                for number, share in enumerate([leader, *helpers])
            ),
        )

    def verify_init(
        self, key: bytes, number: int, reports: Sequence[Report]
    ) -> tuple[Begun | None, ...]:
        """What aggregator `number` makes of each report on its own; None for what it cannot read.

        `key` is the secret of all aggregators, of 32 bytes, which no contributor may know.
        """
        if len(key) != KEY_BYTES or not 0 <= number < self._aggregators:
            raise ValueError("The key has 32 bytes, and aggregators count from 0.")
        joint, field = bool(self.circuit.joint_length), self._field
        if not reports:
            return ()
        read = [self._readable(number, report) for report in reports]
        blank = Report(bytes(NONCE_BYTES), bytes(self._public_bytes), b"")
        kept = [report if good else blank for report, good in zip(reports, read, strict=True)]
        encoded, proof, blinds, spelt = self._expanded(number, kept, read)
        seeds, parts = [_NO_SEED] * len(kept), [b""] * len(kept)
        rands = field.zeros((len(kept), 0))
        if joint:
            parts = [
                self._part(number, blind, row, report.nonce)
                for blind, row, report in zip(blinds, encoded, kept, strict=True)
            ]
            # Its own part is its own word, whatever the contributor published for it.
            seeds = [
                self._seed(_with(report.public, number, part))
                for report, part in zip(kept, parts, strict=True)
            ]
            rands = self._joint(seeds)
        query = field.expand(
            [
                Xof(key, self._tags[_Usage.QUERY_RANDOMNESS], bytes((_PROOFS,)) + report.nonce)
                for report in kept
            ],
            self._proof.query_length,
        )
        verifier, shown = self._proof.query(encoded, proof, query, rands, self._aggregators)
        outs = self.circuit.truncate(encoded)
        return tuple(
            Begun(
                Waiting(field.encode(out), seed if joint else b""),
                field.encode(row) + part,
            )
            if good
            else None
            for out, seed, row, part, good in zip(
                outs, seeds, verifier, parts,
                [a and b and c for a, b, c in zip(read, spelt, shown, strict=True)],
                strict=True,
            )
        )  # fmt: skip

    def verifier_shares_to_messages(
        self, shares: Sequence[Sequence[bytes | None]]
    ) -> tuple[bytes | None, ...]:
        """One message for each report, of every aggregator's shares; None for what is not valid.

        `shares[number][report]`; aggregators are in their order.
        """
        if len(shares) != self._aggregators:
            raise ValueError("Every aggregator's shares are needed.")
        count, field = len(shares[0]), self._field
        if not count:
            return ()
        length = self._proof.verifier_length
        tail = SEED_BYTES if self.circuit.joint_length else 0
        whole = length * field.size
        total = field.zeros((count, length))
        sound, parts = [True] * count, [b""] * count
        for of_one in shares:
            rows = [each or b"" for each in of_one]
            found, spelt = field.decode([row[:whole] for row in rows], length)
            total = field.add(total, found)
            for place, row in enumerate(rows):
                sound[place] &= spelt[place] and len(row) == whole + tail
                parts[place] += row[whole:]
        decided = self._proof.decide(total)
        return tuple(
            (self._seed(part) if tail else b"") if good and valid else None
            for part, good, valid in zip(parts, sound, decided, strict=True)
        )

    def verify_next(self, waiting: Waiting, message: bytes) -> bytes:
        """The report's part for the sum; raises ValueError where the message is of another report.

        The seed of the joint randomness must be the one that this aggregator has counted on.
        """
        if message != waiting.seed:
            raise ValueError("The joint randomness of the report is not what its proof was for.")
        return waiting.out

    def add_up(self, outs: Sequence[bytes]) -> bytes:
        """The sum of parts, as one; raises ValueError for what is no part."""
        length = self.circuit.output_length
        if not outs:
            return self._field.encode(self._field.zeros((length,)))
        found, spelt = self._field.decode(outs, length)
        if not all(spelt):
            raise ValueError("This is no part of a sum.")
        return self._field.encode(self._field.sum(found, axis=0))

    def shifted(self, total: bytes, by: Sequence[int]) -> bytes:
        """An aggregator's sum with whole numbers added to it, negative ones too."""
        field = self._field
        found, spelt = field.decode([total], self.circuit.output_length)
        if not all(spelt) or len(by) != self.circuit.output_length:
            raise ValueError("This is no sum, or there are more or fewer numbers than in it.")
        return field.encode(field.add(found, field.array([list(by)]))[0])

    def unshard(self, sums: Sequence[bytes]) -> list[int]:
        """What all contributions add up to, of every aggregator's sum; raises ValueError.

        Numbers in the upper half of the field are negative: no total is so large, and noise can
        make one so small.
        """
        if len(sums) != self._aggregators:
            raise ValueError("Every aggregator's sum is needed.")
        found, _ = self._field.decode([self.add_up(sums)], self.circuit.output_length)
        modulus = self._field.modulus
        return [int(each) - (modulus if each > modulus // 2 else 0) for each in found[0]]

    @property
    def _public_bytes(self) -> int:
        return self._aggregators * SEED_BYTES if self.circuit.joint_length else 0

    def _readable(self, number: int, report: Report) -> bool:
        blind = SEED_BYTES if self.circuit.joint_length else 0
        own = self.circuit.measurement_length + self._proof.length
        wanted = (own * self._field.size if number == 0 else SEED_BYTES) + blind
        return (
            len(report.nonce) == NONCE_BYTES
            and len(report.public) == self._public_bytes
            and len(report.input) == wanted
        )

    def _expanded(
        self, number: int, reports: Sequence[Report], read: Sequence[bool]
    ) -> tuple[Elements, Elements, list[bytes], list[bool]]:
        """Measurement and proof shares, blinds, and which of the reports are spelt rightly."""
        field, length = self._field, self.circuit.measurement_length
        blinds = [report.input[-SEED_BYTES:] for report in reports]
        if number:
            seeds = [
                report.input[:SEED_BYTES] if good else _NO_SEED
                for report, good in zip(reports, read, strict=True)
            ]
            encoded, proof = self._measurement(number, seeds), self._proofs(number, seeds)
            return encoded, proof, blinds, [True] * len(reports)
        cut = length * field.size
        end = cut + self._proof.length * field.size
        encoded, first = field.decode([each.input[:cut] for each in reports], length)
        proof, second = field.decode([each.input[cut:end] for each in reports], self._proof.length)
        return encoded, proof, blinds, [a and b for a, b in zip(first, second, strict=True)]

    def _measurement(self, number: int, seeds: Sequence[bytes]) -> Elements:
        tag = self._tags[_Usage.MEASUREMENT_SHARE]
        streams = [Xof(seed, tag, bytes((number,))) for seed in seeds]
        return self._field.expand(streams, self.circuit.measurement_length)

    def _proofs(self, number: int, seeds: Sequence[bytes]) -> Elements:
        tag = self._tags[_Usage.PROOF_SHARE]
        streams = [Xof(seed, tag, bytes((_PROOFS, number))) for seed in seeds]
        return self._field.expand(streams, self._proof.length)

    def _part(self, number: int, blind: bytes, row: Elements, nonce: bytes) -> bytes:
        binder = bytes((number,)) + nonce + self._field.encode(row)
        return derive(blind, self._tags[_Usage.JOINT_PART], binder)

    def _seed(self, parts: bytes) -> bytes:
        return derive(_NO_SEED, self._tags[_Usage.JOINT_SEED], parts)

    def _joint(self, seeds: Sequence[bytes]) -> Elements:
        tag = self._tags[_Usage.JOINT_RANDOMNESS]
        streams = [Xof(seed, tag, bytes((_PROOFS,))) for seed in seeds]
        return self._field.expand(streams, self.circuit.joint_length)


def _with(public: bytes, number: int, part: bytes) -> bytes:
    start = number * SEED_BYTES
    return public[:start] + part + public[start + SEED_BYTES :]
