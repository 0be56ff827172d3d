"""A node's policy changes while it serves: whole, logged, from the next request on, or not at all.

Whatever was remembered by the earlier version (decisions, what a caller sees, the gateway's reading
of a text, released answers) is held against the later one here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from landbridge.errors import LandbridgeError, Unavailable, error
from landbridge.evidence.entry import Entry
from landbridge.v1 import node_pb2
from nodes import policy as policies_of
from nodes.following import Enforcement, Following, PolicyFollower
from nodes.load import load
from nodes.policy import Policy
from nodes.store import Store
from policies import odcs
from policies.disclosure import Mechanism
from tests.evidence.schema import problems
from tests.people import ACCESS, crowd, document, write
from tests.simulator import FederationSimulator, SimulatedNode

Simulate = Callable[..., FederationSimulator]

COUNT = "SELECT count(*) AS n FROM people"
BY_AGE = "SELECT count(*) FROM people WHERE age > 50"
NOBODY = ACCESS + '\n@id("test.closed") forbid (principal, action, resource);\n'
CLOSED = "NOT_AVAILABLE"
"""What it says to who may use nothing of it: the words of a department without such a table."""


class Department:
    """One department in memory whose policy lies in a folder, as an operator's does."""

    def __init__(self, simulate: Simulate, folder: Path, **more: Any) -> None:
        self.folder = folder / "policy"
        self.contracts, self.handlers = self.folder / "contracts", self.folder / "handlers"
        self.access = self.folder / "access.cedar"
        for each in (self.contracts, self.handlers):
            each.mkdir(parents=True)
        self.write(document(), ACCESS)
        self.federation = simulate({"north": crowd(40)}, **more)
        self.node: SimulatedNode = self.federation.nodes["north"]
        self.told: list[str] = []
        collect = partial(policies_of.collect, self.contracts, self.handlers, self.access)
        understand = partial(policies_of.understand, "north", where=self.contracts)
        texts = collect()
        policy = understand(texts)
        guard = self.node.servicer._answering._guard
        enforce = Enforcement(guard, self.node.tables, None, self.describe, self.told.append)
        enforce(policy)
        self.node.recorder.under(policy.digest)
        self.follower = PolicyFollower(
            policy, texts, collect, understand, enforce, self.node.recorder, self.told.append
        )
        self.federation.departments.refresh()

    def write(self, contract: bytes | None = None, access: str | None = None) -> None:
        """Saves files, as an editor does."""
        if contract is not None:
            (self.contracts / "people.odcs.yaml").write_bytes(contract)
        if access is not None:
            self.access.write_text(access)

    def describe(self, policy: Policy) -> None:
        """What the gateway hears at its next round."""
        self.node.servicer.describe(
            node_pb2.DescribeResponse(
                department="north",
                title="north",
                contracts=[
                    node_pb2.ContractDescription(id=name, document=text)
                    for name, text in policy.documents.items()
                ],
                log_key=self.node.log_key,
            )
        )

    def change(self, contract: bytes | None = None, access: str | None = None) -> None:
        """Saves, and looks until it is settled; the gateway's next round too."""
        self.write(contract, access)
        self.follower.look()
        self.follower.look()
        self.federation.departments.refresh()

    def ask(self, sql: str = COUNT, **options: Any) -> object:
        """The answer's rows, or the reason of the refusal."""
        try:
            return self.federation.query(sql, **options).rows()
        except LandbridgeError as refusal:
            return refusal.reason

    @property
    def digest(self) -> str:
        """Of the policy in force."""
        return self.follower.policy.digest

    def entries(self) -> list[Entry]:
        """The department's log."""
        return self.federation.entries("north")


@pytest.fixture
def north(simulate: Simulate, tmp_path: Path) -> Department:
    """A department that serves."""
    return Department(simulate, tmp_path)


def test_a_change_counts_from_the_next_request_and_stands_in_the_log_before_it(
    north: Department,
) -> None:
    """What was decided before is not remembered against the new version; both digests are there."""
    assert north.ask() == [(40,)]
    before = north.digest
    north.change(access=NOBODY)
    assert north.ask() == CLOSED
    answered, changed, entry = north.entries()
    assert (answered.policy_digest, changed.policy_digest, entry.policy_digest) == (
        before, north.digest, north.digest,
    )  # fmt: skip
    assert (changed.kind, changed.changed) == ("policy_change", ("changed access",))
    assert changed.note == f"policy {before} is replaced by {north.digest}"
    assert problems(changed.to_bytes()) == []
    assert before != north.digest
    north.change(access=ACCESS)
    assert north.digest == before
    assert north.ask() == [(40,)]


