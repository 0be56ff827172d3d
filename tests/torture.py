"""`python -m tests.torture [--effort 0.01] [--seed N] [--only words]`: audit and faults at length.

One table on standard output: what was tried, how much of it was stopped, and by what. Exit status 1
if anything got through, or if a positive control did not (then the harness is blind). With an
effort of 1 it makes thousands of runs for every mechanism and 100,000 random texts; the time is
in docs/audit.md.

With `--page FILE` the table stands in the place of everything after the line `<!-- torture -->` of
that page too. With `--state FILE` each row is also one JSON object in that file as soon as it is
known, and a run with the same file goes on where the last one ended, with its seed and effort.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

from landbridge.testing import federation
from policies.contract import Noise
from policies.noise import Draw, draw
from tests import suite
from tests.attacks import files, messages
from tests.attacks import rows as attack_rows
from tests.attacks.test_rows import numbered
from tests.attacks.worlds import World as Running
from tests.attacks.worlds import lay
from tests.audit import attackers, crossing, selection, spoilt
from tests.audit.attackers import differencing, games, singling_out
from tests.audit.distinguisher import Finding
from tests.audit.grammar import Grammar
from tests.audit.mechanisms import SCENARIOS, Scenario, Worlds, prepare
from tests.audit.outcome import HEAD, Outcome
from tests.audit.series import FULL, series
from tests.audit.worlds_apart import World, difference
from tests.faults import rows as fault_rows
from tests.faults.lives import BASES, KINDS, VICTIMS, WAYS, Lives, every, spoken
from tests.faults.nursery import Nursery
from tests.faults.storm import storm
from tests.simulator import exact

Job = tuple[str, Callable[[Path], Outcome | Iterator[Outcome]]]

MARK: Final = "<!-- torture -->"
STORM: Final = 50
"""Kills of one storm: what must hold is looked at after each, and a run can end between them."""
RECOVERY: Final = 5.0
"""Seconds until the first answer after everything was let go on; callers wait no longer."""


def jobs(effort: float, seed: int) -> Iterator[Job]:
    """Everything that is tried, in the order of the table."""

    def some(full: int, least: int) -> int:
        return max(least, round(full * effort))

    for noise in Noise:
        for scenario in SCENARIOS:
            name = f"release, {noise}: {scenario.name}"
            yield name, partial(_release, name, scenario.under(noise), some(20_000, 300))
    for scene in selection.SCENES:
        name = f"selection, {scene.noise}: a value of one unit, {scene.rows} rows"
        yield name, partial(_alone, name, scene, some(400_000, 40_000))
        name = f"selection, {scene.noise}: one vote, {scene.rows} rows"
        yield name, partial(_vote, name, scene, some(400_000, 8_000))
    for programme in crossing.PROGRAMMES:
        name = f"whole path: {programme.name}"
        yield name, partial(_path, name, programme, some(2_000, 25))
    yield "random texts in three worlds", partial(_texts, some(100_000, 500), seed)
    for attack, full, least in (
        (attackers.averaging, 5_000, 60), (attackers.bisection, 200, 4),
        (attackers.reconstruction, 800, 60), (attackers.race, 20, 1), (attackers.memory, 1_000, 20),
        (attackers.bits, 5_000, 40), (attackers.ordering, 20, 3), (series, FULL, 6),
    ):  # fmt: skip
        yield attack.__name__, partial(attack, effort=some(full, least))
    for play in (differencing, singling_out):
        name = play.__name__.replace("_", " ")
        yield name, partial(games, name, effort=some(1_000, 12), play=play)
    yield "messages: every method", partial(_messages, some(500, 4), seed)
    yield "files: garbage in every kind", partial(_files, some(2_000, 10), seed)
    kills = some(1_000, 6)
    storms = -(-kills // STORM)
    for number in range(storms):
        name = f"storm {number + 1} of {storms}: kill -9, stops, full disks, cut lines"
        some_kills = min(STORM, kills - number * STORM)
        yield name, partial(_storm, name, some_kills, seed + number)
    for victim, how, base in product(VICTIMS, WAYS, BASES):
        name = f"lives, {base}: {how} at every operation of a {KINDS[victim]}"
        yield name, partial(_lives, name, victim, how, base, max(1, round(1 / effort)))
    yield "the table of attacks, row by row", _attacks
    yield "the table of faults, row by row", _faults
    yield from _controls()


def _controls() -> Iterator[Job]:
    """What must be convicted; `through` is turned round."""
    for name, scenario, noise, wrong, runs in spoilt.CONTROLS:
        job = partial(_release, name, scenario.under(noise), runs, noise=wrong)
        yield f"control: {name}", partial(_turned, job)
    for scene in selection.SCENES[:1]:
        name = "a threshold lower by one"
        low = partial(_alone, name, scene, 40_000, lower=1)
        yield f"control: {name}", partial(_turned, low)
    unheard = partial(attackers.bisection, effort=8, noise=exact)
    yield "control: bisection", partial(_turned, unheard)
    known = partial(attackers.reconstruction, effort=60, noise=exact)
    yield "control: reconstruction", partial(_turned, known)
    endless = partial(series, effort=45, budget=90_000.0)
    yield "control: series", partial(_turned, endless)


def _turned(job: Callable[[Path], Outcome], folder: Path) -> Outcome:
    found = job(folder)
    return replace(found, name=f"control: {found.name}", by="must get through",
                   stopped=found.tried if not found.through else 0,
                   through=not found.through)  # fmt: skip


def _release(name: str, scenario: Scenario, runs: int, folder: Path, noise: Draw = draw) -> Outcome:
    folder.mkdir()
    worlds = Worlds(folder)
    found = prepare(scenario, worlds).audited(runs, noise)
    worlds.close()
    return _found(name, found)


def _alone(name: str, scene: selection.Scene, runs: int, folder: Path, lower: int = 0) -> Outcome:
    del folder
    plan = scene.plan()
    rule = plan.selection
    assert rule is not None
    plan = replace(plan, selection=replace(rule, threshold=rule.threshold - lower))
    shown = selection.shows_alone(plan, runs)
    through = shown > rule.delta
    figure = f"delta >= {shown:.2g} of {rule.delta:.2g}"
    return Outcome(name, runs, 0 if through else runs, "threshold", figure, through)


def _vote(name: str, scene: selection.Scene, runs: int, folder: Path) -> Outcome:
    del folder
    plan = scene.plan()
    told = selection.told_by_one_vote(plan, runs)
    figure = f"epsilon >= {told:.3f} of {plan.epsilon:.3f}"
    through = told > plan.epsilon
    return Outcome(name, 2 * runs, 0 if through else 2 * runs, "noise", figure, through)


def _path(name: str, programme: crossing.Programme, runs: int, folder: Path) -> Outcome:
    found = crossing.audited(programme, runs, folder)
    outcome = _found(name, found.finding)
    if len(found.seen) > 1:
        return Outcome(name, outcome.tried, 0, "-", "the worlds look different", through=True)
    if found.unpaid > 1e-9:
        return Outcome(name, outcome.tried, 0, "-", f"rho {found.unpaid:.3g} unpaid", through=True)
    return outcome


def _found(name: str, found: Finding) -> Outcome:
    return Outcome(name, found.runs, 0 if found.broken else found.runs, "noise", str(found),
                   found.broken)  # fmt: skip


def _storm(name: str, kills: int, seed: int, folder: Path) -> Outcome:
    """Real processes; what must hold is compared with the logs and ledgers at the end."""
    folder.mkdir()
    with Nursery() as nursery, storm(folder, nursery, seed) as blown:
        blown.blow(kills)
        found = blown.findings()
    slowest = max(blown.recoveries)
    if slowest > RECOVERY:
        found.append(f"back after {slowest:.1f} s")
    for each in found:
        sys.stderr.write(f"seed {seed}: {each}\n")
    many = f"{len(blown.seen.given)} answers hold, back after {slowest:.1f} s"
    figure = f"{found[0] if found else many} (seed {seed})"
    sys.stderr.write(f"{dict(blown.clogs.count)}\n")
    return Outcome(name, kills, 0 if found else kills, "log and ledger", figure, bool(found))


def _lives(name: str, victim: str, how: str, base: str, step: int, folder: Path) -> Outcome:
    """Real processes; at every `step`th operation on files, until one life sees none fail."""
    folder.mkdir()
    tried, bad = 0, ""
    with Nursery() as nursery:
        for at, life in every(Lives(folder, nursery), victim, how, base, step):
            tried += bool(life.failed)
            if life.wrong:
                bad = bad or f"at {at}: {life.wrong[0]}"
                sys.stderr.write(f"{spoken(at, victim, how, base, life)}\n")
    figure = bad or "all went on without a hand"
    return Outcome(name, tried, 0 if bad else tried, "log and ledger", figure, bool(bad))


def _texts(texts: int, seed: int, folder: Path) -> Outcome:
    worlds = [World(name, folder / name) for name in ("rare", "common", "absent")]
    grammar = Grammar(seed)
    ends: Counter[str] = Counter()
    bad = ""
    for number in range(texts):
        text = grammar.text()
        found = [world.ask(text) for world in worlds]
        wrong = difference(found)
        if wrong:
            bad = bad or f"seed {seed} text {number}: {wrong}"
            sys.stderr.write(f"seed {seed}, text {number}: {wrong}: {text!r}\n")
        ends["wrong" if wrong else found[0][0].split()[0]] += 1
    for world in worlds:
        world.close()
    return Outcome("random texts in three worlds", texts, texts - ends["wrong"],
                   "closed algebra",
                   bad or f"{ends['refused']} refused, {ends['answered']} alike (seed {seed})",
                   bool(bad))  # fmt: skip


def _messages(each: int, seed: int, folder: Path) -> Outcome:
    """Every method of both servers, over TLS, by a known caller and under the gateway's own key."""
    with federation(lay(folder, "gone"), state=folder / "state") as running:
        world = Running("gone", running)
        found = messages.fuzz(world, seed, each)
        world.close()
    for wrong in found.wrong:
        sys.stderr.write(f"{wrong}\n")
    said = f"{found.ends['OK']} answered, {len(found.ends) - 1} reasons (seed {seed})"
    return Outcome("messages: every method", found.tried, found.tried - len(found.wrong),
                   "one catalogue", found.wrong[0] if found.wrong else said,
                   bool(found.wrong))  # fmt: skip


