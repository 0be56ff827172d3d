"""The federation that `landbridge init federation` writes, with a budget for many questions."""

from __future__ import annotations

from pathlib import Path

from landbridge.cli import app

PURPOSE = "dpv:ServiceOptimisation"
QUESTION = "SELECT topic, count(*) AS loans FROM loans GROUP BY topic"


def write(folder: Path, capital: int = 1000) -> Path:
    """The folder, its contract's budgets multiplied."""
    assert app.run(["init", "federation", str(folder)]) == 0
    contract = folder / "library" / "contracts" / "loans.odcs.yaml"
    text = contract.read_text()
    for before, after in (
        ("epsilon: 8,", f"epsilon: {capital},"),
        ("epsilon: 12,", f"epsilon: {2 * capital},"),
    ):
        assert before in text
        text = text.replace(before, after)
    contract.write_text(text)
    return folder
