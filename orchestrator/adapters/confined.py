"""Files below a directory, read and replaced without being led out of it. Blocking."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import attrs

from orchestrator.errors import EditError, UsageError
from orchestrator.work.backlog.text import one_line

from .process import raise_if_cancelled

PATIENCE = 30.0
"""Seconds that an edit waits for others of the same directory."""

_TICK = 0.02
# What others could not open by its name: Linux's PATH_MAX.
_LONGEST = 4096
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC


@attrs.frozen(kw_only=True)
class Place:
    """Where a file is, or would be; both paths are relative.

    Attributes:
      asked: as it was named.
      real: without the symbolic links that it leads through.
    """

    asked: str
    real: str


@attrs.frozen(kw_only=True)
class Found:
    """A regular file as it was read.

    Attributes:
      mode: its permissions.
    """

    data: bytes
    mode: int


def place_of(root: Path, path: str) -> Place:
    """Return where a path leads to.

    Args:
      root: the directory that it has to stay in.
      path: relative to it; an absolute one when it is inside.

    Raises:
      UsageError: when it leads out, also by a symbolic link; into git's own directory; or is none.
    """
    top = root.resolve()
    asked = PurePosixPath(path)
    for base in (top, root.absolute()):
        if asked.is_relative_to(base):
            asked = asked.relative_to(base)
    if asked.is_absolute() or ".." in asked.parts:
        raise _unfit(path, "is not a path below the workspace", "name it from the workspace's top")
    if not asked.parts or path.endswith("/"):
        raise _unfit(path, "names no file", "name a file, from the workspace's top")
    try:
        real = top.joinpath(asked).resolve()
        if len(os.fsencode(real)) >= _LONGEST:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    except (OSError, RuntimeError, ValueError):
        raise _unfit(path, "cannot be the path of a file", "name another one") from None
    if not real.is_relative_to(top):
        raise _unfit(path, "leads out of the workspace by a symbolic link", "name another file")
    parts = real.relative_to(top).parts
    if any(name.casefold() == ".git" for name in (*asked.parts, *parts)):
        raise _unfit(path, "belongs to git", "use git's own commands")
    return Place(asked=str(asked), real="/".join(parts))


@contextlib.contextmanager
def turn(top: Path, *, patience: float = PATIENCE) -> Iterator[int]:
    """Give a descriptor of the directory, to one at a time of all processes that ask for it here.

    Raises:
      EditError: when somebody else has it for longer than ``patience``.
    """
    handle = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + patience
        while not _locked(handle):
            raise_if_cancelled()
            if time.monotonic() >= until:
                raise EditError(
                    "other edits of the workspace do not come to an end",
                    where=str(top),
                    fix="try again",
                )
            time.sleep(_TICK)
        yield handle
    finally:
        os.close(handle)


@contextlib.contextmanager
def directory_of(top: int, place: Place, *, make: bool) -> Iterator[int | None]:
    """Give a descriptor of the directory a file lies in, None when there is none.

    A directory that meanwhile became a symbolic link is not followed.

    Args:
      make: whether it is made when it is missing.

    Raises:
      OSError: when something on the way is no directory, or cannot be opened or made.
    """
    handle = os.dup(top)
    try:
        missing = False
        for name in place.real.split("/")[:-1]:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=handle)
            try:
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=handle)
            except FileNotFoundError:
                missing = True
                break
            os.close(handle)
            handle = below
        yield None if missing else handle
    finally:
        os.close(handle)


def read(directory: int, place: Place, *, limit: int) -> Found | None:
    """Return a file, None when there is none. Never follows a link, never waits for a FIFO.

    Raises:
      EditError: when it is no regular file, or larger than ``limit``.
      OSError: when it cannot be read.
    """
    try:
        handle = os.open(_name(place), os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _no_file(place) from None
        raise
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _no_file(place)
        with open(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise EditError(
            f"{place.asked} is larger than {limit >> 20} MiB",
            where=place.asked,
            fix="split it, or change it by a command",
        )
    return Found(data=data, mode=stat.S_IMODE(status.st_mode))


def replace(directory: int, place: Place, data: bytes, *, over: Found | None, limit: int) -> None:
    """Put other bytes in the place of a file in one step; it keeps its mode.

    Whoever reads it sees the old or the new ones, whole; so it is after a loss of power.

    Args:
      over: what it was when it was read, None for no file.
      limit: as for `read`.

    Raises:
      EditError: when it is something else by now; nothing is written then.
      OSError: when it cannot be written.
    """
    new = f".orc-edit-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
    handle = os.open(new, flags, 0o666, dir_fd=directory)
    try:
        with open(handle, "wb") as file:
            if over is not None:
                os.fchmod(handle, over.mode)
            file.write(data)
            file.flush()
            os.fsync(handle)
        if read(directory, place, limit=limit) != over:
            raise EditError(
                f"{place.asked} was changed meanwhile, by something else than an edit",
                where=place.asked,
                fix="read it again, then edit it",
            )
        os.replace(new, _name(place), src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=directory)
        raise
    os.fsync(directory)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _name(place: Place) -> str:
    return place.real.rpartition("/")[2]


def _no_file(place: Place) -> EditError:
    return EditError(f"{place.asked} is not a regular file", where=place.asked, fix="name a file")


def _unfit(path: str, what: str, fix: str) -> UsageError:
    return UsageError(f'"{one_line(path)}" {what}', where="path", fix=fix)
