"""A worker's workspace: made, checkpointed, kept and restored, whatever the worker did to it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from orchestrator.adapters.git import checkpoint, objects, snapshot, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.runner import Git
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.errors import ProcessError, RepositoryError
from tests.gitrepo import fingerprint, git, make_repository

pytestmark = pytest.mark.processes

FILES = {
    ".gitignore": "*.log\nbuild/\n",
    ".gitattributes": "*.bat text eol=crlf\nfixed.crlf text\n",
    "a.txt": "a\n",
    "src/b.txt": "b\n",
    "src/deep/c.txt": "c\n",
    "run.bat": "echo\n",
}


@attrs.frozen
class Place:
    """An opened repository with a dirty checkout, and a workspace of it."""

    repo: Repository
    work: Workspace
    path: Path

    def take(self) -> checkpoint.Checkpoint:
        return checkpoint.take(self.repo, self.work, self.repo.head)

    def keep(self) -> str:
        return snapshot.snapshot(
            self.repo, self.work, self.repo.head, "Attempt", self.repo.identity(), 1700000000
        )

    def restore(self, commit: str | None = None) -> None:
        snapshot.restore(self.repo, self.work, commit or self.repo.head)

    def read(self, commit: str, path: bytes) -> bytes | None:
        return objects.read_blob(self.repo.git, commit, path)


@pytest.fixture(params=["clone", "worktree"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give a workspace; what belongs to the user is as it was when the test ends."""
    checkout = make_repository(tmp_path / "repo", FILES)
    (checkout / "a.txt").write_text("stashed\n")
    git(checkout, "stash")
    (checkout / "a.txt").write_text("staged\n")
    git(checkout, "add", "a.txt")
    (checkout / "a.txt").write_text("edited\n")
    (checkout / "untracked").write_text("mine\n")
    before = fingerprint(checkout)
    repo = Repository.open(checkout).working(request.param)
    work = workspace.create(repo, "item", repo.head)
    yield Place(repo, work, work.path)
    assert fingerprint(checkout) == before
    assert git(checkout, "fsck", "--strict", "--no-dangling") == ""


def committed(place: Place) -> None:
    """Assert that the workspace is exactly the base and clean on its branch."""
    branch = {"clone": "refs/heads/orchestrator/item", "worktree": ""}[place.repo.mode]
    assert git(place.path, "symbolic-ref", "-q", "HEAD", check=False) == branch
    assert git(place.path, "rev-parse", "HEAD") == place.repo.head
    assert git(place.path, "status", "--porcelain") == ""
    names = {p.relative_to(place.path).as_posix() for p in place.path.rglob("*") if p.is_file()}
    assert {name for name in names if not name.startswith(".git/")} >= set(FILES)
    assert place.take() == checkpoint.Checkpoint("", (), ())


def test_a_workspace_is_a_clean_clone_without_a_way_back(place: Place) -> None:
    committed(place)
    assert git(place.path, "remote") == ""
    assert git(place.path, "config", "user.email") == "operator@example.invalid"
    assert git(place.path, "log", "--format=%s") == "Start"
    assert (place.path / "run.bat").read_bytes() == b"echo\r\n"
    assert not place.path.is_relative_to(place.repo.checkout)
    assert not place.work.index.is_relative_to(place.path)
    assert (place.path / "a.txt").read_text() == "a\n"


def test_an_existing_workspace_is_found_again(place: Place) -> None:
    assert workspace.open_existing(place.repo, "item") == place.work
    assert workspace.open_existing(place.repo, "other") is None


def test_a_crash_while_making_a_workspace_is_cleared_by_the_next_call(place: Place) -> None:
    home = place.repo.workspace_home()
    left = home / "second.tmp"
    left.mkdir()
    (left / "half").write_text("half")
    made = workspace.create(place.repo, "second", place.repo.head)
    assert not left.exists()
    assert not (made.path / "half").exists()


def test_only_what_was_made_here_is_removed(place: Place) -> None:
    kept = place.path.with_name("moved")
    os.rename(place.path, kept)
    place.path.mkdir()
    (place.path / "theirs").write_text("theirs")
    with pytest.raises(RepositoryError):
        workspace.remove(place.repo, place.work)
    assert (place.path / "theirs").exists()
    shutil.rmtree(place.path)
    os.rename(kept, place.path)
    workspace.remove(place.repo, place.work)
    assert not place.path.exists()
    assert not place.work.directory.exists()


