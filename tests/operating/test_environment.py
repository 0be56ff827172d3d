"""Every setting by the environment, by one rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.site.reference import SERVERS, settings_of
from gateway import settings as gateway_settings
from landbridge.cli import app
from landbridge.edge.operating import loopback
from landbridge.edge.settings import Known, SettingsInvalid, variable
from nodes import settings as node_settings

VALUES = {"text": "another", "path": "another", "number": "7", "true or false": "true"}
PARTICULAR = {
    "cases.url": "postgresql+psycopg://gateway@db.example/cases",
    "telemetry.otlp": "https://collector.example:4317",
    "telemetry.prometheus": "127.0.0.1:9464",
    "telemetry.logs": "json",
    "identity.algorithms": '["ES256"]',
    "identity.organisations": '["one"]',
    "log.gateway_replicas": '["one", "two"]',
    "issuer": '[{issuer = "https://one", audience = "a", jwks = "one.json"}]',
    "address": "https://desk.example",
    "sign_in.scope": "openid profile",
    "console.address": "https://console.example",
    "console.issuer": "https://issuer.town.example",
    "console.scope": "openid profile",
    "console.timezone": "Asia/Taipei",
    "console.open_from": "9",
    "console.open_until": "23",
    "engine.kind": "postgresql",
    "engine.connection": "host=db.example dbname=library",
    "engine.loader": "host=db.example user=loader",
    "console.desk": '[{department = "library", address = "https://desk.example"}]',
}
TOGETHER = {
    "issuer": {"identity": "{}"},
    "identity.jwks_url": {"identity.jwks": ""},
    "identity.jwks_ca": {"identity.jwks": "", "identity.jwks_url": "https://one/jwks"},
    "listen_mutual": {"tls.callers": "callers.pem"},
    "tls.callers": {"listen_mutual": "127.0.0.1:1"},
    "engine.kind": {"engine.connection": "host=db.example"},
    "engine.connection": {"engine.kind": "postgresql"},
    "engine.loader": {"engine.kind": "postgresql", "engine.connection": "host=db.example"},
    "engine.folder": {"engine.kind": "spark", "engine.connection": "sc://lake.example:15002"},
    "engine.token": {
        "engine.kind": "spark",
        "engine.connection": "sc://lake.example:15002",
        "engine.folder": "/lake",
    },
}
"""What else must be said with a setting."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every template."""
    folder = tmp_path_factory.mktemp("settings")
    for server, _ in SERVERS:
        assert app.run(["init", server, str(folder / server)]) == 0
    return {server: folder / server / f"{server}.toml" for server, _ in SERVERS}


def cases() -> list[tuple[str, Known]]:
    """Each setting of each server; those of [[issuer]] come with their table."""
    return [
        (server, each)
        for server, _ in SERVERS
        for each in settings_of(server)
        if not each.name.startswith("issuer.")
    ]


@pytest.mark.parametrize(
    ("server", "setting"), cases(), ids=lambda case: getattr(case, "name", case)
)
def test_a_variable_changes_its_setting(
    server: str, setting: Known, files: dict[str, Path]
) -> None:
    """One by one: what is read with it differs from what is read without it."""
    module = dict(SERVERS)[server]
    given = {
        setting.name: PARTICULAR.get(setting.name, VALUES.get(setting.kind, "")),
        **TOGETHER.get(setting.name, {}),
    }
    environment = {variable(module.PREFIX, name): value for name, value in given.items()}
    assert module.read(files[server], environment) != module.read(files[server])


def test_a_variable_that_names_no_setting_stops_the_start(files: dict[str, Path]) -> None:
    """A mistyped name must not leave the default in force."""
    for name in (
        "LANDBRIDGE_NODE__LIMITS__MEMORY",
        "LANDBRIDGE_NODE__LIMITS_MEMORY_MB",
        "LANDBRIDGE_NODE__limits__memory_mb",
        "LANDBRIDGE_NODE__LISTEN__PORT",
        "LANDBRIDGE_NODE__",
    ):
        with pytest.raises(SettingsInvalid):
            node_settings.read(files["node"], {name: "1"})


def test_a_value_of_the_wrong_kind_stops_the_start(files: dict[str, Path]) -> None:
    """As in the file."""
    for name, value in (
        ("LANDBRIDGE_NODE__LIMITS__CALLS", "many"),
        ("LANDBRIDGE_NODE__LIMITS__CALLS", "0"),
        ("LANDBRIDGE_NODE__LIMITS__CALLS", '"16"'),
        ("LANDBRIDGE_NODE__LIMITS", "16"),
        ("LANDBRIDGE_NODE__LOG__GATEWAY_REPLICAS", "one"),
    ):
        with pytest.raises(SettingsInvalid):
            node_settings.read(files["node"], {name: value})


def test_other_variables_are_none_of_its_business(files: dict[str, Path]) -> None:
    """The client's own, and those of the other server."""
    others = {"LANDBRIDGE_TOKEN": "x", "LANDBRIDGE_GATEWAY__NO": "y", "PATH": "/bin"}
    assert node_settings.read(files["node"], others) == node_settings.read(files["node"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTLP", "http://collector.example:4317"),  # in the clear, off this machine
        ("OTLP", "collector.example:4317"),
        ("PROMETHEUS", "0.0.0.0:9464"),
        ("PROMETHEUS", "192.0.2.1:9464"),
        ("PROMETHEUS", "9464"),
        ("LOGS", "xml"),
    ],
)
def test_telemetry_leaves_the_machine_encrypted_or_not_at_all(
    name: str, value: str, files: dict[str, Path]
) -> None:
    """Metrics have no password; so they have no address that others reach."""
    with pytest.raises(SettingsInvalid, match=f"telemetry.{name.lower()}"):
        gateway_settings.read(files["gateway"], {f"LANDBRIDGE_GATEWAY__TELEMETRY__{name}": value})


def test_what_loopback_is() -> None:
    """Both families, and the name."""
    assert all(map(loopback, ("127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1")))
    assert not any(map(loopback, ("127.0.0.1", "10.0.0.1:1", "[::]:1", "127.0.0.1:99999", ":1")))
