"""Reads and writes the files of a backlog, whatever lies in their place. Blocking."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import BacklogFileError

LIMIT = 256 << 20
"""Largest file that is read, in bytes."""

_MARKERS = ("<<<<<<< ", "||||||| ", "=======", ">>>>>>> ")
BOM = b"\xef\xbb\xbf"
"""What some editors begin a file with; it says nothing."""


def read_bytes(path: Path, limit: int = LIMIT) -> bytes:
    """Return what a file holds. Never follows a link, never waits for a FIFO.

    Raises:
      BacklogFileError: when it is missing, no regular file, unreadable or larger than ``limit``.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _unfit(path, "is a symbolic link", "name the file that it leads to") from None
        raise _failed(path, "read", error) from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _unfit(path, "is not a regular file", "name a file")
        with open(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _failed(path, "read", error) from error
    finally:
        os.close(handle)
    if len(data) > limit:
        raise _unfit(path, f"is larger than {limit >> 20} MiB", "split it")
    return data


def to_text(data: bytes, name: str) -> str:
    """Return what bytes of UTF-8 say.

    Raises:
      BacklogFileError: when they are something else; names the line.
    """
    try:
        return data.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise wrong_line(name, line, "it is not UTF-8") from None


def lines_of(data: bytes, name: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, each with its number from 1.

    Raises:
      BacklogFileError: when a line is not UTF-8, or one that git puts around a conflict.
    """
    for number, line in enumerate(to_text(data, name).split("\n"), start=1):
        if line.startswith(_MARKERS):
            raise BacklogFileError(
                f"{name}: line {number}: an unresolved conflict of a merge",
                where=name,
                fix="resolve it, keep one line for each item, then do it again",
            )
        # Another tool's lines are given back as they are, but for the ends that git gave them.
        line = line.removesuffix("\r")
        if line and not line.isspace():
            yield number, line


def wrong_line(name: str, number: int, problem: str) -> BacklogFileError:
    """Return the error of a line that cannot be understood."""
    return BacklogFileError(
        f"{name}: line {number}: {problem}",
        where=name,
        fix="mend or remove the line; nothing was changed",
    )


def write_bytes(path: Path, data: bytes, *, make_directory: bool = False) -> None:
    """Replace a file by another in one step: whoever reads it sees the old or the new one, whole.

    It keeps its mode. After a loss of power it is one of the two as well.

    Args:
      make_directory: whether the directory that it lies in is made when it is missing.

    Raises:
      BacklogFileError: when something else than a file lies there, or it cannot be written; what
        was there is unchanged then.
    """
    # The same name each time, so that what a killed writer left does not pile up.
    new = path.with_name(f".{path.name}.new")
    try:
        if make_directory:
            path.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode(path)
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with open(handle, "wb") as file:
                if mode is not None:
                    os.fchmod(handle, mode)
                file.write(data)
                file.flush()
                os.fsync(handle)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise _failed(path, "written", error) from error


def _mode(path: Path) -> int | None:
    """Return the permissions of the file that is to be replaced, None when there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise _unfit(path, "is not a regular file", "move it away, or name another path")
    return stat.S_IMODE(found.st_mode)


def _unfit(path: Path, what: str, fix: str) -> BacklogFileError:
    return BacklogFileError(f"{path.name} {what}", where=str(path), fix=fix)


def _failed(path: Path, what: str, error: OSError) -> BacklogFileError:
    return BacklogFileError(
        f"{path.name} cannot be {what}: {error.strerror}",
        where=str(path),
        fix="see to its path, its permissions and the disk's space",
    )
