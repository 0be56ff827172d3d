"""The ledger: spent is never less than released, whatever happens and however many ask at once."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from landbridge.errors import LandbridgeError, Refused
from nodes.ledger import Ledger, LedgerUnusable, Remembered, Reservation
from policies.accounting import limit
from policies.contract import Allowance
from tests.people import contract
from tests.simulator import NOON

CONTRACT = contract()
RECIPIENT = limit(Allowance(8, 1e-6))
OVERALL = limit(Allowance(12, 1e-6))


def _ledger(path: Path, now: list[float] | None = None) -> Ledger:
    clock = now or [NOON]
    return Ledger(path / "ledger.sqlite", lambda: clock[0])


def _id(number: int) -> str:
    return f"{number:032x}"


def test_two_hundred_ask_at_once_for_a_budget_of_ten(tmp_path: Path) -> None:
    """Attack 52: exactly ten get an answer."""
    ledger = _ledger(tmp_path)
    cost = RECIPIENT // 10
    outcomes: list[str] = []
    start = threading.Barrier(50)

    def ask(first: int) -> None:
        start.wait()
        for number in range(first, first + 4):
            try:
                ledger.reserve(_id(number), str(number).encode(), CONTRACT, "office", cost)
                outcomes.append("reserved")
            except Refused as refused:
                outcomes.append(refused.reason)

    threads = [threading.Thread(target=ask, args=(4 * n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("reserved") == 10
    assert outcomes.count("BUDGET_EXHAUSTED") == 190
    ledger.close()


def test_a_reservation_outlives_the_process_that_made_it(tmp_path: Path) -> None:
    """Kill -9 between charge and answer: the charge stands."""
    program = textwrap.dedent(f"""
        import sys; sys.path.insert(0, {str(Path.cwd())!r})
        from pathlib import Path
        from nodes.ledger import Ledger
        from tests.people import contract
        ledger = Ledger(Path({str(tmp_path)!r}) / "ledger.sqlite", lambda: {NOON})
        number = 0
        while True:
            ledger.reserve(f"{{number:032x}}", str(number).encode(), contract(), "office", 1000)
            number += 1
            print(number, flush=True)
    """)
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(5)]
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            said += process.stdout.readlines()
        acknowledged = int([line for line in said if line.endswith("\n")][-1])
        ledger = _ledger(tmp_path)
        spent = ledger.accounts(CONTRACT, "office")[0].spent
        ledger.close()
        assert spent >= acknowledged * 1000
        (tmp_path / "ledger.sqlite").unlink()
        for rest in tmp_path.glob("ledger.sqlite-*"):
            rest.unlink()


def test_an_answer_is_remembered_across_a_restart(tmp_path: Path) -> None:
    """Same key, same bytes, no charge, also tomorrow."""
    ledger = _ledger(tmp_path)
    reserved = ledger.reserve(_id(1), b"key", CONTRACT, "office", 1000)
    assert isinstance(reserved, Reservation)
    ledger.finish(reserved, b"release")
    ledger.close()
    again = _ledger(tmp_path)
    assert again.reserve(_id(2), b"key", CONTRACT, "office", 1000) == Remembered(b"release")
    assert again.accounts(CONTRACT, "office")[0].spent == 1000
    again.close()


def test_an_id_belongs_to_one_question(tmp_path: Path) -> None:
    """I5: one request id is one draw; another question under it is refused."""
    ledger = _ledger(tmp_path)
    ledger.reserve(_id(1), b"one", CONTRACT, "office", 1000)
    for key in (b"one", b"other"):  # the first never finished: its draw is lost
        with pytest.raises(Refused) as refused:
            ledger.reserve(_id(1), key, CONTRACT, "office", 1000)
        assert refused.value.reason == "QUESTION_ID_REUSED"
    ledger.close()


def test_a_lost_draw_is_drawn_again_for_the_charge_that_stands(tmp_path: Path) -> None:
    """I5: over a crash too, the same question under the same id is one charge and one answer."""
    ledger = _ledger(tmp_path)
    first = ledger.reserve(_id(1), b"one", CONTRACT, "office", 1000)
    assert isinstance(first, Reservation)
    ledger.close()
    ledger = _ledger(tmp_path)
    again = ledger.reserve(_id(1), b"one", CONTRACT, "office", 1000, again=True)
    assert isinstance(again, Reservation)
    assert again == replace(first, again=True)
    with pytest.raises(Refused, match="QUESTION_ID_REUSED"):
        ledger.reserve(_id(1), b"other", CONTRACT, "office", 1000, again=True)
    ledger.finish(again, b"release")
    assert ledger.accounts(CONTRACT, "office")[0].spent == 1000
    assert ledger.reserve(_id(1), b"one", CONTRACT, "office", 1000, again=True) == Remembered(
        b"release"
    )
    ledger.close()


def test_a_clock_set_back_opens_no_earlier_period(tmp_path: Path) -> None:
    """F23: what was spent in the latest period known stays spent."""
    now = [NOON]
    ledger = _ledger(tmp_path, now)
    ledger.reserve(_id(1), b"one", CONTRACT, "office", 1000)
    now[0] -= 400 * 86_400
    assert ledger.accounts(CONTRACT, "office")[0].spent == 1000
    now[0] = NOON + 400 * 86_400
    assert ledger.accounts(CONTRACT, "office")[0].spent == 0
    now[0] = NOON
    assert ledger.accounts(CONTRACT, "office")[0].spent == 0
    ledger.close()


def test_what_is_only_looked_at_is_not_written_and_is_true_after_every_charge(
    tmp_path: Path,
) -> None:
    """An answer that is given again costs no statement and no sync; a memory falls at a charge."""
    now = [NOON]
    ledger = _ledger(tmp_path, now)
    said: list[str] = []
    first = ledger.reserve(_id(1), b"one", CONTRACT, "office", 1000)
    assert isinstance(first, Reservation)
    ledger.finish(first, b"released")
    assert ledger.accounts(CONTRACT, "office")[0].spent == 1000
    assert ledger.reserve(_id(2), b"one", CONTRACT, "office", 1000) == Remembered(b"released")
    assert ledger.accounts(CONTRACT, "office")[0].spent == 1000
    ledger._connection.set_trace_callback(said.append)
    for second in range(5):
        now[0] = NOON + second
        assert ledger.reserve(_id(3), b"one", CONTRACT, "office", 1000) == Remembered(b"released")
        assert ledger.accounts(CONTRACT, "office")[0].spent == 1000
    assert said == []
    other = ledger.reserve(_id(4), b"two", CONTRACT, "office", 500)
    assert ledger.accounts(CONTRACT, "office")[0].spent == 1500
    assert isinstance(other, Reservation)
    ledger.give_back(other)
    assert ledger.accounts(CONTRACT, "office")[0].spent == 1000
    with pytest.raises(Refused):
        ledger.reserve(_id(5), b"three", CONTRACT, "office", RECIPIENT)
    assert ledger.accounts(CONTRACT, "office")[0].spent == 1000
    now[0] = NOON + 400 * 86_400
    assert ledger.accounts(CONTRACT, "office")[0].spent == 0
    ledger.close()


def test_an_answer_without_its_bytes_is_not_remembered_before_they_are_there(
    tmp_path: Path,
) -> None:
    """Of a linked question they come after its charge is final."""
    ledger = _ledger(tmp_path)
    made = ledger.reserve(_id(1), b"one", CONTRACT, "office", 1000)
    assert isinstance(made, Reservation)
    ledger.finish(made, b"")
    assert ledger.reserve(_id(2), b"one", CONTRACT, "office", 1000) == Remembered(b"")
    assert ledger.keep(b"one", b"released")
    assert ledger.reserve(_id(3), b"one", CONTRACT, "office", 1000) == Remembered(b"released")
    ledger.close()


def test_the_memory_of_answers_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file holds them all; the process holds those that were asked last."""
    monkeypatch.setattr("nodes.ledger.MEMORY_BYTES", 100)
    ledger = _ledger(tmp_path)
    for number in range(20):
        made = ledger.reserve(_id(number), str(number).encode(), CONTRACT, "office", 10)
        assert isinstance(made, Reservation)
        ledger.finish(made, bytes(30))
        again = ledger.reserve(_id(99), str(number).encode(), CONTRACT, "office", 10)
        assert again == Remembered(bytes(30))
    assert len(ledger._seen._answers) == 3
    assert ledger.reserve(_id(99), b"0", CONTRACT, "office", 10) == Remembered(bytes(30))
    ledger.close()


