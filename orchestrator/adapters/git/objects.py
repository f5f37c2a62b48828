"""Commits, trees and blobs made and read without touching any index or work tree."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import attrs

from .runner import Git, split_z


class Author(Protocol):
    """Who a commit names."""

    @property
    def name(self) -> str: ...
    @property
    def email(self) -> str: ...


@attrs.frozen
class Change:
    """How one path differs between two trees; modes and blobs are all zeros where absent."""

    path: bytes
    old_mode: bytes
    new_mode: bytes
    old: str
    new: str
    status: bytes


def commit(
    git: Git,
    tree: str,
    parents: Sequence[str],
    message: str,
    identity: Author,
    when: int,
) -> str:
    """Write a commit and return its id, which is a function of the arguments alone.

    Args:
      tree: id of a tree, or `its_tree` of a commit.
      when: date of author and committer, Unix seconds.
    """
    date = f"@{when} +0000"
    args = ["commit-tree", tree, *(part for parent in parents for part in ("-p", parent))]
    env = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", identity.name), ("EMAIL", identity.email), ("DATE", date))
    }
    data = message.encode(errors="surrogateescape")
    return git.run(*args, "-F", "-", stdin=data, env=env).stdout.decode().strip()


def tree_of(git: Git, commit: str) -> str:
    """Return the tree of a commit."""
    return git.text("rev-parse", "--verify", "--end-of-options", its_tree(commit)).split("\n")[-1]


def its_tree(commit: str) -> str:
    """Return a name for the tree of a commit, for git to look up on the way."""
    return f"{commit}^{{tree}}"


def parents_of(git: Git, commit: str) -> tuple[str, ...]:
    """Return the parents of a commit."""
    listed = git.text("rev-list", "--parents", "-n1", "--end-of-options", commit)
    return tuple(listed.split()[1:])


def forebear(git: Git, commit: str, generations: int) -> str:
    """Return the commit that lies so many first parents before another; itself for 0."""
    if generations == 0:
        return commit
    return git.text(
        "rev-parse", "--verify", "-q", "--end-of-options", f"{commit}~{generations}"
    ).rpartition("\n")[2]


def date_of(git: Git, commit: str) -> int:
    """Return a commit's date, Unix seconds."""
    return int(git.text("log", "-1", "--no-walk", "--format=%ct", "--end-of-options", commit))


def stories_between(git: Git, start: str, tip: str) -> frozenset[str]:
    """Return the stories whose checkpoints ``tip`` holds and ``start`` does not."""
    layout = "--format=%(trailers:key=Orchestrator-Story,valueonly)"
    listed = git.text("log", layout, "--end-of-options", f"{start}..{tip}")
    return frozenset(line.strip() for line in listed.splitlines() if line.strip())


def is_ancestor(git: Git, ancestor: str, commit: str) -> bool:
    """Whether ``commit`` contains ``ancestor``; False when one of them does not exist."""
    return git.run("merge-base", "--is-ancestor", ancestor, commit, check=False).returncode == 0


def exists(git: Git, commit: str) -> bool:
    """Whether a commit is there, with its tree."""
    return git.run("cat-file", "-e", its_tree(commit), check=False).returncode == 0


def read_blob(git: Git, commit: str, path: bytes) -> bytes | None:
    """Return a file's bytes in a commit or tree, or None when there is no such file."""
    listed = git.run("ls-tree", "-z", "--full-tree", "--end-of-options", commit, path).stdout
    for entry in split_z(listed):
        kind, oid = entry.split(b"\t", 1)[0].split()[1:3]
        if kind == b"blob":
            return git.run("cat-file", "blob", oid).stdout
    return None


def blob(git: Git, oid: str) -> bytes | None:
    """Return a blob's bytes; None for the id of nothing, all zeros."""
    return git.run("cat-file", "blob", oid).stdout if oid.strip("0") else None


def merge_blobs(git: Git, ours: str, base: str, theirs: str) -> bytes | None:
    """Return the three-way merge of texts, or None when they conflict or one is missing."""
    texts = [blob(git, oid) for oid in (ours, base, theirs)]
    with tempfile.TemporaryDirectory(prefix="orchestrator-merge-") as directory:
        places = []
        for name, text in zip(("ours", "base", "theirs"), texts, strict=True):
            if text is None:
                return None
            places.append(Path(directory, name))
            places[-1].write_bytes(text)
        done = git.run("merge-file", "-p", *places, check=False)
    return done.stdout if done.returncode == 0 else None


