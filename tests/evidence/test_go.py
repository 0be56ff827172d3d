"""The second opinion: Go's own `note` and `tlog` packages verify our logs, receipts and witnesses.

The program is `go/logcheck.go`; it shares no code with us. In CI a missing Go is a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from landbridge.evidence import Log, Signer
from landbridge.evidence.cosignature import Cosigner, WitnessKey
from landbridge.evidence.oversight import Oversight
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness_memory import Witness
from tests.evidence.faulty_disk import FaultyDisk

GOCODE = Path("/usr/share/gocode")
SOURCE = Path(__file__).parent / "go" / "logcheck.go"
SIGNER = Signer.create("nyc.example/gateway")
LOG = Verifier.parse(SIGNER.vkey)

Check = Callable[..., Any]


@pytest.fixture(scope="session")
def logcheck(tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Runs the program on a folder: what it verified, or its complaint as ValueError."""
    if shutil.which("go") is None or not (GOCODE / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        why = "Go is not here: apt-get install golang-go golang-golang-x-mod-dev"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("go")
    program = folder / "logcheck"
    subprocess.run(
        ["go", "build", "-o", str(program), str(SOURCE)],  # noqa: S607 - wherever Go is
        check=True,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GOPATH": str(GOCODE),
            "GO111MODULE": "off",
            "GOFLAGS": "",
            "CGO_ENABLED": "0",
        },
        timeout=150,
    )

    def check(*words: str | Path) -> Any:
        ended = subprocess.run([program, *words], capture_output=True, text=True, check=False)
        if ended.returncode:
            raise ValueError(ended.stderr)
        return json.loads(ended.stdout)

    return check


def opened(place: Path, oversight: Oversight | None = None) -> Log:
    """A log that publishes as it goes."""
    return Log.open(
        place / "log",
        place / "state",
        SIGNER,
        disk=FaultyDisk(),
        publish_every=0.001,
        oversight=oversight,
    )


def grown(place: Path, size: int) -> None:
    """Grows the log in `place` to that size and closes it."""
    with opened(place) as log:
        entries = [f"entry {n}".encode() * (n % 5) for n in range(log.size, size)]
        for future in [log.submit(entry) for entry in entries]:
            future.result()


@pytest.mark.parametrize(
    "sizes", [(0, 1, 2), (255, 256, 257), (1_025,), (65_535, 65_536, 65_537)], ids=str
)
def test_go_verifies_a_log_around_every_boundary(
    sizes: tuple[int, ...], logcheck: Check, tmp_path: Path
) -> None:
    """F6: every entry, every tile on the way to it, and each size extends the one before."""
    earlier: list[str | Path] = []
    for size in sizes:
        grown(tmp_path, size)
        found = logcheck(tmp_path / "log", *earlier)
        assert (found["size"], found["entries"]) == (size, size)
        assert found["included"] >= min(size, 60)
        assert found["consistent"] == (len(earlier) // 2 if size else 0)
        kept = tmp_path / f"checkpoint-{size}"
        shutil.copy(tmp_path / "log" / "checkpoint", kept)
        earlier += ["-earlier", kept]


def test_go_verifies_our_receipts(logcheck: Check, tmp_path: Path) -> None:
    """Offline, from the proof that the caller was given."""
    words: list[str | Path] = []
    with opened(tmp_path) as log:
        for number in range(40):
            receipt = log.append(f"entry {number}".encode())
            entry, proof = tmp_path / f"{number}.entry", tmp_path / f"{number}.proof"
            entry.write_bytes(receipt.entry)
            proof.write_text(receipt.proof)
            words += ["-proof", entry, proof]
    assert logcheck(tmp_path / "log", *words)["proofs"] == 40
    entry.write_bytes(b"another entry")
    with pytest.raises(ValueError, match="logcheck"):
        logcheck(tmp_path / "log", *words)


def test_go_reads_the_witnesses_under_a_checkpoint(logcheck: Check, tmp_path: Path) -> None:
    """Many signatures under one checkpoint: known ones are verified, others passed over."""
    cosigners = [Cosigner.create(f"nyc.example/{name}/witness") for name in ("ewr", "jfk")]
    witnesses = [
        Witness.open(tmp_path / each.name, each, [LOG], clock=time.time, disk=FaultyDisk())
        for each in cosigners
    ]
    asks = {
        WitnessKey.parse(each.vkey): witness.add_checkpoint
        for each, witness in zip(cosigners, witnesses, strict=True)
    }
    grown(tmp_path, 300)
    with opened(tmp_path, Oversight(LOG, {**asks}, tell=print)):
        pass
    names = [each.name for each in cosigners]
    both = [word for each in cosigners for word in ("-witness", each.vkey)]
    assert logcheck(tmp_path / "log", *both)["signed"] == [SIGNER.name, *names]
    found = logcheck(tmp_path / "log", "-witness", cosigners[1].vkey)
    assert (found["signed"], found["unknown"]) == ([SIGNER.name, names[1]], 1)
    checkpoint = tmp_path / "log" / "checkpoint"
    text = checkpoint.read_text()
    line = text.splitlines()[-1]
    spoilt = line[:-8] + ("A" if line[-8] != "A" else "B") + line[-7:]
    checkpoint.write_text(text.replace(line, spoilt))
    with pytest.raises(ValueError, match="logcheck"):
        logcheck(tmp_path / "log", *both)


def test_go_finds_what_was_changed(logcheck: Check, tmp_path: Path) -> None:
    """The second opinion is one: it says no where we do, byte by byte of a small log."""
    grown(tmp_path, 3)
    public = tmp_path / "log"
    for folder in public.rglob("*.p"):
        for path in folder.iterdir():
            if path.name != "3":
                path.unlink()
    logcheck(public)
    for path in sorted(each for each in public.rglob("*") if each.is_file()):
        content = path.read_bytes()
        for at in range(0, len(content), 3):
            changed = bytearray(content)
            changed[at] ^= 1
            path.write_bytes(changed)
            with pytest.raises(ValueError, match="logcheck"):
                logcheck(public)
        path.write_bytes(content)