def test_two_nodes_cannot_share_a_ledger(tmp_path: Path) -> None:
    """F14: the second one says so and does not start."""
    ledger = _ledger(tmp_path)
    with pytest.raises(LedgerUnusable, match="another node"):
        _ledger(tmp_path)
    ledger.close()


@pytest.mark.parametrize("spoil", [b"garbage" * 1000, b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_ledger_stops_the_start(tmp_path: Path, spoil: bytes) -> None:
    """F11: never silently a fresh budget."""
    (tmp_path / "ledger.sqlite").write_bytes(spoil)
    with pytest.raises(LedgerUnusable, match=r"ledger\.sqlite"):
        _ledger(tmp_path)


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    """F30: an older program does not count with what it does not know."""
    _ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(LedgerUnusable, match="version 9"):
        _ledger(tmp_path)


def test_a_full_disk_refuses_and_keeps_what_was_spent(tmp_path: Path) -> None:
    """F8, I6: no charge on disk, no answer."""
    ledger = _ledger(tmp_path)
    ledger.reserve(_id(1), b"one", CONTRACT, "office", 1000)
    connection = ledger._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LandbridgeError) as refused:
        for number in range(2, 2_000):
            reserved = ledger.reserve(_id(number), _id(number).encode(), CONTRACT, "office", 1)
            assert isinstance(reserved, Reservation)
            ledger.finish(reserved, b"x" * 5_000)
    assert refused.value.reason == "LEDGER_UNAVAILABLE"
    connection.execute("PRAGMA max_page_count = 100000")
    assert ledger.accounts(CONTRACT, "office")[0].spent >= 1000
    ledger.close()


class LedgerMachine(RuleBasedStateMachine):
    """Any order of charges, answers, returns, crashes and time: a model keeps the same books."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.now = [NOON]
        self.ledger = _ledger(Path(self.folder.name), self.now)
        self.spent: dict[str, int] = {}
        self.waiting: list[Reservation] = []
        self.answers: dict[bytes, bytes] = {}
        self.released = 0
        self.used = 0

    @rule(
        key=st.binary(min_size=1, max_size=2),
        who=st.sampled_from(["office", "school"]),
        cost=st.integers(1, RECIPIENT // 3),
    )
    def reserve(self, key: bytes, who: str, cost: int) -> None:
        """A question arrives."""
        self.used += 1
        total = sum(self.spent.values())
        fits = self.spent.get(who, 0) + cost <= RECIPIENT and total + cost <= OVERALL
        try:
            found = self.ledger.reserve(_id(self.used), key, CONTRACT, who, cost)
        except Refused as refused:
            assert refused.reason == "BUDGET_EXHAUSTED"  # noqa: PT017 - the model decides which
            assert not fits
            assert key not in self.answers
            return
        if isinstance(found, Remembered):
            assert self.answers[key] == found.release
            return
        assert fits
        self.spent[who] = self.spent.get(who, 0) + cost
        self.waiting.append(found)

    @rule(release=st.binary(max_size=3))
    def finish(self, release: bytes) -> None:
        """Its answer is released, unless another of the same key was first."""
        if not self.waiting:
            return
        reserved = self.waiting.pop()
        if reserved.key in self.answers:
            return  # the node takes turns per key, so this never runs twice
        self.ledger.finish(reserved, release)
        self.answers[reserved.key] = release
        self.released += reserved.micro_rho

    @rule()
    def give_back(self) -> None:
        """No data was read."""
        if self.waiting:
            reserved = self.waiting.pop()
            self.ledger.give_back(reserved)
            self.spent[reserved.recipient] -= reserved.micro_rho

    @rule()
    def crash(self) -> None:
        """The process dies and comes back: what waited stays charged."""
        self.ledger.close()
        self.waiting.clear()
        self.ledger = _ledger(Path(self.folder.name), self.now)

    @rule(seconds=st.floats(-90_000, 3_600))
    def time_passes(self, seconds: float) -> None:
        """Also backwards; never into the next year."""
        self.now[0] = min(NOON + 86_400, self.now[0] + seconds)

    @invariant()
    def books_agree(self) -> None:
        """Spent is what the model says, and never less than released."""
        for who in ("office", "school"):
            mine, overall = self.ledger.accounts(CONTRACT, who)
            assert mine.spent == self.spent.get(who, 0)
            assert overall.spent == sum(self.spent.values())
            assert overall.spent >= self.released
            assert mine.spent <= mine.limit

    def teardown(self) -> None:
        """Lets go of the files."""
        self.ledger.close()
        self.folder.cleanup()


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
