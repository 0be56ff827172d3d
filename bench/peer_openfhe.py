"""`peer_openfhe`: a linked question's sum under homomorphic encryption, beside ours.

The gateway encrypts its bits, one a row, in slots; the owner of the values multiplies and adds
without seeing them; the gateway decrypts. It is put as well as BFV can have it: the owner's rows
lie by cell, so that each ciphertext belongs to one cell and is multiplied once. One core for each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np

from bench.peer import LONGEST, PeerFailed, installed, reason
from bench.row import Aim, Row, Say
from landbridge.protocols.dealing import Asker, Dealer, Owner, chosen, per_code_of_all

PACKAGES: Final = ("openfhe==1.6.1.0.22.4", "numpy==2.2.6")
"""The wheel's library is for this Python alone, whatever its name says."""
PYTHON: Final = "3.10"
ROWS: Final = 1_000_000
CELLS: Final = 20
ROUNDS: Final = 3
BATCH: Final = 100_000

_PROGRAM: Final = """
import sys, time
import numpy as np
from openfhe import CCParamsBFVRNS, GenCryptoContext, PKESchemeFeature
rows, cells, rounds = map(int, sys.argv[1:])
bits = np.arange(rows) % 2
values = np.arange(rows) * 13 % 1000
cell = np.arange(rows) * 7 % cells
truth = [int((bits * values)[cell == c].sum()) for c in range(cells)]
MODULUS = 65537
parameters = CCParamsBFVRNS()
parameters.SetPlaintextModulus(MODULUS)
parameters.SetMultiplicativeDepth(1)
context = GenCryptoContext(parameters)
for feature in (PKESchemeFeature.PKE, PKESchemeFeature.KEYSWITCH, PKESchemeFeature.LEVELEDSHE):
    context.Enable(feature)
slots = context.GetRingDimension()
keys = context.KeyGen()
for _ in range(rounds):
    started = time.perf_counter()
    found = []
    for c in range(cells):
        ours = bits[cell == c].tolist()
        theirs = values[cell == c].tolist()
        total = None
        for first in range(0, len(ours), slots):
            plain = context.MakePackedPlaintext(ours[first : first + slots])
            hidden = context.Encrypt(keys.publicKey, plain)
            times = context.MakePackedPlaintext(theirs[first : first + slots])
            product = context.EvalMult(hidden, times)
            total = product if total is None else context.EvalAdd(total, product)
        opened = context.Decrypt(keys.secretKey, total)
        opened.SetLength(slots)
        found.append(sum(each % MODULUS for each in opened.GetPackedValue()))
    print(time.perf_counter() - started, flush=True)
    assert found == truth, (found, truth)
"""


def measure(say: Say) -> Row:
    """Seconds for the sums of a million values in twenty cells, by those that both have."""
    try:
        theirs = _theirs(say)
    except PeerFailed as failure:
        say(str(failure))
        return Row.absent("peer_openfhe", better="higher", note=str(failure))
    say("multiplying by three parties")
    ours = [_ours() for _ in range(ROUNDS)]
    return Row.of(
        "peer_openfhe",
        theirs,
        ours,
        better="higher",
        aim=Aim("ratio", 10),
        note=f"seconds; {PACKAGES[0]}: bits under BFV (one core, depth 1, 128 bits of security by "
        f"its own choice), {ROWS:,} rows by cell, {CELLS} cells, values below 1,000, one process "
        "without a wire; its trust is two-party, where ours has a dealer that pools with nobody; "
        "floor: the three-party products of a linked question for the same rows and cells, all "
        "parties in one process likewise",
    )


def _theirs(say: Say) -> list[float]:
    interpreter = _interpreter()
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as place:
        say(f"installing {PACKAGES[0]} into a venv of its own")
        python = installed(PACKAGES, Path(place) / "venv", interpreter)
        say(f"adding up {ROWS:,} values under encryption")
        command = [str(python), "-c", _PROGRAM, str(ROWS), str(CELLS), str(ROUNDS)]
        try:
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=LONGEST, cwd=place,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PeerFailed(f"{PACKAGES[0]} took longer than {LONGEST:.0f} seconds.") from None
        except subprocess.CalledProcessError as failure:
            why = reason(failure.stderr or "") or "it does not say why"
            raise PeerFailed(f"{PACKAGES[0]} ended instead of answering: {why}.") from None
    return [float(line) for line in done.stdout.split()]


def _interpreter() -> str:
    """A Python that the wheel's library is for, of this machine or where pyenv keeps its own."""
    if sys.version.startswith(f"{PYTHON}."):
        return sys.executable
    kept = sorted(Path.home().glob(f".pyenv/versions/{PYTHON}.*/bin/python{PYTHON}"))
    for each in (shutil.which(f"python{PYTHON}"), *map(str, kept)):
        if each is not None and _runs(each):
            return each
    raise PeerFailed(f"{PACKAGES[0]} is for Python {PYTHON}, which this machine does not have.")


def _runs(interpreter: str) -> bool:
    try:
        done = subprocess.run([interpreter, "-V"], capture_output=True, timeout=30, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _ours() -> float:
    """The same sums by asker, owner and dealer; the answer is held against the truth."""
    bits = np.arange(ROWS) % 2
    values = (np.arange(ROWS) * 13 % 1000).astype(np.uint64).reshape(1, ROWS)
    cells = (np.arange(ROWS) * 7 % CELLS).astype(np.uint32)
    column = (bits - 1).astype(np.int32)  # one group of the others, -1 for rows that are not linked
    started = time.perf_counter()
    dealer, asker = Dealer(bytes(32), bytes([1]) * 32, 1, 1), Asker(bytes(32), 1)
    owner = Owner(bytes([1]) * 32, 1, 1)
    total = np.zeros((CELLS, 1, 1), dtype=np.uint64)
    for first in range(0, ROWS, BATCH):
        some = slice(first, first + BATCH)
        group, own = column[some], cells[some]
        answered, shares = owner.next(asker.next(group), values[:, some])
        total += chosen(group, own, answered, (CELLS, 1))
        total += per_code_of_all(shares, own, CELLS)
        total += per_code_of_all(dealer.next(len(group)), own, CELLS)
    took = time.perf_counter() - started
    for cell in range(CELLS):
        of_cell = (cells == cell) & (bits == 1)
        if int(total[cell, 0, 0]) != int(values[0, of_cell].sum()):
            raise PeerFailed("The three-party product is wrong.")
    return took
