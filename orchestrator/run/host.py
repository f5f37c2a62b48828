"""Runs a worker or a verify command under a guardian, inside what it may write."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from orchestrator.guardian.client import GuardedProcess, Guardians, Job

_CACHES = (
    ".cache", ".npm", ".cargo", ".rustup", "go", ".m2", ".gradle", ".local/share/uv",
    ".local/share/pnpm", ".yarn",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class GuardedHost:
    """The host that worker adapters start their process through.

    Attributes:
      writable: paths the process tree may write to where the kernel can enforce it.
      lock: the workspace's lock file, held until the tree is empty.
    """

    guardians: Guardians
    writable: tuple[Path, ...]
    lock: Path

    @asynccontextmanager
    async def run(
        self, argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str]
    ) -> AsyncGenerator[GuardedProcess, None]:
        """Run ``argv`` for as long as the block lasts; leaving it kills the whole tree.

        Raises:
          GuardianError: when the program cannot be executed.
          BusyError: when another process tree still works in the workspace.
        """
        job = Job(argv=argv, cwd=cwd, env=env, writable=self.writable, lock=self.lock)
        async with self.guardians.run(job) as process:
            yield process


def writable_paths(home: Path, workspace: Path, extra: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Return what a worker may write: its workspace, ``extra``, and the caches that exist."""
    caches = (home / name for name in _CACHES)
    return (workspace, *extra, *(path for path in caches if path.exists()))
