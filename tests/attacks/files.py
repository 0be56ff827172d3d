"""Every file that an operator writes or gets, what reads it, how it may refuse; and garbage.

One seed, one sequence of texts. They begin as a good file of the examples or templates and are
changed: bytes, lines, values, nesting, names that look like others, paths that lead elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway import settings as gateway_settings
from gateway.cases.procedures import read_folder
from landbridge.cli import app
from landbridge.desk import settings as desk_settings
from landbridge.edge.settings import SettingsInvalid
from landbridge.evidence.finding import EvidenceError
from landbridge.evidence.note import read_note
from landbridge.evidence.receipt import verify_receipt
from landbridge.federation import folder as federation
from landbridge.identity.followed import SourceError
from landbridge.identity.keys import read_keys
from landbridge.identity.revocation import read_revocations
from landbridge.membership.manifest import ManifestInvalid, read_manifest
from nodes import policy as nodes_policy
from nodes import settings as node_settings
from policies.access import PolicyInvalid
from policies.handler import HandlerInvalid
from policies.odcs import ContractInvalid
from policies.procedure import ProcedureInvalid

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples"
LONGEST: Final = 6_000
"""Characters of a refusal: some name every problem of a file."""
PIECES: Final = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\xed\xa0\x80", b"\x1b[31m", b"\r\n",
    "\u202e".encode(), "\u0430".encode(), "\u200b".encode(), "\uff0e\uff0e/".encode(), b"../../",
    b"~/", b"/etc/passwd", b"/dev/zero", b"NaN", b"1e999", b"-0", b"9" * 5_000, b"0x7f", b"1_000",
    b"true", b"null", b"[]", b"{}", b'"', b"'", b"''''", b'"""', b"&a [*a]", b"*a",
    b"!!python/object:os.x", b"<<: x", b"- - - -", b"? ", b"%YAML 9.9\n", b"[" * 3_000,
    b"{" * 3_000, b"(" * 3_000, b"\t", b"#", b"//", b"/*", b"${HOME}", b"$(id)",
    b"permit(principal,action,resource);", b'@id("x")', b"unless { 1/0 == 1 }",
    b"when { context.x.y.z }", b"import os\n", b"lambda: 0", b"\\u0000",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """One kind: a good text, what reads a file of it, and the refusals that are meant."""

    name: str
    good: bytes
    read: Callable[[Path], object]
    refusals: tuple[type[Exception], ...]


def _good(folder: Path, pattern: str) -> bytes:
    return sorted(folder.glob(pattern))[0].read_bytes()