def write_files_tree(
    git: Git, base_tree: str, files: Mapping[bytes, bytes | tuple[bytes, bytes] | Path | None]
) -> str:
    """Return ``base_tree`` with ``files`` put in.

    Args:
      files: by path: content, mode and content, a file or link to copy, or None to delete.
    """
    with private_index(git) as index:
        git.run("read-tree", base_tree, index=index)
        entries = []
        for path, content in files.items():
            if content is None:
                entries.append(b"0 " + b"0" * len(base_tree) + b"\t" + path)
                continue
            if isinstance(content, bytes):
                content = (b"100644", content)
            mode, data = content if isinstance(content, tuple) else _read(content)
            oid = git.run("hash-object", "-w", "--no-filters", "--stdin", stdin=data).stdout
            entries.append(mode + b" " + oid.strip() + b"\t" + path)
        put_entries(git, index, entries)
        return git.text("write-tree", index=index)


def flat_tree(git: Git, files: Mapping[bytes, bytes]) -> str:
    """Write a tree that holds exactly these files, by name, and return its id."""
    entries = []
    for name, data in files.items():
        oid = git.run("hash-object", "-w", "--no-filters", "--stdin", stdin=data).stdout.strip()
        entries.append(b"100644 blob " + oid + b"\t" + name + b"\0")
    return git.run("mktree", "-z", stdin=b"".join(entries)).stdout.decode().strip()


def put_entries(git: Git, index: Path, entries: Sequence[bytes]) -> None:
    """Put ``mode oid<tab>path`` lines into an index; mode 0 removes."""
    if entries:
        data = b"".join(entry + b"\0" for entry in entries)
        git.run("update-index", "--replace", "-z", "--index-info", index=index, stdin=data)


def diff_changes(git: Git, a: str, b: str) -> tuple[Change, ...]:
    """Return how two commits or trees differ, path by path, renames as two changes."""
    args = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames")
    fields = split_z(git.run(*args, "--end-of-options", a, b).stdout)
    changes = []
    for header, path in zip(fields[0::2], fields[1::2], strict=True):
        old_mode, new_mode, old, new, status = header.lstrip(b":").split()
        changes.append(Change(path, old_mode, new_mode, old.decode(), new.decode(), status))
    return tuple(changes)


def entries_at(git: Git, commit: str, paths: Sequence[bytes]) -> dict[bytes, tuple[bytes, str]]:
    """Return mode and blob of each of the paths that a commit or tree has."""
    found = {}
    listed = git.run("ls-tree", "-z", "--full-tree", "--end-of-options", commit, *paths).stdout
    for entry in split_z(listed):
        header, path = entry.split(b"\t", 1)
        mode, _, oid = header.split()
        found[path] = (mode, oid.decode())
    return found


def diff_paths(git: Git, a: str, b: str) -> tuple[bytes, ...]:
    """Return the paths in which two commits or trees differ."""
    return tuple(change.path for change in diff_changes(git, a, b))


def diff_text(git: Git, a: str, b: str) -> bytes:
    """Return the unified diff of two commits or trees."""
    args = ("diff-tree", "-r", "-p", "--no-ext-diff", "--no-textconv", "-M")
    return git.run(*args, "--end-of-options", a, b).stdout


def blob_id(path: bytes, object_format: str) -> str | None:
    """Return the id that a file's exact bytes, or a link's target, have, else None."""
    try:
        mode, data = _read(Path(os.fsdecode(path)))
    except OSError:
        return None
    if mode == b"0":
        return None
    return hashlib.new(object_format, b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def private_index(git: Git) -> Iterator[Path]:
    """Give a path for an index that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-index-") as directory:
        yield Path(directory) / "index"


def _read(path: Path) -> tuple[bytes, bytes]:
    """Return mode and bytes as git keeps them; mode 0 when git keeps no such thing."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return b"120000", os.fsencode(os.readlink(path))
    if not stat.S_ISREG(found.st_mode):
        return b"0", b""
    mode = b"100755" if found.st_mode & stat.S_IXUSR else b"100644"
    return mode, path.read_bytes()
