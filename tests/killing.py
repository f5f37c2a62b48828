"""Runs the command line in a process that dies by SIGKILL before its nth durable step.

``python -m tests.killing STEP LOG ARGUMENT...``. A durable step is a change of the store, a ref
that moves or a snapshot of a workspace; they are counted from the first attempt on and named in
LOG, one a line. STEP 0 never dies; "full" gives the store no more room from there on instead.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from orchestrator.adapters.git import refs, snapshot
from orchestrator.cli.main import main
from orchestrator.run.records import ledger
from orchestrator.store.store import Store


class Knife:
    """Counts the steps and dies before one of them."""

    def __init__(self, step: str, log: Path) -> None:
        self.step = step
        self.log = log
        self.passed: int | None = None
        for owner, name in ((Store, "write"), (refs, "move_ref"), (snapshot, "snapshot")):
            self.arm(owner, name)
        begin = ledger.begin_attempt

        def begin_attempt(*arguments: Any, **named: Any) -> Any:
            self.passed = self.passed or 0
            return begin(*arguments, **named)

        setattr(ledger, "begin_attempt", begin_attempt)  # noqa: B010 - typed otherwise

    def arm(self, owner: object, name: str) -> None:
        """Count each call."""
        real = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            if self.passed is not None:
                what = arguments[1] if name != "snapshot" else ""
                self.point(f"{name} {getattr(what, '__qualname__', what)}")
                if self.step == "full" and owner is Store:
                    fill(arguments[0])
            return real(*arguments, **named)

        setattr(owner, name, call)

    def point(self, what: str) -> None:
        """Die here when it is the one."""
        assert self.passed is not None
        self.passed += 1
        with self.log.open("a") as file:
            file.write(f"{what}\n")
        if str(self.passed) == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def fill(store: Store) -> None:
    """Tell SQLite that the disk has no room for another page, and use up what it has."""
    connection = store._writer._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    store._writer.write(lambda tx: tx.add_fact("x" * 100_000, {}))


if __name__ == "__main__":
    Knife(sys.argv[1], Path(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
