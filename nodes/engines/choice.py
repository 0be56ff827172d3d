"""Which engine a node runs its SQL on: the `[engine]` table of its settings."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landbridge.edge.settings import Section
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.keyfile import read_key, read_secret
from nodes.engines.file_key import FileKey, read_file_key
from nodes.engines.kind import Kind
from policies.contract import Contract
from policies.handler import Handler

_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_KINDS: Final = tuple(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine, and how this node meets it; what a kind does not need is empty.

    `connection` is whom questions are asked as, `loader` who makes the tables, both as the engine
    writes such a thing; `schema` is where they lie in PostgreSQL, `folder` where in a lake, as
    Spark's machines see it. `token` is the file with Spark's token, `key` that with the key under
    which DuckDB's files are encrypted, `source_key` that with the key of an encrypted DuckDB file
    that is loaded.
    """

    kind: Kind = Kind.DUCKDB
    connection: str = ""
    loader: str = ""
    schema: str = "landbridge"
    folder: str = ""
    token: Path | None = None
    key: Path | None = None
    source_key: Path | None = None

    @property
    def file_key(self) -> FileKey | None:
        """What the files are encrypted under; None where they are not. Raises EvidenceError."""
        return None if self.key is None else read_file_key(self.key)

    @property
    def source_secret(self) -> str:
        """The key of an encrypted source, as it was made with; empty without. EvidenceError."""
        if self.source_key is None:
            return ""
        content = read_key(self.source_key)
        try:
            return content.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            sentence = "the key of a DuckDB file is a text, and this is not UTF-8"
        raise EvidenceError(str(self.source_key), sentence)

    @property
    def secret(self) -> str:
        """What the file of the token holds; empty where there is none. EvidenceError."""
        return "" if self.token is None else read_secret(self.token)


DUCKDB_FILES: Final = EngineChoice()
"""The embedded engine, over files in the state folder."""


def read_engine(top: Section, problems: list[str]) -> EngineChoice:
    """The choice; what is wrong with it goes to `problems`."""
    section = top.section("engine")
    written = section.text("kind", Kind.DUCKDB.value)
    choice = EngineChoice(
        Kind(written) if written in _KINDS else Kind.DUCKDB,
        section.text("connection", ""),
        section.text("loader", ""),
        section.text("schema", "landbridge"),
        section.text("folder", ""),
        section.optional_path("token"),
        section.optional_path("key"),
        section.optional_path("source_key"),
    )
    section.done()
    if written not in _KINDS:
        problems.append(f"engine.kind is one of {', '.join(_KINDS)}")
        return choice
    if choice.kind is Kind.DUCKDB and (choice.connection or choice.loader):
        problems.append("engine.connection and engine.loader belong to an engine elsewhere")
    if choice.kind is not Kind.DUCKDB and not choice.connection:
        problems.append(f"engine.connection is missing, which says where {choice.kind} is")
    if choice.kind is Kind.SPARK and not choice.folder:
        problems.append("engine.folder is missing, where this node's tables lie in the lake")
    if choice.kind is not Kind.SPARK and (choice.folder or choice.token):
        problems.append("engine.folder and engine.token belong to spark")
    if choice.kind is not Kind.DUCKDB and (choice.key or choice.source_key):
        problems.append("engine.key and engine.source_key belong to duckdb")
    if not _NAME.fullmatch(choice.schema):
        problems.append("engine.schema is a name of lower-case letters, digits and underscores")
    for name, words in (("connection", choice.connection), ("loader", choice.loader)):
        if re.search(r"password\s*=|://[^/@]*:[^/@]*@", words):
            problems.append(f"engine.{name} holds a password; name a file with it (passfile=...)")
        if re.search(r";\s*token\s*=", words):
            problems.append(f"engine.{name} holds a token; engine.token names a file with it")
    return choice


def unfit(
    choice: EngineChoice, contracts: Mapping[str, Contract], handlers: Collection[Handler]
) -> list[str]:
    """What of a department's policy its engine cannot do, a sentence each."""
    if choice.kind is Kind.DUCKDB:
        return [
            f"The records of {contract.id} are handed in (landbridgeCollection) and kept in files "
            "that are not encrypted: serve it by a node without engine.key."
            for contract in contracts.values()
            if contract.collection is not None and choice.key is not None
        ]
    found = [
        f"The records of {contract.id} are handed in (landbridgeCollection), which DuckDB alone "
        f"keeps: serve it by a node whose engine is duckdb, not {choice.kind}."
        for contract in contracts.values()
        if contract.collection is not None
    ]
    if choice.kind is Kind.SPARK:
        return found + [
            f"Handler {handler.name} replies about one subject at once, which a cluster does not: "
            "serve it by a node whose engine is duckdb or postgresql, not spark."
            for handler in handlers
        ]
    return found + [
        f"Handler {handler.name} is written in Python and reads DuckDB's files: write it in SQL, "
        f"or serve it by a node whose engine is duckdb, not {choice.kind}."
        for handler in handlers
        if handler.source
    ]
