"""The published test vectors of draft-irtf-cfrg-vdaf-18, those that must fail included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landbridge.protocols.prio3.aggregation import Begun, Prio3, Report
from landbridge.protocols.prio3.circuit import Circuit, Count, Histogram, Sum
from landbridge.protocols.prio3.field import FIELD128
from landbridge.protocols.prio3.xof import Xof, derive

VECTORS = Path(__file__).parent / "vdaf"
FILES = sorted(path.name for path in VECTORS.glob("Prio3*.json"))
BAD = [name for name in FILES if "_bad_" in name]
GOOD = [name for name in FILES if name not in BAD]


def vector(name: str) -> dict[str, Any]:
    """The vector in that file."""
    found: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return found


def instance(name: str, found: dict[str, Any]) -> Prio3:
    """The instance that the vector is about."""
    circuit: Circuit
    match name.removeprefix("Prio3").split("_")[0]:
        case "Count":
            circuit = Count()
        case "Sum":
            circuit = Sum(found["max_measurement"])
        case _:
            circuit = Histogram(found["length"], found["chunk_length"])
    return Prio3(circuit, bytes.fromhex(found["ctx"]), found["shares"])


def begun(prio3: Prio3, found: dict[str, Any]) -> list[tuple[Begun | None, ...]]:
    """What every aggregator makes of all reports of the vector, at once."""
    return [
        prio3.verify_init(
            bytes.fromhex(found["verify_key"]),
            number,
            [
                Report(
                    bytes.fromhex(each["nonce"]),
                    bytes.fromhex(each["public_share"]),
                    bytes.fromhex(each["input_shares"][number]),
                )
                for each in found["reports"]
            ],
        )
        for number in range(found["shares"])
    ]


def test_all_published_vectors_are_here() -> None:
    """A folder that lost its files would pass every test below."""
    assert (len(GOOD), len(BAD)) == (9, 8)


@pytest.mark.parametrize("name", GOOD)
def test_a_vector_comes_out_byte_for_byte(name: str) -> None:
    """Shares, verifiers, messages, parts and sums are the published ones."""
    found = vector(name)
    prio3 = instance(name, found)
    for each in found["reports"]:
        sharded = prio3.shard(
            each["measurement"], bytes.fromhex(each["nonce"]), bytes.fromhex(each["rand"])
        )
        assert sharded.public.hex() == each["public_share"]
        assert [share.hex() for share in sharded.inputs] == each["input_shares"]
    rows = begun(prio3, found)
    shares = [[each.share if each else None for each in row] for row in rows]
    messages = prio3.verifier_shares_to_messages(shares)
    for place, each in enumerate(found["reports"]):
        assert [(row[place] or b"").hex() for row in shares] == each["verifier_shares"][0]
        assert [(messages[place] or b"").hex()] == each["verifier_messages"]
    sums = []
    for number, row in enumerate(rows):
        outs = []
        for place, (each, message) in enumerate(zip(row, messages, strict=True)):
            assert each is not None
            assert message is not None
            outs.append(prio3.verify_next(each.waiting, message))
            of_vector = found["reports"][place]["out_shares"][number]
            assert outs[-1].hex() == of_vector
        sums.append(prio3.add_up(outs))
    assert [each.hex() for each in sums] == found["agg_shares"]
    result = found["agg_result"]
    assert prio3.unshard(sums) == (result if isinstance(result, list) else [result])


@pytest.mark.parametrize("name", BAD)
def test_a_bad_vector_fails_where_the_draft_says_so(name: str) -> None:
    """Each step gives what the vector says, until the one that must refuse."""
    found = vector(name)
    prio3 = instance(name, found)
    rows = begun(prio3, found)
    shares = [[each.share if each else None for each in row] for row in rows]
    of_vector = found["reports"][0]["verifier_shares"][0]
    # One vector is about one aggregator alone.
    assert [(row[0] or b"").hex() for row in shares][: len(of_vector)] == of_vector
    (message,) = prio3.verifier_shares_to_messages(shares)
    failed = 0
    for step in found["operations"]:
        match step["operation"]:
            case "verify_init":
                came = rows[step["aggregator_id"]][0] is not None
            case "verifier_shares_to_message":
                came = message is not None
            case "verify_next":
                one = rows[step["aggregator_id"]][0]
                assert one is not None
                published = bytes.fromhex(found["reports"][0]["verifier_messages"][0])
                came = accepted(prio3, one, published)
            case other:
                pytest.fail(f"no step of a bad vector: {other}")
        assert came is step["success"]
        failed += not came
    assert failed


def accepted(prio3: Prio3, begun: Begun, message: bytes) -> bool:
    """Whether an aggregator takes the message."""
    try:
        prio3.verify_next(begun.waiting, message)
    except ValueError:
        return False
    return True


def test_the_published_stream_of_a_seed() -> None:
    """The hash under everything else."""
    found = vector("XofTurboShake128.json")
    seed, tag, binder = (bytes.fromhex(found[name]) for name in ("seed", "dst", "binder"))
    assert derive(seed, tag, binder).hex() == found["derived_seed"]
    (row,) = FIELD128.expand([Xof(seed, tag, binder)], found["length"])
    assert FIELD128.encode(np.asarray(row)).hex() == found["expanded_vec_field128"]
