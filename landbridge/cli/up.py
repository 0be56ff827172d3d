"""`landbridge up`: a federation folder, run on this machine."""

from __future__ import annotations

import os
import runpy
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli import by_hand
from landbridge.cli.ending import OperatorError, Status
from landbridge.cli.progress import progress
from landbridge.cli.state_lock import alone
from landbridge.cli.stopping import stoppable
from landbridge.cli.terminal import say, tell

if TYPE_CHECKING:
    from landbridge.federation.running import Federation

State = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="DIR",
        help="Keep keys, ledgers and logs here between runs; without it they go when it stops.",
    ),
]


def up(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A federation folder.", show_default=False)
    ],
    once: Annotated[
        Path | None,
        typer.Option(
            "--once",
            metavar="SCRIPT",
            help="Run this Python script against it, then stop; landbridge.testing.current() is "
            "the federation there, and the script's exit status is this command's.",
        ),
    ] = None,
    state: State = None,
) -> None:
    """Run the federation in a folder, on loopback.

    DIR holds federation.toml, gateway/ and a folder for each department; landbridge init federation
    writes a small one. Ctrl-C stops every process.
    """
    if once is not None and not once.is_file():
        raise OperatorError(f"There is no script {once}.")
    with running(folder, state, console=once is None) as federation:
        if once is not None:
            raise typer.Exit(_run(once))
        say("# Ask it from another terminal; a token lives one hour:")
        for line in (*by_hand.lines(federation), *by_hand.console(federation)):
            say(line)
        stay(federation)


@contextmanager
def running(folder: Path, state: Path | None, *, console: bool = False) -> Iterator[Federation]:
    """The federation, up, with its web console where that is wanted.

    Every process is stopped when the block ends, however it ends.
    """
    with stoppable(), alone(state):
        # gRPC's own words on standard error are for its developers.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        try:
            from landbridge import testing
        except ImportError as missing:
            raise OperatorError(
                f"The servers need {missing.name}, which is not installed: "
                "pip install 'landbridge[server]'."
            ) from None
        from landbridge.federation.folder import read

        title = f"Starting the federation {read(folder).name}"
        with ExitStack() as kept:
            with progress(title) as happens:
                federation = kept.enter_context(
                    testing.federation(folder, state=state, progress=happens, console=console)
                )
            yield federation


def stay(federation: Federation) -> None:
    """Waits until somebody stops this command; says once of each process that it ended.

    Without its gateway there is nothing to stay for: exit status UNAVAILABLE.
    """
    sys.stdout.flush()
    tell("It runs until Ctrl-C.")
    watched: dict[str | None, int] = {
        member.department: federation.process_id(member.department)
        for member in federation.folder.members
    }
    watched[None] = federation.process_id()
    while True:
        for name, process in list(watched.items()):
            if _ended(process):
                del watched[name]
                tell(
                    f"{f'Node {name}' if name else 'The gateway'} has ended; its last words are in "
                    f"{federation.state / (name or 'gateway') / 'stderr.log'}."
                )
        if None not in watched:
            raise typer.Exit(Status.UNAVAILABLE)
        time.sleep(0.5)


def _ended(process: int) -> bool:
    """Looks without taking the exit status away from whoever waits for it."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _run(script: Path) -> int:
    """Runs the script as `python SCRIPT` would; its own defects are shown as Python shows them."""
    arguments, path = sys.argv, sys.path
    sys.argv, sys.path = [str(script)], [str(script.absolute().parent), *path]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        tell(str(end.code))
        return 1
    except Exception as defect:  # noqa: BLE001 - the script is the caller's, and so is its traceback
        inside = defect.__traceback__
        while inside is not None and inside.tb_frame.f_code.co_filename != str(script):
            inside = inside.tb_next
        lines = traceback.format_exception(type(defect), defect, inside)
        typer.echo("".join(lines), err=True, nl=False)
        return 1
    finally:
        sys.argv, sys.path = arguments, path
    return 0
