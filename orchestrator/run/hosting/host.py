"""Runs a worker or a verify command under a guardian, inside what it may write."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.guardian import landlock
from orchestrator.guardian.client import GuardedProcess, Guardians, Job
from orchestrator.project import environment as own
from orchestrator.run.hosting.claim import worker_lock
from orchestrator.run.hosting.environment import child_environment
from orchestrator.settings import Config

_CACHES = {
    ".cache": None,
    ".npm": "npm",
    ".yarn": "yarn",
    ".local/share/pnpm": "pnpm",
    ".local/share/uv": "uv",
    ".cargo/registry": "cargo",
    ".cargo/git": "cargo",
    "go/pkg": "go",
    ".m2": "mvn",
    ".gradle": "gradle",
}
"""Where tools keep what they download, below the home; None: any tool."""

_MOVED = (
    "XDG_CACHE_HOME", "npm_config_cache", "YARN_CACHE_FOLDER", "PIP_CACHE_DIR", "UV_CACHE_DIR",
    "GOCACHE", "GOMODCACHE",
)  # fmt: skip
"""Variables by which an operator moved such a place."""


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

    @property
    def confines(self) -> bool:
        """Whether the kernel enforces ``writable``."""
        return landlock.abi() > 0

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
    *,
    wrap: tuple[str, ...],
    own_python: bool,
    credentials: Iterable[str] = (),
) -> tuple[GuardedHost, dict[str, str]]:
    """Return where a workspace's processes run, and their environment.

    Args:
      wrap: words before the argv of every process.
      own_python: whether the workspace has a Python environment of its own.
      credentials: names of the variables only this process gets; none for verification.
    """
    temporary = place.directory / "tmp"
    python = python_place(place)
    for directory in (temporary, python):
        directory.mkdir(exist_ok=True, mode=0o700)
    host = GuardedHost(
        guardians=guardians,
        writable=writable_paths(
            os.environ,
            place.path,
            (
                temporary,
                python,
                *place.kind.writable(repo, place),
                *(Path(path).expanduser() for path in config.workspace.writable),
            ),
        ),
        lock=worker_lock(place),
        wrap=wrap,
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
    return host, own.use(environment, python) if own_python else environment


def python_place(place: Workspace) -> Path:
    """Return where a workspace's own Python environment is.

    It lies beside the work tree: there it is in no checkpoint and no snapshot whatever git
    ignores, no tool of the project walks through it, and it goes when the workspace goes.
    """
    return place.directory / "python"


def writable_paths(
    environ: Mapping[str, str], workspace: Path, extra: Iterable[Path] = ()
) -> tuple[Path, ...]:
    """Return what a worker may write: its workspace, ``extra``, and the caches of tools. Blocking.

    The cache of a tool that is installed is made when it is missing, as the tool itself would: a
    confined one could not.
    """
    home, path = Path(environ.get("HOME", "/")), environ.get("PATH")
    for name, tool in _CACHES.items():
        if tool is None or shutil.which(tool, path=path):
            with suppress(OSError):
                (home / name).mkdir(parents=True, exist_ok=True)
    return (workspace, *extra, *existing_caches(environ))


def existing_caches(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where tools keep what they download, as far as it is there. Blocking."""
    home = Path(environ.get("HOME", "/"))
    moved = [Path(environ[name]) for name in _MOVED if os.path.isabs(environ.get(name, ""))]
    return tuple(cache for cache in (*moved, *(home / name for name in _CACHES)) if cache.is_dir())