def test_a_checkpoint_holds_what_changed_and_nothing_ignored(place: Place) -> None:
    (place.path / "a.txt").write_text("new\n")
    (place.path / "src/b.txt").unlink()
    (place.path / "out.log").write_text("ignored")
    (place.path / "tool").write_text("#!/bin/sh\n")
    (place.path / "tool").chmod(0o755)
    (place.path / "link").symlink_to("/nowhere")
    odd = os.path.join(os.fsencode(place.path), b"-\xff\n:(exclude)")
    Path(os.fsdecode(odd)).write_text("odd")
    taken = place.take()
    assert taken.problems == ()
    assert set(taken.changed) == {b"a.txt", b"src/b.txt", b"tool", b"link", b"-\xff\n:(exclude)"}
    assert place.read(taken.tree, b"a.txt") == b"new\n"
    assert place.read(taken.tree, b"link") == b"/nowhere"
    assert place.read(taken.tree, b"src/b.txt") is None
    assert place.take() == taken


def test_a_touched_file_and_changed_line_ends_are_no_change(place: Place) -> None:
    os.utime(place.path / "a.txt", (1, 1))
    (place.path / "run.bat").write_bytes(b"echo\n")
    assert place.take().changed == ()


def _commit_itself(path: Path) -> None:
    git(path, "add", "-A")
    git(path, "commit", "-qm", "Agent's own")


def _switch_branch(path: Path) -> None:
    git(path, "checkout", "-qb", "elsewhere")
    _commit_itself(path)


def _delete_git(path: Path) -> None:
    git_dir = path / ".git"
    git_dir.unlink() if git_dir.is_file() else shutil.rmtree(git_dir)


def _poison_git(path: Path) -> None:
    _delete_git(path)
    (path / ".git").symlink_to("/")


def _leave(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    "disturb", [_leave, _commit_itself, _switch_branch, _delete_git, _poison_git]
)
def test_what_the_worker_does_to_its_git_does_not_matter(
    place: Place, disturb: Callable[[Path], None]
) -> None:
    if disturb is _switch_branch and place.repo.mode == "worktree":
        pytest.skip("a new branch is the operator's there: the weaker boundary")
    (place.path / "a.txt").write_text("new\n")
    (place.path / "added").write_text("added\n")
    disturb(place.path)
    taken = place.take()
    assert set(taken.changed) == {b"a.txt", b"added"}
    kept = place.keep()
    assert place.read(kept, b"added") == b"added\n"
    place.restore()
    assert not (place.path / "added").exists()
    committed(place)


def test_after_a_checkpoint_the_workspace_goes_on_from_it(place: Place) -> None:
    (place.path / "a.txt").write_text("new\n")
    (place.path / "sub").mkdir()
    (place.path / "sub/x").write_text("x\n")
    taken = place.take()
    (place.path / "left-by-verify").write_text("x")
    repo = place.repo
    new = objects.commit(repo.git, taken.tree, [repo.head], "Step", repo.identity(), 1)
    place.restore(new)
    assert (place.path / "sub/x").read_text() == "x\n"
    assert not (place.path / "left-by-verify").exists()
    assert git(place.path, "rev-parse", "HEAD") == new
    assert git(place.path, "status", "--porcelain") == ""
    assert checkpoint.take(repo, place.work, new).changed == ()


@pytest.mark.parametrize("where", ["nested", "src", "src/deep"])
def test_a_nested_repository_is_a_problem_kept_and_moved_aside(place: Place, where: str) -> None:
    nested = place.path / where
    git(place.path, "init", "-q", where)
    (nested / "inside").write_text("inside\n")
    git(nested, "add", "-A")
    git(nested, "commit", "-qm", "Nested")
    taken = place.take()
    assert any(where in problem for problem in taken.problems)
    kept = place.keep()
    assert place.read(kept, f"{where}/inside".encode()) == b"inside\n"
    place.restore()
    committed(place)
    assert not (nested / ".git").exists()
    trash = list((place.work.directory / "trash").rglob("HEAD"))
    assert trash


