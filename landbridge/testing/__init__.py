"""For other people's tests: a gateway in memory, or a whole federation of real processes.

    with landbridge.testing.gateway() as gateway:
        gateway.answers(sql, {"carrier": ["AA", "UA"], "n": released([100, 250], within=12)})
        my_report(gateway.client())

`gateway` needs nothing but this package: the client is the real one, with its real requests,
retries and errors; only what the other end says is the test's. `federation` runs gateway and nodes,
and needs the source tree, where they are.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from landbridge.testing.memory import Asked, MemoryGateway, gateway
    from landbridge.testing.processes import current, federation, forking
    from landbridge.testing.script import Columns, Released, answer, released

_HOMES = {
    "Asked": "memory",
    "Columns": "script",
    "MemoryGateway": "memory",
    "Released": "script",
    "answer": "script",
    "current": "processes",
    "federation": "processes",
    "forking": "processes",
    "gateway": "memory",
    "released": "script",
}

__all__ = [
    "Asked",
    "Columns",
    "MemoryGateway",
    "Released",
    "answer",
    "current",
    "federation",
    "forking",
    "gateway",
    "released",
]


def __getattr__(name: str) -> object:
    """Loads a public name when it is first used: a federation needs more than a gateway does."""
    if name not in _HOMES:
        raise AttributeError(f"module 'landbridge.testing' has no attribute {name!r}")
    return getattr(import_module(f"landbridge.testing.{_HOMES[name]}"), name)
