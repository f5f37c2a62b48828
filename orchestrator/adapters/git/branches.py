"""Which branches of the product exist, read where git keeps them: a reader need not start git."""

from __future__ import annotations

import os
from collections.abc import Iterator

from . import refs
from .runner import Git


def our_branches(git: Git) -> frozenset[str]:
    """Return the full names of the items' branches. Blocking."""
    if (git.git_dir / "reftable").is_dir():
        return frozenset(refs.read_refs(git, refs.BRANCHES))
    return frozenset((*_loose(git), *_packed(git)))


def _loose(git: Git) -> Iterator[str]:
    top = git.git_dir / refs.BRANCHES
    for directory, _, files in os.walk(top):
        for file in files:
            if not file.endswith(".lock"):
                below = os.path.relpath(os.path.join(directory, file), git.git_dir)
                yield below.replace(os.sep, "/")


def _packed(git: Git) -> Iterator[str]:
    try:
        with (git.git_dir / "packed-refs").open("rb") as file:
            for line in file:
                name = line.rstrip(b"\n").partition(b" ")[2]
                if name.startswith(refs.BRANCHES.encode()):
                    yield os.fsdecode(name)
    except FileNotFoundError:
        return
