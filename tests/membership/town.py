"""A gateway and a department's folder from the templates, made by no hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import as_file, files
from pathlib import Path

import pytest

import landbridge
from gateway import app as gateway_app
from gateway import membership
from gateway import settings as gateway_settings
from landbridge.cli import init
from landbridge.edge.trust import Issuer, Trust
from landbridge.errors import error
from landbridge.identity.development import DevelopmentIssuer
from landbridge.membership.code import JoinCode
from nodes import app as node_app
from nodes import settings as node_settings
from nodes.join import join
from nodes.load import load
from nodes.store import Store
from policies import odcs
from tests.ports import free_port


@dataclass
class Town:
    """A gateway that serves, and a department's folder, from the templates."""

    folder: Path
    gateway: gateway_settings.Settings
    node: node_settings.Settings
    running: gateway_app.Gateway
    issuer: DevelopmentIssuer
    told: list[str]
    said: list[str] = field(default_factory=list)
    node_told: list[str] = field(default_factory=list)
    nodes: list[node_app.Node] = field(default_factory=list)

    def code(self) -> JoinCode:
        """An invitation for the library."""
        address = f"127.0.0.1:{self.running.port}"
        return membership.invite(self.gateway, "library", address, time.time)

    def approve(self, _: float = 0) -> None:
        """The operator, who compares what both sides show."""
        (waiting,) = membership.listing(self.gateway, time.time)
        assert any(str(waiting["fingerprint"]) in line for line in self.said)
        membership.approve(self.gateway, "library", str(waiting["fingerprint"]), time.time)

    def client(self) -> landbridge.Client:
        """A planner of the template's policies, connected anew."""
        token = self.issuer.issue(
            "planner",
            organisation="city-planning",
            clearance="internal",
            purposes=["dpv:ServiceOptimisation"],
        )
        return landbridge.connect(
            f"localhost:{self.running.port}", token=token, ca=self.gateway.tls_authority
        )

    def explain(self, client: landbridge.Client | None = None) -> None:
        """What a question would cost: gateway and node decide, no data is touched."""
        if client is None:
            with self.client() as new:
                self.explain(new)
        else:
            plan = client.explain(init.QUESTION, purpose="dpv:ServiceOptimisation")
            if not plan.budgets:  # explained by the gateway alone
                raise error("DEPARTMENT_MISSING")

    def query(self, client: landbridge.Client | None = None) -> None:
        """A question, answered from the loaded table; the same again is free."""
        if client is None:
            with self.client() as new:
                self.query(new)
        else:
            client.query(init.QUESTION, purpose="dpv:ServiceOptimisation")

    def load(self) -> None:
        """The template's rows, as the department's table."""
        path = next(self.node.contracts.glob("*.odcs.yaml"))
        contract = odcs.read(path.read_bytes(), path.name)
        with as_file(files("landbridge.cli") / "templates/rows/data/loans.csv") as rows:
            load(contract, rows, Store(self.node.state / "data"))

    def reason(self, ask: Callable[[], None]) -> str:
        """Why it was refused; empty where it was not."""
        try:
            ask()
        except landbridge.LandbridgeError as refusal:
            return refusal.reason
        return ""

    def start_node(self) -> node_app.Node:
        """The department's server; it ends with the town."""
        self.nodes.append(node_app.start(self.node, fail, self.node_told.append))
        return self.nodes[-1]

    def join(self, code: JoinCode) -> None:
        """The department's command, with an operator at the other end."""
        join(code, self.node, self.node.listen, lambda _: True, self.said.append, self.approve)


def fail(_: BaseException) -> None:
    """No server has a defect in these tests."""
    pytest.fail("a defect was reported")


@contextmanager
def a_town(tmp_path: Path, certificate_seconds: int = 30 * 86_400) -> Iterator[Town]:
    """Nothing in it was made by hand but the issuer of tokens."""
    init._write(tmp_path / "gateway", {"gateway": "."})
    init._write(tmp_path / "node", {"node": ".", "department": "."})
    issuer = DevelopmentIssuer.create(tmp_path / "issuer", "https://i.example", "https://g.example")
    jwks = tmp_path / "issuer" / "jwks.json"
    trust = Trust(
        (Issuer("https://i.example", "https://g.example", jwks, "", None, None),),
        frozenset({"EdDSA"}),
        None,
    )
    gateway = replace(
        gateway_settings.read(tmp_path / "gateway" / "gateway.toml"),
        listen="127.0.0.1:0",
        trust=trust,
        certificate_seconds=certificate_seconds,
    )
    node = replace(
        node_settings.read(tmp_path / "node" / "node.toml"),
        listen=f"127.0.0.1:{free_port()}",
        trust=trust,
    )
    told: list[str] = []
    running = gateway_app.start(gateway, fail, told.append)
    made = Town(tmp_path, gateway, node, running, issuer, told)
    try:
        yield made
    finally:
        for each in made.nodes:
            each.stop(0)
        made.running.stop(0)


def eventually(holds: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Waits until it holds; fails, naming what did not, when it does not for that long."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"after {seconds} seconds not yet: {what}")
        time.sleep(0.02)