def _files(each: int, seed: int, folder: Path) -> Outcome:
    folder.mkdir()
    tried, wrong = files.garbage(folder / "files", seed, each)
    for said in wrong:
        sys.stderr.write(f"{said}\n")
    return Outcome("files: garbage in every kind", tried, tried - len(wrong), "strict readers",
                   wrong[0] if wrong else f"no trace of a stack (seed {seed})",
                   bool(wrong))  # fmt: skip


def _attacks(folder: Path) -> Iterator[Outcome]:
    """The rows of `tests/attacks/rows.py`, by the tests that hold them."""
    folder.mkdir()
    texts = numbered()
    held = [
        suite.Held(
            f"attack {number}: {row.name}",
            attack_rows.BY[number],
            (*row.held_by, *(attack_rows.STATEMENTS if number in texts else ())),
        )
        for number, row in attack_rows.ROWS.items()
    ]
    yield from suite.run(held, folder / "attacks.xml")


def _faults(folder: Path) -> Iterator[Outcome]:
    """The rows of `tests/faults/rows.py`, by the tests that hold them."""
    folder.mkdir()
    held = [
        suite.Held(f"fault {number}: {row.name}", fault_rows.BY[number], row.held_by)
        for number, row in fault_rows.ROWS.items()
    ]
    yield from suite.run(held, folder / "faults.xml")


