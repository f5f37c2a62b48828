"""What lies in a checkout where other files will be written, as entries of an index."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.adapters.git import objects
from orchestrator.adapters.git.runner import Git
from orchestrator.adapters.git.scan import GITLINK
from orchestrator.errors import ConflictError

from .paths import shown_name
from .running import OwnGit

_LINK = b"120000"
_FOLDER = b"040000"
_BATCH = 1000


def entries_on_disk(git: OwnGit, store: Git, paths: Sequence[bytes], source: str) -> list[bytes]:
    """Return the entries that make an index what lies at ``paths``, its exact bytes written.

    Git makes room for what it writes: with a folder goes all that is in it, and a file goes that
    lies where a folder has to be.

    Args:
      source: the commit that will be written there.

    Raises:
      ConflictError: when a repository lies where a file would be written.
    """
    modes: dict[bytes, bytes] = {}
    for start in range(0, len(paths), _BATCH):
        found_there = objects.entries_at(store, source, paths[start : start + _BATCH])
        modes |= {path: mode for path, (mode, _) in found_there.items() if mode != _FOLDER}
    mine = [path for path in paths if modes.get(path) != GITLINK]
    top = os.fsencode(git.checkout)
    found: dict[bytes, bytes] = {}
    for path in mine:
        found.update(_in_the_way(top, path, is_written=path in modes))
    oids = _written(store, top, found)
    gone = [removal(path, source) for path in mine]
    return gone + [mode + b" " + oids[path] + b"\t" + path for path, mode in found.items()]


def removal(path: bytes, oid: str) -> bytes:
    """Return the entry that removes a path from an index; ``oid`` is any, for its length."""
    return b"0 " + b"0" * len(oid) + b"\t" + path


def _in_the_way(top: bytes, path: bytes, *, is_written: bool) -> Iterator[tuple[bytes, bytes]]:
    """Yield path and mode of what goes when ``path`` is written, or else removed."""
    parts = path.split(b"/")
    for depth in range(1, len(parts) + 1):
        here = b"/".join(parts[:depth])
        mode = _mode(os.path.join(top, here))
        if mode is None:
            return
        if mode:
            if is_written or depth == len(parts):
                yield here, mode
            return
    if is_written:
        yield from _below(top, path)


def _below(top: bytes, path: bytes) -> Iterator[tuple[bytes, bytes]]:
    for directory, directories, names in os.walk(os.path.join(top, path)):
        if b".git" in (*directories, *names):
            raise ConflictError(
                f"a repository lies where a file would be written: {shown_name(os.fsdecode(path))}",
                where=os.fsdecode(directory),
                fix="move it away first",
            )
        for name in (*directories, *names):
            place = os.path.join(directory, name)
            if mode := _mode(place):
                yield os.path.relpath(place, top), mode


def _mode(place: bytes) -> bytes | None:
    """Return the mode that git has for a file, "" when it has none for it, None when none is there.

    Nothing is there either for what is below a link or a file.
    """
    try:
        found = os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(found.st_mode):
        return _LINK
    if not stat.S_ISREG(found.st_mode):
        return b""
    return b"100755" if found.st_mode & stat.S_IXUSR else b"100644"


def _written(store: Git, top: bytes, files: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Write the bytes of files, and what links point to; return their ids."""
    plain = [path for path, mode in files.items() if mode != _LINK and b"\n" not in path]
    names = b"".join(os.path.join(top, path) + b"\n" for path in plain)
    done = store.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=names)
    oids = dict(zip(plain, done.stdout.split(), strict=True))
    for path in files.keys() - oids.keys():
        place = os.path.join(top, path)
        data = os.readlink(place) if files[path] == _LINK else Path(os.fsdecode(place)).read_bytes()
        done = store.run("hash-object", "-w", "--no-filters", "--stdin", stdin=data)
        oids[path] = done.stdout.strip()
    return oids
