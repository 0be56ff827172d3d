"""`landbridge doctor`: each thing that can be wrong is made wrong, and found, with what to do."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

import landbridge.testing
from gateway.doctor import examine as examine_gateway
from landbridge.edge import examination
from landbridge.edge.examination import Finding
from landbridge.edge.health import Health
from landbridge.edge.server import Tls, serve
from landbridge.errors import error
from landbridge.federation.running import Federation
from landbridge.membership.keys import signing_key
from landbridge.membership.manifest import read_manifest
from landbridge.membership.pinned import Pinned
from nodes.doctor import examine as examine_node
from tests.cli.commands import run_apart
from tests.operating.town import PURPOSE, QUESTION, write
from tests.ports import free_port

pytestmark = pytest.mark.journey

Examine = Callable[..., list[Finding]]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """A gateway and a node that are well, and have answered once."""
    folder = tmp_path_factory.mktemp("doctor")
    town = write(folder / "town")
    text = (town / "federation.toml").read_text()
    (town / "federation.toml").write_text(text.replace("port = 0", f"port = {free_port()}", 1))
    with landbridge.testing.federation(town, state=folder / "state") as up:
        with up.client("planner") as client:
            client.query(QUESTION, purpose=PURPOSE)
        yield up


@dataclass(frozen=True, slots=True)
class Copy:
    """The state of a server, copied, to be spoilt; its settings name the copy's files."""

    folder: Path
    settings: Path
    _examine: Examine

    @property
    def prefix(self) -> str:
        """Of its environment variables."""
        server = "GATEWAY" if self.settings.name == "gateway.toml" else "NODE"
        return f"LANDBRIDGE_{server}__"

    def change(self, before: str, after: str) -> None:
        """Replaces a piece of the settings."""
        text = self.settings.read_text()
        assert before in text
        self.settings.write_text(text.replace(before, after, 1))

    def examine(
        self, seconds: float = 0.0, environment: dict[str, str] | None = None
    ) -> list[Finding]:
        """What the doctor finds; `seconds` is how far its own clock is ahead."""
        return self._examine(self.settings, environment or {}, lambda: time.time() + seconds)


def _copy(running: Federation, name: str, place: Path, examine: Examine) -> Copy:
    source = running.state / name
    # The officers' socket is no file that can be copied; what is being written is gone in a moment.
    shutil.copytree(source, place, ignore=shutil.ignore_patterns("*.sock", "*.tmp"))
    place.chmod(0o700)
    file = "gateway.toml" if name == "gateway" else "node.toml"
    settings = place / file
    settings.write_text(settings.read_text().replace(str(source), str(place)))
    return Copy(place, settings, examine)


@pytest.fixture
def gateway(running: Federation, tmp_path: Path) -> Copy:
    """A gateway that does not run here, with the members of the one that does."""
    return _copy(running, "gateway", tmp_path / "gateway", examine_gateway)


@pytest.fixture
def node(running: Federation, tmp_path: Path) -> Copy:
    """The library's node, likewise."""
    return _copy(running, "library", tmp_path / "library", examine_node)


def only(findings: list[Finding], check: str) -> Finding:
    """The one finding of that check."""
    (found,) = [each for each in findings if each.check == check]
    return found


def test_nothing_is_wrong_with_servers_that_are_well(running: Federation) -> None:
    """No warning either: a doctor who always finds something is not listened to."""
    findings = [
        *examine_gateway(running.state / "gateway" / "gateway.toml", {}, time.time),
        *examine_node(
            running.state / "library" / "node.toml", {}, time.time, gateway=running.address
        ),
    ]
    assert [each for each in findings if each.state != "ok"] == []
    checks = {each.check for each in findings}
    assert {"certificate", "modes", "disk", "identity", "policy", "data", "membership"} <= checks
    assert {"members", "gateway", "clock", "log", "settings"} <= checks


def test_settings_that_cannot_be_read_are_named_one_by_one(node: Copy) -> None:
    """From the file and from the environment."""
    node.change("department", "departement")
    findings = node.examine(environment={"LANDBRIDGE_NODE__LIMITS__CALS": "3"})
    said = " ".join(each.found for each in findings)
    assert {each.state for each in findings} == {"problem"}
    assert "departement" in said
    assert "limits.cals" in said


def test_a_certificate_that_ended_or_ends_soon_is_found(node: Copy) -> None:
    """Peers refuse it, and say only that nobody answers."""
    end = x509.load_pem_x509_certificate((node.folder / "tls.pem").read_bytes())
    left = (end.not_valid_after_utc - datetime.now(UTC)).total_seconds()
    found = only(node.examine(left + 3600), "certificate")
    assert (found.state, found.found.split(":")[0]) == ("problem", "it ended")
    found = only(node.examine(left - timedelta(days=3).total_seconds()), "certificate")
    assert (found.state, found.remedy) == ("warning", "renew it")


