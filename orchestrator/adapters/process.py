"""Starts processes, and nothing else does: bounded, killable runs for worker threads."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, TypeVar, TypeVarTuple

from orchestrator.errors import AdapterError, AdapterTimedOutError, NotStartedError

if TYPE_CHECKING:
    pass

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

DEADLINE = 30.0
"""Seconds that a process of this module may take unless its caller says otherwise."""

_TICK = 0.05
_DRAIN = 0.05
_CHUNK = 1 << 16

_registry = threading.Lock()
_live: set[int] = set()


class Completed(NamedTuple):
    """A process that ended by itself; ``returncode`` is negative when a signal ended it."""

    returncode: int
    stdout: bytes
    stderr: bytes


@contextlib.contextmanager
def live_pids() -> Iterator[frozenset[int]]:
    """Give the process ids that this module answers for; none is added while the block lasts."""
    with _registry:
        yield frozenset(_live)


class Spawned:
    """A started process that its owner has to reap. Not thread-safe.

    Attributes:
      pid: its process id.
      pidfd: a descriptor that becomes readable when it ends; closed by ``reap``.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid
        self.pidfd = os.pidfd_open(process.pid)

    def kill(self) -> None:
        """Send SIGKILL; nothing happens when it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def ended(self) -> bool:
        """Say whether it has ended, reaped or not."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reap(self) -> int:
        """Wait for the end and return the return code. Call it when ``pidfd`` is readable."""
        returncode = self._process.wait()
        with _registry:
            _live.discard(self.pid)
        os.close(self.pidfd)
        return returncode


def spawn(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: int) -> Spawned:
    """Start a process in a session of its own, its output discarded. Blocks for a millisecond.

    Args:
      stdin: descriptor that becomes its standard input.

    Raises:
      NotStartedError: when it cannot be executed.
    """
    return _spawned(_start(argv, cwd, env, stdin, subprocess.DEVNULL))


def spawn_attached(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Spawned:
    """Start a process with our own standard streams, in a process group of its own.

    Raises:
      NotStartedError: when it cannot be executed.
    """
    return _spawned(_start(argv, cwd, env, None, None, attached=True))


def _spawned(process: subprocess.Popen[bytes]) -> Spawned:
    try:
        return Spawned(process)
    except BaseException:
        process.kill()
        _reap(process)
        raise


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    stdout_limit: int = 64 << 20,
    stderr_limit: int = 64 << 10,
    deadline: float = DEADLINE,
    stop_grace: float = 2.0,
) -> Completed:
    """Run a process to its end. Blocking: call it through ``threads.in_thread``.

    Trio's cancellation of the thread is noticed within 50 ms: the process gets SIGTERM, so that
    git removes its locks, then its whole group SIGKILL. A grandchild that holds an output pipe
    open does not delay the return.

    Args:
      env: the complete environment.
      stdout_limit: bytes of standard output that may be kept.
      stderr_limit: bytes of standard error that are kept, counted from its end.
      deadline: seconds it may take.
      stop_grace: seconds between SIGTERM and SIGKILL.

    Raises:
      NotStartedError: when it cannot be executed.
      AdapterError: when it wrote more than ``stdout_limit``; it was killed.
      AdapterTimedOutError: when it outran ``deadline``; it was killed, what it did is unknown.
    """
    source = subprocess.PIPE if stdin else subprocess.DEVNULL
    process = _start(argv, cwd, env, source, subprocess.PIPE)
    try:
        pipes = _Pipes(process, stdin, stdout_limit, stderr_limit)
    except BaseException:
        _stop(process, 0.0)
        raise
    try:
        if not pipes.communicate(time.monotonic() + deadline):
            raise AdapterTimedOutError(_name(argv), deadline)
        return Completed(_reap(process), bytes(pipes.stdout), bytes(pipes.stderr))
    except BaseException:
        _stop(process, stop_grace)
        raise
    finally:
        pipes.close()


