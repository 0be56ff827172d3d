"""Clogs of a running town: each stops one thing at one place, and lets it go on again.

Servers are killed (sometimes once more while they recover), stopped by SIGSTOP, or find their disk
full; lines between the gateway and a department go silent, are cut or trickle. A place has one clog
at a time. What is to be started again starts beside the others, as it does where nobody waits.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landbridge.federation.running import Federation
from tests.faults.proxy import Line
from tests.faults.town import DEPARTMENTS

SERVERS: Final = ("gateway", *DEPARTMENTS)
RECOVERY: Final = 0.5
"""Seconds that a start takes, about: within them a server is killed while it recovers."""


@dataclass(frozen=True, slots=True)
class Clog:
    """Something that is stopped at a place now; `undo` lets it go on."""

    place: str
    undo: Callable[[], None]


class Clogs:
    """All that can be clogged in a town. `full` says which file fills a server's disk up."""

    def __init__(
        self,
        running: Federation,
        chance: random.Random,
        lines: Mapping[str, Line],
        full: Mapping[str, Path],
    ) -> None:
        self._running = running
        self._chance = chance
        self._lines = lines
        self._full = full
        self._starting: list[threading.Thread] = []
        self._failed: list[BaseException] = []
        self.count: Counter[str] = Counter()

    def kill(self, victim: str) -> Clog:
        """As by kill -9; undone it starts, one time in four after it was killed in recovery."""
        self.count["kill"] += 1
        again = self._chance.random() < 0.25
        pause = self._chance.random() * RECOVERY
        if victim == "gateway":
            self._running.kill_gateway()
        else:
            self._running.kill(victim)
        return Clog(victim, lambda: self._begin(victim, pause if again else None))

    def any(self, place: str) -> Clog:
        """One of those that this place can have."""
        if place in self._lines:
            return self._line(place, self._lines[place])
        ways: list[Callable[[str], Clog]] = [self.kill, self._stop]
        if place in self._full:
            ways.append(self._fill)
        return self._chance.choice(ways)(place)

    @property
    def places(self) -> list[str]:
        """Where something can be clogged."""
        return [*SERVERS, *self._lines]

    def swizzle(self, least: int) -> None:
        """Clogs some places one after the other, and lets them go on in another order.

        At least `least` kills are among them. Returns when every server has started again.
        """
        victims = self._chance.sample(SERVERS, least)
        others = [place for place in self.places if place not in victims]
        more = self._chance.sample(others, self._chance.randint(0, len(others)))
        clogs = []
        for place in self._chance.sample([*victims, *more], len(victims) + len(more)):
            clogs.append(self.kill(place) if place in victims else self.any(place))
            time.sleep(self._chance.random() * 0.1)
        time.sleep(self._chance.random() * 0.3)
        self._chance.shuffle(clogs)
        for clog in clogs:
            clog.undo()
            time.sleep(self._chance.random() * 0.1)
        self.settle()

    def settle(self) -> None:
        """Returns when every server has started again; raises what kept one from it."""
        for thread in self._starting:
            thread.join()
        self._starting.clear()
        if self._failed:
            raise self._failed[0]

    def _begin(self, victim: str, killed_after: float | None) -> None:
        thread = threading.Thread(target=self._start, args=(victim, killed_after))
        self._starting.append(thread)
        thread.start()

    def _start(self, victim: str, killed_after: float | None) -> None:
        try:
            if killed_after is not None:
                self.count["kill in recovery"] += 1
                module, file = ("gateway",) * 2 if victim == "gateway" else ("nodes", "node")
                settings = self._running.state / victim / f"{file}.toml"
                recovering = self._running.spawn(victim, module, settings)
                time.sleep(killed_after)
                recovering.kill()
            if victim == "gateway":
                self._running.start_gateway()
            else:
                self._running.restart(victim)
        except BaseException as failure:  # noqa: BLE001 - `settle` raises it
            self._failed.append(failure)

    def _stop(self, victim: str) -> Clog:
        self.count["stop"] += 1
        process = self._running.process_id(None if victim == "gateway" else victim)
        os.kill(process, signal.SIGSTOP)
        return Clog(victim, lambda: os.kill(process, signal.SIGCONT))

    def _fill(self, victim: str) -> Clog:
        self.count["full disk"] += 1
        self._full[victim].touch()
        return Clog(victim, self._full[victim].unlink)

    def _line(self, place: str, line: Line) -> Clog:
        how = self._chance.choice(("silence", "cut", "trickle"))
        self.count[f"line: {how}"] += 1
        getattr(line.valve, how)()
        return Clog(place, line.valve.open)
