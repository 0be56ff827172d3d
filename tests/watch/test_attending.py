"""Handler watches name people to one role and to nobody else: example, attacks, crashes."""

from __future__ import annotations

import runpy
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

import landbridge.testing
from landbridge.errors import LandbridgeError
from landbridge.evidence.audit import verify_folder
from landbridge.evidence.entry import Entry
from landbridge.federation.running import Federation
from landbridge.identity.certificates import server_name
from landbridge.v1 import attend_pb2
from landbridge.v1.attend_pb2_grpc import AttendingStub
from nodes.concerns import Concerns, Said
from nodes.queue import Queue
from policies.handler import HandlerInvalid, read
from tests.cli.commands import run_apart
from tests.evidence.schema import problems

FOLDER = Path(__file__).parents[2] / "examples" / "elder_care"
HANDLER = FOLDER / "homecare" / "handlers" / "quiet.sql"
NAMED = b"E-0042"


@pytest.fixture(scope="module")
def care(request: pytest.FixtureRequest) -> Iterator[Federation]:
    """The home-care service and its gateway, real processes."""
    del request
    with landbridge.testing.federation(FOLDER) as running:
        yield running


@pytest.mark.journey
@pytest.mark.usefixtures("care")
def test_the_script_tells_its_story(capsys: pytest.CaptureFixture[str]) -> None:
    """By name to the worker, as a number to the street office."""
    assert len((FOLDER / "run.py").read_text().splitlines()) < 80
    runpy.run_path(str(FOLDER / "run.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert "To the community-worker: E-0042 is QUIET" in told
    assert "The bookkeeper of the same service sees 0 cases." in told
    assert "After a visit 0 cases are open." in told
    assert "To the street office: NOT_AVAILABLE" in told
    assert "One quiet elder is no alert to the street office: True" in told
    assert "Alert to the street office: quay, no name, no number" in told


@pytest.mark.journey
def test_a_case_survives_a_crash_and_is_named_once(care: Federation) -> None:
    """Killed and started again: the open cases are there, and none is opened twice."""
    with care.attendant("homecare", "worker") as worker:
        for _ in range(200):  # a whole street was quiet at the end of the story
            before = worker.list()
            if before:
                break
            time.sleep(0.1)
    assert before
    care.kill("homecare")
    care.restart("homecare")
    with care.attendant("homecare", "worker") as worker:
        assert worker.list()[: len(before)] == before
        time.sleep(6.0)  # another evaluation
        subjects = [case.subject for case in worker.list()]
        assert len(subjects) == len(set(subjects))


@pytest.mark.journey
def test_nobody_else_is_told_a_name(care: Federation) -> None:
    """Another role, another office, a token without the purpose; and who says done to it."""
    with care.attendant("homecare", "worker") as worker:
        number = worker.list()[0].number
    for who in ("bookkeeper", "street"):
        with care.attendant("homecare", who) as other:
            assert other.list() == ()
            assert list(other.follow(timeout=0)) == []
            with pytest.raises(LandbridgeError) as refused:
                other.done(number)
            assert refused.value.reason == "NOT_AVAILABLE"
    review = care.state / "homecare" / "review"
    for changes in ({"purposes": ["dpv:Marketing"]}, {"clearance": "open"}):
        token = care.token("worker", **changes)
        with landbridge.attend(review, token=token) as lesser:
            assert lesser.list() == ()
    with landbridge.attend(review, token="x.y.z") as nobody, pytest.raises(LandbridgeError) as who_:
        nobody.list()
    assert who_.value.status == "UNAUTHENTICATED"


@pytest.mark.journey
def test_the_gateway_itself_cannot_ask_for_cases(care: Federation) -> None:
    """With its own certificate, over the node's port: there is no such service."""
    own = care.state / "gateway"
    credentials = grpc.ssl_channel_credentials(
        care.ca.read_bytes(), (own / "tls.key").read_bytes(), (own / "tls.pem").read_bytes()
    )
    options = [("grpc.ssl_target_name_override", server_name("homecare"))]
    address = f"127.0.0.1:{care.node_port('homecare')}"
    with (
        grpc.secure_channel(address, credentials, options=options) as channel,
        pytest.raises(grpc.RpcError) as refused,
    ):
        AttendingStub(channel).ListConcerns(
            attend_pb2.ListConcernsRequest(),
            timeout=20,
            metadata=(("authorization", f"Bearer {care.token('worker')}"),),
        )
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.journey
def test_no_name_lies_where_the_gateway_or_an_operator_s_log_could_have_it(
    care: Federation,
) -> None:
    """Every file of the gateway, the department's log and journal; the cases file is private."""
    node = care.state / "homecare"
    looked = [*(care.state / "gateway").rglob("*"), *(node / "log").rglob("*")]
    looked += [*(node / "journal").rglob("*"), *node.glob("watches.sqlite*")]
    assert not [path for path in looked if path.is_file() and NAMED in path.read_bytes()]
    assert any(NAMED in path.read_bytes() for path in node.glob("concerns.sqlite*"))  # the control
    assert {stat.S_IMODE(path.stat().st_mode) for path in node.glob("concerns.sqlite*")} == {0o600}


@pytest.mark.journey
def test_each_case_is_in_the_log_by_digest_and_who_was_told(care: Federation) -> None:
    """Before anybody is told; looks without a case stand in one entry for sixty."""
    entries = [content for _, content in verify_folder(care.log("homecare")).entries()]
    found = [entry for entry in map(Entry.from_bytes, entries) if entry.watch == "homecare.quiet"]
    cases = [entry for entry in found if entry.kind == "alert"]
    assert cases[0].note == "case 1 for community-worker"
    assert all(len(entry.subject) == 64 for entry in cases)
    assert len({entry.note for entry in cases}) == len(cases)
    assert any(entry.note.startswith("evaluations 1 to 60") for entry in found)
    assert any(entry.note == "case 1 attended to" for entry in found)
    assert not [problem for entry in entries for problem in problems(entry)]


@pytest.mark.journey
def test_the_command_line_shows_them_to_the_worker(care: Federation, tmp_path: Path) -> None:
    """And nothing to the bookkeeper."""
    for who, seen in (("worker", True), ("bookkeeper", False)):
        token = tmp_path / who
        token.write_text(care.token(who))
        socket = str(care.state / "homecare" / "review")
        shown = run_apart("attend", "list", "--socket", socket, "--token-file", str(token))
        assert shown.status == 0, shown.err
        assert ("QUIET" in shown.out) == seen


def test_a_case_is_open_attended_and_over(tmp_path: Path) -> None:
    """One row per subject until it is well; attended is not opened again by the same trouble."""
    now = [1_790_000_000.0]
    concerns = Concerns(tmp_path / "c.sqlite", lambda: now[0])

    def look(*quiet: str) -> list[tuple[int, str]]:
        now[0] += 60
        seen = ("a", "b", "c")
        concerns.found("d.h", "r", {each: Said("QUIET", ()) for each in quiet}, seen, 0)
        for each in concerns.unlogged():
            concerns.logged(each.number)
        return [(each.number, str(each.subject)) for each in concerns.open()]

    assert look("a") == look("a") == [(1, "a")]
    assert look("a", "b") == [(1, "a"), (2, "b")]
    concerns.attend(1)
    assert look("a", "b") == [(2, "b")]
    assert look("b") == [(2, "b")]  # a is well
    assert look("a", "b") == [(2, "b"), (3, "a")]
    assert look() == []
    concerns.close()


def test_what_could_not_be_computed_closes_no_case(tmp_path: Path) -> None:
    """A handler that fails for a while must not look as if everybody were well."""
    concerns = Concerns(tmp_path / "c.sqlite", lambda: 1.0)
    concerns.found("d.h", "r", {"a": Said("QUIET", ())}, ("a", "b"), 0)
    concerns.found("d.h", "r", {"b": Said("QUIET", ())}, ("a", "b"), 0, unknown=("a",))
    assert [each.subject for each in concerns.unlogged()] == ["a", "b"]
    concerns.close()


def test_a_case_is_told_only_once_it_is_logged(tmp_path: Path) -> None:
    """Death in between: the case is there, and waits for its entry."""
    concerns = Concerns(tmp_path / "c.sqlite", lambda: 1.0)
    concerns.found("d.h", "r", {"a": Said("QUIET", ("NO_WATER",))}, ("a",), 0)
    concerns.close()
    again = Concerns(tmp_path / "c.sqlite", lambda: 2.0)
    assert again.open() == ()
    (waiting,) = again.unlogged()
    assert waiting.reasons == ("NO_WATER",)
    again.logged(waiting.number)
    assert again.open() == (waiting,)
    again.close()


@pytest.mark.parametrize(
    ("watch", "problem"),
    [
        ("{every: 5s, tells: [QUIET], role: worker}", "watch is a mapping"),
        ("{every: 5, tells: [QUIET], role: w, purpose: p}", "watch.every"),
        ("{every: 40d, tells: [QUIET], role: w, purpose: p}", "watch.every"),
        ("{every: 5s, tells: [LOUD], role: w, purpose: p}", "watch.tells"),
        ("{every: 5s, tells: [], role: w, purpose: p}", "watch.tells"),
        ("{every: 5s, tells: [QUIET], role: [w, v], purpose: p}", "watch.role"),
        ("{every: 5s, tells: [QUIET], role: w, purpose: p}", "watch.purpose"),
    ],
)
def test_a_watch_that_says_too_little_or_too_much_stops_the_start(watch: str, problem: str) -> None:
    """One role, listed codes, a purpose of the handler's."""
    lines = [
        f"-- watch: {watch}" if line.startswith("-- watch:") else line
        for line in HANDLER.read_text().splitlines()
    ]
    with pytest.raises(HandlerInvalid) as invalid:
        read("\n".join(lines), "quiet.sql")
    assert problem in str(invalid.value)


def test_a_watched_handler_has_its_subject_alone() -> None:
    """Whose value would the other argument be?"""
    text = HANDLER.read_text().replace("{elder_id: string}", "{elder_id: string, year: [1, 2]}")
    with pytest.raises(HandlerInvalid) as invalid:
        read(text.replace("WHERE", "WHERE $year = 1 AND"), "quiet.sql")
    assert "only argument" in str(invalid.value)


def test_a_number_larger_than_any_has_nothing_after_it(tmp_path: Path) -> None:
    """On the wire it may be 2^64 - 1, of which SQLite knows nothing."""
    concerns = Concerns(tmp_path / "c.sqlite", lambda: 1.0)
    concerns.found("d.h", "r", {"a": Said("QUIET", ("NO_WATER",))}, ("a",), 0)
    (waiting,) = concerns.unlogged()
    concerns.logged(waiting.number)
    assert concerns.open(2**64 - 1) == ()
    concerns.close()
    queue = Queue(tmp_path / "consultations.sqlite", lambda: 1.0)
    with queue.change() as change:
        assert change.everything(2**64 - 1, 5) == []
        assert change.events("a", 2**64 - 1) == []
    queue.close()
