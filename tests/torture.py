"""`python -m tests.torture [--effort 0.01] [--seed N] [--only words]`: audit and faults at length.

One table on standard output: what was tried, how much of it was stopped, and by what. Exit status 1
if anything got through, or if a positive control did not (then the harness is blind). With an
effort of 1 it makes thousands of runs for every mechanism and 100,000 random texts; the time is
in docs/audit.md, and for the machine at hand an effort below 1 ends with an estimate, row by row.

Jobs are shared among processes that end with this one, see `tests.crew`: `--workers` is how many
compute at a time, one for each processor. What is done is told on standard error.

With `--page FILE` the table stands in the place of everything after the line `<!-- torture -->` of
that page too, and above it the full runs of this code that held (`tests.audit.page`). With
`--state FILE` each job's rows are also JSON objects in that file as soon as they are known, and a
run with the same file goes on where the last one ended, with its seed and effort, on the same code.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

from landbridge.testing import federation, forking
from policies.contract import Noise
from policies.noise import Draw, draw
from tests import spark, suite
from tests.attacks import files, messages
from tests.attacks import rows as attack_rows
from tests.attacks.test_rows import numbered
from tests.attacks.worlds import World as Running
from tests.attacks.worlds import lay
from tests.audit import attackers, crossing, other_doors, selection, spoilt
from tests.audit.advantage import METHODS, PREFIX, VICTIMS, advantage, weakened
from tests.audit.attackers import differencing, games, singling_out
from tests.audit.distinguisher import Finding
from tests.audit.grammar import Grammar
from tests.audit.kept import Kept, now
from tests.audit.mechanisms import SCENARIOS, Scenario, Worlds, prepare
from tests.audit.outcome import HEAD, PIECE, Outcome, gathered
from tests.audit.page import Run, write
from tests.audit.series import FULL, series
from tests.audit.tree import here
from tests.audit.worlds_apart import World, difference
from tests.crew import Done, Job, serve, share
from tests.faults import rows as fault_rows
from tests.faults.lives import BASES, KINDS, Lives, every, spoken
from tests.faults.lives import VICTIMS as SERVERS
from tests.faults.nursery import Nursery
from tests.faults.storm import storm
from tests.faults.test_records import life as records_kept
from tests.simulator import exact

STORM: Final = 100
"""Kills of one storm: what must hold is looked at after each, and a run can end between them."""
RECOVERY: Final = 5.0
"""Seconds within which somebody gets an answer once everything was let go on."""
TEXTS: Final = 2_500
"""Random texts of one job."""
AT_ONCE: Final = 50
"""Releases whose noise is asked for in one call, see `Prepared.sample`."""
ONE_BY_ONE: Final = 1_000
"""Releases in each world of which every one asks for itself."""
LIVES: Final = 12
"""Jobs that share the operations that fail: the first has the 1st, 13th, 25th, and so on."""
REQUESTS: Final = 250
"""Requests of every method, of one job."""
TEXTS_OF_A_FILE: Final = 500
"""Of every kind of file, of one job."""


def jobs(effort: float, seed: int) -> Iterator[Job]:
    """Everything that is tried, in the order of the table."""

    def some(full: int, least: int) -> int:
        return max(least, round(full * effort))

    def pieces(name: str, of: int, full: int, least: int, run: Callable[..., Any],
               **more: Any) -> Iterator[Job]:  # fmt: skip
        """Jobs of at most `of` runs, each with a seed of its own."""
        wanted = some(full, least)
        count = -(-wanted // of)
        for number in range(count):
            piece = f"{name}, {number + 1} of {count}" if count > 1 else name
            part = min(of, wanted - number * of)
            yield Job(piece, partial(run, piece, part, seed + number), wanted / full, **more)

    for noise in Noise:
        for scenario in SCENARIOS:
            name = f"release, {noise}: {scenario.name}"
            runs = some(scenario.runs(20_000), scenario.runs(300))
            job = partial(_release, name, scenario.under(noise), runs)
            yield Job(name, job, runs / scenario.runs(20_000))
    for scene in selection.SCENES:
        name = f"selection, {scene.noise}: a value of one unit, {scene.rows} rows"
        runs = some(400_000, 40_000)
        yield Job(name, partial(_alone, name, scene, runs), runs / 400_000)
        name = f"selection, {scene.noise}: one vote, {scene.rows} rows"
        runs = some(400_000, 8_000)
        yield Job(name, partial(_vote, name, scene, runs), runs / 400_000)
    for programme in crossing.PROGRAMMES:
        name = f"whole path: {programme.name}"
        runs = some(1_200, 25)
        yield Job(name, partial(_path, name, programme, runs), runs / 1_200, long=70)
    yield from pieces("random texts in three worlds", TEXTS, 100_000, 500, _texts, long=40)
    for attack, full, least in (
        (attackers.averaging, 5_000, 60), (attackers.bisection, 200, 4),
        (attackers.reconstruction, 800, 60), (attackers.race, 20, 1), (attackers.memory, 1_000, 20),
        (attackers.bits, 5_000, 40), (attackers.ordering, 20, 3), (series, FULL, 6),
    ):  # fmt: skip
        number = some(full, least)
        yield Job(attack.__name__, partial(attack, effort=number), number / full)
    for play in (differencing, singling_out):
        name = play.__name__.replace("_", " ")
        number = some(1_000, 12)
        yield Job(name, partial(games, name, effort=number, play=play), number / 1_000)
    for method in METHODS:
        name = f"{PREFIX}{method.name}"
        yield from pieces(name, VICTIMS, 2 * VICTIMS, 2, partial(advantage, method=method), long=50)
    for door, full, least in (
        (other_doors.bands, 300, 20), (other_doors.reports, 20_000, 500),
        (other_doors.exact_tables, 200, 5), (other_doors.trends, 2_000, 30),
        (other_doors.two_shares, 20_000, 300),
    ):  # fmt: skip
        number = some(full, least)
        yield Job(door.__name__, partial(door, effort=number), number / full)
    yield from pieces("messages: every method", REQUESTS, 500, 4, _messages, timely=True)
    yield from pieces("files: garbage in every kind", TEXTS_OF_A_FILE, 2_000, 10, _files)
    step = max(1, round(1 / effort))
    count = max(1, LIVES // step)
    for number in range(count):
        name = f"lives, {number + 1} of {count}" if count > 1 else "lives"
        lived = partial(_lives, number, count, step, seed)
        yield Job(name, lived, 1 / step, timely=True, long=200)
    for base in BASES:
        name = f"lives, {base}: an end at every operation of the process that keeps records"
        yield Job(name, partial(_records, name, base, step), 1 / step, timely=True, long=120)
    # How long a town takes to answer again is judged, and one alone uses half of a processor.
    yield from pieces("storm: kill -9, stops, full disks, cut lines", STORM, 1_000, 6, _storm,
                      alone=2, long=60)  # fmt: skip
    yield Job("the table of attacks, row by row", _attacks, alone=1)
    yield Job("the table of faults, row by row", _faults, alone=1)
    yield Job("three engines, at length", _engines, timely=True, long=800)
    yield from _controls()


def _controls() -> Iterator[Job]:
    """What must be convicted; `through` is turned round."""

    def control(name: str, job: Callable[[Path], Outcome]) -> Job:
        return Job(f"control: {name}", partial(_turned, job))

    for name, scenario, noise, wrong, runs in spoilt.CONTROLS:
        yield control(name, partial(_release, name, scenario.under(noise), runs, noise=wrong))
    for scene in selection.SCENES[:1]:
        name = "a threshold lower by one"
        yield control(name, partial(_alone, name, scene, 40_000, lower=1))
    yield control("bisection", partial(attackers.bisection, effort=8, noise=exact))
    yield control("reconstruction", partial(attackers.reconstruction, effort=60, noise=exact))
    for method in METHODS[:-1]:
        yield control(f"advantage, {method.name}", partial(weakened, 24, 3, method=method))
    told = "40000, 70000, 100000"
    yield control("handlers", partial(other_doors.bands, effort=30, threshold=told))
    yield control("reports", partial(other_doors.reports, effort=500, epsilon=5.0))
    yield control("trends", partial(other_doors.trends, effort=40, noise=exact))
    yield control("census", partial(other_doors.two_shares, effort=60, noise=exact))
    yield control("series", partial(series, effort=45, budget=90_000.0))


def _turned(job: Callable[[Path], Outcome], folder: Path) -> Outcome:
    found = job(folder)
    return replace(found, name=f"control: {found.name}", by="must get through",
                   stopped=found.tried if not found.through else 0,
                   through=not found.through)  # fmt: skip


def _release(name: str, scenario: Scenario, runs: int, folder: Path, noise: Draw = draw) -> Outcome:
    folder.mkdir()
    worlds = Worlds(folder)
    prepared = prepare(scenario, worlds)
    worlds.close()
    one_by_one = prepared.audited(min(runs, scenario.runs(ONE_BY_ONE)), noise)
    found = prepared.audited(runs, noise, at_once=AT_ONCE)
    outcome = _found(name, one_by_one if one_by_one.broken else found)
    tried = one_by_one.runs + found.runs
    return replace(outcome, tried=tried, stopped=0 if outcome.through else tried)


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
    slow = [seconds for seconds in blown.recoveries if seconds > RECOVERY]
    found += [f"an answer only after {seconds:.1f} s" for seconds in slow]
    for each in found:
        sys.stderr.write(f"seed {seed}: {each}\n")
    counts = {"answers hold": len(blown.seen.given), "clogs": blown.clogs.count.total(),
              "recoveries": len(blown.recoveries),
              "of them over 2 s": sum(each > 2 for each in blown.recoveries)}  # fmt: skip
    said = ", ".join(f"{number:,} {what}" for what, number in counts.items())
    figure = f"{found[0] if found else said} (seed {seed})"
    return Outcome(name, kills, 0 if found else kills, "log and ledger", figure, bool(found),
                   counts)  # fmt: skip


def _lives(piece: int, pieces: int, step: int, seed: int, folder: Path) -> Iterator[Outcome]:
    """Real processes; one in `pieces` of every `step`th operation on files, of each row."""
    folder.mkdir()
    with Nursery() as nursery:
        lives = Lives(folder, nursery)
        for victim, base in product(SERVERS, BASES):
            tried, bad = 0, ""
            places = (pieces * step, 1 + piece * step)
            for at, how, life in every(lives, victim, base, *places, seed + piece):
                tried += bool(life.failed)
                if life.wrong:
                    bad = bad or f"at {at}: {life.wrong[0]}"
                    sys.stderr.write(f"{spoken(at, victim, how, base, life)}\n")
            name = f"lives, {base}: an end or an error at every operation of a {KINDS[victim]}"
            name += f", {piece + 1} of {pieces}" if pieces > 1 else ""
            counts = {"went on without a hand": 0 if bad else tried}
            figure = bad or "all went on without a hand"
            yield Outcome(name, tried, 0 if bad else tried, "log and ledger", figure, bool(bad),
                          counts)  # fmt: skip


def _records(name: str, base: str, step: int, folder: Path) -> Outcome:
    """The real process, traced; at every `step`th operation on files, of DuckDB and SQLite too."""
    tried, bad = 0, ""
    for at in range(1, 10_000, step):
        try:
            ended = records_kept(folder / str(at), at, lived=base == "lived")
        except AssertionError as wrong:
            ended, bad = "?", bad or f"at {at}: {wrong}"
        tried += bool(ended)
        if not ended:
            break
    figure = bad or "all were kept, once"
    return Outcome(name, tried, 0 if bad else tried, "log before commit", figure, bool(bad))


def _texts(name: str, texts: int, seed: int, folder: Path) -> Outcome:
    worlds = [World(world, folder / world) for world in ("rare", "common", "absent")]
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
    return Outcome(name, texts, texts - ends["wrong"], "closed algebra",
                   bad or f"{ends['refused']} refused, {ends['answered']} alike (seed {seed})",
                   bool(bad), dict(ends))  # fmt: skip


def _messages(name: str, each: int, seed: int, folder: Path) -> Outcome:
    """Every method of both servers, over TLS, by a known caller and under the gateway's own key."""
    with forking(), federation(lay(folder, "gone"), state=folder / "state") as running:
        world = Running("gone", running)
        found = messages.fuzz(world, seed, each)
        world.close()
    for wrong in found.wrong:
        sys.stderr.write(f"{wrong}\n")
    said = f"{found.ends['OK']} answered, {len(found.ends) - 1} reasons (seed {seed})"
    ends = {
        "answered": found.ends["OK"],
        "ended by a reason": found.tried - found.ends["OK"] - len(found.wrong),
    }
    return Outcome(name, found.tried, found.tried - len(found.wrong), "one catalogue",
                   found.wrong[0] if found.wrong else said, bool(found.wrong),
                   ends)  # fmt: skip


