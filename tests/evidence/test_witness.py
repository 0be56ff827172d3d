"""The witness of other logs: C2SP tlog-witness, add-checkpoint, rule by rule."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.evidence import EvidenceError, Signer
from landbridge.evidence.checkpoint import Checkpoint
from landbridge.evidence.cosignature import Cosigner, WitnessKey, cosignatures
from landbridge.evidence.merkle import EMPTY_ROOT, Tree, consistency_proof, leaf_hash, root_hash
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness import (
    INCONSISTENT,
    LONGEST_REQUEST,
    MALFORMED,
    OK,
    STALE,
    UNKNOWN,
    UNTRUSTED,
    Accepted,
    AddCheckpoint,
    Declined,
    consider,
)
from landbridge.evidence.witness_memory import Reply, Witness
from tests.evidence.faulty_disk import FaultyDisk

LOG = Signer.create("nyc.example/gateway")
LOGS = {LOG.name: (Verifier.parse(LOG.vkey),)}
COSIGNER = Cosigner.create("nyc.example/ewr/witness")
KEY = WitnessKey.parse(COSIGNER.vkey)

# The example of C2SP tlog-witness.
EXAMPLE = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zh"
    "cyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


@dataclass
class Growing:
    """A log in memory, so that two of them can disagree."""

    tree: Tree = field(default_factory=Tree)
    signer: Signer = LOG

    def grow(self, count: int, word: str = "entry") -> Growing:
        for _ in range(count):
            self.tree.append(leaf_hash(f"{word} {self.tree.size}".encode()))
        return self

    def note(self, size: int | None = None) -> str:
        size = self.tree.size if size is None else size
        return Checkpoint(self.signer.name, size, root_hash(size, self.tree.node)).sign(self.signer)

    def request(self, old: int, size: int | None = None) -> AddCheckpoint:
        size = self.tree.size if size is None else size
        proof = consistency_proof(min(old, size), size, self.tree.node)
        return AddCheckpoint(old, tuple(proof), self.note(size))


def seen(log: Growing, size: int) -> dict[str, Checkpoint]:
    """What a witness remembers of it."""
    return {log.signer.name: Checkpoint(log.signer.name, size, root_hash(size, log.tree.node))}


def declined(body: bytes, memory: dict[str, Checkpoint] | None = None) -> Declined:
    """The refusal of a request."""
    verdict = consider(body, LOGS, memory or {})
    assert isinstance(verdict, Declined)
    return verdict


def test_the_specification_s_request_is_read_and_written_to_the_byte() -> None:
    """Other people's logs speak like this."""
    found = AddCheckpoint.parse(EXAMPLE.encode())
    assert (found.old, len(found.proof)) == (20852014, 4)
    assert found.body == EXAMPLE.encode()
    assert Checkpoint.parse(found.note.rpartition("\n\n")[0] + "\n").size == 20852163


@given(st.integers(0, 40), st.integers(0, 40))
def test_every_growth_is_accepted_and_every_other_history_is_not(old: int, more: int) -> None:
    """Universal: an honest log never meets a no, and a forked one never a yes."""
    log = Growing().grow(old + more)
    verdict = consider(log.request(old).body, LOGS, seen(log, old))
    assert isinstance(verdict, Accepted)
    assert verdict.checkpoint.size == old + more
    if old:
        fork = Growing().grow(old - 1).grow(1 + more, "another entry")
        body = fork.request(old).body
        assert declined(body, seen(log, old)).status == INCONSISTENT


@pytest.mark.parametrize("old", [0, 3, 5, 9, 12])
def test_a_stale_old_size_is_told_the_size(old: int) -> None:
    """409 with the size and nothing else; the log finds out how to go on."""
    log = Growing().grow(12)
    verdict = declined(log.request(old).body, seen(log, 7))
    assert (verdict.status, verdict.body, verdict.origin) == (STALE, "7\n", LOG.name)


