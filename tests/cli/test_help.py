"""Help texts, held against what a person reviewed.

To accept new ones: LANDBRIDGE_GOLDEN=write pytest tests/cli/test_help.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import PROGRAM, Run, environment, run_apart

FOLDER = Path(__file__).parent / "help"
WRITE = os.environ.get("LANDBRIDGE_GOLDEN") == "write"
COMMANDS = (
    (),
    ("demo",),
    ("query",),
    ("explain",),
    ("call",),
    ("contribute",),
    ("collect",),
    ("submit",),
    ("directory",),
    ("case",),
    ("case", "open"),
    ("case", "show"),
    ("case", "follow"),
    ("case", "list"),
    ("case", "cancel"),
    ("procedure",),
    ("procedure", "check"),
    ("about",),
    ("consult",),
    ("consult", "open"),
    ("consult", "show"),
    ("consult", "follow"),
    ("consult", "reply"),
    ("consult", "accept"),
    ("consult", "withdraw"),
    ("consult", "answer"),
    ("review",),
    ("review", "list"),
    ("review", "show"),
    ("review", "approve"),
    ("review", "narrow"),
    ("review", "ask"),
    ("review", "decline"),
    ("review", "follow"),
    ("review", "serve"),
    ("log",),
    ("log", "show"),
    ("log", "verify"),
    ("log", "reconcile"),
    ("log", "search"),
    ("log", "export"),
    ("log", "about"),
    ("log", "forget-key"),
    ("log", "archive"),
    ("log", "witness"),
    ("up",),
    ("doctor",),
    ("token",),
    ("token", "issue"),
    ("init",),
    ("init", "federation"),
    ("init", "node"),
    ("init", "gateway"),
    ("init", "desk"),
    ("gateway",),
    ("gateway", "serve"),
    ("gateway", "invite"),
    ("gateway", "members"),
    ("gateway", "approve"),
    ("gateway", "reject"),
    ("gateway", "revoke"),
    ("gateway", "grant"),
    ("node",),
    ("node", "join"),
    ("node", "accept"),
    ("node", "serve"),
    ("node", "load"),
    ("attend",),
    ("attend", "list"),
    ("attend", "follow"),
    ("attend", "done"),
    ("watch",),
    ("watch", "create"),
    ("watch", "list"),
    ("watch", "show"),
    ("watch", "follow"),
    ("watch", "stop"),
    ("group",),
    ("group", "list"),
    ("group", "show"),
    ("group", "notices"),
    ("group", "post"),
    ("group", "report"),
    ("group", "vote"),
    ("group", "result"),
    ("group", "ask"),
    ("policy",),
    ("policy", "check"),
    ("policy", "diff"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words) or "landbridge")
def test_help_is_what_was_reviewed(command: tuple[str, ...], run: Run) -> None:
    """Help is an interface: it changes when somebody means it to."""
    shown = run(*command, "--help")
    assert shown.status == 0
    assert shown.err == ""
    golden = FOLDER / f"{'-'.join(('landbridge', *command))}.txt"
    if WRITE:
        golden.write_text(shown.out, encoding="utf-8")
    assert shown.out == golden.read_text(encoding="utf-8")


def test_every_golden_text_belongs_to_a_command() -> None:
    """A command that went leaves no text behind."""
    expected = {f"{'-'.join(('landbridge', *command))}.txt" for command in COMMANDS}
    assert {path.name for path in FOLDER.iterdir()} == expected


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words) or "landbridge")
def test_help_fits_eighty_columns(command: tuple[str, ...]) -> None:
    """The narrowest terminal that people have."""
    golden = FOLDER / f"{'-'.join(('landbridge', *command))}.txt"
    assert max(map(len, golden.read_text(encoding="utf-8").splitlines())) <= 80


def test_help_loads_no_client_no_tables_and_no_federation() -> None:
    """What makes help quick is what it does not import; a clock would measure the machine."""
    heavy = ("grpc", "google.protobuf", "rich", "yaml", "cryptography", "pyarrow", "duckdb")
    ours = ("landbridge.client", "landbridge.federation.running", "gateway", "nodes", "policies")
    program = (
        "import sys\n"
        "from landbridge.cli.app import run\n"
        "assert run(['--help']) == 0\n"
        f"print(sorted(set({heavy + ours!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment(),
        check=True,
    )
    assert found.stderr == "[]\n"


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    """`landbridge ... | head` is how people read."""
    process = subprocess.Popen(
        [*PROGRAM, "query", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert said == b""


def test_output_that_cannot_be_written_is_one_sentence() -> None:
    """A full disk under a redirection is the operator's to mend."""
    with Path("/dev/full").open("wb") as full:
        found = subprocess.run(
            [*PROGRAM, "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            check=False,
        )
    assert found.returncode == 2
    assert found.stderr.startswith("The disk is full")
    assert found.stderr.count("\n") == 1


def test_an_unknown_command_is_a_usage_error() -> None:
    """Exit status 2, and where the help is."""
    ended = run_apart("querry")
    assert ended.status == 2
    assert "No such command" in ended.err
    assert ended.out == ""


def test_the_version_is_printed(run: Run) -> None:
    """Bug reports begin with it."""
    shown = run("--version")
    assert (shown.status, shown.err) == (0, "")
    assert shown.out.startswith("landbridge")
