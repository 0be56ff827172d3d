"""The plain servers: what they do, so that a floor measures what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import floor
from bench.idle_memory import held
from bench.log_append import filesystem
from bench.row import RowFailed
from landbridge.evidence import verify_folder
from landbridge.federation.process import ProcessFailed


def test_a_reply_behind_two_servers_has_the_length_that_was_asked_for() -> None:
    """`ask` raises when the reply is shorter, so a hop that answers for itself would show."""
    with floor.two_hops() as ask:
        for size in (0, 1, 5_000):
            ask(200, size)


def test_the_second_hop_is_really_taken() -> None:
    """A forwarding server that replied by itself would halve the floor."""
    with floor.echo() as node:
        port = node.port
    with (
        floor.echo(forward=port) as gateway,
        gateway.asking() as ask,
        pytest.raises(Exception, match=r"UNAVAILABLE|DEADLINE|UNKNOWN"),
    ):
        ask(4, 4)


@pytest.mark.parametrize("same_entry", [False, True])
def test_a_logged_reply_leaves_an_entry(tmp_path: Path, *, same_entry: bool) -> None:
    """The row with the log on must have paid for a log that verifies."""
    with (
        floor.echo(threads=4, log=tmp_path, same_entry=same_entry) as echo,
        echo.asking() as ask,
    ):
        for _ in range(3):
            ask(200, 200)
    vkey = (tmp_path / "log" / "vkey").read_text("utf-8").strip()
    assert verify_folder(tmp_path / "log", vkey).size == 3


def test_a_server_ends_with_its_block() -> None:
    """A floor that stays would weigh on every row after it."""
    with floor.echo() as echo:
        assert held(echo.process_id).shared_out > 0
    with pytest.raises(RowFailed, match=f"Process {echo.process_id} ended"):
        held(echo.process_id)


def test_a_server_that_cannot_start_is_a_sentence(tmp_path: Path) -> None:
    """A floor that fails must not be measured as a quick one."""
    (tmp_path / "log").write_text("in the way")
    with pytest.raises(ProcessFailed, match="plain server did not start"), floor.echo(log=tmp_path):
        pytest.fail("it started")


def test_the_file_system_of_a_path_is_told() -> None:
    """An fsync in memory costs nothing, so the row says where its log was."""
    assert filesystem(Path("/proc/self")) == "proc"