def test_a_certificate_of_tomorrow_is_found(node: Copy) -> None:
    """A clock that runs behind makes every certificate one."""
    began = x509.load_pem_x509_certificate((node.folder / "tls.pem").read_bytes())
    ago = (datetime.now(UTC) - began.not_valid_before_utc).total_seconds()
    found = only(node.examine(-ago - 3600), "certificate")
    assert found.state == "problem"
    assert "valid from" in found.found


def test_tls_files_that_do_not_belong_together_are_found(running: Federation, node: Copy) -> None:
    """Another member's files: the key does not fit, the name is another's."""
    shutil.copy(running.state / "gateway" / "tls.pem", node.folder / "tls.pem")
    said = [each.found for each in node.examine() if each.check == "certificate"]
    assert any("is not that of" in sentence for sentence in said)
    assert any("does not carry the name" in sentence for sentence in said)


def test_a_certificate_of_another_authority_is_found(node: Copy) -> None:
    """A node that was moved between two federations."""
    own = (node.folder / "tls.pem").read_bytes()
    (node.folder / "other.pem").write_bytes(own)  # it certifies nobody, not even itself
    text = node.settings.read_text().splitlines()
    place = next(at for at, line in enumerate(text) if line.startswith("authority"))
    other = Path(running_authority(node.folder))
    text[place] = f'authority = "{other}"'
    node.settings.write_text("\n".join(text))
    said = [each.found for each in node.examine() if each.check == "certificate"]
    assert any("no authority" in sentence for sentence in said)


def running_authority(folder: Path) -> Path:
    """A new authority's certificate."""
    from landbridge.identity.development import DevelopmentAuthority

    DevelopmentAuthority.create(folder / "elsewhere", "elsewhere")
    return folder / "elsewhere" / "development-ca.pem"


def test_missing_and_garbled_tls_files_are_found(node: Copy) -> None:
    """With how they come to be."""
    (node.folder / "tls.pem").write_text("no certificate")
    assert "no PEM" in only(node.examine(), "certificate").found
    (node.folder / "tls.key").unlink()
    found = only(node.examine(), "certificate")
    assert "cannot be read" in found.found
    assert "node join" in found.remedy


@pytest.mark.parametrize("name", ["signing.key", "log.key", "tls.key"])
def test_a_key_that_others_can_read_is_found(name: str, node: Copy) -> None:
    """With the command that mends it."""
    (node.folder / name).chmod(0o640)
    found = only(node.examine(), "modes")
    assert (found.state, found.remedy) == ("problem", f"chmod 600 {node.folder / name}")


def test_a_consoles_secret_that_others_can_read_is_found(gateway: Copy) -> None:
    """It lies wherever the settings say, beside the state folder or not."""
    secret = gateway.folder.parent / "console.secret"
    secret.write_text("s3cret")
    secret.chmod(0o644)
    with gateway.settings.open("a") as settings:
        settings.write(f"\n[console]\nclient_secret = {json.dumps(str(secret))}\n")
    found = only(gateway.examine(), "modes")
    assert (found.state, found.remedy) == ("problem", f"chmod 600 {secret}")


def test_a_state_folder_that_others_can_enter_is_found(gateway: Copy) -> None:
    """Its ledger and log would be read."""
    gateway.folder.chmod(0o755)
    found = only(gateway.examine(), "modes")
    assert (found.state, found.remedy) == ("problem", f"chmod 700 {gateway.folder}")


def test_a_disk_that_nothing_can_be_written_to_is_found() -> None:
    """The kernel's own folder takes no file from anybody, root included."""
    (found,) = examination.disk(Path("/proc/landbridge"))
    assert found.state == "problem"
    assert "cannot be written durably" in found.found


def test_a_disk_that_is_nearly_full_is_found(tmp_path: Path) -> None:
    """This disk's own free bytes, beside bounds that they do not reach."""
    enormous = 1 << 62
    (found,) = examination.disk(tmp_path, least=0, few=enormous)
    assert found.state == "warning"
    (found,) = examination.disk(tmp_path, least=enormous, few=enormous)
    assert (found.state, "archive" in found.remedy) == ("problem", True)
    assert list(tmp_path.iterdir()) == []


def test_keys_of_the_issuer_that_are_missing_are_found(gateway: Copy) -> None:
    """Nobody could log in."""
    text = gateway.settings.read_text()
    jwks = next(line for line in text.splitlines() if line.startswith("jwks"))
    gateway.change(jwks, 'jwks = "nowhere.json"')
    found = only(gateway.examine(), "identity")
    assert found.state == "problem"
    assert "nowhere.json" in found.found


