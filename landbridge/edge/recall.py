"""What was made last of values that do not change, so that nobody makes it again.

Remembered by the very objects that it was made of: whoever is asked with another object, however
alike, makes anew. So a memory falls with what it rests on: a new version of a contract or policy,
a month's new key, a table that was loaded are other objects. What could not be made is not kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recall(Generic[Value]):
    """The `most` values that were used last. Safe to share between threads."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._lock = threading.Lock()
        # The entry holds its objects, so that no other gets one's number while it is kept.
        self._kept: OrderedDict[Hashable, tuple[tuple[object, ...], Value]] = OrderedDict()

    def of(self, made_of: tuple[object, ...], beside: Hashable, make: Callable[[], Value]) -> Value:
        """What `make` gives, which depends on these objects and on `beside` alone.

        Two who ask at once may both make it. Raises what `make` raises.
        """
        key = (*map(id, made_of), beside)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found[1]
        made = make()
        with self._lock:
            self._kept[key] = (made_of, made)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
