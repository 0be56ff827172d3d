"""Random requests of every method that gateway and node serve, from the messages' own descriptors.

A field gets a value that the method could expect, one that it never should, or none; now and then
the bytes themselves are changed. One seed, one sequence of requests.
"""

from __future__ import annotations

import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from landbridge.errors import CATALOGUE
from landbridge.local import LocalChannel
from landbridge.membership.keys import signing_key
from landbridge.membership.link_statement import LinkSigner
from landbridge.membership.statement import AskingSigner
from tests.attacks.test_doors import gateways_own, node_channel
from tests.attacks.worlds import PURPOSE, World, problem_of

GATEWAY: Final = {
    "gateway": ("Gateway",), "consult": ("Consultations",), "portal": ("Portal",),
    "submission": ("Submissions",), "census": ("Census",), "watch": ("Watches",),
    "batch": ("Calls",), "case": ("Cases",), "enrolment": ("Enrolment",), "group": ("Groups",),
}  # fmt: skip
NODE: Final = {
    "node": ("Node",), "link": ("Link",), "pooled": ("Pooling",), "census": ("Tally",),
    "batch": ("Handlers",), "step": ("Steps",), "witness": ("Witness", "WitnessedLog"),
    "portal": ("SubjectAccess",), "membership": ("Members",), "consult": ("Consulting",),
    "watch": ("Watching",), "renewal": ("Renewal",), "submission": ("Intake",),
    "group": ("Grouping",),
}  # fmt: skip
"""Module -> services."""
OFFICERS: Final = {
    "attend": ("Attending",), "consult": ("Reviewing",), "group": ("GroupOffice",),
}  # fmt: skip
"""The same on the socket of the department's own machine."""
TEXTS: Final = (
    "", "\0", "a" * 5_000, "../../etc/passwd", "\u202epeople", "\u0440eople", "\u200b",
    "\x1b[2J\x07", "people; DROP TABLE people", "%s%n{0}", "\U0001d491eople", "-1", "NaN",
    "null", "\r\nauthorization: x",
)  # fmt: skip
NUMBERS: Final = (0, 1, 2, -1, 7, 1_000_000, 2**31 - 1, -(2**31), 2**62, 2**63 - 1, -(2**63))
BARE: Final = frozenset({"RESOURCE_EXHAUSTED", "UNIMPLEMENTED"})
"""What gRPC says by itself: of a message that is too large, of a method that is not there."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the fields of a name would hold in a request that is meant."""

    token: str

    def of(self, name: str, chance: random.Random) -> Any:
        """A value, or None where nothing is known of that name."""
        known: Mapping[str, Any] = {
            "sql": "SELECT district, count(*) AS n FROM people WHERE age > 30 GROUP BY district",
            "purpose": PURPOSE, "question_id": f"{chance.getrandbits(128):032x}",
            "handler": chance.choice(("north.income_band", "income_band")), "contract": "people",
            "members": "north", "department": "north", "token": self.token, "column": "income",
            "micro_epsilon": 10_000, "when": "n >= 10", "name": "age", "text": "D7",
            "every_seconds": 60, "id": f"{chance.getrandbits(128):032x}", "procedure": "none",
        }  # fmt: skip
        return known.get(name)


