"""`landbridge log witness`: a witness that stands alone, for an auditor outside the federation."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landbridge.cli.ending import OperatorError, sentence

if TYPE_CHECKING:
    from landbridge.evidence.cosignature import Cosigner
    from landbridge.evidence.signer import Verifier


def witness(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Holds the file logs, one verifier key a line; the key and the memory of the "
            "witness are kept there too.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="NAME",
            help="The witness's name, for example witness.auditor.example; needed once, when its "
            "key is made.",
        ),
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where it listens, without TLS.")
    ] = "127.0.0.1:8440",
) -> None:
    """Run a witness of other people's logs until it is told to stop.

    It speaks C2SP tlog-witness over HTTP, cosigns a checkpoint that extends the last one it saw of
    that log, and no other. Prints one JSON line with its port and its key when it listens.
    """
    from landbridge.evidence.witness_memory import Witness

    logs = _logs(folder / "logs")
    cosigner = _key(folder / "witness.key", name)
    try:
        from landbridge.edge.process import report, without_core
        from landbridge.edge.witness_http import serve
    except ImportError:
        raise OperatorError(
            "A witness needs the server's packages: pip install 'landbridge[server]'."
        ) from None
    without_core()
    kept = Witness.open(folder / "memory", cosigner, logs, clock=time.time)
    with _listening(listen) as bound:
        ready = {"port": bound.getsockname()[1], "witness_key": cosigner.vkey}
        typer.echo(json.dumps(ready))
        serve(kept, bound, report)
    kept.close()


def _logs(path: Path) -> list[Verifier]:
    """The logs that are watched."""
    from landbridge.evidence import EvidenceError
    from landbridge.evidence.signer import Verifier

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise OperatorError(
            f"{path} cannot be read: it must list the verifier keys of the logs, one a line."
        ) from None
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append(Verifier.parse(line.strip()))
            except EvidenceError as problem:
                raise OperatorError(f"{path}, line {number}: {problem}.") from None
    if not found:
        raise OperatorError(f"{path} lists no log.")
    return found


def _key(path: Path, name: str | None) -> Cosigner:
    """The witness's key, made when it is first needed."""
    from landbridge.evidence import EvidenceError
    from landbridge.evidence.cosignature import Cosigner

    try:
        if not path.exists():
            if name is None:
                raise OperatorError("A new witness needs a name: give --name.")
            Cosigner.create(name).save(path)
        found = Cosigner.load(path)
    except EvidenceError as problem:
        raise OperatorError(f"{problem}.") from None
    if name not in (None, found.name):
        raise OperatorError(f"{path} is the key of {found.name}, not of {name}.")
    return found


def _listening(address: str) -> socket.socket:
    host, gap, port = address.rpartition(":")
    if not gap or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise OperatorError(f"{address} is no address to listen on; write HOST:PORT.")
    try:
        return socket.create_server((host.strip("[]"), int(port)), backlog=128)
    except OSError as problem:
        raise OperatorError(f"Cannot listen on {address}: {sentence(problem)}") from None
