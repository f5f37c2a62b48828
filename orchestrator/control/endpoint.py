"""Where the socket lies, and who may be at its other end. Blocking, standard library only.

The socket is in the repository's state directory. Where its path is too long for a socket, or the
directory is not private, it is in the runtime directory or a private one below ``/tmp``, and a
pointer file says where.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

NOBODY = -1
"""User id at the other end of a connection that was not taken up."""

_SOCKET = "control.sock"
_POINTER = "control.path"
_LONGEST = 107
_BACKLOG = 128


def listen(state_dir: Path) -> tuple[socket.socket, Path]:
    """Open the socket and return it with its path; call it only while owning the engine lock.

    What lies there is stale then, and is replaced. Only this user can reach it: it has mode 0600
    in a directory of mode 0700.

    Raises:
      OSError: when there is no place for a socket.
    """
    refused: OSError | None = None
    for path in _places(state_dir):
        try:
            listener = _bind(path)
        except OSError as error:
            refused = error
            continue
        try:
            _point_to(state_dir, path)
        except OSError:
            listener.close()
            path.unlink(missing_ok=True)
            raise
        return listener, path
    raise refused or OSError("no private directory for a socket")


def remove(state_dir: Path, path: Path) -> None:
    """Remove the socket and what points to it; call it only while owning the engine lock."""
    for file in (path, state_dir / _POINTER):
        with suppress(OSError):
            file.unlink()


def find(state_dir: Path) -> str | None:
    """Return where the socket of an engine would be, or None when none was ever left here."""
    path = state_dir / _SOCKET
    if path.exists():
        return str(path)
    try:
        return (state_dir / _POINTER).read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None


class Connected(Protocol):
    """A connected socket, as far as `peer` needs it."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


def peer(connection: Connected) -> tuple[int, int]:
    """Return process id and user id of whoever opened the other end."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    return pid, uid


def descends_from(pid: int, ancestor: int) -> bool:
    """Tell whether a process was started, however indirectly, by another; not by being it.

    One that cannot be looked at counts as started by it.
    """
    while pid > 1 and pid != ancestor:
        try:
            # The command name may hold spaces and brackets; the fields begin after the last one.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2]
            pid = int(fields.split()[1])
        except (OSError, ValueError, IndexError):
            return True
        if pid == ancestor:
            return True
    return False


def _places(state_dir: Path) -> Iterator[Path]:
    if _is_private(state_dir):
        yield state_dir / _SOCKET
    import hashlib  # late: `orc status` must not wait for OpenSSL

    name = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:16] + ".sock"
    bases = [Path("/tmp", f"orchestrator-{os.geteuid()}")]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        bases.insert(0, Path(runtime, "orchestrator"))
    for base in bases:
        with suppress(OSError):
            base.mkdir(mode=0o700, exist_ok=True)
            if _is_private(base):
                yield base / name


def _is_private(directory: Path) -> bool:
    # Not the target of a link: anybody can put a link below /tmp.
    found = directory.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return mine and not found.st_mode & 0o077


def _bind(path: Path) -> socket.socket:
    if len(os.fsencode(path)) > _LONGEST:
        raise OSError(f"too long for a socket: {path}")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _point_to(state_dir: Path, path: Path) -> None:
    pointer = state_dir / _POINTER
    if path.parent == state_dir:
        pointer.unlink(missing_ok=True)
        return
    (state_dir / _SOCKET).unlink(missing_ok=True)
    fresh = pointer.with_suffix(".new")
    fresh.write_text(f"{path}\n", encoding="utf-8")
    fresh.replace(pointer)
