"""Written pages and generated ones, put together and given to Sphinx."""

from __future__ import annotations

import re
import shutil
from os.path import relpath
from pathlib import Path
from typing import Final

from sphinx.cmd.build import main as sphinx

from docs.site import reference

DOCS: Final = Path(__file__).parents[1]
ROOT: Final = DOCS.parent
BESIDE: Final = (".svg", ".json", ".png")

PARTS: Final = (
    ("Tutorial", ("tutorial",)),
    ("How to", ("how-to/operator", "how-to/developer", "how-to/auditor", "how-to/citizen-portal")),
    (
        "Explanation",
        (
            "explanation/threats",
            "disclosure",
            "explanation/epsilon",
            "glossary",
        ),
    ),
    (
        "Reference",
        (
            "questions",
            "sdk",
            "sql",
            "reference/command-line",
            "reference/python",
            "reference/settings",
            "reference/contract",
            "reference/errors",
            "reference/protocol",
            "operating",
            "identity",
            "members",
            "handlers",
            "procedures",
            "pooled",
            "linked",
            "census",
            "submit",
            "groups",
            "consultation",
            "watch",
            "directory",
            "log",
            "log-entry",
            "witnesses",
            "console",
            "audit",
            "bench",
        ),
    ),
    ("Project", ("changelog", "decisions/README")),
)
"""Where a page stands. One that is in no part stands at the end of the reference."""

LISTED: Final = {"decisions": "decisions/README", "errors": "reference/errors"}
"""Folders, and the page that lists what is in each."""

CONFIGURATION: Final = """
project = "Landbridge"
html_title = "Landbridge"
extensions = ["myst_parser"]
html_theme = "furo"
myst_heading_anchors = 4
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
exclude_patterns = []
highlight_language = "text"
"""

_LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def build(staging: Path, folder: Path) -> int:
    """Sphinx's exit status; 0 only without a warning. `staging` is an empty folder."""
    stage(staging)
    return sphinx(["-q", "-W", "--keep-going", "-E", "-j", "1", str(staging), str(folder)])


def stage(staging: Path) -> None:
    """Every page of the site as it is given to Sphinx."""
    for path in sorted(DOCS.rglob("*")):
        place = path.relative_to(DOCS)
        if place.parts[0] == "site" or not path.is_file():
            continue
        target = staging / place
        if path.suffix == ".md":
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_inside(path.read_text(encoding="utf-8"), path), encoding="utf-8")
        elif path.suffix in BESIDE:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (staging / "changelog.md").write_text(_inside(changelog, ROOT / "CHANGELOG.md"), "utf-8")
    (staging / "reference").mkdir(exist_ok=True)
    for name, text in reference.pages().items():
        (staging / "reference" / f"{name}.md").write_text(text, encoding="utf-8")
    (staging / "conf.py").write_text(CONFIGURATION, encoding="utf-8")
    _join(staging)


def _inside(text: str, page: Path) -> str:
    """Links that lead out of the documentation become the path's name: the site has no source."""

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found.groups()
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        place = (page.parent / target).resolve()
        if place.is_relative_to(DOCS) and place.suffix in (".md", *BESIDE):
            start = page.parent if page.is_relative_to(DOCS) else DOCS
            return f"[{words}]({relpath(place, start)}{anchor or ''})"
        name = str(place.relative_to(ROOT)) if place.is_relative_to(ROOT) else target
        return f"`{name}`" if words.strip("`") == name else f"{words} (`{name}`)"

    # Pygments knows no Cedar.
    return _LINK.sub(link, text).replace("```cedar\n", "```text\n")


def _join(staging: Path) -> None:
    """Contents lists: the parts on the front page.

    Pages that another page lists are in none: a hundred lines more in every page's contents would
    hide the rest.
    """
    pages = {str(path.relative_to(staging).with_suffix("")) for path in staging.rglob("*.md")}
    pages -= {"index"}
    for folder, front in LISTED.items():
        for page in [page for page in pages if page.startswith(f"{folder}/") and page != front]:
            pages.remove(page)
            path = staging / f"{page}.md"
            path.write_text(f"---\norphan: true\n---\n{path.read_text('utf-8')}", "utf-8")
    placed = {page for _, names in PARTS for page in names}
    for title, names in PARTS:
        found = [name for name in names if name in pages]
        if title == "Reference":
            found += sorted(pages - placed)
        _append(staging / "index.md", found, title)


def _append(path: Path, names: list[str], caption: str = "") -> None:
    lines = ["", "```{toctree}", ":hidden:", ":maxdepth: 1"]
    lines += [f":caption: {caption}"] if caption else []
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join([*lines, "", *names, "```", ""]))
