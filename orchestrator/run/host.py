"""Runs a worker or a verify command under a guardian, inside what it may write."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.guardian.client import GuardedProcess, Guardians, Job
from orchestrator.project import environment as own
from orchestrator.settings import Config

from .build import Build
from .claim import worker_lock
from .environment import child_environment

_CACHES = (
    ".cache", ".npm", ".cargo/registry", ".cargo/git", "go", ".m2", ".gradle", ".local/share/uv",
    ".local/share/pnpm", ".yarn",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class GuardedHost:
    """The host that worker adapters start their process through.

    Attributes:
      writable: paths the process tree may write to where the kernel can enforce it.
      lock: the workspace's lock file, held until the tree is empty.
      wrap: words that go before every argv.
    """

    guardians: Guardians
    writable: tuple[Path, ...]
    lock: Path
    wrap: tuple[str, ...] = ()

    @asynccontextmanager
    async def run(
        self, argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str]
    ) -> AsyncGenerator[GuardedProcess, None]:
        """Run ``argv`` for as long as the block lasts; leaving it kills the whole tree.

        Raises:
          GuardianError: when the program cannot be executed.
          BusyError: when another process tree still works in the workspace.
        """
        argv = (*self.wrap, *argv)
        job = Job(argv=argv, cwd=cwd, env=env, writable=self.writable, lock=self.lock)
        async with self.guardians.run(job) as process:
            yield process


def surroundings(
    repo: Repository,
    config: Config,
    guardians: Guardians,
    place: Workspace,
    build: Build,
    credentials: Iterable[str] = (),
) -> tuple[GuardedHost, dict[str, str]]:
    """Return where a workspace's processes run, and their environment.

    Args:
      credentials: names of the variables only this process gets; none for verification.
    """
    temporary = place.directory / "tmp"
    python = python_place(place)
    for directory in (temporary, python):
        directory.mkdir(exist_ok=True, mode=0o700)
    host = GuardedHost(
        guardians=guardians,
        writable=writable_paths(
            Path.home(), place.path, (temporary, python, *place.kind.writable(repo, place))
        ),
        lock=worker_lock(place),
        wrap=build.wrap,
    )
    environment = child_environment(
        os.environ,
        # Work in the checkout itself may use what lies in it; nothing points beside the work tree.
        checkout=repo.checkout if place.path != repo.checkout else place.directory,
        workspace=place.path,
        temporary=temporary,
        allow=config.workspace.env,
        credentials=credentials,
    )
    return host, own.use(environment, python) if build.own_python else environment


def python_place(place: Workspace) -> Path:
    """Return where a workspace's own Python environment is.

    It lies beside the work tree: there it is in no checkpoint and no snapshot whatever git
    ignores, no tool of the project walks through it, and it goes when the workspace goes.
    """
    return place.directory / "python"


def writable_paths(home: Path, workspace: Path, extra: Iterable[Path] = ()) -> tuple[Path, ...]:
    """Return what a worker may write: its workspace, ``extra``, and the caches that exist."""
    caches = (home / name for name in _CACHES)
    return (workspace, *extra, *(path for path in caches if path.exists()))