class Maker:
    """Makes messages; `seed` decides all of them."""

    def __init__(self, seed: int, token: str) -> None:
        self.chance = random.Random(seed)
        self._expected = Expected(token)
        self._odd = 0.0

    def message(self, descriptor: Descriptor, depth: int = 0) -> Message:
        """One of that kind, from nearly right to nearly all wrong."""
        if not depth:
            self._odd = self.chance.choice((0.02, 0.1, 0.3, 0.6))
        made = GetMessageClass(descriptor)()
        for each in descriptor.fields:
            known = each.message_type or self._expected.of(each.name, self.chance) is not None
            if self.chance.random() < (0.9 if known else self._odd) * (1 if depth < 3 else 0.3):
                self._fill(made, each, depth)
        return made

    def changed(self, content: bytes) -> bytes:
        """Some of its bytes are others, fewer or more."""
        odd = bytearray(content or b"\0")
        for _ in range(self.chance.randint(1, 4)):
            place = self.chance.randrange(len(odd) or 1)
            match self.chance.randrange(3):
                case 0 if odd:
                    odd[place] ^= 1 << self.chance.randrange(8)
                case 1:
                    del odd[place : place + self.chance.randint(1, 9)]
                case _:
                    odd[place:place] = self.chance.randbytes(self.chance.randint(1, 9))
        return bytes(odd)

    def _fill(self, made: Message, each: FieldDescriptor, depth: int) -> None:
        repeated = each.is_repeated
        entry = each.message_type
        if entry is not None and entry.GetOptions().map_entry:
            for _ in range(self.chance.randint(0, 3)):
                key = self._single(entry.fields_by_name["key"], depth)
                value = entry.fields_by_name["value"]
                if value.message_type is None:
                    getattr(made, each.name)[key] = self._single(value, depth)
                else:
                    inner = self.message(value.message_type, depth + 1)
                    getattr(made, each.name)[key].CopyFrom(inner)
        elif repeated:
            for _ in range(self.chance.choice((1, 1, 2, 3, 40))):
                if depth > 4:
                    break
                value_ = self._single(each, depth)
                if entry is None:
                    getattr(made, each.name).append(value_)
                else:
                    getattr(made, each.name).add().CopyFrom(value_)
        elif entry is not None:
            if depth < 6:
                getattr(made, each.name).CopyFrom(self._single(each, depth))
        else:
            setattr(made, each.name, self._single(each, depth))

    def _single(self, each: FieldDescriptor, depth: int) -> Any:
        chance = self.chance
        if each.message_type is not None:
            return self.message(each.message_type, depth + 1)
        expected = self._expected.of(each.name, chance)
        kind = each.cpp_type
        fitting = {
            FieldDescriptor.CPPTYPE_STRING: bytes if each.type == each.TYPE_BYTES else str,
        }.get(kind, int)
        if isinstance(expected, fitting) and chance.random() >= self._odd:
            return expected
        match kind:
            case FieldDescriptor.CPPTYPE_STRING if each.type == each.TYPE_BYTES:
                return chance.randbytes(chance.choice((0, 1, 16, 32, 64, 3_000)))
            case FieldDescriptor.CPPTYPE_STRING:
                return chance.choice(TEXTS)
            case FieldDescriptor.CPPTYPE_BOOL:
                return chance.random() < 0.5
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return chance.choice((0.0, -0.0, 1e308, float("nan"), float("inf"), 5e-324, -1.5))
            case FieldDescriptor.CPPTYPE_UINT32 | FieldDescriptor.CPPTYPE_UINT64:
                most = 2**32 if kind == FieldDescriptor.CPPTYPE_UINT32 else 2**64
                return chance.choice(NUMBERS) % most
            case FieldDescriptor.CPPTYPE_INT32:
                return max(-(2**31), min(2**31 - 1, chance.choice(NUMBERS)))
            case FieldDescriptor.CPPTYPE_ENUM:
                return chance.choice((0, 1, 2, 3, 99))
            case _:
                return chance.choice(NUMBERS)


def methods(services: Mapping[str, tuple[str, ...]]) -> Iterator[MethodDescriptor]:
    """Every method of those services."""
    for module, names in services.items():
        file = import_module(f"landbridge.v1.{module}_pb2").DESCRIPTOR
        for name in names:
            yield from file.services_by_name[name].methods


