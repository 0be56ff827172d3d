"""`landbridge log reconcile`: two kinds of logs side by side, on disk and verified."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from landbridge.evidence import Entry, Log, Signer
from landbridge.evidence.receipt import Receipt
from tests.cli.commands import Run

Keep = Callable[..., list[Receipt]]
QUESTION = "ab" * 16


def answered(**fields: object) -> Entry:
    """One answered question."""
    whole = {"question_id": QUESTION, "outcome": "answered", **fields}
    return Entry(kind="query", time="2026-01-01T00:00:00.000000Z", **whole)  # type: ignore[arg-type]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Writes a log under that name, closed."""

    def made(name: str, *entries: Entry, federation: str = "town") -> list[Receipt]:
        signer = Signer.create(f"{federation}/{name}")
        folder = name.replace("/", "-")
        with Log.open(tmp_path / folder, tmp_path / f"{folder}.state", signer) as log:
            return [log.append(entry.to_bytes()) for entry in entries]

    return made


def part(receipt: Receipt, department: str = "jfk") -> dict[str, object]:
    """How the gateway names a department's entry."""
    return {"department": department, "index": receipt.index, "leaf_hash": receipt.leaf_hash.hex()}


def test_logs_that_agree_say_so(keep: Keep, run: Run, tmp_path: Path) -> None:
    """With how much was compared."""
    (receipt,) = keep("jfk", answered())
    keep("gateway", answered(parts=(part(receipt),)))
    ended = run("log", "reconcile", str(tmp_path / "gateway"), str(tmp_path / "jfk"))
    assert (ended.status, ended.out) == (0, "1 parts match; 0 findings, 0 entries under way\n")


def test_a_finding_ends_with_a_status_that_a_program_sees(
    keep: Keep, run: Run, tmp_path: Path
) -> None:
    """As a table for people and as one document for programs."""
    first, _ = keep("jfk", answered(), answered(question_id="cd" * 16))
    late = Entry(kind="stop", time="2026-01-02T00:00:00.000000Z", program="landbridge 1")
    keep("gateway", answered(parts=(part(first),)), late)
    words = ("log", "reconcile", str(tmp_path / "gateway"), str(tmp_path / "jfk"))
    ended = run(*words)
    assert ended.status == 1
    assert "missing at gateway" in ended.out
    ended = run(*words, "--json")
    document = json.loads(ended.out)
    assert (ended.status, document["matched"], document["wrong"]) == (1, 1, 1)
    assert document["findings"][0]["question_id"] == "cd" * 16
    ended = run(*words, "--in-flight", "1000000000")
    assert ended.status == 0
    assert "1 entries under way" in ended.out


def test_a_department_of_another_federation_is_none(keep: Keep, run: Run, tmp_path: Path) -> None:
    """Names are compared within one federation."""
    keep("jfk", answered(), federation="village")
    keep("gateway", answered())
    ended = run("log", "reconcile", str(tmp_path / "gateway"), str(tmp_path / "jfk"))
    assert ended.status == 2
    assert "village/jfk is of no department" in ended.err


def test_one_log_twice_is_a_slip(keep: Keep, run: Run, tmp_path: Path) -> None:
    """It would count as two departments."""
    keep("jfk", answered())
    keep("gateway", answered())
    folders = [str(tmp_path / name) for name in ("gateway", "jfk", "jfk")]
    assert run("log", "reconcile", *folders).status == 2


def test_keys_are_held_against_the_logs_that_bear_their_names(
    keep: Keep, run: Run, tmp_path: Path
) -> None:
    """A key that belongs to none of them is a slip, another log's key a failed verification."""
    (receipt,) = keep("jfk", answered())
    keep("gateway", answered(parts=(part(receipt),)))
    words = ("log", "reconcile", str(tmp_path / "gateway"), str(tmp_path / "jfk"))
    assert run(*words, "--key", str(tmp_path / "jfk/vkey")).status == 0
    assert run(*words, "--key", Signer.create("town/jfk").vkey).status == 1
    assert run(*words, "--key", Signer.create("town/lga").vkey).status == 2


def test_the_logs_of_all_replicas_are_one_side(keep: Keep, run: Run, tmp_path: Path) -> None:
    """Each replica logs what it answered; a department logs what it answered to either."""
    first, second, unnamed = keep(
        "jfk", answered(), answered(question_id="cd" * 16), answered(question_id="ef" * 16)
    )
    keep("gateway", answered(parts=(part(first),)))
    keep("gateway/second", answered(question_id="cd" * 16, parts=(part(second),)))
    gateway, replica, jfk = (str(tmp_path / name) for name in ("gateway", "gateway-second", "jfk"))
    whole = json.loads(run("log", "reconcile", gateway, jfk, replica, "--json").out)
    assert (whole["gateway"], whole["replicas"]) == ("town/gateway", ["town/gateway/second"])
    assert (whole["departments"], whole["matched"]) == (["town/jfk"], 2)
    # What no replica names is still found, and only that.
    assert [found["entry"] for found in whole["findings"]] == [unnamed.index]
    # Positive control: without the second log its answer is missing.
    part_of = json.loads(run("log", "reconcile", gateway, jfk, "--json").out)
    assert [found["entry"] for found in part_of["findings"]] == [second.index, unnamed.index]


def test_one_entry_cannot_serve_two_replicas(keep: Keep, run: Run, tmp_path: Path) -> None:
    """One logged release would cover two answers; the finding says in which logs."""
    (receipt,) = keep("jfk", answered())
    keep("gateway", answered(parts=(part(receipt),)))
    keep("gateway/second", answered(parts=(part(receipt),)))
    folders = [str(tmp_path / name) for name in ("gateway", "gateway-second", "jfk")]
    ended = run("log", "reconcile", *folders, "--json")
    (found,) = json.loads(ended.out)["findings"]
    assert (ended.status, found["what"], found["gateway_log"]) == (
        1,
        "named_twice",
        "gateway/second",
    )
    assert "entry 0 in gateway names" in found["sentence"]
    assert "gateway/second 0" in run("log", "reconcile", *folders).out


def test_the_gateways_own_log_stands_first(keep: Keep, run: Run, tmp_path: Path) -> None:
    """A replica's name extends the gateway's, not the other way round."""
    keep("jfk", answered())
    keep("gateway/second", answered())
    ended = run("log", "reconcile", str(tmp_path / "gateway-second"), str(tmp_path / "jfk"))
    assert ended.status == 2
    assert "first folder must hold the gateway's own log" in ended.err
