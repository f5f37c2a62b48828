"""Recognises repositories and paths that a shared clone cannot reproduce."""

from __future__ import annotations

import os

from orchestrator.errors import RepositoryError

from .runner import Git, join_z, split_z


def refuse_unfaithful(git: Git) -> None:
    """Refuse what a shared clone cannot reproduce.

    Raises:
      RepositoryError: for a sparse checkout, a partial clone and filtered files.
    """
    where = str(git.work_tree)
    found = git.run(
        "config", "-z", "--get-regexp",
        r"^(core\.sparsecheckout|extensions\.partialclone|remote\..*\.promisor)$", check=False,
    )  # fmt: skip
    for entry in split_z(found.stdout):
        key, _, value = os.fsdecode(entry).lower().partition("\n")
        if key == "core.sparsecheckout" and value != "false":
            raise RepositoryError(
                "the checkout is sparse, which is not supported",
                where=where,
                fix="git sparse-checkout disable, or use a full clone",
            )
        if key != "core.sparsecheckout" and value != "false":
            raise RepositoryError(
                "the repository is a partial clone: objects may be missing",
                where=where,
                fix="use a full clone",
            )
    filtered = _filtered_path(git)
    if filtered is not None:
        path, name = (os.fsdecode(part) for part in filtered)
        raise RepositoryError(
            f"{path!r} goes through the filter {name!r} (LFS, git-crypt, …): not supported",
            where=where,
            fix="work in a repository without filtered files",
        )


def _filtered_path(git: Git) -> tuple[bytes, bytes] | None:
    """Return a tracked path with a filter and the filter's name, or None."""
    assert git.work_tree is not None
    tracked = split_z(git.run("ls-files", "-z").stdout)
    root = os.fsencode(git.work_tree)
    sources = [os.path.join(root, path) for path in tracked if path.endswith(b".gitattributes")]
    common = git.text("rev-parse", "--path-format=absolute", "--git-common-dir")
    sources.append(os.path.join(os.fsencode(common), b"info", b"attributes"))
    if not any(b"filter" in _content(source) for source in sources):
        return None
    return next(iter(filtered_paths(git, tracked)), None)


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


def _content(path: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
