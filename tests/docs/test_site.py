"""The site as it is built: without a warning, and without anybody else's address in it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.site.building import PARTS, stage

ROOT = Path(__file__).parents[2]
LOADED = re.compile(
    r"<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\bsrc=[\"']([^\"']+)"
    r"|<link\b[^>]*\bhref=[\"']([^\"']+)"
    r"|@import\s+(?:url\()?[\"']?([^\"')]+)|url\(([^)]+)\)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "docs.site", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_built_and_linked_from_the_front(site: Path) -> None:
    """No page is reached by its address alone."""
    front = (site / "index.html").read_text()
    for name in (
        "tutorial", "how-to/operator", "how-to/developer", "how-to/auditor",
        "how-to/citizen-portal", "explanation/threats", "explanation/epsilon", "disclosure",
        "glossary", "reference/command-line", "reference/settings", "reference/contract",
        "reference/errors", "reference/protocol", "operating", "decisions/README", "changelog",
    ):  # fmt: skip
        assert (site / f"{name}.html").exists()
        assert f'href="{name}.html"' in front


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    """Whoever reads is nobody's business; and a ministry's network has no way out."""
    looked = 0
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        for found in LOADED.findall(path.read_text(encoding="utf-8")):
            target = next(filter(None, found)).strip("\"' ")
            looked += 1
            assert not re.match(r"(?:https?:)?//", target), f"{path.name} loads {target}"
    assert looked > 100
    for path in site.rglob("*.js"):
        assert not re.search(r"(?:fetch|import)\(\s*[\"'](?:https?:)?//", path.read_text("utf-8"))


def test_the_search_sees_what_is_loaded_from_elsewhere() -> None:
    """Positive control."""
    assert LOADED.search('<script async src="https://cdn.example/x.js">')
    assert LOADED.search('<link rel="stylesheet" href="https://fonts.example/x.css">')


def test_both_scripts_of_chinese_are_in_the_glossary(site: Path) -> None:
    """Each term in English, Traditional and Simplified."""
    glossary = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    rows = re.findall(r"(?m)^- \*\*(.+?)\*\* · (.+?) · (.+?)\\\n  (.+)$", glossary)
    assert len(rows) == glossary.count("\n- ")
    assert len(rows) >= 40
    terms = [row[0] for row in rows]
    assert terms == sorted(terms)
    for english, traditional, simplified, meaning in rows:
        assert english.isascii()
        assert meaning
        assert all(re.search(r"[\u4e00-\u9fffδε]", text) for text in (traditional, simplified))
    text = (site / "glossary.html").read_text("utf-8")
    assert "閘道" in text
    assert "网关" in text


def test_a_page_that_nobody_placed_is_still_in_the_contents(tmp_path: Path) -> None:
    """A new page in docs/ needs no change here."""
    stage(tmp_path)
    front = (tmp_path / "index.md").read_text("utf-8")
    placed = {name for _, names in PARTS for name in names}
    for path in tmp_path.glob("*.md"):
        name = path.stem
        assert name == "index" or name in placed or f"\n{name}\n" in front