def test_an_older_checkpoint_is_never_cosigned_again() -> None:
    """A replayed request of yesterday is stale, however it was valid then."""
    log = Growing().grow(12)
    assert declined(log.request(3, 7).body, seen(log, 12)).status == STALE
    assert declined(log.request(12, 12).body, seen(log, 11)).status == STALE


def test_an_old_size_above_the_checkpoint_is_malformed() -> None:
    """400 comes before 409 here."""
    log = Growing().grow(12)
    assert declined(log.request(9, 7).body, seen(log, 9)).status == MALFORMED


def test_an_unknown_log_and_a_strange_key_are_told_apart() -> None:
    """404 for who is not on the list, 403 for who only says so."""
    other = Growing(signer=Signer.create("elsewhere.example/log")).grow(1)
    assert declined(other.request(0).body).status == UNKNOWN
    impostor = Growing(signer=Signer.create(LOG.name)).grow(1)
    assert declined(impostor.request(0).body).status == UNTRUSTED
    assert declined(impostor.request(0).body).origin == "", "a stranger is shown nothing"


def test_a_broken_signature_of_a_trusted_key_is_refused_beside_a_good_one() -> None:
    """Such a note is malformed, says signed-note."""
    log = Growing().grow(2)
    request = log.request(0)
    other = Growing().grow(1).note().rpartition("\n\n")[2]
    body = AddCheckpoint(0, (), request.note + other).body
    assert declined(body).status == UNTRUSTED


def test_signatures_of_unknown_keys_are_passed_over_and_not_kept() -> None:
    """A log may carry other witnesses' lines; what we keep and show is what we verified."""
    log = Growing().grow(2)
    stranger = Cosigner.create("strange.example/w").cosign("x\n", 5).text
    verdict = consider(AddCheckpoint(0, (), log.note() + stranger).body, LOGS, {})
    assert isinstance(verdict, Accepted)
    assert verdict.note == log.note()


def test_a_proof_where_none_belongs_is_inconsistent() -> None:
    """The empty tree needs no proof, and neither do equal sizes."""
    log = Growing().grow(4)
    for old in (0, 4):
        body = AddCheckpoint(old, (bytes(32),), log.note()).body
        assert declined(body, seen(log, old)).status == INCONSISTENT


def test_an_empty_log_has_the_empty_root() -> None:
    """RFC 6962, 2.1."""
    good = Checkpoint(LOG.name, 0, EMPTY_ROOT).sign(LOG)
    assert isinstance(consider(AddCheckpoint(0, (), good).body, LOGS, {}), Accepted)
    bad = Checkpoint(LOG.name, 0, bytes(32)).sign(LOG)
    assert declined(AddCheckpoint(0, (), bad).body).status == INCONSISTENT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1",
        b"old 01\n\n",
        b"old -1\n\n",
        b"new 1\n\n",
        b"old 1\r\n\n",
        b"old 0\nAAAA\n\n",
        b"old 0\n!\n\n",
        b"\xff" * 10,
        b"old 0\n" + (base64.b64encode(bytes(32)) + b"\n") * 64 + b"\n",
        b"x" * (LONGEST_REQUEST + 1),
        b"old 9223372036854775808\n\n",
        b"old 0\n\nno note\n",
    ],
)
def test_what_is_no_request_is_malformed(body: bytes) -> None:
    """400, and one sentence."""
    note = b"" if b"\n\nno" in body else Growing().grow(1).note().encode()
    verdict = declined(body + note if len(body) < 5000 else body)
    assert verdict.status == MALFORMED
    assert verdict.body.count("\n") == 1


@given(st.binary(max_size=300))
def test_no_bytes_make_a_witness_fail_otherwise(garbage: bytes) -> None:
    """Anybody may send anything."""
    assert declined(garbage).status == MALFORMED
    assert isinstance(consider(b"old 0\n\n" + garbage, LOGS, {}), Declined)


