"""Regenerate the committed stubs in landbridge/v1 from proto/, or check that they are fresh.

python proto/generate.py          # writes landbridge/v1/*_pb2*.py(i)
python proto/generate.py --check  # exits 1 and names each stale file
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path("landbridge/v1")


def generate(target: Path) -> None:
    """Writes every stub below `target`, laid out as in the source tree."""
    well_known = resources.files("grpc_tools") / "_proto"
    sources = sorted(str(path) for path in (ROOT / "proto" / PACKAGE).glob("*.proto"))
    arguments = [
        "protoc",
        f"--proto_path={ROOT / 'proto'}",
        f"--proto_path={well_known}",
        f"--python_out={target}",
        f"--mypy_out={target}",
        f"--grpc_python_out={target}",
        f"--mypy_grpc_out={target}",
        *sources,
    ]
    if protoc.main(arguments) != 0:
        sys.exit("proto: protoc failed; see its message above")
    for path in (target / PACKAGE).glob("*_pb2_grpc.py*"):
        if "Stub" not in path.read_text():  # a file without a service gets an empty module
            path.unlink()


def stale(fresh: Path) -> list[str]:
    """Names of stubs that differ between `fresh` and the source tree."""

    def content(root: Path) -> dict[str, bytes]:
        folder = root / PACKAGE
        return {path.name: path.read_bytes() for path in sorted(folder.glob("*_pb2*.py*"))}

    committed, generated = content(ROOT), content(fresh)
    names = committed.keys() | generated.keys()
    return sorted(name for name in names if committed.get(name) != generated.get(name))


def main() -> None:
    """Parses the command line and does what it says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare, write nothing")
    if not parser.parse_args().check:
        generate(ROOT)
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        differing = stale(Path(folder))
    if differing:
        sys.exit(f"stubs are stale ({', '.join(differing)}): run python proto/generate.py")


if __name__ == "__main__":
    main()
