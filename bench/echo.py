"""The floor's program: a plain gRPC server with one method, and nothing of Landbridge.

Run as `python -m bench.echo serve SETTINGS --with-parent`, as our own servers are. SETTINGS is a
JSON file: `threads`; `forward`, the port of another such server that replies instead (or null);
`log`, a folder whose log takes an entry before each reply (or null); `same_entry`, whether that is
always the same one, made beforehand. It prints one JSON line when it listens and ends when standard
input closes.

A request's first four bytes say how long the reply shall be. There is no TLS and no token: a floor
is what one would have without any of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

METHOD = "/bench.Echo/Answer"

Answer = Callable[[bytes], bytes]


def main(arguments: list[str]) -> None:
    """Serves until standard input closes."""
    settings = json.loads(Path(arguments[1]).read_bytes())
    if settings["forward"] is not None:
        serve(forwarded(settings["forward"]), settings["threads"])
    elif settings["log"] is not None:
        with _logged(Path(settings["log"]), same_entry=settings["same_entry"]) as answer:
            serve(answer, settings["threads"])
    else:
        serve(plain, settings["threads"])


def serve(answer: Answer, threads: int) -> None:
    """Replies by `answer` until standard input closes."""
    handler = grpc.method_handlers_generic_handler(
        "bench.Echo", {"Answer": grpc.unary_unary_rpc_method_handler(lambda r, _: answer(r))}
    )
    server = grpc.server(ThreadPoolExecutor(threads), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"port": port, "log_key": ""}), flush=True)
    while sys.stdin.buffer.read(1024):
        pass
    server.stop(grace=1).wait()


def plain(request: bytes) -> bytes:
    """As many bytes as are asked for."""
    return bytes(int.from_bytes(request[:4], "big"))


def forwarded(port: int) -> Answer:
    """What the server at that port replies."""
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
    return lambda request: call(request, timeout=10)


@contextmanager
def _logged(folder: Path, *, same_entry: bool) -> Iterator[Answer]:
    # Only here: a plain server does not pay for what it does not use.
    import secrets
    import time

    from landbridge.edge.record import Recorder
    from landbridge.evidence.log import Log
    from landbridge.evidence.signer import Signer
    from landbridge.evidence.subject import SubjectKey
    from landbridge.evidence.subject_keys import SubjectKeys

    signer = Signer.create("bench.example/echo")
    with Log.open(folder / "log", folder / "journal", signer) as log:
        keys = SubjectKeys(folder / "subjects")
        recorder = Recorder(log, SubjectKey.create(), secrets.token_hex(32), time.time, keys)

        def recorded(request: bytes) -> bytes:
            """As our own servers do it: the keyed digests, the salt, the entry, the receipt."""
            reply = plain(request)
            with recorder.request("query", trace_id="ab" * 16) as draft:
                draft.note(
                    caller=draft.recorder.digest("caller", "somebody@transport.example"),
                    organisation="transport-research",
                    purpose="dpv:ResearchAndDevelopment",
                    question_id="cd" * 16,
                    question="count(*) of flights by carrier",
                    question_hash=draft.recorder.digest("question", "count(*) by carrier"),
                    resource="flights",
                    members=["ewr", "jfk", "lga"],
                    policies=["gateway.research"],
                    charged_micro_rho=45_000,
                )
                draft.answered(reply)
            return reply

        def appended(request: bytes) -> bytes:
            log.append(ready)
            return plain(request)

        ready = bytes(700)
        yield appended if same_entry else recorded


if __name__ == "__main__":
    main(sys.argv[1:])