def test_a_policy_that_does_not_hold_is_found(gateway: Copy, node: Copy) -> None:
    """In the words of policy check."""
    for copy in (gateway, node):
        spoilt = copy.folder / "access.cedar"
        spoilt.write_text("permit (principal, action, resource) when { context.nothing };")
        text = copy.settings.read_text()
        line = next(line for line in text.splitlines() if line.startswith("access"))
        copy.change(line, f'access = "{spoilt}"')
        found = only(copy.examine(), "policy")
        assert found.state == "problem"
        assert str(spoilt) in found.found


def test_a_policy_may_name_the_procedures_of_its_folder(gateway: Copy) -> None:
    """As at a start; a procedure that is not understood is named, and not the policy."""
    access, folder = gateway.folder / "access.cedar", gateway.folder / "procedures"
    access.write_text(
        '@id("cases")\npermit (principal, action == Action::"case",'
        ' resource == Procedure::"open_restaurant");\n'
    )
    shutil.copytree(ROOT / "examples/one_stop_licence/gateway/procedures", folder)
    text = gateway.settings.read_text()
    lines = [each for each in text.splitlines() if not each.startswith(("access", "procedures"))]
    gateway.settings.write_text(
        "\n".join([f'access = "{access}"', f'procedures = "{folder}"', *lines])
    )
    assert only(gateway.examine(), "policy").state == "ok"
    (folder / "open_restaurant.yaml").write_text("procedure: open_restaurant\nsteps: none\n")
    found = only(gateway.examine(), "procedures")
    assert (found.state, "open_restaurant.yaml" in found.found) == ("problem", True)


def test_a_table_that_is_not_loaded_is_found(node: Copy) -> None:
    """With the command that loads it."""
    shutil.rmtree(node.folder / "data" / "loans")
    found = only(node.examine(), "data")
    assert (found.state, found.remedy) == ("warning", "landbridge node load node.toml loans FILE")


def test_a_table_that_was_loaded_under_another_contract_is_found(
    node: Copy, tmp_path: Path
) -> None:
    """Where rows mean something else, its answers are refused until it is loaded again."""
    text = node.settings.read_text()
    line = next(line for line in text.splitlines() if line.startswith("contracts"))
    contracts = tmp_path / "contracts"
    shutil.copytree(json.loads(line.split("=", 1)[1]), contracts)
    contract = contracts / "loans.odcs.yaml"
    contract.write_text(contract.read_text().replace("1.0.0", "1.0.1", 1))
    node.change(line, f'contracts = "{contracts}"')
    assert only(node.examine(), "data").state == "ok"  # another version, the same rows
    contract.write_text(contract.read_text().replace("maximum: 60}", "maximum: 61}", 1))
    found = only(node.examine(), "data")
    assert (found.state, "something else" in found.found) == ("problem", True)


def test_a_table_whose_file_went_is_found(node: Copy) -> None:
    """A half-restored backup."""
    for path in (node.folder / "data" / "loans").iterdir():
        if path.name != "current.json":
            path.unlink()
    found = only(node.examine(), "data")
    assert (found.state, "missing" in found.found) == ("problem", True)


def test_a_department_that_has_not_joined_is_found(node: Copy) -> None:
    """Nobody would ask it."""
    (node.folder / "pinned.json").unlink()
    found = only(node.examine(), "membership")
    assert (found.state, "join" in found.remedy) == ("problem", True)


def test_a_manifest_that_waits_for_a_yes_is_found(node: Copy, gateway: Copy) -> None:
    """It waits until somebody looks."""
    key = signing_key(gateway.folder)
    manifest = read_manifest((gateway.folder / "manifest.json").read_bytes(), key.public_key())
    offered = replace(manifest.following(manifest.members), gateway_witness="another")
    assert Pinned(node.folder, "library").offer(offered.signed(key)).waiting
    found = only(node.examine(), "membership")
    assert (found.state, "accept" in found.remedy) == ("warning", True)


def test_a_server_that_says_it_should_not_be_asked_is_found(
    running: Federation, node: Copy
) -> None:
    """A node under the same certificate whose log may not be relied on."""

    def broken() -> None:
        raise error("LOG_UNAVAILABLE")

    health = Health(broken)
    health.enter()
    tls = Tls(
        (node.folder / "tls.key").read_bytes(),
        (node.folder / "tls.pem").read_bytes(),
        running.ca.read_bytes(),
    )
    server = serve(
        [health.register], address="127.0.0.1:0", tls=tls, report=lambda _: None, threads=1
    )
    try:
        listen = {"LANDBRIDGE_NODE__LISTEN": f"127.0.0.1:{server.port}"}
        found = only(node.examine(environment=listen), "server")
    finally:
        server.stop(0)
    assert (found.state, "NOT_SERVING" in found.found) == ("problem", True)


