"""Before a department has loaded the table that a handler asks, the department is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from landbridge.errors import Unavailable
from nodes.computing import Computing
from nodes.store import Store
from nodes.tables import Tables
from tests.handlers.test_reply import declare


class _Unasked:
    """An engine over no table, which nothing is asked of."""

    def run(self, *_: object, **__: object) -> NoReturn:
        raise AssertionError("it was asked")

    def close(self) -> None:
        """It holds nothing."""


def test_a_handler_without_data_says_that_its_department_is_missing(tmp_path: Path) -> None:
    """As a question does: who asks can try again, before a collection's first version, say."""
    tables: Tables[Any] = Tables(Store(tmp_path), ("people",), lambda _: _Unasked())
    handler = declare(returns="code", codes=["YES", "NO"], absent="NO")
    with pytest.raises(Unavailable) as refused:
        Computing("tax", tables, None).compute(handler, {"person_id": 1}, lambda: 5.0)
    assert refused.value.reason == "DEPARTMENT_MISSING"
    assert list(refused.value.missing) == ["tax"]
    assert "tax has not loaded people yet" in str(refused.value)
