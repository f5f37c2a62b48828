"""Where the logs of attempts lie, below the state directory in the git directory."""

from __future__ import annotations

from pathlib import Path


def attempt_logs(state_dir: Path) -> Path:
    """Return the directory of the attempts' raw output."""
    return state_dir / "attempts"


def attempt_log(state_dir: Path, attempt: str) -> Path:
    """Return the file with the raw output of an attempt."""
    return attempt_logs(state_dir) / f"{attempt}.log"


def tail_files(log: Path) -> tuple[Path, Path]:
    """Return where the tail of a long attempt log lies, older part first; either may be missing."""
    return log.with_suffix(".tail-older.log"), log.with_suffix(".tail.log")
