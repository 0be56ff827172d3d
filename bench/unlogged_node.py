"""A node without a log: `python -m bench.unlogged_node serve SETTINGS --with-parent`."""

from __future__ import annotations

import sys

import nodes.app
from bench.unlogged import NoLog, NoRecorder
from nodes.__main__ import main

if __name__ == "__main__":
    vars(nodes.app).update(Log=NoLog, Recorder=NoRecorder)  # its ledger is as durable as ever
    sys.exit(main(sys.argv[1:]))