def _files(name: str, each: int, seed: int, folder: Path) -> Outcome:
    folder.mkdir()
    tried, wrong = files.garbage(folder / "files", seed, each)
    for said in wrong:
        sys.stderr.write(f"{said}\n")
    return Outcome(name, tried, tried - len(wrong), "strict readers",
                   wrong[0] if wrong else f"no trace of a stack (seed {seed})", bool(wrong),
                   {"without a trace of a stack": tried - len(wrong)})  # fmt: skip


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


def _engines(folder: Path) -> Iterator[Outcome]:
    """What `tests/engines/at_length.py` compares, where there are programs for a cluster."""
    if why := spark.missing():
        sys.stderr.write(f"engines at length: {why}\n")
        yield Outcome("engines at length: not run", 0, 0, "no cluster here", why, False)
        return
    folder.mkdir()
    path = suite.TESTS / "engines" / "at_length.py"
    names = re.findall(r"(?m)^def (test_\w+)", path.read_text("utf-8"))
    held = [
        suite.Held(
            f"engines: {name.removeprefix('test_').replace('_', ' ')}",
            "the same cells",
            (f"engines/at_length.py::{name}",),
        )
        for name in names
    ]
    yield from suite.run(held, folder / "engines.xml")


def _first(*values: Any) -> Any:
    return next(each for each in values if each is not None)


