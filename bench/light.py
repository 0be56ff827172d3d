"""Departments that answer at once: one process that listens at many ports.

Run as `python -m bench.light serve SETTINGS --with-parent`. SETTINGS is a JSON file: `answers`, the
bytes in hexadecimal that the department at each port replies to every Answer; the ports are written
to `ports.json` beside it before the one JSON line that says that it listens.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

METHOD = "landbridge.v1.Node"
PLACE = "x-place"
"""Which of the departments is asked: one server cannot tell its ports apart."""


def main(arguments: list[str]) -> None:
    """Serves until standard input closes."""
    settings = Path(arguments[1])
    answers = [bytes.fromhex(each) for each in json.loads(settings.read_bytes())["answers"]]

    def answer(_: bytes, context: Any) -> bytes:
        return answers[int(dict(context.invocation_metadata())[PLACE])]

    handler: Any = grpc.unary_unary_rpc_method_handler(answer)
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(METHOD, {"Answer": handler}),)
    )
    ports = [server.add_insecure_port("127.0.0.1:0") for _ in answers]
    server.start()
    (settings.parent / "ports.json").write_text(json.dumps(ports), "utf-8")
    print(json.dumps({"port": ports[0], "log_key": ""}), flush=True)
    while sys.stdin.buffer.read(1024):
        pass
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main(sys.argv[1:])