def opened(place: Path, disk: FaultyDisk | None = None, now: float = 1_000.0) -> Witness:
    """A witness that keeps its memory in `place`."""
    logs = [Verifier.parse(LOG.vkey)]
    return Witness.open(place, COSIGNER, logs, clock=lambda: now, disk=disk)


def test_a_witness_remembers_over_a_restart(tmp_path: Path) -> None:
    """A restart must not make a fork acceptable."""
    log = Growing().grow(3)
    first = opened(tmp_path)
    reply = first.add_checkpoint(log.request(0).body)
    assert reply.status == OK
    assert [w.time for w in cosignatures(log.note() + reply.body.decode(), [KEY])] == [1000]
    first.close()
    again = opened(tmp_path, now=10.0)
    fork = Growing().grow(2).grow(3, "other")
    assert again.add_checkpoint(fork.request(3).body).status == INCONSISTENT
    stale = again.add_checkpoint(log.grow(2).request(0).body)
    assert (stale.status, stale.body, stale.content_type) == (STALE, b"3\n", "text/x.tlog.size")
    assert Checkpoint.parse(stale.checkpoint.partition("\n\n")[0] + "\n").size == 3
    later = again.add_checkpoint(log.request(3).body)
    found = cosignatures(log.note() + later.body.decode(), [KEY])
    assert [w.time for w in found] == [1000], "its clock was set back, its word was not"
    again.close()


def test_nothing_is_cosigned_before_it_is_on_disk(tmp_path: Path) -> None:
    """A write that fails is no cosignature, then or later, until a restart reads what is there."""
    disk = FaultyDisk()
    witness = opened(tmp_path, disk)
    log = Growing().grow(3)

    def full(operation: str, path: Path) -> None:
        if operation == "sync" and path.name.endswith(".tmp"):
            raise OSError(28, "No space left on device", str(path))

    disk.fault = full
    with pytest.raises(OSError, match="No space"):
        witness.add_checkpoint(log.request(0).body)
    disk.fault = lambda _operation, _path: None
    with pytest.raises(OSError, match="earlier"):
        witness.add_checkpoint(log.request(0).body)
    assert witness.latest(LOG.name) is None
    witness.close()


@pytest.mark.parametrize("operation", ["create", "write", "rename"])
def test_a_full_disk_stops_a_witness_only_while_it_is_full(tmp_path: Path, operation: str) -> None:
    """Nothing is cosigned meanwhile, and what was remembered before is what it goes on from."""
    disk = FaultyDisk()
    witness = opened(tmp_path, disk)
    log = Growing().grow(3)
    assert witness.add_checkpoint(log.request(0).body).status == OK

    def full(what: str, path: Path) -> int | None:
        if what != operation:
            return None
        if operation == "write":
            return 7
        raise OSError(28, "No space left on device", str(path))

    disk.fault = full
    log.grow(2)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            witness.add_checkpoint(log.request(3).body)
    held = witness.latest(LOG.name)
    assert held is not None
    assert held.size == 3
    disk.fault = lambda _operation, _path: None
    assert witness.add_checkpoint(log.request(3).body).status == OK
    witness.close()
    again = opened(tmp_path)
    remembered = again.latest(LOG.name)
    assert remembered is not None
    assert remembered.size == 5
    again.close()


@given(st.integers(1, 100), st.integers(0, 99))
def test_whatever_was_accepted_reopens(own: int, strange: int) -> None:
    """Universal: a log that signs a hundred times over must not stop its witness for good."""
    text, gap, line = Growing().grow(3).note().rpartition("\n\n")
    stranger = Cosigner.create("strange.example/w").cosign("x\n", 5).text
    note = text + gap + line * own + stranger * min(strange, 100 - own)
    with TemporaryDirectory() as place:
        first = opened(Path(place), FaultyDisk())
        assert first.add_checkpoint(AddCheckpoint(0, (), note).body).status == OK
        first.close()
        again = opened(Path(place), FaultyDisk())
        found = again.latest(LOG.name)
        assert found is not None
        assert found.size == 3
        again.close()