def _estimated(done: Sequence[Done], workers: int) -> str:
    """What a full run would take, at most about: what a job needs to begin is counted in full.

    Processors are busy all the time but for what is left at the end, so their time is what counts;
    on a machine that others use it is more.
    """
    rows: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for each in done:
        row = rows[PIECE.sub("", each.job.name)]
        row[0] += each.processor / each.job.share
        row[1] += each.seconds / each.job.share
    lines = [
        f"{busy:>10,.0f} s of a processor {seconds:>10,.0f} s  {name}"
        for name, (busy, seconds) in rows.items()
    ]
    minutes = sum(busy for busy, _ in rows.values()) / workers / 60
    end = f"{minutes:,.0f} minutes of {workers} processors"
    return "\n".join(("At full effort at most about:", *lines, end))


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
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.serve:
        assert chosen.effort is not None
        serve({job.name: job for job in jobs(chosen.effort, chosen.seed)})
        return 0
    tree = here()
    kept = Kept(chosen.state, tree)
    seed: int = _first(chosen.seed, kept.seed, secrets.randbelow(2**31))
    effort: float = _first(chosen.effort, kept.effort, 1.0)
    wanted = {job.name: job for job in jobs(effort, seed) if chosen.only in job.name}
    before = {name: kept.of(name) for name in wanted}
    found: dict[str, Sequence[Outcome]] = {n: rows for n, rows in before.items() if rows}
    left = [job for name, job in wanted.items() if name not in found]
    sys.stderr.write(f"seed {seed}, effort {effort:g}, {tree}\n")
    if found:
        sys.stderr.write(f"{len(found)} of {len(wanted)} jobs were done before\n")
    sys.stdout.write(HEAD + "\n")
    for rows in found.values():
        _show(rows)
    command = [sys.executable, "-m", "tests.torture", "--serve", "--seed", str(seed),
               "--effort", str(effort)]  # fmt: skip
    began = last = time.monotonic()
    took = list[Done]()
    for done in share(left, chosen.workers, command):
        found[done.job.name] = done.outcomes
        took.append(done)
        moment = time.monotonic()
        if not done.failed:
            kept.keep(done.job.name, done.outcomes, (moment - last) / 60, seed=seed, effort=effort,
                      seconds=done.seconds, processor=done.processor)  # fmt: skip
            last = moment
        _show(done.outcomes)
        where = f"[{len(found)} of {len(wanted)}, {(moment - began) / 60:.1f} min]"
        what = f"{done.seconds} s, {done.processor} s of a processor"
        sys.stderr.write(f"{where} {done.job.name}: {what}\n")
    if effort < 1:
        sys.stderr.write(_estimated(took, chosen.workers) + "\n")
    whole = gathered(row for name in wanted for row in found[name])
    minutes = kept.minutes + (time.monotonic() - began) / 60
    run = Run(now(), tree, seed, effort, not chosen.only, minutes)
    if here() != tree:
        sys.stderr.write("The code was changed meanwhile: this run is of none.\n")
        return 1
    if chosen.page is not None:
        write(chosen.page, whole, run)
    through = sum(row.through for row in whole)
    sys.stdout.write(f"{through} got through\n" if through else "nothing got through\n")
    return 1 if through else 0


def _show(rows: Sequence[Outcome]) -> None:
    for outcome in rows:
        sys.stdout.write(f"{outcome.line()}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background too
    # Asked to end, it ends as if interrupted: workers put away what they started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
