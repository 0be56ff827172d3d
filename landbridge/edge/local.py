"""A server for people on the same machine: a Unix socket in a folder that only they can enter.

No port and no certificate: whoever may open the socket is decided by the folder's owner, group and
mode, as for any other file of the state folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from landbridge.edge.arrivals import Arrivals
from landbridge.edge.interceptor import Boundary, Report
from landbridge.edge.pool import NoThreads, whole_pool
from landbridge.edge.server import MAXIMUM_METADATA_BYTES, CannotListen, Registration
from landbridge.local import SOCKET, target

LONGEST_CALL = 60.0
LARGEST_REQUEST = 64 * 1024


class Local:
    """A server that listens until it is stopped."""

    def __init__(
        self, server: grpc.Server, pool: ThreadPoolExecutor, arrivals: Arrivals, folder: int
    ) -> None:
        self._server = server
        self._arrivals = arrivals
        self._pool = pool
        self._folder = folder

    def stop(self, grace: float) -> None:
        """Takes no new calls and returns when none is left; the socket goes."""
        self._server.stop(grace).wait()
        self._arrivals.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        os.close(self._folder)


def serve_local(
    services: Iterable[Registration], folder: Path, *, report: Report, threads: int
) -> Local:
    """Listens on `folder`/review.sock, each call behind `Arrivals` and a `Boundary`.

    The folder is made with mode 0700. One that is there must be ours, and only we may write to it;
    its group, where it may enter, may open the socket. Raises CannotListen.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o027:
            raise CannotListen(
                f"{folder} holds the officers' socket: it must belong to the node's user, who "
                "alone may write to it, and only its group may enter it (mode 0700 or 0750)."
            )
        place = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    except OSError as failure:
        raise CannotListen(
            f"The officers' socket cannot be made in {folder} ({failure.strerror})."
        ) from None
    try:
        pool = whole_pool(threads, "local")
    except NoThreads as failure:
        os.close(place)
        raise CannotListen(str(failure)) from None
    arrivals = Arrivals(max(1, threads // 4))
    server = grpc.server(
        pool,
        interceptors=[arrivals, Boundary(report, maximum_seconds=LONGEST_CALL)],
        options=[
            ("grpc.max_receive_message_length", LARGEST_REQUEST),
            ("grpc.max_metadata_size", MAXIMUM_METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", MAXIMUM_METADATA_BYTES),
            ("grpc.compression_enabled_algorithms_bitset", 1),
        ],
        maximum_concurrent_rpcs=threads * 8,
    )
    for register in services:
        register(server)
    credentials = grpc.local_server_credentials(grpc.LocalConnectionType.UDS)
    try:
        bound = server.add_secure_port(target(place), credentials)
    except RuntimeError:
        bound = 0
    if not bound:
        pool.shutdown(wait=False)
        os.close(place)
        raise CannotListen(f"Cannot listen on {folder / SOCKET}.")
    grouped = stat.S_IMODE(found.st_mode) & stat.S_IXGRP
    (folder / SOCKET).chmod(0o660 if grouped else 0o600)
    server.start()
    arrivals.start()
    return Local(server, pool, arrivals, place)
