"""Every command and snippet of the guides runs, in their order, against one real federation."""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.cli.commands import environment
from tests.docs.fences import DOCS, Block, blocks

GUIDES = (
    "tutorial",
    "how-to/developer",
    "explanation/epsilon",
    "how-to/auditor",
    "how-to/operator",
    "how-to/citizen-portal",
)
"""Run in this order: the tutorial starts what the others ask."""

BY_HAND = {
    "docs/console.md": 1, "docs/consultation.md": 1, "docs/pooled.md": 1, "docs/sdk.md": 1,
    "docs/witnesses.md": 1,
}  # fmt: skip
"""Commands in blocks without a language, whose words test_fragments.py knows; the tests of pooling,
witnesses, consultations and the desk run their like."""

FRAGMENTS = {
    "census.md", "consultation.md", "groups.md", "handlers.md", "linked.md", "procedures.md",
    "sdk.md", "sql.md", "submit.md", "watch.md",
}  # fmt: skip
"""Pages whose Python is the middle of something.

tests/census, tests/consultation, tests/groups, tests/handlers, tests/submission, tests/watch and
tests/examples run the whole; what handlers.md and procedures.md declare is read by
tests/handlers/test_pages.py, and tests/journeys/test_tools.py runs what sdk.md and sql.md show.
That every method and argument of them exists is held by test_fragments.py.
"""

START_SECONDS = 300.0
BASH = "/bin/bash"


@dataclass
class Reader:
    """Somebody at two terminals, who follows the guides."""

    place: Path
    variables: dict[str, str] = field(default_factory=dict)
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, page: Path) -> None:
        """Runs every block; raises AssertionError with what was said where one fails."""
        shell: list[str] = []
        python: list[str] = []
        for block in blocks(page):
            match block:
                case Block("sh", text, "background"):
                    self._run([BASH, "-c", "\n".join(shell)])
                    shell = []
                    self._start(text)
                case Block("sh", text):
                    shell.append(text)
                case Block("python", text):
                    python.append(text)
                case _:
                    pass
        if shell:
            self._run([BASH, "-c", "\n".join([*shell, "env > variables"])])
            self._take((self.place / "variables").read_text())
        if python:
            self._run([sys.executable, "-W", "error", "-c", "\n".join(python)])

    def _environment(self) -> dict[str, str]:
        ours = environment(**self.variables)
        # What a user has: an installed command, not the tree.
        return {**ours, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def _run(self, words: list[str]) -> None:
        if words[0] == BASH:
            words = [BASH, "-euo", "pipefail", *words[1:]]
        done = subprocess.run(
            words, cwd=self.place, env=self._environment(), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{words[-1]}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert "Traceback" not in done.stderr

    def _start(self, text: str) -> None:
        """Leaves a command running and pastes the lines that it prints into the other terminal."""
        process = subprocess.Popen(
            [BASH, "-c", f"exec {text}"], cwd=self.place, env=self._environment(),
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.background.append(process)
        assert process.stdout is not None
        end = time.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            printed = b""
            while b"TOKEN=" not in printed or not printed.endswith(b"\n"):
                assert selector.select(max(0.0, end - time.monotonic())), "it printed no exports"
                printed += os.read(process.stdout.fileno(), 4096)
        lines = printed.decode().splitlines()
        exports = "\n".join(line for line in lines if line.startswith("export "))
        shown = subprocess.run(
            [BASH, "-euc", f"{exports}\nenv"], cwd=self.place, env=self._environment(),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        self._take(shown.stdout)
        assert self.variables.keys() >= {"LANDBRIDGE_ADDRESS", "LANDBRIDGE_TOKEN"}

    def _take(self, variables: str) -> None:
        """The terminal keeps what was exported."""
        self.variables.update(re.findall(r"(?m)^(LANDBRIDGE_\w+)=(.*)$", variables))

    def leave(self) -> None:
        """Ends what runs, as Ctrl-C does."""
        for process in self.background:
            process.terminate()
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """One reader for all guides."""
    found = Reader(tmp_path_factory.mktemp("reader"))
    try:
        yield found
    finally:
        found.leave()


@pytest.mark.journey
@pytest.mark.timeout(900)
@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_can_be_followed(guide: str, reader: Reader) -> None:
    """A command that does not work is worse than none: its reader blames themselves."""
    if guide != GUIDES[0]:
        assert reader.variables, "the tutorial comes first: run the whole file"
    reader.follow(DOCS / f"{guide}.md")


def test_every_block_of_every_page_is_run_or_read() -> None:
    """Commands and Python stand in guides, which run; the rest is read as what it says it is."""
    tests = [path for path in Path(__file__).parents[1].rglob("*.py") if path.parent.name != "docs"]
    # A page that another test reads and runs is named there.
    others = {name for path in tests for name in re.findall(r"\b[a-z-]+\.md\b", path.read_text())}
    guides = {DOCS / f"{guide}.md" for guide in GUIDES}
    for page in sorted(DOCS.rglob("*.md")):
        unnamed = 0
        for block in blocks(page):
            where = f"{page.relative_to(DOCS.parent)}: {block.text[:60]!r}"
            match block.language:
                case "sh" | "python":
                    assert page in guides or page.name in FRAGMENTS | others, (
                        f"{where} runs nowhere"
                    )
                case "toml":
                    assert tomllib.loads(block.text), where
                case "json":
                    assert json.loads(block.text), where
                case "yaml":
                    assert yaml.safe_load(block.text), where
                case "sql":
                    # tests/house/test_documents.py and tests/engines/places.py run these.
                    assert page.name in ("questions.md", "engines.md"), where
                case "text" | "cedar":
                    pass
                case "":
                    unnamed += "landbridge " in block.text
                case other:
                    raise AssertionError(f"{where}: nobody reads {other}")
        assert unnamed == BY_HAND.get(str(page.relative_to(DOCS.parent)), 0), page


def test_a_block_that_fails_is_seen(tmp_path: Path) -> None:
    """Positive control: of two commands in one block the first one's failure counts."""
    page = tmp_path / "page.md"
    page.write_text("```sh\nfalse\ntrue\n```\n")
    with pytest.raises(AssertionError):
        Reader(tmp_path).follow(page)
    page.write_text("```python\nassert False\n```\n")
    with pytest.raises(AssertionError):
        Reader(tmp_path).follow(page)