def raise_if_cancelled() -> None:
    """Raise Trio's ``Cancelled`` in a worker thread whose caller is cancelled; else do nothing."""
    # A thread that Trio did not start cannot be cancelled, least of all before trio is imported.
    if (trio := sys.modules.get("trio")) is not None:
        with contextlib.suppress(RuntimeError):
            trio.from_thread.check_cancelled()


def _start(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    stdin: int | None,
    output: int | None,
    *,
    attached: bool = False,
) -> subprocess.Popen[bytes]:
    try:
        # Under the lock: a child is never visible to a sweep before it is registered.
        with _registry:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=stdin,
                stdout=output,
                stderr=output,
                bufsize=0,
                start_new_session=not attached,
                process_group=0 if attached else None,
            )
            _live.add(process.pid)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NotStartedError(f"cannot start {argv[0]}: {reason}", where=argv[0]) from error
    return process


def _name(argv: Sequence[str]) -> str:
    """Return what a person would call this: the program, and its first word that is no option."""
    words = [word for word in argv[1:] if not word.startswith("-")]
    return " ".join([os.path.basename(argv[0]), *words[:1]])


def _reap(process: subprocess.Popen[bytes]) -> int:
    returncode = process.wait()
    with _registry:
        _live.discard(process.pid)
    return returncode


def _stop(process: subprocess.Popen[bytes], grace: float) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)
    handle = os.pidfd_open(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_READ)
            selector.select(grace)
    finally:
        os.close(handle)
    # The leader is not reaped yet, so the group id cannot belong to anybody else.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    _reap(process)


class _Pipes:
    """The pipes of one process: fed, read and bounded until it ends."""

    def __init__(
        self, process: subprocess.Popen[bytes], stdin: bytes, stdout_limit: int, stderr_limit: int
    ) -> None:
        self._process = process
        self._input = memoryview(stdin)
        self._stdout_limit = stdout_limit
        self._stderr_limit = stderr_limit
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._pidfd = os.pidfd_open(process.pid)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pidfd, selectors.EVENT_READ, self._on_end)
        self._ended = False
        self._add(process.stdin, selectors.EVENT_WRITE, self._write)
        self._add(process.stdout, selectors.EVENT_READ, self._read_stdout)
        self._add(process.stderr, selectors.EVENT_READ, self._read_stderr)

    def _add(self, pipe: IO[bytes] | None, events: int, action: Callable[[int], bool]) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, events, action)

    def communicate(self, until: float) -> bool:
        """Return when the process has ended and its output is read, or 50 ms after its end.

        False when it still runs at ``until``, on the monotonic clock.
        """
        give_up: float | None = None
        while not (self._ended and len(self._selector.get_map()) == 0):
            raise_if_cancelled()
            ready = self._selector.select(_TICK)
            for key, _ in ready:
                if key.data(key.fd):
                    self._selector.unregister(key.fileobj)
            if not self._ended:
                if time.monotonic() >= until:
                    return False
                continue
            if give_up is None:
                self._close_stdin()
                give_up = time.monotonic() + _DRAIN
            elif not ready and time.monotonic() >= give_up:
                break
        return True

    def _on_end(self, _fd: int) -> bool:
        self._ended = True
        return True

    def _write(self, fd: int) -> bool:
        try:
            self._input = self._input[os.write(fd, self._input[:_CHUNK]) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            self._input = self._input[:0]
        if not self._input:
            self._close_stdin()
        return False

    def _close_stdin(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._selector.unregister(self._process.stdin)
            self._process.stdin.close()

    def _read_stdout(self, fd: int) -> bool:
        data = os.read(fd, _CHUNK)
        self.stdout += data
        if len(self.stdout) > self._stdout_limit:
            name = str(self._process.args[0])  # type: ignore[index]
            raise AdapterError(
                f"{name} wrote more than {self._stdout_limit} bytes and was killed", where=name
            )
        return not data

    def _read_stderr(self, fd: int) -> bool:
        data = os.read(fd, _CHUNK)
        self.stderr += data
        del self.stderr[: -self._stderr_limit]
        return not data

    def close(self) -> None:
        """Close the pipes; the process may still hold its ends."""
        self._selector.close()
        os.close(self._pidfd)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