class _Kept:
    """What earlier runs with this file found; nothing without one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path and path.exists() else []
        self._rows = [json.loads(line) for line in lines]
        self.seed: int | None = self._rows[0]["seed"] if self._rows else None
        self.effort: float | None = self._rows[0]["effort"] if self._rows else None

    def of(self, job: str) -> list[Outcome]:
        """The rows of that job, if it was done whole."""
        whole = [row for row in self._rows if row["job"] == job]
        if not whole or not whole[-1]["last"]:
            return []
        return [Outcome(**row["outcome"]) for row in whole]

    def keep(self, job: str, found: Sequence[Outcome], **said: object) -> None:
        """Adds them, all of them or none."""
        if self._path is None:
            return
        rows = [
            {"job": job, **said, "last": each is found[-1], "outcome": asdict(each)}
            for each in found
        ]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{json.dumps(row)}\n" for row in rows))


def _write(page: Path, rows: Sequence[Outcome], head: str) -> None:
    text, mark, _ = page.read_text("utf-8").partition(MARK)
    if not mark:
        raise SystemExit(f"{page} has no line {MARK}")
    through = sum(row.through for row in rows)
    end = f"; {through} got through." if through else "; nothing got through."
    table = "\n".join(
        (
            "| | attack | tried | stopped | stopped by | figure (bound) |",
            "|---|---|---|---|---|---|",
            *(row.row() for row in rows),
        )
    )
    page.write_text(f"{text}{MARK}\n\n{head}{end}\n\n{table}\n", "utf-8")


def _first(*values: Any) -> Any:
    return next(each for each in values if each is not None)


def main(arguments: Sequence[str]) -> int:
    """Prints the table; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument(
        "--effort", type=float, default=None, help="share of the full number of runs (1)"
    )
    parser.add_argument("--seed", type=int, default=None, help="of texts and storms")
    parser.add_argument("--state", type=Path, default=None, help="rows as JSON, to go on from")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--page", type=Path, default=None, help="a page that ends in the table")
    chosen = parser.parse_args(arguments)
    kept = _Kept(chosen.state)
    seed: int = _first(chosen.seed, kept.seed, secrets.randbelow(2**31))
    effort: float = _first(chosen.effort, kept.effort, 1.0)
    sys.stdout.write(HEAD + "\n")
    through = 0
    whole: list[Outcome] = []
    for number, (name, job) in enumerate(jobs(effort, seed)):
        if chosen.only not in name:
            continue
        found = kept.of(name)
        if not found:
            before = time.monotonic()
            with tempfile.TemporaryDirectory() as place:
                came = job(Path(place) / f"job{number}")
                found = [came] if isinstance(came, Outcome) else list(came)
            seconds = round(time.monotonic() - before, 1)
            kept.keep(name, found, seed=seed, effort=effort, seconds=seconds)
            sys.stderr.write(f"{seconds} s\n")
        whole += found
        for outcome in found:
            through += outcome.through
            sys.stdout.write(f"{outcome.line()}\n")
        sys.stdout.flush()
    if chosen.page is not None:
        _write(chosen.page, whole, f"Effort {effort:g}, seed {seed}, {len(whole)} rows")
    sys.stdout.write(f"{through} got through\n" if through else "nothing got through\n")
    return 1 if through else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