def test_a_path_with_a_filter_is_a_problem(place: Place) -> None:
    (place.path / ".gitattributes").write_text("*.bin filter=lfs\n")
    (place.path / "x.bin").write_text("x")
    (problem,) = place.take().problems
    assert "x.bin" in problem
    assert "lfs" in problem
    place.restore()
    committed(place)


def test_a_vanished_workspace_is_a_problem_and_comes_back(place: Place) -> None:
    shutil.rmtree(place.path)
    assert place.take().problems
    place.keep()
    place.restore()
    committed(place)
    assert workspace.open_existing(place.repo, "item") == place.work


def test_a_workspace_replaced_by_a_link_leads_nowhere(place: Place, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("precious")
    shutil.rmtree(place.path)
    place.path.symlink_to(victim)
    assert place.take().problems
    place.restore()
    committed(place)
    assert os.listdir(victim) == ["precious"]


def test_a_directory_replaced_by_a_link_is_not_followed(place: Place, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "b.txt").write_text("precious")
    shutil.rmtree(place.path / "src")
    (place.path / "src").symlink_to(victim)
    assert set(place.take().changed) == {b"src", b"src/b.txt", b"src/deep/c.txt"}
    assert place.read(place.keep(), b"src") == os.fsencode(victim)
    place.restore()
    committed(place)
    assert (victim / "b.txt").read_text() == "precious"


def test_a_snapshot_has_exact_bytes_and_reads_only(place: Place) -> None:
    (place.path / "run.bat").write_bytes(b"one\r\ntwo\n")
    (place.path / "a.txt").unlink()
    (place.path / "a.txt").mkdir()
    (place.path / "a.txt/now-a-directory").write_text("x")
    (place.path / "x\ny").write_text("odd")
    (place.path / "out.log").write_text("ignored")
    os.mkfifo(place.path / "pipe")
    before = fingerprint(place.path)
    kept = place.keep()
    assert fingerprint(place.path) == before
    assert place.read(kept, b"run.bat") == b"one\r\ntwo\n"
    assert place.read(kept, b"a.txt/now-a-directory") == b"x"
    assert place.read(kept, b"x\ny") == b"odd"
    assert place.read(kept, b"out.log") is None
    assert objects.parents_of(place.repo.git, kept) == (place.repo.head,)


def test_restoring_keeps_ignored_files_unless_they_are_in_the_way(place: Place) -> None:
    (place.path / "build").mkdir()
    (place.path / "build/cache").write_text("cache")
    shutil.rmtree(place.path / "src")
    (place.path / "src").write_text("a file where a directory was")
    place.restore()
    committed(place)
    assert (place.path / "build/cache").read_text() == "cache"
    kept = [path for path in (place.work.directory / "trash").iterdir() if path.is_file()]
    assert [path.read_text() for path in kept] == ["a file where a directory was"]


def test_restore_converges_whichever_step_it_died_at(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run dies at a later git command or rename; the next full one must still finish."""
    real_run, real_rename = Git.run, os.rename
    for limit in range(40):
        (place.path / "a.txt").write_text(f"{limit}\n")
        (place.path / f"added{limit}").write_text("x")
        (place.path / "src/b.txt").unlink()
        left = [limit]

        def spend(left: list[int] = left) -> None:
            if left[0] == 0:
                raise ProcessError(["git"], -9, "killed")
            left[0] -= 1

        def run(self: Git, *args: object, **kwargs: object) -> object:
            spend()
            return real_run(self, *args, **kwargs)  # type: ignore[arg-type]

        def rename(source: object, target: object) -> None:
            spend()
            real_rename(source, target)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(Git, "run", run)
            patch.setattr(os, "rename", rename)
            died = False
            try:
                place.restore()
            except ProcessError:
                died = True
        place.restore()
        committed(place)
        if not died:
            return
    pytest.fail("restore never finished within 40 steps")


def test_file_changed_in_the_second_it_was_restored_is_seen_later(place: Place) -> None:
    file = place.work.path / "a.txt"
    file.write_text("longer\n")
    pass_second()
    place.restore()
    file.write_text("b\n")
    pass_second()
    assert place.take().changed == (b"a.txt",)


def pass_second() -> None:
    """Return when the clock's next second has begun: git keeps times in whole seconds."""
    until = int(time.time()) + 1.02
    while time.time() < until:
        time.sleep(0.01)