def test_a_gateway_without_members_and_one_with_a_spoilt_list_are_found(gateway: Copy) -> None:
    """The first is new, the second was tampered with or badly restored."""
    path = gateway.folder / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace("library", "librarx", 1))
    said = [each for each in gateway.examine() if each.check == "members"]
    assert said[0].state == "problem"
    path.unlink()
    found = only(gateway.examine(), "members")
    assert (found.state, "invite" in found.remedy) == ("warning", True)


def test_a_member_that_does_not_answer_is_found(running: Federation) -> None:
    """With the address that was tried."""
    running.stop("library")
    try:
        findings = examine_gateway(running.state / "gateway" / "gateway.toml", {}, time.time)
    finally:
        running.restart("library")
    found = only(findings, "members")
    assert found.state == "problem"
    assert f"127.0.0.1:{running.node_port('library')}" in found.found


@pytest.mark.parametrize(("seconds", "state"), [(45, "warning"), (-200, "problem")])
def test_a_clock_that_differs_is_found(seconds: float, state: str, running: Federation) -> None:
    """Both ways; the member's own clock comes with its health."""
    findings = examine_gateway(
        running.state / "gateway" / "gateway.toml", {}, lambda: time.time() + seconds
    )
    assert {each.state for each in findings if each.check == "clock"} == {state}
    assert all("NTP" in each.remedy for each in findings if each.check == "clock")


def test_another_program_on_the_port_is_found(node: Copy) -> None:
    """Whatever it is, it is not this server."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = only(
            node.examine(environment={"LANDBRIDGE_NODE__LISTEN": f"127.0.0.1:{port}"}), "port"
        )
        assert (found.state, "cannot be used" in found.found) == ("problem", True)


def test_an_address_that_is_not_this_machines_is_found() -> None:
    """192.0.2.0/24 is nobody's (RFC 5737); binding asks nobody."""
    assert "assign" in examination.bindable("192.0.2.1", "7443")
    assert examination.bindable("127.0.0.1", "0") == ""


def test_a_server_that_does_not_run_is_found(node: Copy) -> None:
    """A warning: before the first start it is as it should be."""
    listen = {"LANDBRIDGE_NODE__LISTEN": f"127.0.0.1:{free_port()}"}
    found = only(node.examine(environment=listen), "port")
    assert (found.state, found.remedy) == ("warning", "start the server")


def test_a_log_that_does_not_hold_is_found(node: Copy) -> None:
    """One byte of one entry."""
    (bundle,) = [
        path for path in (node.folder / "log" / "tile" / "entries").rglob("*") if path.is_file()
    ][:1]
    octets = bytearray(bundle.read_bytes())
    octets[len(octets) // 2] ^= 1
    bundle.write_bytes(octets)
    found = only(node.examine(), "log")
    assert found.state == "problem"
    assert "restore" in found.remedy


def test_a_gateway_that_a_node_cannot_reach_is_found(running: Federation, node: Copy) -> None:
    """At the address that its operator names; else at the one that it joined at, as a warning."""
    nowhere = f"127.0.0.1:{free_port()}"
    findings = examine_node(node.settings, {}, time.time, gateway=nowhere)
    assert only(findings, "gateway").state == "problem"
    (node.folder / "gateway.address").write_text(nowhere)  # as `node join` leaves it
    found = only(node.examine(), "gateway")
    assert (found.state, nowhere in found.found, "--gateway" in found.remedy) == (
        "warning", True, True
    )  # fmt: skip
    (node.folder / "gateway.address").write_text(running.address)
    assert only(node.examine(), "gateway").found == f"gateway at {running.address} says SERVING"
    assert only(node.examine(-200), "clock").state == "problem"  # the gateway's is compared too


def test_the_command_prints_a_table_or_json_and_an_exit_status(
    running: Federation, node: Copy
) -> None:
    """0 where nothing is wrong, 2 where something is; quiet says only what is wrong."""
    well = run_apart("doctor", str(running.state / "gateway"), "--quiet")
    assert (well.status, well.out) == (0, "")
    (node.folder / "signing.key").chmod(0o644)
    ill = run_apart("doctor", str(node.settings), "--json", "--quiet")
    found = [each for each in json.loads(ill.out) if each["check"] == "modes"]
    assert (ill.status, found[0]["state"]) == (2, "problem")
    table = run_apart("doctor", str(node.folder))
    assert (table.status, "PROBLEM" in table.out, "chmod 600" in table.out) == (2, True, True)


def test_the_doctor_changes_nothing(node: Copy, gateway: Copy) -> None:
    """Not a file, not a mode, not a byte."""

    def standing(folder: Path) -> dict[str, tuple[int, bytes]]:
        return {
            str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
            for path in folder.rglob("*")
        }

    for copy in (node, gateway):
        before = standing(copy.folder)
        copy.examine()
        assert standing(copy.folder) == before
        copy.examine(environment={f"{copy.prefix}STATE": str(copy.folder / "none" / "yet")})
        assert standing(copy.folder) == before
