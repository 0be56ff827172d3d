"""The DB-API compliance suite of the package index (dbapi-compliance), run over `landbridge.dbapi`.

The suite makes tables and fills them, which no gateway of ours lets anybody do. So the gateway is
one in memory that is told to answer by SQLite; everything between the suite and the gateway is the
product's own: cursor, parameters, client, wire.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import dbapi20
import pytest

from landbridge import dbapi
from landbridge.answers import Answer, Cost
from landbridge.errors import error
from landbridge.testing import Asked, MemoryGateway, answer
from tests.sdk.loopback import PURPOSE


class Booze:
    """A gateway that answers whatever SQLite can answer."""

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")
        self.gateway = MemoryGateway()
        self.gateway.answers(None, self._say)

    def connect(self) -> dbapi.Connection:
        """What the suite calls for every connection."""
        return dbapi.connect(client=self.gateway.client(), purpose=PURPOSE)

    def _say(self, asked: Asked) -> Answer:
        try:
            found = self.database.execute(asked.sql, asked.parameters)
        except sqlite3.Error:
            raise error("INVALID_QUESTION") from None
        names = [column[0] for column in found.description or ()]
        if not names:
            return Answer((), (), (), (), (), Cost(0.0, 0.0, ()), None)
        columns = list(zip(*found.fetchall(), strict=True)) or [()] * len(names)
        return answer(dict(zip(names, columns, strict=True)))


class TestCompliance(dbapi20.DatabaseAPI20Test):  # type: ignore[misc]
    """Every test of the suite; two have to be written by each driver."""

    driver = dbapi

    @pytest.fixture(autouse=True)
    def _booze(self) -> None:
        self.booze = Booze()

    def _connect(self) -> dbapi.Connection:
        return self.booze.connect()

    def test_nextset(self) -> None:
        """One question has one answer, so the optional method is not there."""
        assert not hasattr(self._connect().cursor(), "nextset")

    def test_setoutputsize(self) -> None:
        """Sizes are taken and mean nothing, as PEP 249 allows."""
        self._connect().cursor().setoutputsize(10)

    def test_executemany(self) -> None:
        """PEP 249 says of a driver that cannot: it raises NotSupportedError."""
        cursor: Any = self._connect().cursor()
        with pytest.raises(dbapi.NotSupportedError):
            cursor.executemany("insert into t values (?)", [("a",)])


def test_the_suite_is_the_one_of_the_index_and_nearly_all_of_it_runs() -> None:
    """Were tests overridden one by one, nothing would say so."""
    own = {name for name in vars(TestCompliance) if name.startswith("test_")}
    theirs = {name for name in dir(dbapi20.DatabaseAPI20Test) if name.startswith("test_")}
    assert own == {"test_nextset", "test_setoutputsize", "test_executemany"}
    assert len(theirs - own) >= 33
