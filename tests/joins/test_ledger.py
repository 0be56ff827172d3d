"""A joined question is charged in full to every part's ledger, or to none."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from landbridge.errors import Refused
from nodes.ledger import Ledger, Remembered, Reservation
from policies.accounting import limit
from policies.contract import Allowance, Contract
from policies.joined import joined
from tests.joins.visits import contracts
from tests.simulator import NOON

SMALL, LARGE = Allowance(2, 1e-6), Allowance(8, 1e-6)
PEOPLE, _VISITS = contracts()
VISITS = replace(
    _VISITS, disclosure=replace(_VISITS.disclosure, recipient=SMALL, overall=LARGE, period="month")
)
BOTH = joined((PEOPLE, VISITS))
TIGHT = limit(SMALL)


def _ledger(folder: Path) -> Ledger:
    return Ledger(folder / "ledger.sqlite", lambda: NOON)


def _id(number: int) -> str:
    return f"{number:032x}"


def _spent(ledger: Ledger, who: str = "office") -> list[tuple[int, int]]:
    """Of people and of visits: the organisation's, and in all."""
    found = [ledger.accounts(contract, who) for contract in (PEOPLE, VISITS)]
    return [(mine.spent, overall.spent) for mine, overall in found]


def test_fifty_ask_at_once_for_a_budget_of_five(tmp_path: Path) -> None:
    """Attack 52 on a join: exactly five, and both ledgers say five."""
    ledger = _ledger(tmp_path)
    outcomes: list[str] = []
    start = threading.Barrier(50)
    cost = TIGHT // 5

    def ask(number: int) -> None:
        start.wait()
        try:
            ledger.reserve(_id(number), _id(number).encode(), BOTH, "office", cost)
            outcomes.append("reserved")
        except Refused as refused:
            outcomes.append(refused.reason)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("reserved") == 5
    assert outcomes.count("BUDGET_EXHAUSTED") == 45
    assert _spent(ledger) == [(5 * cost, 5 * cost)] * 2
    ledger.close()


@pytest.mark.parametrize("used_up", ["people", "visits"])
def test_one_part_that_is_used_up_charges_no_other(tmp_path: Path, used_up: str) -> None:
    """All or nothing, whichever part comes first; the refusal names the one."""
    parts = [
        replace(part, disclosure=replace(part.disclosure, recipient=Allowance(0, 1e-6)))
        if part.id == used_up
        else part
        for part in (PEOPLE, VISITS)
    ]
    ledger = _ledger(tmp_path)
    with pytest.raises(Refused) as refused:
        ledger.reserve(_id(1), b"key", joined(parts), "office", 1)
    assert refused.value.reason == "BUDGET_EXHAUSTED"
    assert f"contract {used_up} for your organisation" in refused.value.message
    assert _spent(ledger) == [(0, 0), (0, 0)]
    # The id is free again too: nothing of the question was written.
    assert isinstance(ledger.reserve(_id(1), b"key", BOTH, "office", 1), Reservation)
    ledger.close()


def test_a_join_and_its_tables_share_one_ledger(tmp_path: Path) -> None:
    """Attack 80: what a join may ask is what the table itself could still be asked."""
    ledger = _ledger(tmp_path)
    ledger.reserve(_id(1), b"plain", VISITS, "office", TIGHT - 100)
    with pytest.raises(Refused, match="contract visits"):
        ledger.reserve(_id(2), b"joined", BOTH, "office", 101)
    ledger.reserve(_id(2), b"joined", BOTH, "office", 60)
    with pytest.raises(Refused, match="contract visits"):
        ledger.reserve(_id(3), b"more", VISITS, "office", 41)
    assert _spent(ledger) == [(60, 60), (TIGHT - 40, TIGHT - 40)]
    ledger.close()


def test_what_is_shown_is_the_tighter_budget(tmp_path: Path) -> None:
    """A caller plans by the one that ends first."""
    ledger = _ledger(tmp_path)
    mine, overall = ledger.accounts(BOTH, "office")
    assert (mine.limit, mine.renews[-3:]) == (TIGHT, "-01")  # of visits, per month
    assert overall.limit == limit(LARGE)
    ledger.close()


def test_a_charge_given_back_is_given_back_everywhere(tmp_path: Path) -> None:
    """No data was read, so nobody paid."""
    ledger = _ledger(tmp_path)
    reserved = ledger.reserve(_id(1), b"key", BOTH, "office", 70)
    assert isinstance(reserved, Reservation)
    assert _spent(ledger) == [(70, 70), (70, 70)]
    ledger.give_back(reserved)
    assert _spent(ledger) == [(0, 0), (0, 0)]
    ledger.close()


