"""The key under which a department's DuckDB files are encrypted, and whether a file is.

Every file has a key of its own, derived from the department's (HKDF-SHA256, RFC 5869) and the
file's random version, and is written once: no key ever encrypts two files, whatever DuckDB makes of
it. Decision 0066 says why that matters.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Final

from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key
from landbridge.protocols.derivation import derived

LEAST_BYTES: Final = 32
_MAGIC: Final = b"DUCK"
_MAGIC_AT: Final = 8
_FLAGS_AT: Final = 20
_ENCRYPTED: Final = 1


class FileKey:
    """A department's key; nothing of it is shown. Two of the same bytes are equal."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, table: Path) -> str:
        """The key of one table's file, or of its draft, as DuckDB takes it: 32 bytes in base64."""
        name = f"duckdb file {table.parent.name}/{table.stem}"
        return b64encode(derived(self._secret, name.encode())).decode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileKey) and other._secret == self._secret

    def __hash__(self) -> int:
        return hash(self._secret)


def read_file_key(path: Path) -> FileKey:
    """The key in that file; raises EvidenceError where it is missing, short or not ours alone."""
    content = read_key(path)
    if len(content) < LEAST_BYTES:
        raise EvidenceError(
            str(path),
            f"a key for files has {LEAST_BYTES} random bytes or more: "
            "head -c 32 /dev/urandom > FILE, as its owner alone (umask 077)",
        )
    return FileKey(content)


def is_encrypted(path: Path) -> bool:
    """Whether a DuckDB file says that it is; no, for what is no such file. Raises OSError.

    Source: DuckDB, storage_info.hpp, MainHeader: a checksum, "DUCK", the version and the flags.
    """
    with path.open("rb") as file:
        start = file.read(_FLAGS_AT + 8)
    found = start[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC
    return found and bool(int.from_bytes(start[_FLAGS_AT:], "little") & _ENCRYPTED)
