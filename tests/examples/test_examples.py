"""Every example runs as its README says, and says what its README promises."""

from __future__ import annotations

import runpy

import pytest

from tests.cli.commands import ROOT, Run, run_apart
from tests.cli.conftest import heard, no_settings_of_ours, run

__all__ = ["heard", "no_settings_of_ours", "run"]  # fixtures

EXAMPLES = ROOT / "examples"
SAID = {
    "one_stop_licence": [
        "R-100: approved",
        "R-200: refused, because TOO_FEW_EXITS, TOO_FEW_EXTINGUISHERS, HYGIENE",
        "tax: deemed_passed",
        "R-100 with a silent tax office: approved",
        "The mayor's office supervises 3 cases.",
    ],
    "justice_handover": [
        "F-1  court        passed CHAMBER",
        "F-1  case         approved",
        "F-2  police       failed FAIL TOO_FEW_STATEMENTS",
        "F-2  court        skipped",
        "F-3  prosecution  failed FAIL NO_WITNESSES",
    ],
    "citizen_service": [
        "C-01: approved",
        "C-02: refused  NO_CHILDREN",
        "C-04: refused  INSURED_TOO_SHORT, OTHER_BENEFIT",
        "C-99: refused  UNKNOWN_CITIZEN",
        "RESIDENT RESIDENT ELSEWHERE UNKNOWN",
    ],
}
COLLECTING = {
    "rescue_board": [
        "3000 requests taken, 0 refused",
        "from the phone's queue: 1, waiting: 0",
        "refused: ALREADY_REPORTED, OUT_OF_DOMAIN people",
        "H-00010: DANGER_FEW",
        "H-00010 after the boat: RESCUED",
        "the public sees harbour ",
        "and no case: NOT_AVAILABLE",
    ],
    "census": [
        "a citizen's sheet: 1 ACCEPTED",
        "the same once more: 1 ALREADY_REPORTED",
        "a neighbour for them: 1 ACCEPTED",
        "their own correction: 1 ACCEPTED",
        "an enumerator's round: 1999 ACCEPTED, 1 ALREADY_REPORTED",
        "an enumerator's correction: 1 ACCEPTED",
        "north ",
    ],
    "community_grid": [
        "Notice 1 to Hillside community grid: Flu",
        "Notice 2, as it came: Heat",
        "400 health reports taken",
        "Unwell: ",
        "A second ballot: BALLOT_REFUSED, REPORTS_EXHAUSTED",
        "How the playground stands: POLL_OPEN",
        "│ 60      │",
        "A tourist sees 0 groups, and no hillside: NOT_AVAILABLE",
    ],
}

AS_TYPED = "census"


@pytest.mark.journey
@pytest.mark.usefixtures("heard", "no_settings_of_ours")
@pytest.mark.parametrize("name", [*SAID, *COLLECTING])
def test_an_example_runs_end_to_end(name: str, run: Run) -> None:
    """Real processes, real gRPC, real TLS; the script is under eighty lines."""
    script = EXAMPLES / name / "run.py"
    assert len(script.read_text().splitlines()) < 80
    words = ("up", str(EXAMPLES / name), "--once", str(script))
    # The command in this process, whose servers are forked; one as its reader types it.
    ended = run_apart(*words) if name == AS_TYPED else run(*words)
    assert ended.status == 0, ended.err
    for line in (SAID | COLLECTING)[name]:
        assert line in ended.out, ended.out


def test_the_grids_registry_is_the_one_that_its_source_writes() -> None:
    """A registry that was changed by hand would be another story than the script tells."""
    grid = EXAMPLES / "community_grid"
    written = runpy.run_path(str(grid / "source.py"))["registry"]()
    assert (grid / "health" / "groups" / "hillside.members").read_text() == written


@pytest.mark.parametrize("name", SAID)
def test_an_examples_procedures_would_be_loaded(name: str) -> None:
    """Every department lets every value flow where the procedure sends it."""
    from gateway.cases.page import check

    (checked,) = check(EXAMPLES / name)
    assert checked.problems == ()
