"""Finds the coding agents that are installed, and asks each for its version."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.process import in_thread, run
from orchestrator.errors import AdapterError
from orchestrator.text import one_line

PROGRAMS = {"claude": "claude"}
"""Program of each kind of agent that is found without configuration."""

_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")


@attrs.frozen(kw_only=True)
class InstalledAgent:
    """An agent on the PATH.

    Attributes:
      kind: its kind, as in ``[agents.<name>] kind``.
      path: absolute path of its program.
      version: what it says of itself, or None when it cannot say.
      problem: why it could not, "" when it did.
    """

    kind: str
    path: Path
    version: str | None
    problem: str = ""


async def installed_agents(
    environ: Mapping[str, str], *, limiter: trio.CapacityLimiter, deadline: float = 10.0
) -> tuple[InstalledAgent, ...]:
    """Return the agents on the PATH of ``environ``, each asked for at most ``deadline`` seconds.

    One that hangs or fails is listed with its problem. Cancellation kills what is being asked.
    """
    found = []
    for kind, program in PROGRAMS.items():
        path = await trio.to_thread.run_sync(_which, program, environ.get("PATH", ""))
        if path is not None:
            found.append(await _ask(kind, path, environ, limiter, deadline))
    return tuple(found)


def parse_version(output: str) -> str | None:
    """Return the first dotted number in what ``--version`` printed."""
    match = _VERSION.search(output)
    return match.group() if match else None


def _which(program: str, path: str) -> Path | None:
    found = shutil.which(program, path=path)
    return Path(found).absolute() if found else None


async def _ask(
    kind: str,
    path: Path,
    environ: Mapping[str, str],
    limiter: trio.CapacityLimiter,
    deadline: float,
) -> InstalledAgent:
    def ask() -> tuple[int, str, str]:
        done = run((str(path), "--version"), cwd=path.parent, env=environ)
        return done.returncode, done.stdout.decode(errors="replace"), _last(done.stderr)

    try:
        code, output, complaint = await in_thread(
            ask, deadline=deadline, limiter=limiter, what=f"{path.name} --version"
        )
    except (AdapterError, OSError) as error:
        return InstalledAgent(kind=kind, path=path, version=None, problem=one_line(str(error)))
    version = parse_version(output) if code == 0 else None
    problem = "" if version else complaint or f"its --version exited with {code}"
    return InstalledAgent(kind=kind, path=path, version=version, problem=problem)


def _last(data: bytes) -> str:
    return one_line(data.decode(errors="replace").strip().rpartition("\n")[2])