FIRST_LEDGER = """
CREATE TABLE charge (
  question_id TEXT NOT NULL, recipient TEXT NOT NULL, key BLOB NOT NULL, contract TEXT NOT NULL,
  period TEXT NOT NULL, micro_rho INTEGER NOT NULL CHECK (micro_rho >= 0),
  state TEXT NOT NULL CHECK (state IN ('reserved', 'final')), at TEXT NOT NULL,
  PRIMARY KEY (recipient, question_id)
) STRICT;
CREATE TABLE spent (
  contract TEXT NOT NULL, recipient TEXT NOT NULL, period TEXT NOT NULL,
  micro_rho INTEGER NOT NULL CHECK (micro_rho >= 0),
  PRIMARY KEY (contract, recipient, period)
) STRICT;
CREATE TABLE answer (key BLOB PRIMARY KEY, release BLOB NOT NULL) STRICT;
CREATE TABLE subject (
  handler TEXT NOT NULL, recipient TEXT NOT NULL, day TEXT NOT NULL, digest TEXT NOT NULL,
  PRIMARY KEY (handler, recipient, day, digest)
) STRICT;
CREATE TABLE clock (latest TEXT NOT NULL) STRICT;
INSERT INTO clock VALUES ('');
INSERT INTO spent VALUES ('people', 'office', '2026', 11), ('people', '', '2026', 13);
PRAGMA user_version = 1;
"""
"""A ledger as it was before there were joins, with something spent."""


def test_a_ledger_from_before_joins_still_opens(tmp_path: Path) -> None:
    """An update costs nobody a budget, and gives nobody a fresh one."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.executescript(FIRST_LEDGER)
    connection.close()
    ledger = _ledger(tmp_path)
    ledger.reserve(_id(1), b"key", BOTH, "office", 100)
    assert _spent(ledger) == [(111, 113), (100, 100)]
    ledger.close()


class JoinedLedgerMachine(RuleBasedStateMachine):
    """Plain and joined charges in any order, with returns and crashes: a model keeps the books."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = _ledger(Path(self.folder.name))
        self.spent: dict[tuple[str, str], int] = {}
        self.waiting: list[tuple[Reservation, Contract]] = []
        self.answers: dict[bytes, bytes] = {}
        self.used = 0

    def _add(self, contract: Contract, who: str, cost: int) -> None:
        for part in contract.each:
            for each in (who, ""):
                self.spent[part.id, each] = self.spent.get((part.id, each), 0) + cost

    def _fits(self, contract: Contract, who: str, cost: int) -> bool:
        return all(
            self.spent.get((part.id, each), 0) + cost <= limit(allowance)
            for part in contract.each
            for each, allowance in (
                (who, part.disclosure.recipient),
                ("", part.disclosure.overall),
            )
        )

    @rule(
        key=st.binary(min_size=1, max_size=2),
        what=st.sampled_from([PEOPLE, VISITS, BOTH]),
        who=st.sampled_from(["office", "school"]),
        cost=st.integers(1, TIGHT // 2),
    )
    def reserve(self, key: bytes, what: Contract, who: str, cost: int) -> None:
        """A question arrives."""
        self.used += 1
        key = what.id.encode() + key
        fits = self._fits(what, who, cost)
        try:
            found = self.ledger.reserve(_id(self.used), key, what, who, cost)
        except Refused:
            assert not fits
            assert key not in self.answers
            return
        if isinstance(found, Remembered):
            assert self.answers[key] == found.release
            return
        assert fits
        self._add(what, who, cost)
        self.waiting.append((found, what))

    @rule(release=st.binary(max_size=3))
    def finish(self, release: bytes) -> None:
        """Its answer is released."""
        if self.waiting:
            reserved, _ = self.waiting.pop()
            if reserved.key not in self.answers:
                self.ledger.finish(reserved, release)
                self.answers[reserved.key] = release

    @rule()
    def give_back(self) -> None:
        """No data was read."""
        if self.waiting:
            reserved, what = self.waiting.pop()
            self.ledger.give_back(reserved)
            self._add(what, reserved.recipient, -reserved.micro_rho)

    @rule()
    def crash(self) -> None:
        """The process dies and comes back: what waited stays charged."""
        self.ledger.close()
        self.waiting.clear()
        self.ledger = _ledger(Path(self.folder.name))

    @invariant()
    def books_agree(self) -> None:
        """Both contracts' books are the model's, for everybody."""
        for part in (PEOPLE, VISITS):
            for who in ("office", "school"):
                mine, overall = self.ledger.accounts(part, who)
                assert mine.spent == self.spent.get((part.id, who), 0) <= mine.limit
                assert overall.spent == self.spent.get((part.id, ""), 0) <= overall.limit

    def teardown(self) -> None:
        """Lets go of the files."""
        self.ledger.close()
        self.folder.cleanup()


TestJoinedLedgerMachine = JoinedLedgerMachine.TestCase
TestJoinedLedgerMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
