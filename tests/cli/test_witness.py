"""`landbridge log witness`: an auditor's own witness, over HTTP, as a user runs it."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.outside import over_http
from landbridge.errors import Unavailable
from landbridge.evidence import Log, Signer
from landbridge.evidence.cosignature import WitnessKey, cosignatures
from landbridge.evidence.oversight import Oversight
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness import LONGEST_REQUEST, AddCheckpoint
from tests.cli.commands import PROGRAM, Run, environment

NAME = "witness.auditor.example"
SIGNER = Signer.create("town/gateway")


@dataclass(frozen=True, slots=True)
class Running:
    """A witness that listens."""

    port: int
    key: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, str, str]:
        """Status, content type and body of one exchange."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body)
        reply = connection.getresponse()
        found = reply.status, reply.getheader("content-type", ""), reply.read().decode()
        connection.close()
        return found


@contextmanager
def running(place: Path) -> Iterator[Running]:
    """The command, until the block ends; it must end in order."""
    process = subprocess.Popen(
        [*PROGRAM, "log", "witness", str(place), "--name", NAME, "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield Running(ready["port"], ready["witness_key"])
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of a witness of one log."""
    folder = tmp_path / "witness"
    folder.mkdir()
    (folder / "logs").write_text(f"# the gateway of the town\n{SIGNER.vkey}\n\n")
    return folder


def opened(folder: Path, witness: Running, told: list[str]) -> Log:
    """A log that has the witness."""
    ask = over_http(f"http://127.0.0.1:{witness.port}/", SIGNER.name)
    oversight = Oversight(
        Verifier.parse(SIGNER.vkey), {WitnessKey.parse(witness.key): ask}, tell=told.append
    )
    return Log.open(folder / "log", folder / "state", SIGNER, oversight=oversight)


@pytest.mark.journey
def test_a_lone_witness_cosigns_remembers_and_finds_a_backup(
    place: Path, tmp_path: Path, run: Run
) -> None:
    """Two processes, one after the other: an auditor's word needs nobody of the federation."""
    folder, told = tmp_path / "kept", list[str]()
    with running(place) as witness:
        with opened(folder, witness, told) as log:
            log.append(b"one")
        shutil.copytree(folder, tmp_path / "yesterday")
        with opened(folder, witness, told) as log:
            log.append(b"two")
        with opened(folder, witness, told):
            pass
        verified = run(
            "log", "verify", str(folder / "log"), "--key", SIGNER.vkey, "--witness", witness.key
        )
        assert verified.status == 0
        assert f"cosigned: {NAME}, 20" in verified.out
        name = sha256(SIGNER.name.encode()).hexdigest()
        status, _, note = witness.ask("GET", f"/{name}/checkpoint")
        assert status == 200
        assert [found.witness for found in cosignatures(note, [WitnessKey.parse(witness.key)])]
    with running(place) as witness:
        log = opened(tmp_path / "yesterday", witness, told)
        with log, pytest.raises(Unavailable, match="LOG_CONTRADICTED"):
            log.require()
        assert any("older copy" in said for said in told)


@pytest.mark.journey
def test_a_lone_witness_answers_anything_with_one_sentence(place: Path) -> None:
    """One process: anybody may connect to it, and send what they like."""
    with running(place) as witness:
        for method, path, body, expected in (
            ("POST", "/add-checkpoint", b"", 400),
            ("POST", "/add-checkpoint", b"\xff" * 100, 400),
            ("POST", "/add-checkpoint", b"x" * (LONGEST_REQUEST + 1), 413),
            ("GET", "/add-checkpoint", None, 404),
            ("GET", f"/{'0' * 64}/checkpoint", None, 404),
            ("GET", "/../../etc/passwd", None, 404),
            ("GET", "/elsewhere", None, 404),
        ):
            status, _, text = witness.ask(method, path, body)
            assert status == expected, path
            assert text.count("\n") <= 1
            assert "Traceback" not in text
        # A caller that stops in the middle of its request holds up nobody.
        with socket.create_connection(("127.0.0.1", witness.port)) as half:
            half.sendall(
                b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 9\r\n\r\nold"
            )
            assert witness.ask("GET", "/elsewhere")[0] == 404
        # Another log's, and one that only says it is ours.
        other = Signer.create("elsewhere/log")
        impostor = Signer.create(SIGNER.name)
        from landbridge.evidence.checkpoint import Checkpoint

        for signer, expected in ((other, 404), (impostor, 403)):
            note = Checkpoint(signer.name, 1, bytes(32)).sign(signer)
            body = AddCheckpoint(0, (), note).body
            assert witness.ask("POST", "/add-checkpoint", body)[0] == expected
        good = AddCheckpoint(0, (), Checkpoint(SIGNER.name, 1, bytes(32)).sign(SIGNER)).body
        assert witness.ask("POST", "/add-checkpoint", good)[0] == 200
        assert witness.ask("POST", "/add-checkpoint", good)[1:] == ("text/x.tlog.size", "1\n")


def test_a_witness_that_cannot_start_says_why(run: Run, tmp_path: Path, place: Path) -> None:
    """One sentence each, and exit status 2."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert "cannot be read" in failed(run, str(nothing))
    (nothing / "logs").write_text("# nobody\n")
    assert "lists no log" in failed(run, str(nothing))
    (nothing / "logs").write_text("PUT HERE\n")
    assert "line 1" in failed(run, str(nothing))
    assert "--name" in failed(run, str(place))
    assert "HOST:PORT" in failed(run, str(place), "--name", NAME, "--listen", "here")
    assert f"key of {NAME}" in failed(run, str(place), "--name", "another.example")


def failed(run: Run, *words: str) -> str:
    """What it says."""
    ended = run("log", "witness", *words)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.count("\n") <= 2
    return ended.err


def test_verify_fails_unless_the_named_witnesses_cosigned(run: Run, tmp_path: Path) -> None:
    """Whoever names a witness relies on it; a script looks at the status, and memory stays."""
    from landbridge.evidence.cosignature import Cosigner

    with Log.open(tmp_path / "log", tmp_path / "state", SIGNER) as log:
        receipt = log.append(b"{}")
    key = Cosigner.create(NAME).vkey
    words = ("log", "verify", str(tmp_path / "log"), "--key", SIGNER.vkey)
    ended = run(*words, "--witness", key, "--state", str(tmp_path / "auditor"))
    assert ended.status == 1
    assert "not cosigned by 1 of 1 witnesses" in ended.out
    assert not (tmp_path / "auditor").exists()
    file = tmp_path / "receipt.json"
    file.write_text(json.dumps({"entry": receipt.entry.decode(), "proof": receipt.proof}))
    ended = run("log", "verify", str(file), "--key", SIGNER.vkey, "--witness", key)
    assert (ended.status, "not cosigned by 1 of 1" in ended.out) == (1, True)