def test_a_look_at_unchanged_files_does_nothing(north: Department) -> None:
    """No entry, no word, no new description; a file saved with the same bytes is no change."""
    for _ in range(3):
        north.change(document(), ACCESS)
        north.follower.look(at_once=True)
    assert north.entries() == []
    assert north.told == []


BROKEN: dict[str, tuple[dict[str, Any], Sequence[str]]] = {
    "no Cedar": ({"access": ACCESS + "permit (principal"}, ["access.cedar", "line 10"]),
    "an unknown contract": (
        {"access": ACCESS + '@id("x")\npermit (principal, action, resource == Contract::"taxes");'},
        ["access.cedar", "line 10", "Contract taxes, which does not exist here"],
    ),
    "an unknown attribute": (
        {
            "access": ACCESS
            + '@id("x")\npermit (principal, action, resource) when { context.mood };'
        },
        ["access.cedar", "line 10", "mood"],
    ),
    "no contract": ({"contract": b"id: people\n"}, ["people.odcs.yaml"]),
    "no UTF-8": ({"contract": b"\xff"}, ["people.odcs.yaml"]),
}


def test_what_is_not_understood_is_refused_whole_and_the_earlier_version_goes_on(
    north: Department,
) -> None:
    """File, line and reason for the operator and in the log, once; mended, it is taken."""
    before = north.digest
    for case, (changes, words) in BROKEN.items():
        north.change(**changes)
        north.change()
        north.follower.look(at_once=True)
        assert len(north.told) == 1, north.told
        (said,) = north.told
        refused = north.entries()[-1]
        for word in words:
            assert word in said, case
            assert word in refused.note, case
        assert (refused.kind, refused.outcome, refused.reason) == (
            "policy_change", "refused", "POLICY_INVALID",
        )  # fmt: skip
        assert before in refused.note
        assert north.ask() == [(40,)]
        assert (north.digest, north.entries()[-1].policy_digest) == (before, before)
        north.change(document(), ACCESS)
        north.told.clear()
    assert len(north.entries()) == 2 * len(BROKEN)
    north.change(document(), NOBODY)
    assert north.ask() == CLOSED


def test_a_change_is_taken_with_all_its_files_or_not_yet(north: Department) -> None:
    """An operator who saves one file after the other is not followed half-way.

    The contract's new column comes with the policy that keeps people from it; between the two saves
    the folder is valid, and wider than meant.
    """
    north.write(
        contract=document(landbridgePurposes=["dpv:ResearchAndDevelopment", "dpv:Marketing"])
    )
    north.follower.look()
    north.write(access=NOBODY)
    north.follower.look()
    assert north.entries() == []
    north.follower.look()
    (changed,) = north.entries()
    assert changed.changed == ("changed access", "changed contract:people")


def test_sighup_does_not_wait_for_a_second_look(north: Department) -> None:
    """The operator says that it is complete."""
    north.write(access=NOBODY)
    north.follower.look(at_once=True)
    assert north.ask() == CLOSED


def test_a_request_under_way_ends_by_the_version_that_it_began_with(north: Department) -> None:
    """The policy that closes the department is put in force while its data is being read."""
    before = north.digest
    engine = north.node.engines[-1]
    run = engine.run

    def slow(*arguments: Any, **named: Any) -> Any:
        north.write(access=NOBODY)
        north.follower.look(at_once=True)
        return run(*arguments, **named)

    engine.run = slow  # type: ignore[method-assign]
    assert north.ask() == [(40,)]
    changed, answered = north.entries()
    assert changed.policy_digest != before
    assert (answered.outcome, answered.policy_digest) == ("answered", before)
    assert north.ask(BY_AGE) == CLOSED


def test_a_released_answer_is_not_given_again_under_another_contract(
    simulate: Simulate, tmp_path: Path
) -> None:
    """Noise differs from draw to draw here: the same number twice is the memory's."""
    draws = iter(range(1, 100))

    def counting(cells: Sequence[int], mechanism: Mechanism) -> list[int]:
        del mechanism
        moved = next(draws)
        return [cell + moved for cell in cells]

    north = Department(simulate, tmp_path, draw=counting)
    first = north.ask()
    assert north.ask() == first
    north.change(document(landbridgeEpsilon={"default": 1.0, "maximum": 3.0}))
    second = north.ask()
    assert second != first
    assert north.entries()[-1].charged_micro_rho > 0
    north.change(document())
    assert north.ask() == first  # the owner's earlier terms, and what was given out under them


def test_a_text_is_read_anew_by_a_new_contract_at_the_gateway(north: Department) -> None:
    """The gateway remembers texts, views and whole catalogues; a column that is closed is gone."""
    assert north.ask(BY_AGE) != "INVALID_QUESTION"
    closed = document().replace(b'"name": "age", ', b'"name": "years", ')
    assert closed != document()
    north.change(closed)
    assert north.ask(BY_AGE) == "NOT_AVAILABLE"
    assert north.ask(BY_AGE.replace("age", "years")) == "DEPARTMENT_MISSING"


