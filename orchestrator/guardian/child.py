"""The guardian process: runs one job, and outlives no process of its tree. Stdlib only.

Standard input is a Unix socket to the engine. Its end is the engine's end: the tree is killed.
Messages are JSON after four bytes of length. The engine sends ``{"job": ...}`` with the
descriptors (stdin, stdout, stderr and, if there is one, the locked file), then "terminate" or
"kill"; the guardian answers "failed", or "started", "exited" and "done".
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import struct
from typing import Any, NoReturn

from orchestrator.guardian import landlock, tree

_PR_SET_CHILD_SUBREAPER = 36
_KILL_SECONDS = 5.0
_IGNORED = (signal.SIGPIPE, signal.SIGHUP, signal.SIGINT)


def main() -> None:
    """Serve one job, or end when the engine closes the socket without giving one."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with socket.socket(fileno=os.dup(0)) as engine:
        link = _Link(engine)
        message = link.wait_for_job(wake)
        if message is not None:
            _Job(link, wake, message["job"]).serve()


class _Link:
    """The socket to the engine, as messages. Sending never fails: the engine may be gone."""

    def __init__(self, engine: socket.socket) -> None:
        self.engine = engine
        self.descriptors: list[int] = []
        self._buffer = b""
        self.closed = False

    def send(self, **message: object) -> None:
        data = json.dumps(message).encode()
        with contextlib.suppress(OSError):
            self.engine.sendall(struct.pack("!I", len(data)) + data)

    def receive(self) -> list[dict[str, Any]]:
        """Read once and return the messages that are complete."""
        size = array.array("i").itemsize * 4
        try:
            data, ancillary, _, _ = self.engine.recvmsg(1 << 16, socket.CMSG_LEN(size))
        except OSError:
            data, ancillary = b"", []
        for _, kind, payload in ancillary:
            if kind == socket.SCM_RIGHTS:
                received = array.array("i", payload)
                self.descriptors.extend(received)
                for handle in received:
                    os.set_inheritable(handle, False)
        self.closed = not data
        self._buffer += data
        messages = []
        while len(self._buffer) >= 4:
            (length,) = struct.unpack("!I", self._buffer[:4])
            if len(self._buffer) < 4 + length:
                break
            messages.append(json.loads(self._buffer[4 : 4 + length]))
            self._buffer = self._buffer[4 + length :]
        return messages

    def wait_for_job(self, wake: int) -> dict[str, Any] | None:
        while not self.closed:
            ready, _, _ = select.select([self.engine.fileno(), wake], [], [])
            if wake in ready and signal.SIGTERM in os.read(wake, 512):
                return None
            if self.engine.fileno() in ready:
                for message in self.receive():
                    return message
        return None


class _Job:
    """A worker and the tree below it."""

    def __init__(self, link: _Link, wake: int, job: dict[str, Any]) -> None:
        self._link = link
        self._wake = wake
        self._job = job
        self._leader = 0
        self._status: int | None = None

    def serve(self) -> None:
        """Run the worker, and end when no process of its tree is left."""
        if not self._start():
            return
        while self._status is None and self._wait():
            self._reap()
        toll = tree.Toll(0, ())
        if self._has_children():
            toll = tree.kill_all(lambda: tree.descendants(os.getpid()), self._reap, _KILL_SECONDS)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._link.send(
            event="done",
            status=self._status,
            stragglers=toll.killed,
            survivors=toll.survivors,
            max_rss=used.ru_maxrss * 1024,
            cpu=used.ru_utime + used.ru_stime,
        )

    def _start(self) -> bool:
        descriptors = self._link.descriptors
        confined = self._job["writable"] is not None and landlock.abi() > 0
        errors, report = os.pipe2(os.O_CLOEXEC)
        self._leader = os.fork()
        if self._leader == 0:
            self._become_worker(report, confined)
        for handle in (report, *descriptors[:3]):
            os.close(handle)
        with open(errors, "rb") as file:
            failure = file.read().decode("utf-8", "replace")
        if failure:
            os.waitpid(self._leader, 0)
            self._link.send(event="failed", reason=failure)
            return False
        self._link.send(event="started", pid=self._leader, confined=confined)
        return True

    def _become_worker(self, report: int, confined: bool) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            for number in (*_IGNORED, signal.SIGTERM, signal.SIGCHLD, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            for target, handle in enumerate(self._link.descriptors[:3]):
                os.dup2(handle, target)
            os.chdir(self._job["cwd"])
            if confined:
                landlock.confine(self._job["writable"])
            argv = self._job["argv"]
            os.execvpe(argv[0], argv, self._job["env"])
        except BaseException as error:
            text = getattr(error, "strerror", None) or str(error) or type(error).__name__
            os.write(report, text.encode("utf-8", "replace"))
        finally:
            os._exit(127)

    def _wait(self) -> bool:
        """Wait for news; return False when the tree has to go."""
        ready, _, _ = select.select([self._link.engine.fileno(), self._wake], [], [])
        if self._wake in ready and signal.SIGTERM in os.read(self._wake, 512):
            return False
        if self._link.engine.fileno() in ready:
            for message in self._link.receive():
                if message["do"] == "kill":
                    return False
                if message["do"] == "terminate" and self._status is None:
                    os.kill(self._leader, signal.SIGTERM)
        return not self._link.closed

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._leader:
                    self._status = os.waitstatus_to_exitcode(status)
                    self._link.send(event="exited", status=self._status)

    def _has_children(self) -> bool:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True
