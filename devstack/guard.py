"""Ends the processes of a killed supervisor: `python -m devstack.guard DIR PID`.

The supervisor holds the other end of our standard input; its death, however sudden, closes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from devstack.processes import end_leftovers

if __name__ == "__main__":
    sys.stdin.buffer.read()
    end_leftovers(Path(sys.argv[1]), int(sys.argv[2]))
