"""Files that an operator writes, or gets from somebody: garbage in them is one clear refusal."""

from __future__ import annotations

import os
from pathlib import Path

from tests.attacks.files import garbage

SEED = int(os.environ.get("LANDBRIDGE_SEED", "20261127"))
EACH = 40


def test_no_file_is_answered_with_a_trace_of_the_stack(tmp_path: Path) -> None:
    """TOML, YAML, JSON, Cedar, SQL, Python, notes: each is taken or refused by its own error."""
    tried, wrong = garbage(tmp_path, SEED, EACH)
    assert tried > 10 * EACH
    assert not wrong, "\n".join(wrong[:12])