def test_a_log_has_one_key(tmp_path: Path) -> None:
    """A second key under the same name could sign another history in that log's name."""
    keys = [Verifier.parse(LOG.vkey), Verifier.parse(Signer.create(LOG.name).vkey)]
    with pytest.raises(EvidenceError, match="there are two"):
        Witness.open(tmp_path, COSIGNER, keys, clock=lambda: 1.0)
    Witness.open(tmp_path, COSIGNER, [keys[0], keys[0]], clock=lambda: 1.0).close()


def test_a_damaged_memory_stops_the_start(tmp_path: Path) -> None:
    """Every byte of it: a witness that believes a changed file would cosign a fork."""
    witness = opened(tmp_path)
    witness.add_checkpoint(Growing().grow(3).request(0).body)
    witness.close()
    (kept,) = (path for path in tmp_path.iterdir() if path.name != "lock")
    content = kept.read_bytes()
    named = 0
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        kept.write_bytes(changed)
        try:
            after = opened(tmp_path)
        except EvidenceError as problem:
            named += str(kept) in str(problem)
            continue
        # What is left are its own line's name and key id: then the checkpoint still is the log's.
        found = after.latest(LOG.name)
        assert found is not None
        assert found.size == 3
        after.close()
    assert named > len(content) / 2


def test_two_processes_cannot_share_a_memory(tmp_path: Path) -> None:
    """Two witnesses under one key could cosign two histories."""
    witness = opened(tmp_path)
    with pytest.raises(EvidenceError, match="another process"):
        opened(tmp_path)
    witness.close()
    opened(tmp_path).close()


def test_of_two_histories_at_once_one_is_cosigned(tmp_path: Path) -> None:
    """The check and the memory are one step: a race cannot split the witness."""
    for round_ in range(20):
        witness = opened(tmp_path / str(round_), FaultyDisk())
        bodies = [Growing().grow(4, word).request(0).body for word in ("one", "other")]
        barrier = threading.Barrier(2)
        replies: list[Reply] = []

        def ask(
            body: bytes,
            witness: Witness = witness,
            barrier: threading.Barrier = barrier,
            replies: list[Reply] = replies,
        ) -> None:
            barrier.wait()
            replies.append(witness.add_checkpoint(body))

        threads = [threading.Thread(target=ask, args=(body,)) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(reply.status for reply in replies) == [OK, STALE]
        witness.close()


_DIES = """
import os, sys
from pathlib import Path
from landbridge.evidence.cosignature import Cosigner
from landbridge.evidence.disk import Disk
from landbridge.evidence.signer import Verifier
from landbridge.evidence.witness_memory import Witness

class Dies(Disk):
    def sync_folder(self, folder):
        super().sync_folder(folder)
        if any(len(path.name) == 64 for path in folder.iterdir()):
            os._exit(7)  # the memory is durable, the reply has not left

place = Path(sys.argv[1])
witness = Witness.open(place / "memory", Cosigner.load(place / "key"),
    [Verifier.parse(sys.argv[2])], clock=lambda: 1.0, disk=Dies())
print(witness.add_checkpoint(sys.stdin.buffer.read()))
"""


def test_a_crash_between_memory_and_reply_keeps_log_and_witness_together(tmp_path: Path) -> None:
    """The log asks again with its old size, is told the new one, and gets its cosignature."""
    COSIGNER.save(tmp_path / "key")
    log = Growing().grow(5)
    ended = subprocess.run(
        [sys.executable, "-c", _DIES, str(tmp_path), LOG.vkey],
        input=log.request(0).body,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (7, b"")
    witness = opened(tmp_path / "memory")
    assert witness.add_checkpoint(log.request(0).body).body == b"5\n"
    assert witness.add_checkpoint(log.request(5).body).status == OK
    witness.close()
