"""Writes the files of a commit into a new directory, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from orchestrator.adapters.process import raise_if_cancelled
from orchestrator.errors import AdapterError

from .runner import Git, split_z

_AT_ONCE = 16 << 20
"""Bytes of files that are asked for at once, unless one alone is larger."""

_HEADER = 100
"""Bytes that git may say about one besides."""


@attrs.frozen
class _File:
    mode: bytes
    oid: bytes
    size: int
    path: bytes


def export_tree(git: Git, commit: str, directory: Path) -> int:
    """Write every file and link of ``commit`` below ``directory``; returns how many.

    Raises:
      FileExistsError: when the directory exists already.
    """
    directory.mkdir(parents=True)
    root = os.fsencode(directory)
    count = 0
    for files in _groups(_listed(git, commit)):
        for file, data in zip(files, _contents(git, files), strict=True):
            raise_if_cancelled()
            _write(os.path.join(root, file.path), file.mode, data)
        count += len(files)
    return count


def _listed(git: Git, commit: str) -> Iterator[_File]:
    args = ("ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", commit)
    for entry in split_z(git.run(*args).stdout):
        meta, path = entry.split(b"\t", 1)
        mode, kind, oid, size = meta.split()
        if kind == b"blob":
            # Of one that is missing there is no size; `_contents` says so.
            yield _File(mode, oid, int(size) if size.isdigit() else 0, path)


def _groups(files: Iterator[_File]) -> Iterator[Sequence[_File]]:
    """Yield the files in groups that fit into memory."""
    group: list[_File] = []
    size = 0
    for file in files:
        more = file.size + _HEADER
        if group and size + more > _AT_ONCE:
            yield group
            group, size = [], 0
        group.append(file)
        size += more
    if group:
        yield group


def _contents(git: Git, files: Sequence[_File]) -> Iterator[bytes]:
    """Yield what each file holds, by one process for all of them."""
    # Not by a checkout: attributes that the commit has would change what is written.
    asked = b"".join(file.oid + b"\n" for file in files)
    told = git.run("cat-file", "--batch", stdin=asked).stdout
    at = 0
    for file in files:
        header = b"%s blob %d\n" % (file.oid, file.size)
        start, end = at + len(header), at + len(header) + file.size
        if told[at:start] != header or told[end : end + 1] != b"\n":
            raise AdapterError(
                f"git cannot read {os.fsdecode(file.path)}",
                where=file.oid.decode(),
                fix="git fsck says what is missing",
            )
        yield told[start:end]
        at = end + 1


def _write(target: bytes, mode: bytes, data: bytes) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if mode == b"120000":
        os.symlink(data, target)
        return
    with open(target, "xb") as file:
        file.write(data)
    os.chmod(target, 0o755 if mode == b"100755" else 0o644)
