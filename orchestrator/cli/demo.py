"""`demo`: the real loop on a scripted worker, with a failure and a SIGKILL on the way."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from orchestrator.adapters.lines import iter_lines
from orchestrator.demo.project import CHANGE, clean_environment, git, make_project

from .output import coloured

_PATIENCE = 30.0


def demo(arguments: argparse.Namespace) -> int:
    """Make a small repository and drive its change to done; prints what happens."""
    directory = Path(tempfile.mkdtemp(prefix="orchestrator-demo-"))
    try:
        return _play(directory, keep=arguments.keep)
    finally:
        if not arguments.keep:
            shutil.rmtree(directory, ignore_errors=True)


def _play(directory: Path, *, keep: bool) -> int:
    project = directory / "project"
    project.mkdir()
    make_project(project)
    _say("A small repository with an OpenSpec change of three stories, not committed yet.")
    _say("The worker is a script, not a model: it gets story 2 wrong at first.")
    before = git(project, "status", "--porcelain")
    environment = {**clean_environment(), "XDG_STATE_HOME": str(directory / "state")}
    _show("orc run " + CHANGE)
    left = trio.run(_run_and_kill, project, environment)
    if left is None:
        print("the engine ended before it could be killed", file=sys.stderr)
        return 1
    _say(f"The demo killed its own engine with SIGKILL while story 3 was under way; {left}.")
    _show(f"orc run {CHANGE}        # the same command again")
    code = trio.run(_run, project, environment)
    _show("git log --oneline orchestrator/" + CHANGE)
    print(git(project, "log", "--oneline", f"orchestrator/{CHANGE}"), end="")
    _show("git status --short       # your checkout, untouched")
    after = git(project, "status", "--porcelain")
    print(after, end="")
    if code == 0 and after != before:
        print("the checkout changed", file=sys.stderr)
        return 1
    _say("Next, in a repository of yours:  orc init, orc doctor, orc run CHANGE, orc diff CHANGE")
    if keep:
        _say(f"Kept: {project}")
    return code


async def _run_and_kill(project: Path, environment: dict[str, str]) -> str | None:
    """Run until story 3's worker is at work, then kill the engine.

    Returns what is left of it, in words; None when it ended by itself before that.
    """
    killed = False
    read, write = os.pipe()
    async with (
        _engine(project, environment, write) as process,
        trio.lowlevel.FdStream(read) as output,
    ):
        os.close(write)
        async for line in iter_lines(output):
            text = line.decode(errors="replace") if isinstance(line, bytes) else ""
            print(text, flush=True)
            if "taking its time" in text:
                process.send_signal(signal.SIGKILL)
                killed = True
                break
        await process.wait()
    if not killed:
        return None
    marker = os.fsencode(f"XDG_STATE_HOME={environment['XDG_STATE_HOME']}")
    left = await trio.to_thread.run_sync(_wait_until_gone, marker)
    return f"processes left: {left}" if left else "no process of it is left"


async def _run(project: Path, environment: dict[str, str]) -> int:
    sys.stdout.flush()
    async with _engine(project, environment) as process:
        return await process.wait()


@asynccontextmanager
async def _engine(
    project: Path, environment: dict[str, str], output: int | None = None
) -> AsyncGenerator[trio.Process, None]:
    """Start the real command line; a demo that is stopped has it cancelled and waits for it."""
    process = await trio.lowlevel.open_process(
        _command(), cwd=project, env=environment, stdout=output, stderr=output
    )
    try:
        yield process
    except BaseException:
        with trio.move_on_after(_PATIENCE, shield=True):
            # Two requests: stop, and now. Different signals, or they would count as one.
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGTERM)
            await process.wait()
        raise
    finally:
        process.kill()


def _command() -> tuple[str, ...]:
    return (sys.executable, "-m", "orchestrator", "run", CHANGE)


def _wait_until_gone(marker: bytes) -> list[int]:
    until = time.monotonic() + _PATIENCE
    while (left := _alive(marker)) and time.monotonic() < until:
        time.sleep(0.02)
    return left


def _alive(marker: bytes) -> list[int]:
    """Return the live processes whose environment carries ``marker``."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            if state != "Z" and marker in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _say(text: str) -> None:
    print(coloured(f"# {text}", "dim", sys.stdout), flush=True)


def _show(command: str) -> None:
    print(coloured(f"$ {command}", "bold", sys.stdout), flush=True)
