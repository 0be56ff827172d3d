"""The engines that a node can run its SQL on."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """As `[engine] kind` in a node's settings."""

    DUCKDB = "duckdb"
    POSTGRESQL = "postgresql"
    SPARK = "spark"

    @property
    def suffix(self) -> str:
        """Of the file by which the store knows a table of that engine."""
        return f".{self.value}"