def test_levels_and_terms_change_without_a_load_and_stored_things_only_with_one(
    north: Department, tmp_path: Path
) -> None:
    """A table is asked under a contract that it was, or would have been, loaded under."""
    north.change(document(landbridgeEpsilon={"default": 2.0, "maximum": 4.0}))
    assert north.ask() == [(40,)]
    bounds = document().replace(b'"maximum": 120', b'"maximum": 130')
    assert bounds != document()
    north.change(bounds)
    assert north.ask() == "DEPARTMENT_MISSING"
    assert any("Table people is not loaded under its new contract" in said for said in north.told)
    contract = odcs.read(bounds, "people")
    source = write(crowd(40), tmp_path / "again.csv")
    load(contract, source, Store(north.federation.folder / "north" / "data"))
    assert north.ask() == [(40,)]


def test_a_table_that_comes_with_a_contract_is_served_once_it_is_loaded(
    north: Department, tmp_path: Path
) -> None:
    """Added while the node serves; the gateway asks for what its manifest grants."""
    new = document().replace(b'"people"', b'"guests"')
    (north.contracts / "guests.odcs.yaml").write_bytes(new)
    north.change()
    contract = north.follower.policy.contracts["guests"]
    assert north.node.tables.waiting([contract]) == ("guests",)
    load(
        contract,
        write(crowd(50), tmp_path / "g.csv"),
        Store(north.federation.folder / "north/data"),
    )
    assert north.node.tables.waiting([contract]) == ()
    with north.node.tables.open() as (_, loaded):
        assert set(loaded) == {"people", "guests"}


def test_a_change_that_cannot_be_logged_does_not_count(north: Department) -> None:
    """Nothing is decided by a version that no auditor will find; the next look takes it."""
    before = north.digest
    north.node.log.broken = True
    north.write(access=NOBODY)
    with pytest.raises(LandbridgeError, match="LOG_UNAVAILABLE"):
        north.follower.look(at_once=True)
    north.node.log.broken = False
    assert north.ask() == [(40,)]
    assert north.digest == before
    north.follower.look()
    assert north.ask(BY_AGE) == CLOSED


def test_a_folder_that_is_taken_away_changes_nothing(north: Department) -> None:
    """A deployment that moves folders aside for a moment is no policy that denies everything."""
    north.access.unlink()
    north.follower.look()
    assert "access.cedar cannot be read" in north.told[-1]
    assert north.ask() == [(40,)]


def test_the_thread_survives_what_goes_wrong_in_a_look() -> None:
    """A defect is reported, a shut log is waited for, and the next look comes."""
    looks: list[bool] = []
    defects: list[BaseException] = []

    def look(*, at_once: bool) -> None:
        looks.append(at_once)
        if len(looks) == 1:
            raise error("LOG_UNAVAILABLE")
        if len(looks) == 2:
            raise ZeroDivisionError

    following = Following(look, defects.append, seconds=0.01)
    while len(looks) < 3:
        following._thread.join(0.01)
    following.hurry()
    while True not in looks:
        following._thread.join(0.01)
    following.close()
    assert [type(each) for each in defects] == [ZeroDivisionError]


def test_a_question_planned_by_the_earlier_contract_is_not_answered_by_the_later(
    north: Department,
) -> None:
    """Nothing runs and nothing is charged; the gateway is told to read anew, and then it is."""
    told: list[str] = []
    north.federation.departments.outdated = lambda: told.append("outdated")
    north.write(document(landbridgeEpsilon={"default": 2.0, "maximum": 4.0}))
    north.follower.look(at_once=True)
    with pytest.raises(Unavailable) as refused:
        north.federation.query(COUNT)
    assert (refused.value.reason, refused.value.missing) == ("CONTRACT_CHANGED", ("north",))
    assert north.node.runs == 0
    assert north.entries()[-1].charged_micro_rho == 0
    assert told == ["outdated"]
    north.federation.departments.refresh()
    assert north.ask() == [(40,)]


def test_a_gateway_that_does_not_say_what_it_planned_by_is_answered(north: Department) -> None:
    """A gateway of an earlier release; the node decides by its own contract as ever."""
    north.ask()
    asked = north.node.received[-1]
    assert [digest.hex() for digest in asked.asking.contracts] == [
        north.follower.policy.contracts["people"].digest
    ]
    asked.asking.ClearField("contracts")
    signed = north.federation.signer.signing(asked)("north")
    answer = north.node.servicer.Answer(signed, north.federation.node_context())
    assert answer.release.remembered
