"""What happens while a federation starts, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from landbridge.cli.terminal import page, plain, tell

if TYPE_CHECKING:
    from collections.abc import Callable


@contextmanager
def progress(
    title: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[str], None]]:
    """Takes sentences: under a spinner on a terminal, line by line in a file."""
    begun = clock()

    def line(sentence: str) -> str:
        return f"{clock() - begun:5.1f} s  {sentence}"

    if not sys.stderr.isatty():
        tell(title)
        yield lambda sentence: tell(line(sentence))
        return
    console = page(err=True)
    with console.status(plain(title)) as status:

        def show(sentence: str) -> None:
            console.print(plain(line(sentence)), style="dim")
            status.update(plain(title))

        yield show
