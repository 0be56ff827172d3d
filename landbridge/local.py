"""The way to a server on the same machine: a Unix socket in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import grpc

from landbridge.errors import error

SOCKET: Final = "review.sock"


def target(folder: int) -> str:
    """The socket's address for gRPC, by an open descriptor of its folder.

    The address of a socket has at most 107 bytes, which the path of a folder easily fills; the
    path to a descriptor is short, and stays that folder's whatever is renamed.
    """
    return f"unix:/proc/self/fd/{folder}/{SOCKET}"


class LocalChannel:
    """A channel to the socket in that folder; close it when done."""

    def __init__(self, folder: Path) -> None:
        try:
            self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        except OSError as failure:
            raise error(
                "GATEWAY_UNREACHABLE",
                f"The officers' socket is not in {folder} ({failure.strerror}).",
                hint="It is in the folder `review` of the node's state folder, on its machine.",
            ) from None
        self.channel = grpc.secure_channel(
            target(self._folder), grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)
        )

    def close(self) -> None:
        """Ends the connection."""
        self.channel.close()
        os.close(self._folder)
