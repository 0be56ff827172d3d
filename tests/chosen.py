"""A plugin of pytest: of the files that are collected, the tests that are named and no others.

`LANDBRIDGE_CHOSEN` is a file with one "file::function" a line. (Names on the command line would do
too, if one that is skipped with its whole file did not end the run.)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

VARIABLE: Final = "LANDBRIDGE_CHOSEN"
TESTS: Final = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps every case of the named tests."""
    chosen = set(Path(os.environ[VARIABLE]).read_text("utf-8").splitlines())
    kept: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        name = f"{item.path.relative_to(TESTS)}::{getattr(item, 'originalname', item.name)}"
        (kept if name in chosen else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)
