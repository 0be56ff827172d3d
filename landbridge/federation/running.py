"""A federation that runs: real processes, real gRPC, real TLS, all on loopback."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import yaml

from landbridge.attending import Attendant, attend
from landbridge.client import Client, connect
from landbridge.consultation.officers import Reviewer, review
from landbridge.federation.development_provider import DevelopmentProvider
from landbridge.federation.folder import FederationFolder, FederationInvalid, MemberFolder, read
from landbridge.federation.ground import HOST, Console, Ground
from landbridge.federation.process import Load, ProcessFailed, ServerProcess, run_load, spawn
from landbridge.group.office import Publisher, publish

CLIENT: Final = "landbridge-console"
"""What the console is to its provider."""

Progress = Callable[[str], None]
"""Takes a sentence about what happens now."""

Spawn = Callable[[str, str, Path], ServerProcess]
"""Starts a server: its name, its module, its settings."""

_TOKEN_SECONDS = 60.0
"""How long a client keeps a token, as applications do; it is good for an hour."""


class Federation:
    """Made by `Federation.up`. Everything ends with `close`, or with this process."""

    def __init__(
        self,
        ground: Ground,
        progress: Progress,
        *,
        temporary: bool,
        console: bool = False,
        spawn: Spawn = spawn,
    ) -> None:
        self._ground = ground
        self.spawn = spawn
        self._progress = progress
        self._temporary = temporary
        self._with_console = console
        self._provider: DevelopmentProvider | None = None
        self._nodes: dict[str, ServerProcess] = {}
        self._desks: dict[str, ServerProcess] = {}
        self._gateway: ServerProcess | None = None
        self._loading: list[Load] = []
        self.loaded: dict[str, list[dict[str, object]]] = {}

    @classmethod
    def up(
        cls,
        folder: Path,
        *,
        state: Path | None = None,
        progress: Progress = lambda _: None,
        console: bool = False,
        spawn: Spawn = spawn,
    ) -> Federation:
        """Runs the federation in `folder` and returns when its gateway answers.

        `state` keeps everything between runs; without it a temporary folder goes with the
        federation. With `console` the gateway serves its web console too, and this process a
        development issuer for it. `spawn` starts gateway and nodes. Raises FederationInvalid,
        ProcessFailed or OSError, one sentence each, and leaves no process behind.
        """
        described = read(folder.resolve())
        place = state or Path(tempfile.mkdtemp(prefix="landbridge-"))
        federation = cls(
            Ground.lay(described, place.resolve()),
            progress,
            temporary=state is None,
            console=console,
            spawn=spawn,
        )
        try:
            federation._start()
        except BaseException:
            federation.close()
            raise
        return federation

    @property
    def folder(self) -> FederationFolder:
        """What the folder says."""
        return self._ground.federation

    @property
    def address(self) -> str:
        """Where the gateway listens, "host:port"."""
        return f"{HOST}:{self._running_gateway().port}"

    @property
    def flight_address(self) -> str:
        """Where the gateway speaks Arrow Flight SQL, "host:port"; empty where it does not."""
        port = self._running_gateway().flight_port
        return f"{HOST}:{port}" if port else ""

    @property
    def console_address(self) -> str:
        """Where the web console is, "https://host:port"; empty where there is none."""
        port = self._running_gateway().console_port
        return f"https://{HOST}:{port}" if port else ""

    def desk_address(self, department: str) -> str:
        """Where a department's desk for its officers is; empty where it has none."""
        desk = self._desks.get(department)
        return f"https://{HOST}:{desk.port}" if desk else ""

    @property
    def ca(self) -> Path:
        """The certificate authority that callers trust, PEM."""
        return self._ground.ca

    @property
    def state(self) -> Path:
        """Where keys, ledgers, logs and loaded tables lie."""
        return self._ground.state

    def client(self, caller: str) -> Client:
        """A connected client with a token of that development caller."""
        return connect(self.address, token=_Kept(lambda: self.token(caller)), ca=self.ca)

    def token(self, caller: str, **changes: object) -> str:
        """A development token; `changes` replace claims that `gateway/callers.toml` gives.

        `subject` is another person with the same claims, such as one of many residents.
        """
        return self._ground.token(caller, **changes)

    def reviewer(self, department: str, officer: str) -> Reviewer:
        """That department's queue of consultations, for a development caller who is an officer."""
        folder = self._ground.folder(department) / "review"
        return review(folder, token=lambda: self.token(officer))

    def attendant(self, department: str, officer: str) -> Attendant:
        """The cases of that department, for a development caller who is responsible for them."""
        folder = self._ground.folder(department) / "review"
        return attend(folder, token=lambda: self.token(officer))

    def publisher(self, department: str, officer: str) -> Publisher:
        """Notices to that department's groups, of a development caller who is its officer."""
        folder = self._ground.folder(department) / "review"
        return publish(folder, token=lambda: self.token(officer))

    def log(self, department: str | None = None) -> Path:
        """The published log folder of a department, or of the gateway."""
        return self._ground.folder(department or "gateway") / "log"

    def process_id(self, department: str | None = None) -> int:
        """The process of a department's node, or of the gateway."""
        server = self._nodes[department] if department else self._running_gateway()
        return server.process.pid

    def node_port(self, department: str) -> int:
        """Where the department's node listens on loopback."""
        return self._nodes[department].port

    def load(self, department: str, contract: str, file: Path, as_of: str = "") -> None:
        """Loads a newer file of one contract while the node serves, as an operator would.

        `as_of` is the day that its rows are of. Raises ProcessFailed, one sentence, where the file
        does not keep to the contract.
        """
        member = next(m for m in self.folder.members if m.department == department)
        settings = self._ground.folder(department) / "node.toml"
        load = run_load(settings, [contract, str(file.resolve()), *_day(as_of)])
        self._loading.append(load)
        self._await_load(member, load)

    def kill(self, department: str) -> None:
        """Ends the department's node at once, as a crash would."""
        self._nodes[department].kill()

    def stop(self, department: str) -> None:
        """Ends the department's node in order."""
        self._nodes[department].stop()

    def kill_gateway(self) -> None:
        """Ends the gateway at once, as a crash would; `start_gateway` starts it again."""
        self._running_gateway().kill()

    def stop_gateway(self) -> None:
        """Ends the gateway in order; the nodes go on."""
        self._running_gateway().stop()

    def start_gateway(self) -> None:
        """Starts the gateway again after `stop_gateway`, perhaps at another port."""
        settings = self._ground.folder("gateway") / "gateway.toml"
        self._gateway = self.spawn("gateway", "gateway", settings)
        self._gateway.await_ready()

    def restart(self, department: str) -> None:
        """Starts the department's node again, at the same port."""
        earlier = self._nodes[department]
        if earlier.process.poll() is None:
            earlier.stop()
        member = next(m for m in self.folder.members if m.department == department)
        self._nodes[department] = self._node(member, earlier.port)
        self._nodes[department].await_ready()

    def reach(self, addresses: Mapping[str, str]) -> None:
        """Where the gateway finds the departments' nodes from its next start on, "host:port"."""
        granted = {member.department: _offered(member) for member in self.folder.members}
        self._ground.gateway_settings(addresses, granted)

    def close(self) -> None:
        """Ends every process, and removes a temporary state folder."""
        for load in self._loading:
            load.process.kill()
            load.result()
        self._loading.clear()
        servers = [
            *([self._gateway] if self._gateway else []),
            *self._desks.values(),
            *self._nodes.values(),
        ]
        for server in servers:  # all are asked before one is waited for
            if server.port:
                server.ask_to_stop()
            else:
                server.kill()  # it is not ready, so there is nothing to end in order
        for server in servers:
            server.stop()
        if self._provider is not None:
            self._provider.close()
        self._nodes, self._desks, self._gateway, self._provider = {}, {}, None, None
        if self._temporary:
            shutil.rmtree(self._ground.state, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _running_gateway(self) -> ServerProcess:
        if self._gateway is None:
            raise ProcessFailed("The gateway does not run.")
        return self._gateway

    def _start(self) -> None:
        members = self.folder.members
        granted = {member.department: _offered(member) for member in members}
        self._ground.enrol(granted)
        # Nodes start while their data loads: each picks its tables up when they are there.
        loads = [(member, load) for member in members for load in self._loads(member)]
        for member in members:
            self._nodes[member.department] = self._node(member, member.port)
        for member, load in loads:
            self._await_load(member, load)
        for name, node in self._nodes.items():
            node.await_ready()
            self._progress(f"node {name} listens on port {node.port}")
        addresses = {name: f"{HOST}:{node.port}" for name, node in self._nodes.items()}
        console = self._console() if self._with_console else None
        settings = self._ground.gateway_settings(addresses, granted, console)
        self._gateway = self.spawn("gateway", "gateway", settings)
        self._gateway.await_ready()
        self._progress(f"gateway listens on {self.address}")

    def _console(self) -> Console:
        """The development issuer, serving; what the gateway's console is told of it."""
        callers = {
            name: f"{each.organisation}, {each.clearance}"
            for name, each in self.folder.callers.items()
        }
        folder = self._ground.folder("gateway")
        self._provider = DevelopmentProvider.serve(
            self._ground.issuer,
            callers,
            [CLIENT],
            self.token,
            folder / "tls.key",
            folder / "tls.pem",
        )
        for member in self.folder.members:
            if _has_officers(member):
                settings = self._ground.desk_settings(member.department, self._provider.address)
                name = f"desk {member.department}"
                self._desks[member.department] = spawn(
                    name, "landbridge.desk", settings, "desk.stderr.log"
                )
        for desk in self._desks.values():
            desk.await_ready()
        desks = {name: f"https://{HOST}:{desk.port}" for name, desk in self._desks.items()}
        return Console(self._provider.address, desks)

    def _node(self, member: MemberFolder, port: int) -> ServerProcess:
        settings = self._ground.node_settings(member, port)
        return self.spawn(f"node {member.department}", "nodes", settings)

    def _loads(self, member: MemberFolder) -> list[Load]:
        settings = self._ground.node_settings(member, member.port)
        if member.script.exists():
            arguments = [["--script", str(member.script)]]
        else:
            arguments = [[name, str(path)] for name, path in member.files.items()]
        started = [run_load(settings, [*each, *_day(member.as_of)]) for each in arguments]
        self._loading += started
        return started

    def _await_load(self, member: MemberFolder, load: Load) -> None:
        status, output, errors = load.result()
        self._loading.remove(load)
        if status != 0:
            words = errors.decode("utf-8", "replace").strip().splitlines()
            raise ProcessFailed(
                f"The data of {member.department} was not loaded: "
                f"{words[-1] if words else 'the loader said nothing'}"
            )
        reports = [json.loads(line) for line in output.decode().splitlines()]
        self.loaded.setdefault(member.department, []).extend(reports)
        for found in reports:
            self._progress(
                f"{member.department} loaded {found['rows']:,} rows of {found['contract']}"
            )


def _day(as_of: str) -> list[str]:
    return ["--as-of", as_of] if as_of else []


class _Kept:
    """A token that is asked for again after a minute."""

    def __init__(self, issue: Callable[[], str]) -> None:
        self._issue = issue
        self._token = ""
        self._until = 0.0

    def __call__(self) -> str:
        """The token to send now."""
        now = time.monotonic()
        if now >= self._until:
            self._token, self._until = self._issue(), now + _TOKEN_SECONDS
        return self._token


def _offered(member: MemberFolder) -> dict[str, list[str]]:
    """What the manifest grants a member: the contracts and handlers that its folder holds."""
    contracts = []
    for path in sorted((member.folder / "contracts").glob("*.odcs.yaml")):
        try:
            contracts.append(str(yaml.safe_load(path.read_bytes())["id"]))
        except (yaml.YAMLError, KeyError, TypeError):
            raise FederationInvalid(f"{path} names no contract id.") from None
    folder = member.folder / "handlers"
    handlers = sorted(path.stem for path in (*folder.glob("*.sql"), *folder.glob("*.py")))
    return {"contracts": contracts, "handlers": handlers}


def _has_officers(member: MemberFolder) -> bool:
    """Whether the department's policy speaks of deciding consultations."""
    path = member.folder / "access.cedar"
    return path.exists() and 'Action::"review"' in path.read_text(encoding="utf-8")
