"""Reading published logs for a person: each verified before anything of it is used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landbridge.cli.ending import OperatorError, sentence
from landbridge.cli.terminal import plain, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from landbridge.evidence import Verification

Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="VKEY_OR_FILE",
        help="A log's verifier key, or a file that holds it; from somebody other than the log's "
        "keeper. Once for each log.",
    ),
]
Archive = Annotated[
    list[Path] | None,
    typer.Option(
        "--archive",
        metavar="DIR",
        help="A folder that older parts of the log were moved to; may be given several times.",
    ),
]


def verified(
    folder: Path,
    vkey: str | None,
    *,
    since: Path | None = None,
    archives: Sequence[Path] = (),
    witnesses: Sequence[str] = (),
) -> Verification:
    """The log in the folder, once it holds; raises EvidenceError, or OperatorError for no log."""
    from landbridge.evidence import verify_folder

    if not folder.is_dir():
        raise OperatorError(f"There is no log folder {folder}.")
    if not any((folder / name).exists() for name in ("checkpoint", "vkey", "tile")):
        inside = folder / "log"
        hint = f"; {inside} is one" if (inside / "checkpoint").exists() else ""
        raise OperatorError(f"{folder} is no log folder{hint}: it holds no checkpoint.")
    return verify_folder(folder, vkey, witnesses, since=since, archives=archives)


def verified_all(
    folders: Sequence[Path], keys: Sequence[str], archives: Sequence[Path]
) -> list[Verification]:
    """Every log, each verified with the key that bears its name, where one does."""
    from landbridge.evidence.signer import Verifier

    by_name: dict[str, str] = {}
    for given in keys:
        vkey = str(read_key(given))
        by_name[Verifier.parse(vkey).name] = vkey
    found: list[Verification] = []
    for folder in folders:
        own = folder / "vkey"
        name = own.read_text("utf-8", "replace").partition("+")[0] if own.is_file() else ""
        found.append(verified(folder, by_name.pop(name, None), archives=archives))
    if by_name:
        raise OperatorError(f"No log of these belongs to the key of {', '.join(sorted(by_name))}.")
    if len({log.origin for log in found}) < len(found):
        raise OperatorError("Two of these folders are of one log; give each log once.")
    themselves = [log.origin for log in found if log.own_key]
    if themselves:
        tell(
            f"Verified with the folder's own key: {plain(', '.join(themselves))}. Such a log "
            "agrees with itself; to know whose it is, give its key."
        )
    return found


def read_key(given: str | None) -> str | None:
    """The verifier key: a file's one line, or the text itself."""
    if given is None:
        return None
    try:
        if Path(given).is_file():
            return Path(given).read_text(encoding="utf-8").strip()
    except OSError as problem:
        raise OperatorError(sentence(problem)) from None
    except UnicodeDecodeError:
        raise OperatorError(f"{given} holds no verifier key.") from None
    if "+" not in given:
        raise OperatorError(f"{given} is neither a verifier key nor a file that holds one.")
    return given


def fields(entry: bytes) -> dict[str, Any]:
    """The fields of an entry; of one that this version cannot read, why."""
    from landbridge.evidence import EvidenceError, decode
    from landbridge.evidence.entry import Entry

    try:
        # What breaks the schema is not read in part: whoever wrote it is not to be believed.
        Entry.from_bytes(entry)
        return dict(decode(entry))
    except EvidenceError as problem:
        return {"unreadable": problem.what}
