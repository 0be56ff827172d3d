"""The command line in this process, and gateways that say what a test chooses."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path

import pytest
import typer

from landbridge.cli import app, servers
from landbridge.cli.stopping import SIGNALS
from tests.cli.commands import TOKEN, Ended, Run
from tests.sdk.loopback import Act, Authority, Gateway, gateway

Served = Callable[[Act], AbstractContextManager[Gateway]]


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody who runs the tests has set for themselves does not matter."""
    for name in list(os.environ):
        if name.startswith("LANDBRIDGE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def heard() -> Iterator[None]:
    """Signals are heard as in a terminal: who starts tests with nohup or `&` has some ignored."""
    default = {signal.SIGINT: signal.default_int_handler}
    before = [(each, signal.signal(each, default.get(each, signal.SIG_DFL))) for each in SIGNALS]
    yield
    for each, handler in before:
        signal.signal(each, handler)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line in this process."""

    def command(*words: str) -> Ended:
        capsys.readouterr()
        status = app.run(words)
        said = capsys.readouterr()
        return Ended(int(status), said.out, said.err)

    return command


@pytest.fixture
def run_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """As `run`, and programs that the command would become run in this process too.

    Loading one takes a second of a processor.
    """

    def become(module: str, *arguments: str) -> None:
        main = import_module(f"{module}.__main__").main
        raise typer.Exit(main(list(arguments)))

    monkeypatch.setattr(servers, "_become", become)
    return run


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Made once: keys take time."""
    return Authority()


@pytest.fixture
def served(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Starts a gateway that does what a test says, and points the environment at it."""

    @contextmanager
    def serve(act: Act) -> Iterator[Gateway]:
        with gateway(authority, act) as running:
            ca = tmp_path / "ca.pem"
            ca.write_bytes(running.ca)
            monkeypatch.setenv("LANDBRIDGE_ADDRESS", running.address)
            monkeypatch.setenv("LANDBRIDGE_CA", str(ca))
            monkeypatch.setenv("LANDBRIDGE_TOKEN", TOKEN)
            yield running

    return serve
