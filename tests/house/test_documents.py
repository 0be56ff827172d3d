"""What is written is true: reasons are all used, names in documents exist, files stay small."""

from __future__ import annotations

import re
from pathlib import Path

from docs.site.reference import NAMES
from landbridge.errors import CATALOGUE

ROOT = Path(__file__).parents[2]
ROOMS = ("landbridge", "gateway", "nodes", "policies")


def sources() -> dict[str, str]:
    """Every source file that is not generated."""
    return {
        str(path.relative_to(ROOT)): path.read_text()
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "/v1/" not in str(path)
    }


def test_every_reason_of_the_catalogue_is_given_somewhere() -> None:
    """A reason that nobody raises would be a promise about nothing."""
    lists = {"landbridge/errors.py", "landbridge/reasons.py"}
    code = "".join(text for name, text in sources().items() if name not in lists)
    planned = {"SHUTTING_DOWN", "TOO_BUSY"}  # raised by admission control, still to come
    unused = {reason for reason in CATALOGUE if f'"{reason}"' not in code}
    assert unused <= planned


def test_links_in_documents_lead_somewhere() -> None:
    """A newcomer follows them."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
            place = (path.parent / target).resolve()
            generated = place.parent == ROOT / "docs" / "reference" and place.stem in NAMES
            if not target.startswith("http") and not generated:
                assert place.exists(), f"{path.name}: {target}"


def test_decision_records_are_listed_and_short() -> None:
    """At most sixty lines each, and every one in the list."""
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    for path in folder.glob("0*.md"):
        assert path.name in listed
        assert len(path.read_text().splitlines()) <= 60


def test_the_lock_file_names_hashes_and_no_address() -> None:
    """Anybody's index will do."""
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
    for requirement in re.split(r"\n(?=\S)", lock.strip()):
        assert "--hash=sha256:" in requirement, requirement.split("\n")[0]


def test_every_question_in_the_documents_is_one() -> None:
    """What the page says can be asked is read and passes the review of the example's contract."""
    from gateway.sql import read
    from landbridge.levels import Level
    from policies import odcs
    from policies.joined import joined
    from policies.review import review
    from tests.joins.visits import contracts

    path = ROOT / "examples/nyc_flights/ewr/contracts/flights.odcs.yaml"
    flights = odcs.read(path.read_bytes(), path.name)
    tables = {"flights": flights, **{contract.id: contract for contract in contracts()}}
    blocks = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/questions.md").read_text(), re.S)
    assert len(blocks) >= 6
    for block in blocks:
        reading = read(block, lambda table, _: tables[table], Level.INTERNAL)
        contract = joined([tables[table] for table in reading.question.contracts])
        review(reading.question, contract, Level.INTERNAL)
