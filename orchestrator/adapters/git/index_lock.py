"""Git's own lock of the checkout's index, taken in a way that proves it is ours."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator.errors import BusyError

from .repository import Repository


class IndexLock:
    """The lock as a link to a file of ours; git itself waits for it or gives up.

    Raises:
      BusyError: when another git is at work in the checkout.
    """

    def __init__(self, repo: Repository) -> None:
        clear_index_lock(repo)
        self._lock, self._proof = _places(repo)
        self._kept = False

    def keep(self) -> None:
        """Hold it beyond the block, until the next block ends that takes it."""
        self._kept = True

    def __enter__(self) -> None:
        self._proof.touch()
        try:
            os.link(self._proof, self._lock)
        except FileExistsError:
            self._proof.unlink(missing_ok=True)  # it would say that a landing was cut short
            raise BusyError(
                "another git is at work in the checkout",
                where=str(self._lock),
                fix="wait for it; if none runs, remove this file",
            ) from None

    def __exit__(self, *exc: object) -> None:
        if not self._kept:
            self._lock.unlink(missing_ok=True)
            self._proof.unlink(missing_ok=True)


def clear_index_lock(repo: Repository) -> None:
    """Remove the lock that a killed landing left on the index. Call it under the engine's lock."""
    lock, proof = _places(repo)
    if proof.exists() and lock.exists() and proof.samefile(lock):
        lock.unlink()
    proof.unlink(missing_ok=True)


def index_lock_left(repo: Repository) -> bool:
    """Tell whether a landing that was cut short left the lock, or the sign that it is ours."""
    return _places(repo)[1].exists()


def _places(repo: Repository) -> tuple[Path, Path]:
    return repo.git_dir / "index.lock", repo.state_dir / "landing.lock"