@dataclass
class Fuzz:
    """What came of it: `ends` counts reasons, `wrong` says what should not have been."""

    tried: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def fuzz(world: World, seed: int, each: int, *, seconds: float = 5.0) -> Fuzz:
    """`each` requests of every method: at the gateway by a known caller, at the node under the
    gateway's own certificate and signature (whoever stole both; nobody but them comes this far),
    and at the officers' socket by whoever may open it.
    """
    found = Fuzz()
    token = world.token("fuzz")
    maker = Maker(seed, token)
    key = signing_key(world.running.state / "gateway")
    asking = AskingSigner(world.running.folder.name, key, time.time)
    link = LinkSigner(world.running.folder.name, key, time.time)
    before = {name: _words(world, name) for name in ("gateway", "north")}
    pids = [world.running.process_id(), world.running.process_id("north")]
    office = LocalChannel(world.running.state / "north" / "review")
    with (
        closing(office), world.channel() as front,
        node_channel(world, *gateways_own(world)) as back,
    ):  # fmt: skip
        for channel, services in ((front, GATEWAY), (back, NODE), (office.channel, OFFICERS)):
            for method in methods(services):
                for turn in range(each):
                    request = maker.message(method.input_type)
                    if channel is back:
                        _sign(request, asking, link)
                    content = request.SerializeToString()
                    if turn % 4 == 3:
                        content = maker.changed(content)
                    where = f"seed {seed}: {method.full_name} {turn}"
                    _send(found, channel, method, content, token, seconds, where)
    for name, words in before.items():
        said = _words(world, name)[len(words) :]
        if "Traceback" in said or "defect" in said:
            found.wrong.append(f"seed {seed}: {name} reported: {said[:600]}")
    if pids != [world.running.process_id(), world.running.process_id("north")]:
        found.wrong.append(f"seed {seed}: a process is another one")
    return found


def _sign(request: Any, asking: AskingSigner, link: LinkSigner) -> None:
    """As the gateway does, where this kind of request is signed at all."""
    names = {each.name for each in request.DESCRIPTOR.fields}
    try:
        if request.DESCRIPTOR.file.name.endswith("/link.proto"):
            request.CopyFrom(link.sign("north", request))
        elif "asking" in names:
            request.CopyFrom(asking.signing(request)("north"))
    except Exception:  # noqa: BLE001 - what cannot even be signed goes out as it is
        return


def call_method(
    channel: grpc.Channel, method: MethodDescriptor, content: bytes, token: str, seconds: float
) -> None:
    """Calls it with that message, twice where it takes a stream, and hears the reply to its end."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    metadata = (("authorization", f"Bearer {token}"),)
    if method.client_streaming:
        stream: Any = channel.stream_stream(path)
        list(stream(iter([content, content]), timeout=seconds, metadata=metadata))
    elif method.server_streaming:
        listened: Any = channel.unary_stream(path)
        list(listened(content, timeout=seconds, metadata=metadata))
    else:
        asked: Any = channel.unary_unary(path)
        asked(content, timeout=seconds, metadata=metadata)


def _send(
    found: Fuzz, channel: grpc.Channel, method: MethodDescriptor, content: bytes, token: str,
    seconds: float, where: str,
) -> None:  # fmt: skip
    # Some hold a question until there is something to say (0029).
    waits = method.name in ("FollowConsultations", "FollowConcerns")
    follows = method.server_streaming and not method.client_streaming
    found.tried += 1
    try:
        call_method(channel, method, content, token, 1.0 if waits or follows else seconds)
    except grpc.RpcError as failure:
        call = cast(grpc.Call, failure)
        problem, code = problem_of(call), call.code().name
        found.ends[problem.reason or code] += 1
        late = code == "DEADLINE_EXCEEDED" and (method.server_streaming or waits)
        if problem.reason == "FAULT":
            found.wrong.append(f"{where} is a fault: {content.hex()[:400]}")
        elif problem.reason:
            if CATALOGUE[problem.reason].status != code:
                found.wrong.append(f"{where} says {problem.reason} under {code}")
        elif code not in BARE and not late:
            found.wrong.append(f"{where} ends bare: {code} {call.details()}: {content.hex()[:400]}")
        if "Traceback" in repr(call.details()) or str(Path.home()) in problem.message:
            found.wrong.append(f"{where} says {call.details()}")
    else:
        found.ends["OK"] += 1


def _words(world: World, name: str) -> str:
    return (world.running.state / name / "stderr.log").read_text("utf-8", "replace")


def seed_of_today() -> int:
    """For a run that should not be like the last one."""
    return secrets.randbelow(2**31)
