"""Promise: what is known of a workspace's index is believed only of that very index."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from orchestrator.adapters.git import checkpoint, objects, snapshot, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from tests.gitrepo import git, make_repository

pytestmark = pytest.mark.processes


@attrs.frozen
class Taken:
    """A workspace in which a file was changed, what was taken of it, and a commit of that."""

    repo: Repository
    work: Workspace
    tree: str
    commit: str

    def restore(self) -> tuple[bytes, ...]:
        return snapshot.restore(self.repo, self.work, self.commit, self.tree)

    def read(self, name: str) -> str:
        return (self.work.path / name).read_text()

    def is_clean(self) -> bool:
        """Tell whether the worker's own git sees the commit, and nothing else."""
        path = self.work.path
        shown = git(path, "status", "--porcelain"), git(path, "rev-parse", "HEAD")
        return shown == ("", self.commit)


@pytest.fixture
def taken(tmp_path: Path) -> Taken:
    repo = Repository.open(make_repository(tmp_path / "repo", {"a.txt": "a\n", "b.txt": "b\n"}))
    work = workspace.create(repo, "item", repo.head)
    snapshot.restore(repo, work, repo.head)
    (work.path / "a.txt").write_text("A\n")
    (work.path / "new.txt").write_text("new\n")
    tree = checkpoint.take(repo, work, repo.head).tree
    commit = objects.commit(repo.git, tree, [repo.head], "Done", repo.identity(), 1700000000)
    git(repo.checkout, "update-ref", "refs/heads/orchestrator/item", commit)
    return Taken(repo, work, tree, commit)


def test_nothing_differs_from_what_was_taken(taken: Taken) -> None:
    assert taken.restore() == ()
    assert taken.is_clean()
    assert checkpoint.take(taken.repo, taken.work, taken.commit).tree == ""


def test_what_was_changed_after_it_was_taken_is_taken_back(taken: Taken) -> None:
    known = (taken.work.path / "a.txt").stat()
    (taken.work.path / "a.txt").write_text("X\n")  # as long, and as old as far as it says
    os.utime(taken.work.path / "a.txt", ns=(known.st_atime_ns, known.st_mtime_ns))
    (taken.work.path / "b.txt").unlink()
    (taken.work.path / "trace").touch()
    assert sorted(taken.restore()) == [b"a.txt", b"b.txt", b"trace"]
    assert (taken.read("a.txt"), taken.read("b.txt")) == ("A\n", "b\n")
    assert taken.is_clean()


def test_another_commit_is_not_taken_for_the_known_one(taken: Taken) -> None:
    assert sorted(snapshot.restore(taken.repo, taken.work, taken.repo.head)) == [
        b"a.txt",
        b"new.txt",
    ]
    assert taken.read("a.txt") == "a\n"
    assert sorted(taken.restore()) == [b"a.txt", b"new.txt"]
    assert taken.is_clean()


def zeroed(index: Path) -> None:
    index.write_bytes(bytes(index.stat().st_size))


def torn(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2)


def without_note(index: Path) -> None:
    index.with_name(f"{index.name}.of").unlink(missing_ok=True)


def with_half_a_note(index: Path) -> None:
    note = index.with_name(f"{index.name}.of")
    os.truncate(note, note.stat().st_size // 2)


@pytest.mark.parametrize("spoil", [zeroed, torn, without_note, with_half_a_note])
def test_what_a_power_cut_left_of_it_is_not_believed(
    taken: Taken, spoil: Callable[[Path], None]
) -> None:
    for index in (taken.work.index, taken.work.taken):
        spoil(index)
    (taken.work.path / "b.txt").write_text("B\n")
    assert b"b.txt" in taken.restore()
    assert taken.is_clean()
    for index in (taken.work.index, taken.work.taken):
        spoil(index)
    assert checkpoint.take(taken.repo, taken.work, taken.commit).tree == ""