def files(place: Path) -> Iterator[File]:
    """Every kind; the templates are written to `place`."""
    for server in ("gateway", "node", "desk"):
        assert app.run(["init", server, str(place / server)]) == 0
    for server, reads in (
        ("gateway", gateway_settings.read), ("node", node_settings.read),
        ("desk", desk_settings.read),
    ):  # fmt: skip
        text = (place / server / f"{server}.toml").read_bytes()
        yield File(f"{server}.toml", text, reads, (SettingsInvalid,))
    faa = EXAMPLES / "nyc_flights" / "faa"
    contract, access = _good(faa / "contracts", "*.odcs.yaml"), (faa / "access.cedar").read_bytes()

    def policy(kind: str) -> Callable[[Path], object]:
        def read(path: Path) -> object:
            home = path.parent / "policy"
            (home / "contracts").mkdir(parents=True, exist_ok=True)
            (home / "handlers").mkdir(exist_ok=True)
            texts = {
                "contract": home / "contracts" / "planes.odcs.yaml",
                "handler": home / "handlers" / "airworthiness_band.sql",
                "function": home / "handlers" / "eligible.py",
                "access": home / "access.cedar",
            }
            texts["contract"].write_bytes(contract)
            texts["access"].write_bytes(access)
            texts[kind].write_bytes(path.read_bytes())
            try:
                return nodes_policy.read(
                    "faa", home / "contracts", home / "handlers", home / "access.cedar"
                )
            finally:
                for each in texts.values():
                    each.unlink(missing_ok=True)

        return read

    refusals = (ContractInvalid, HandlerInvalid, PolicyInvalid, nodes_policy.PolicyFolderInvalid)
    yield File("a contract", contract, policy("contract"), refusals)
    handler = _good(faa / "handlers", "*.sql")
    yield File("a handler in SQL", handler, policy("handler"), refusals)
    function = (EXAMPLES / "citizen_service/social/handlers/eligible.py").read_bytes()
    yield File("a handler in Python", function, policy("function"), refusals)
    yield File("access.cedar", access, policy("access"), refusals)
    procedure = EXAMPLES / "citizen_service/gateway/procedures"
    yield File("a procedure", _good(procedure, "*.yaml"), _folder(read_folder), (ProcedureInvalid,))

    def town(path: Path) -> object:
        (path.parent / "federation.toml").write_bytes(path.read_bytes())
        for name in ("ewr", "faa", "jfk", "lga", "noaa"):
            (path.parent / name / "contracts").mkdir(parents=True, exist_ok=True)
        return federation.read(path.parent)

    text = (EXAMPLES / "nyc_flights/federation.toml").read_bytes()
    yield File("federation.toml", text, town, (federation.FederationInvalid,))
    jwks = (
        b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "use": "sig", '
        b'"x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
    )
    yield File("jwks.json", jwks, lambda p: read_keys(p.read_bytes(), "jwks.json"), (SourceError,))
    revoked = b'{"revoked": [{"token": "5d", "reason": "lost", "until": "2027-01-31T00:00:00Z"}]}'
    yield File("revoked.json", revoked, lambda p: read_revocations(p.read_bytes(), "revoked.json"),
               (SourceError,))  # fmt: skip
    witnesses = b'[{"key": "town/witness+5e+AAA", "url": "https://w.example"}]'
    yield File("witnesses.json", witnesses, gateway_settings.read_witnesses, (SettingsInvalid,))
    manifest = b'{"federation": "town", "serial": 1, "members": [], "signature": "AA=="}'
    yield File("manifest.json", manifest, lambda p: read_manifest(p.read_bytes()),
               (ManifestInvalid,))  # fmt: skip
    note = b"town/gateway\n3\nAAAA\n\n\xe2\x80\x94 town/gateway AAAA\n"
    yield File("a checkpoint", note, lambda p: read_note(p.read_bytes().decode("utf-8", "replace")),
               (EvidenceError,))  # fmt: skip
    proof = b"c2sp.org/tlog-proof@v1\nindex 3\nAAAA\n\ntown\n3\nAAAA\n\n\xe2\x80\x94 town AAAA\n"
    vkey = "town+00000000+AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    yield File("a receipt", proof,
               lambda p: verify_receipt(b"{}", p.read_bytes().decode("utf-8", "replace"), vkey),
               (EvidenceError,))  # fmt: skip


def _folder(read: Callable[[Path], object]) -> Callable[[Path], object]:
    def alone(path: Path) -> object:
        home = path.parent / "alone"
        home.mkdir(exist_ok=True)
        (home / "one.yaml").write_bytes(path.read_bytes())
        return read(home)

    return alone


def spoilt(good: bytes, chance: random.Random) -> bytes:
    """That text, changed in one to three places."""
    text = bytearray(good)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(text) + 1)
        lines = bytes(text).splitlines(keepends=True)
        match chance.randrange(8):
            case 0:
                text[place:place] = chance.choice(PIECES)
            case 1:  # in the place of a value
                ends = [at for at, byte in enumerate(text) if byte in b":=,[ "]
                at = chance.choice(ends) + 1 if ends else 0
                end = next((n for n in range(at, len(text)) if text[n] in b"\n,]})"), len(text))
                text[at:end] = b" " + chance.choice(PIECES)
            case 2:
                del text[place : place + chance.randint(1, 40)]
            case 3 if text:
                text[chance.randrange(len(text))] = chance.randrange(256)
            case 4:
                del text[place:]
            case 5:
                text += bytes(text[place:])
            case 6 if lines:
                chance.shuffle(lines)
                text = bytearray(b"".join(lines))
            case _:
                text[place:place] = chance.randbytes(chance.randint(1, 30))
    return bytes(text)


def garbage(place: Path, seed: int, each: int) -> tuple[int, list[str]]:
    """How many texts were read, and what went wrong; a wrong one names seed and number."""
    tried, wrong = 0, []
    (place / "read").mkdir(parents=True)
    for file in files(place):
        chance = random.Random(f"{seed}{file.name}")
        path = place / "read" / "file"
        for number in range(each):
            content = file.good if number == 0 else spoilt(file.good, chance)
            path.write_bytes(content)
            tried += 1
            where = f"seed {seed}, {file.name}, text {number}"
            try:
                file.read(path)
            except file.refusals as refusal:
                said = str(refusal)
                if len(said) > LONGEST or "Traceback" in said:
                    wrong.append(f"{where}: says {len(said)} characters: {said[:200]}")
                if any(not each.isprintable() and each != "\n" for each in said):
                    wrong.append(f"{where}: shows what a terminal obeys: {said[:300]!r}")
            except BaseException as defect:  # noqa: BLE001 - that is what is looked for
                wrong.append(
                    f"{where}: {type(defect).__name__}: {str(defect)[:150]}: {content[:80]!r}"
                )
    return tried, wrong
