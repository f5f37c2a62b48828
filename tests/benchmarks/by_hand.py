"""git by hand, and a git that keeps count: what the benchmarks of whole runs compare with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

GIT = shutil.which("git") or "git"
ORC = str(Path(sys.executable).with_name("orc"))
_SYNC = ("-c", "core.fsync=committed,reference")
_IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@localhost")


def git(path: Path, *arguments: str, stdin: str = "", index: str | None = None) -> str:
    """Run git once, with nothing around it."""
    env = {**os.environ, **({"GIT_INDEX_FILE": index} if index else {})}
    done = subprocess.run(
        [GIT, *_SYNC, *_IDENTITY, *arguments],
        cwd=path,
        env=env,
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def count_git(directory: Path, work: Callable[[], object]) -> int:
    """Return how many git processes ``work`` starts; ``directory`` holds the git that counts."""
    log = directory / "log"
    counting = directory / "bin" / "git"
    counting.parent.mkdir()
    counting.write_text(f'#!/bin/sh\necho >> "{log}"\nexec "{GIT}" "$@"\n')
    counting.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{counting.parent}{os.pathsep}{before}"
    try:
        work()
    finally:
        os.environ["PATH"] = before
    return len(log.read_text().splitlines())


def in_fresh_directory(measure: Callable[[Path, int], float], number: int) -> float:
    """Measure in a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        return measure(Path(directory), number)
