"""Recognises repositories and paths that a shared clone cannot reproduce."""

from __future__ import annotations

import os
from collections.abc import Iterable

from orchestrator.errors import RepositoryError

from .operator import OperatorConfig
from .runner import Git, join_z, split_z


def refuse_unfaithful(git: Git, operator: OperatorConfig) -> None:
    """Refuse what a shared clone cannot reproduce.

    Raises:
      RepositoryError: for a partial clone and for filtered files.
    """
    promisor = operator.promisor()
    if promisor is not None:
        raise _unfaithful(git, f"the repository is a partial clone ({promisor})")
    filtered = _filtered_path(git)
    if filtered is not None:
        path, name = (os.fsdecode(part) for part in filtered)
        raise _unfaithful(git, f"{path!r} goes through the filter {name!r} (LFS, git-crypt, …)")


def _unfaithful(git: Git, what: str) -> RepositoryError:
    return RepositoryError(
        f"a clone to work in could not be faithful: {what}",
        where=str(git.work_tree),
        fix='set [workspace] mode = "worktree": workers then share this repository',
    )


def _filtered_path(git: Git) -> tuple[bytes, bytes] | None:
    """Return a tracked path with a filter and the filter's name, or None."""
    assert git.work_tree is not None
    tracked, declared = [], []
    for entry in split_z(git.run("ls-files", "-z", "--stage").stdout):
        header, path = entry.split(b"\t", 1)
        tracked.append(path)
        if path.endswith(b".gitattributes"):
            declared.append((header.split()[1], path))
    common = git.text("rev-parse", "--path-format=absolute", "--git-common-dir")
    attributes = _content(os.path.join(os.fsencode(common), b"info", b"attributes"))
    for oid, path in declared:
        place = os.path.join(os.fsencode(git.work_tree), path)
        # Out of a sparse checkout's cone git reads the one in the index.
        attributes += _content(place) or git.run("cat-file", "blob", oid, check=False).stdout
    if b"filter" not in attributes:
        return None
    return next(iter(filtered_paths(git, tuple(tracked))), None)


def filtered_paths(git: Git, paths: tuple[bytes, ...]) -> list[tuple[bytes, bytes]]:
    """Return those of ``paths`` that have a ``filter`` attribute, each with its filter."""
    if not paths:
        return []
    done = git.run("check-attr", "-z", "--stdin", "filter", stdin=join_z(paths))
    fields = done.stdout.split(b"\0")
    return [
        (path, value)
        for path, value in zip(fields[0::3], fields[2::3], strict=False)
        if value not in (b"unspecified", b"unset")
    ]


def unusable_filters(
    git: Git, filtered: Iterable[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Return those paths whose filter this git has no command for: they would be kept raw."""
    filtered = list(filtered)
    usable = {}
    for name in {name for _, name in filtered}:
        text = os.fsdecode(name)
        usable[name] = any(
            git.run("config", "--get", f"filter.{text}.{kind}", check=False).stdout.strip()
            for kind in ("process", "clean")
        )
    return [(path, name) for path, name in filtered if not usable[name]]


def with_required(git: Git, filtered: Iterable[tuple[bytes, bytes]]) -> Git:
    """Return ``git`` with these paths' filters required: where one fails, nothing is kept raw."""
    required = {f"filter.{os.fsdecode(name)}.required": "true" for _, name in filtered}
    return git._replace(extra_config={**git.extra_config, **required})


def _content(path: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
