"""The town that this folder's tests start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.membership.town import Town, a_town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A gateway that serves, and a department that has not joined yet."""
    with a_town(tmp_path) as made:
        yield made
