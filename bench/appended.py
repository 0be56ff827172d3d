"""The floor of `submit_rate`: a bare gRPC stream whose server appends to a DuckDB file.

Run as `python -m bench.appended serve SETTINGS --with-parent`, SETTINGS a JSON file with `path`. A
message is a JSON list of records; each is one transaction, committed before its reply. There is no
TLS, no token, no check, no log, no gateway, and nothing is ever asked for twice.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

METHOD = "/bench.Appended/Take"
KINDS = ("VARCHAR", "VARCHAR", "BIGINT", "BOOLEAN")


def main(arguments: list[str]) -> None:
    """Serves until standard input closes."""
    import _duckdb

    settings = json.loads(Path(arguments[1]).read_bytes())
    connection = _duckdb.connect(settings["path"])
    columns = ", ".join(f"c{place} {kind}" for place, kind in enumerate(KINDS))
    connection.execute(f"CREATE TABLE data ({columns})")
    parts = ", ".join(f"unnest(?::{kind}[])" for kind in KINDS)

    def take(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for request in requests:
            records = json.loads(request)
            found = [list(column) for column in zip(*records, strict=True)]
            connection.execute("BEGIN")
            connection.execute(f"INSERT INTO data SELECT {parts}", found)
            connection.execute("COMMIT")
            yield b"done"

    handler = grpc.method_handlers_generic_handler(
        "bench.Appended", {"Take": grpc.stream_stream_rpc_method_handler(take)}
    )
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"port": port, "log_key": ""}), flush=True)
    while sys.stdin.buffer.read(1024):
        pass
    server.stop(grace=1).wait()


if __name__ == "__main__":
    main(sys.argv[1:])
