"""Runs the command line in a process that dies by SIGKILL at its nth step, whatever that is.

``python -m tests.killing_anywhere STEP LOG ARGUMENT...``. Steps are: before a process starts, once
it runs (it goes on alone then), once it has ended; before and after a change of the store, and of
a file by name. Each is named in LOG, one a line. STEP 0 never dies.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.adapters import process
from orchestrator.cli.main import main
from orchestrator.store.store import Store

STEPS: tuple[tuple[Any, str], ...] = (
    (process, "_start"),
    (process, "_reap"),
    (Store, "write"),
    (os, "replace"),
    (os, "link"),
    (os, "rename"),
    (Path, "unlink"),
    (Path, "write_text"),
    (Path, "write_bytes"),
)


class Knife:
    """Counts the steps and dies at one of them."""

    def __init__(self, step: int, log: Path) -> None:
        self.left = step
        self.log = log
        for owner, name in STEPS:
            setattr(owner, name, self.counted(getattr(owner, name), name))

    def counted(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        """Count before and after each call."""

        def call(*arguments: Any, **named: Any) -> Any:
            self.point(f"before {name}")
            result = real(*arguments, **named)
            self.point(f"after {name}")
            return result

        return call

    def point(self, what: str) -> None:
        """Die here when it is the one."""
        with self.log.open("a") as file:
            file.write(f"{what}\n")
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    Knife(int(sys.argv[1]), Path(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
