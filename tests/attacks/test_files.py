"""Files that an operator writes, or gets from somebody: garbage in them is one clear refusal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.attacks.files import files, garbage

SEED = int(os.environ.get("LANDBRIDGE_SEED", "20261127"))
EACH = 40


def test_no_file_is_answered_with_a_trace_of_the_stack(tmp_path: Path) -> None:
    """TOML, YAML, JSON, Cedar, SQL, Python, notes: each is taken or refused by its own error."""
    tried, wrong = garbage(tmp_path, SEED, EACH)
    assert tried > 10 * EACH
    assert not wrong, "\n".join(wrong[:12])


def test_a_number_of_thousands_of_digits_is_one_sentence(tmp_path: Path) -> None:
    """Python refuses to read such a one, by an error that is not TOML's own."""
    tried = 0
    for file in files(tmp_path):
        if file.name.endswith(".toml"):
            path = tmp_path / file.name
            path.write_bytes(b"long = " + b"9" * 5_000 + b"\n" + file.good)
            with pytest.raises(file.refusals, match="thousands of digits"):
                file.read(path)
            tried += 1
    assert tried == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("federation.toml", b"[[members]]\ndepartment = 'a'\nport = 1e999\n"),
        ("witnesses.json", b'[{"key": "a", "url": ' + b"[" * 100_000),
    ],
    ids=["infinite port", "deep list"],
)
def test_what_a_long_run_found_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Each ended with a stack: what is infinite is no integer, and what is deep is no list."""
    (file,) = (each for each in files(tmp_path) if each.name == name)
    path = tmp_path / name
    path.write_bytes(content + (file.good if content.startswith(b"[[") else b""))
    with pytest.raises(file.refusals):
        file.read(path)
