"""How commits differ: line counts of many commits in one process, one patch at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .runner import Git

_DIFF = ("diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv")


class FileStat(NamedTuple):
    """A file that differs; lines added and removed, None for a binary one."""

    path: str
    added: int | None
    removed: int | None


def commit_stats(git: Git, commits: Sequence[str]) -> dict[str, tuple[FileStat, ...]]:
    """Return what each of these commits changed against its first parent. One process.

    Raises:
      AdapterError: when git fails, takes too long or has more than 64 MiB to say.
    """
    if not commits:
        return {}
    asked = "".join(f"{commit}\n" for commit in dict.fromkeys(commits)).encode()
    said = git.run(*_DIFF, "--stdin", "--root", "--always", "--numstat", "-z", stdin=asked).stdout
    fields = iter(os.fsdecode(said).split("\0"))
    found: dict[str, list[FileStat]] = {}
    current: list[FileStat] = []
    for field in fields:
        if "\t" in field:
            current.append(_file(field, fields))
        elif field:
            current = found.setdefault(field, [])
    return {commit: tuple(files) for commit, files in found.items()}


def stat(git: Git, a: str, b: str) -> tuple[FileStat, ...]:
    """Return how two commits differ, file by file.

    Raises:
      AdapterError: when git fails, takes too long or has more than 64 MiB to say.
    """
    said = git.run(*_DIFF, "--numstat", "-z", "--end-of-options", a, b).stdout
    fields = iter(os.fsdecode(said).split("\0"))
    return tuple(_file(field, fields) for field in fields if field)


def patch(git: Git, a: str, b: str, limit: int) -> tuple[str, bool]:
    """Return the unified diff of two commits and whether it was cut, after ``limit`` bytes.

    Raises:
      AdapterError: when git fails, takes too long or has more than 64 MiB to say.
    """
    data = git.run(*_DIFF, "-p", "--end-of-options", a, b).stdout
    cut = len(data) > limit
    if cut:
        data = data[:limit].rpartition(b"\n")[0] + b"\n"
    return data.decode(errors="replace"), cut


def _file(field: str, more: Iterator[str]) -> FileStat:
    """Read one row of counts; the old and new name of a renamed file follow it."""
    added, removed, path = field.split("\t", 2)
    if not path:
        old, path = next(more), next(more)
        path = f"{old} → {path}"
    return FileStat(path, _count(added), _count(removed))


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
