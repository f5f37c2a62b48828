"""Keeps what is about to be overwritten in a checkout, byte for byte, at a ref of the product."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from orchestrator.adapters.git import objects, refs
from orchestrator.adapters.git.repository import Identity
from orchestrator.adapters.git.runner import Git, split_z

from .on_disk import entries_on_disk, removal
from .paths import literal, shown_names
from .running import OwnGit

_WHO = Identity("Orchestrator", "orchestrator@localhost", is_fallback=True)


def keep(git: OwnGit, paths: Sequence[str], source: str, head: str) -> str | None:
    """Keep what is at ``paths`` and not so in ``source``; return the ref. Blocking.

    The commit there is HEAD's with the files as they are; its second parent has what was staged.
    None when HEAD has all of it.

    Args:
      source: the commit that will be written in their place; ``head``: the one that HEAD is at.

    Raises:
      ConflictError: when a repository lies where a file would be written.
    """
    doomed = _doomed(git, paths, source)
    if not doomed:
        return None
    store = git.store
    base = objects.tree_of(store, head)
    staged = _with_entries(store, base, _staged(git, paths, doomed, head))
    work = _with_entries(store, base, entries_on_disk(git, store, doomed, source))
    if work == base and staged == base:
        return None
    now = int(time.time())
    what = f"Before {shown_names([os.fsdecode(path) for path in doomed], 3)} was restored"
    index = objects.commit(store, staged, [head], f"Staged: {what}", _WHO, now)
    commit = objects.commit(store, work, [head, index], what, _WHO, now)
    ref = refs.kept_ref(f"restore-{now}-{commit[:8]}")
    refs.move_ref(store, ref, commit, None, what)
    return ref


def _doomed(git: OwnGit, paths: Sequence[str], source: str) -> tuple[bytes, ...]:
    """Return the paths at which the index or the files are not as in ``source``."""
    args = ("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff")
    chosen = literal(paths)
    found = set(split_z(git.run(*args, source, *chosen).stdout))
    found |= set(split_z(git.run(*args, "--cached", source, *chosen).stdout))
    # What is assumed to be unchanged counts as that here, and is overwritten all the same.
    for entry in split_z(git.run("ls-files", "-v", "-z", *chosen).stdout):
        if entry[:1].islower() or entry[:1] == b"S":
            found.add(entry[2:])
    return tuple(sorted(found))


def _staged(git: OwnGit, paths: Sequence[str], doomed: Sequence[bytes], head: str) -> list[bytes]:
    """Return the entries that make an index what the checkout's is at what is doomed."""
    wanted = set(doomed)
    entries: list[bytes] = []
    for entry in split_z(git.run("ls-files", "-s", "-z", *literal(paths)).stdout):
        header, path = entry.split(b"\t", 1)
        mode, oid, number = header.split()
        if path in wanted:
            wanted.discard(path)
            # Of what is not merged all versions are in commits already.
            if number == b"0":
                entries.append(mode + b" " + oid + b"\t" + path)
    return [*(removal(path, head) for path in wanted), *entries]


def _with_entries(store: Git, tree: str, entries: Sequence[bytes]) -> str:
    with objects.private_index(store) as index:
        store.run("read-tree", tree, index=index)
        objects.put_entries(store, index, entries)
        # A file that is only meant to be added has an empty blob that nobody has written.
        return store.text("write-tree", "--missing-ok", index=index)
