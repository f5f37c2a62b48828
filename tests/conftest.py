"""What every test gets: a home of its own, markers with a meaning, no process left behind."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

EXIT_GRACE = 1.0
"""Seconds that a process may take to end after its test; the promise itself is tested elsewhere."""

# Hypothesis builds tables of characters for the first draw in a fresh checkout: neither that nor a
# busy machine may fail a test.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

GIT_CONFIG = """\
[user]
	name = Test Operator
	email = operator@example.invalid
[init]
	defaultBranch = main
"""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine or this kind of run cannot do, and say why."""
    in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
    if item.get_closest_marker("slow") is not None and not in_ci:
        pytest.skip("slow: runs with CI=true")
    wanted = [name for marker in item.iter_markers("real_cli") for name in marker.args]
    missing = ", ".join(name for name in wanted if shutil.which(name) is None)
    if missing and in_ci:
        pytest.fail(f"not on PATH: {missing}; with CI=true that is a failure", pytrace=False)
    if missing:
        pytest.skip(f"not on PATH: {missing}; .ci/run installs it")


@pytest.fixture(autouse=True)
def isolated_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give the test an empty HOME with a git identity; return it.

    The operator's files and settings neither decide a test nor are touched by one: ``XDG_*`` and
    git's global configuration lie in this home; ``GIT_*``, ``ORCHESTRATOR_*`` and ``ORC_*`` are
    cleared.
    """
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("GIT_", "ORCHESTRATOR_", "ORC_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for kind in ("config", "cache", "data", "state"):
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", str(home / f".{kind}"))
    runtime = home / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    configuration = home / ".gitconfig"
    configuration.write_text(GIT_CONFIG, encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


@pytest.fixture(autouse=True)
def no_process_left(request: pytest.FixtureRequest, isolated_home: Path) -> Iterator[None]:
    """Fail a test marked ``processes`` that leaves a process behind, and kill what it left.

    Ours are the children of this process, dead ones that nobody waited for included, and whatever
    has the test's own HOME: a ``setsid`` or doubly forked grandchild cannot hide behind its parent.
    """
    if request.node.get_closest_marker("processes") is None:
        yield
        return
    before = set(_children())
    yield
    _wait_for_exits(_left_behind(before, isolated_home), EXIT_GRACE)
    left = {pid: _describe(pid) for pid in _left_behind(before, isolated_home)}
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    if left:
        pytest.fail("left behind: " + "; ".join(left.values()), pytrace=False)


def _left_behind(before: set[int], home: Path) -> set[int]:
    """Return the processes that started since ``before`` and belong to the test with that home."""
    mark = b"\0HOME=" + os.fsencode(home) + b"\0"
    found = set(_children()) - before
    for pid in _processes():
        with contextlib.suppress(OSError):
            if mark in b"\0" + Path(f"/proc/{pid}/environ").read_bytes():
                found.add(pid)
    return found - {os.getpid()}


def _children() -> Iterator[int]:
    me = str(os.getpid())
    for pid in _processes():
        with contextlib.suppress(OSError):
            # The command name may hold spaces and brackets; the fields begin after the last one.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2]
            if fields.split()[1] == me:
                yield pid


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _describe(pid: int) -> str:
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
    except OSError:
        argv = b""
    return f"{pid} {argv.decode(errors='replace') or '(dead, never waited for)'}"


def _wait_for_exits(pids: Iterable[int], seconds: float) -> None:
    """Wait until the processes have ended, at most that long."""
    deadline = time.monotonic() + seconds
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        os.close(handle)
