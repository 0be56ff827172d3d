"""Names that look like others, lead elsewhere or command a terminal: no file can bring one in.

Whoever reads a name later (a policy, a log, a console) may take it for what it looks like. So names
are plain ASCII words, and what people read beside them holds no control and no direction marks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.files import ROOT, File, files

HOSTILE = {
    "a Cyrillic letter": "pl\u0430nes", "a fullwidth letter": "\uff50lanes",
    "a ligature": "\ufb01nes", "a combining mark": "planes\u0301", "zero width": "pla\u200bnes",
    "right to left": "\u202esenalp", "a path up": "../planes", "an absolute path": "/etc/passwd",
    "a fullwidth path": "\uff0e\uff0e\uff0fplanes", "a home": "~/planes", "a folder": "a/planes",
    "a backslash": "a\\\\planes", "a terminal's command": "\\u001b[2Jplanes",
    "a line": "planes\\nplanes", "NUL": "pla\\u0000nes", "a blank": "pla nes", "dots": "..",
    "nothing": "", "markup": "<script>planes", "Cedar": 'x\\"; permit (principal, action)',
}  # fmt: skip
"""As they stand between double quotes, which YAML and TOML read alike."""
PLACES = {
    "a contract": ("id: planes\n", "id: {}\n"),
    "a procedure": ("procedure: child_benefit\n", "procedure: {}\n"),
    "federation.toml": ('department = "faa"', "department = {}"),
    "node.toml": ('department = "library"', "department = {}"),
    "desk.toml": ('department = "library"', "department = {}"),
}
COLUMN = ("name: tailnum\n", "name: {}\n")
HANDLER = ("-- handler: airworthiness_band\n", "-- handler: {}\n")
STEP = ("  family:\n", "  {}:\n")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, File]:
    """Every kind of file by its name."""
    return {file.name: file for file in files(tmp_path_factory.mktemp("names"))}


def _read(file: File, change: tuple[str, str], name: str, place: Path) -> str:
    """What is said of the file with that name in the place of its own; "" if it was taken."""
    good = file.good.decode()
    assert change[0] in good, f"{file.name} has no {change[0]!r}"
    path = place / "file"
    path.write_text(good.replace(change[0], change[1].format(f'"{name}"'), 1), "utf-8")
    try:
        file.read(path)
    except file.refusals as refusal:
        return str(refusal) or "refused"
    return ""


@pytest.mark.parametrize("how", HOSTILE)
def test_a_name_is_a_plain_word_or_no_name(
    how: str, kinds: dict[str, File], tmp_path: Path
) -> None:
    """Contracts, columns, handlers, procedures, steps, departments: refused in printable words."""
    changes = list(PLACES.items())
    changes += [("a contract", COLUMN), ("a handler in SQL", HANDLER), ("a procedure", STEP)]
    for kind, change in changes:
        said = _read(kinds[kind], change, HOSTILE[how], tmp_path)
        assert said, f"{kind}: {change[0]!r} may be {HOSTILE[how]!r}"
        assert all(each.isprintable() or each == "\n" for each in said), (kind, said)


def test_the_same_files_with_their_own_names_are_taken(
    kinds: dict[str, File], tmp_path: Path
) -> None:
    """Positive control: it was the name that was refused, not the quotes around it."""
    for kind, change, own in (
        ("a procedure", PLACES["a procedure"], "child_benefit"), ("a procedure", STEP, "family"),
        ("federation.toml", PLACES["federation.toml"], "faa"),
        ("node.toml", PLACES["node.toml"], "library"),
    ):  # fmt: skip
        assert _read(kinds[kind], change, own, tmp_path) == "", (kind, own)
    for kind, change, own in (
        ("a contract", PLACES["a contract"], "planes"), ("a contract", COLUMN, "tailnum"),
    ):  # fmt: skip
        assert "airworthiness_band" in _read(kinds[kind], change, own, tmp_path)  # its policy alone


@pytest.mark.parametrize(
    "title", ["red\\u001b[31m", "right\\u202eleft", "pla\\u200bnes", "a\\u0007b", "a\\u009bb"]
)
def test_what_people_read_holds_no_command(
    title: str, kinds: dict[str, File], tmp_path: Path
) -> None:
    """Titles are shown on terminals and in the console."""
    for kind, change in (
        ("a contract", ("name: Aircraft register\n", "name: {}\n")),
        ("a procedure", ("title: Child benefit\n", "title: {}\n")),
        ("a procedure", ("    title: Lives here with children\n", "    title: {}\n")),
        ("federation.toml", ('title = "Newark Liberty International Airport"', "title = {}")),
        ("node.toml", ('title = "Town library"', "title = {}")),
    ):
        assert _read(kinds[kind], change, title, tmp_path), f"{kind} may be called {title}"


def test_the_tree_itself_has_no_such_name() -> None:
    """Nor do the files that come with the product: what looks alike would be hard to see."""
    for path in (ROOT / "examples").rglob("*"):
        assert str(path).isascii(), path
