"""Promise: a checkout that was worked in is given back exactly, whatever happened in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from orchestrator.adapters.git import borrowed, checkpoint, objects, snapshot, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.runner import Git
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.errors import ProcessError, RepositoryError
from tests.gitrepo import commit_files, fingerprint, git, make_repository

pytestmark = pytest.mark.processes


@attrs.frozen
class Place:
    """A checkout that is borrowed, and what it was before."""

    repo: Repository
    work: Workspace
    path: Path
    before: dict[str, object]

    def assert_given_back(self) -> None:
        now = fingerprint(self.path)
        keys = {key for key in now.keys() | self.before.keys() if "node_modules" not in key}
        assert {k: now.get(k) for k in keys} == {k: self.before.get(k) for k in keys}
        assert git(self.path, "fsck", "--no-dangling") == ""
        assert git(self.path, "for-each-ref", "refs/orchestrator/borrowed") == ""


def checkout_of(tmp_path: Path) -> Path:
    """Make a repository with a bit of everything that must come back."""
    checkout = make_repository(
        tmp_path / "repo",
        {
            ".gitignore": "*.log\n.env\nnode_modules/\n",
            ".gitattributes": "*.bat text eol=crlf\n",
            "a.txt": "a\n",
            "src/b.txt": "b\n",
            "run.bat": "one\r\n",
            "tool": "#!/bin/sh\n",
        },
    )
    commit_files(checkout, {"a.txt": "second\n"}, "Second")
    (checkout / "tool").chmod(0o711)
    git(checkout, "add", "tool")
    git(checkout, "commit", "-qm", "Tool")
    (checkout / "run.bat").write_bytes(b"one\r\n")
    (checkout / "link").symlink_to("nowhere")
    (checkout / ".env").write_text("SECRET=1\n")
    (checkout / ".env").chmod(0o600)
    (checkout / "node_modules").mkdir()
    (checkout / "node_modules/x.js").write_text("x")
    odd = os.path.join(os.fsencode(checkout), b"-\xff\n [a]!")
    Path(os.fsdecode(odd)).write_text("odd")
    (checkout / ".git/hooks/pre-commit").write_text("#!/bin/sh\nexit 0\n")
    (checkout / ".git/hooks/pre-commit").chmod(0o755)
    (checkout / "a.txt").write_text("stashed\n")
    git(checkout, "stash")
    git(checkout, "reset", "-q", "--soft", "HEAD")  # leaves an ORIG_HEAD
    for path in checkout.rglob("*.txt"):
        os.utime(path, ns=(10**18, 10**18))
    git(checkout, "status")
    return checkout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a borrowed checkout."""
    checkout = checkout_of(tmp_path)
    before = fingerprint(checkout)
    repo = Repository.open(checkout).working("in-place")
    workspace.require_workable(repo)
    assert fingerprint(checkout) == before
    tree = objects.write_files_tree(
        repo.git, objects.tree_of(repo.git, repo.head), {b"spec.md": b"spec\n", b"src/b.txt": None}
    )
    start = objects.commit(repo.git, tree, [repo.head], "Carry", repo.identity(), 1)
    work = workspace.create(repo, "item", start)
    assert work.path == checkout
    return Place(attrs.evolve(repo, head=start), work, checkout, before)


def test_while_it_is_borrowed_the_checkout_is_the_items(place: Place) -> None:
    assert git(place.path, "symbolic-ref", "-q", "HEAD", check=False) == ""
    assert git(place.path, "rev-parse", "HEAD") == place.repo.head
    assert (place.path / "spec.md").exists()
    assert not (place.path / "src/b.txt").exists()
    assert (place.path / ".env").exists()
    taken = checkpoint.take(place.repo, place.work, place.repo.head)
    assert (taken.changed, taken.problems) == ((), ())
    (place.path / "a.txt").write_text("new\n")
    (place.path / "made").write_text("made\n")
    taken = checkpoint.take(place.repo, place.work, place.repo.head)
    assert set(taken.changed) == {b"a.txt", b"made"}
    workspace.release(place.repo, place.work)
    place.assert_given_back()
    assert workspace.open_existing(place.repo, "item") is None


def _nothing(path: Path) -> None:
    pass


def _files(path: Path) -> None:
    (path / "a.txt").write_text("changed\n")
    (path / "run.bat").write_bytes(b"one\n")
    (path / "tool").chmod(0o755)
    (path / ".env").write_text("SECRET=2\n")
    (path / "link").unlink()
    (path / "link").write_text("no link")
    (path / "src").mkdir(exist_ok=True)
    (path / "src/new").write_text("new")
    shutil.rmtree(path / "node_modules")
    os.unlink(os.path.join(os.fsencode(path), b"-\xff\n [a]!"))
    (path / ".gitignore").write_text("*\n")


def _swaps(path: Path) -> None:
    (path / "a.txt").unlink()
    (path / "a.txt").mkdir()
    (path / "a.txt/inside").write_text("x")
    shutil.rmtree(path / "src", ignore_errors=True)
    (path / "src").symlink_to("/")
    (path / ".env").unlink()
    git(path, "init", "-q", "nested")
    (path / "nested/file").write_text("x")


def _own_git(path: Path) -> None:
    (path / "a.txt").write_text("committed\n")
    git(path, "commit", "-qam", "Worker's own")
    git(path, "config", "core.hooksPath", "evil")
    (path / ".git/hooks/post-checkout").write_text("#!/bin/sh\n")
    (path / ".git/hooks/pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (path / ".git/info/exclude").write_text("a.txt\n")
    (path / "a.txt").write_text("again\n")
    git(path, "add", "a.txt")
    (path / ".git/index.lock").touch()


def _merge(path: Path) -> None:
    head = git(path, "rev-parse", "HEAD")
    (path / "a.txt").write_text("one\n")
    git(path, "commit", "-qam", "One")
    one = git(path, "rev-parse", "HEAD")
    git(path, "checkout", "-q", "--detach", head)
    (path / "a.txt").write_text("two\n")
    git(path, "commit", "-qam", "Two")
    git(path, "merge", one, check=False)
    assert (path / ".git/MERGE_HEAD").exists()


WAYS = [_nothing, _files, _swaps, _own_git, _merge]


@pytest.mark.parametrize("disturb", WAYS)
def test_everything_comes_back(place: Place, disturb: Callable[[Path], None]) -> None:
    disturb(place.path)
    assert workspace.release(place.repo, place.work) == ()
    place.assert_given_back()


@pytest.mark.parametrize("disturb", WAYS)
def test_an_attempt_is_kept_and_taken_back_in_place_too(
    place: Place, disturb: Callable[[Path], None]
) -> None:
    disturb(place.path)
    kept = snapshot.snapshot(
        place.repo, place.work, place.repo.head, "Attempt", place.repo.identity(), 1
    )
    snapshot.restore(place.repo, place.work, place.repo.head)
    taken = checkpoint.take(place.repo, place.work, place.repo.head)
    assert (taken.changed, taken.problems) == ((), ())
    assert objects.read_blob(place.repo.git, kept, b".env") is None
    workspace.release(place.repo, place.work)
    place.assert_given_back()


def test_giving_back_converges_whichever_step_it_died_at(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    _files(place.path)
    _own_git(place.path)
    real = Git.run
    for limit in range(60):
        left = [limit]

        def run(self: Git, *args: object, left: list[int] = left, **kwargs: object) -> object:
            if left[0] == 0:
                raise ProcessError(["git"], -9, "killed")
            left[0] -= 1
            return real(self, *args, **kwargs)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(Git, "run", run)
            try:
                workspace.release(place.repo, place.work)
                break
            except ProcessError:
                continue
    place.assert_given_back()
    assert limit > 5


def test_a_branch_that_moved_meanwhile_is_said_and_not_hidden(place: Place) -> None:
    new = git(place.path, "commit-tree", "-m", "Theirs", "HEAD^{tree}", "-p", "main")
    git(place.path, "update-ref", "refs/heads/main", new)
    (first, second) = workspace.release(place.repo, place.work)
    assert "main moved" in first
    assert f"git update-ref refs/heads/main {git(place.path, 'rev-parse', 'HEAD')}" in second
    assert git(place.path, "rev-parse", "main") == new
    assert git(place.path, "status", "--porcelain", "--untracked-files=no") == ""


def _dirty(path: Path) -> None:
    (path / "a.txt").write_text("dirty\n")


def _detached(path: Path) -> None:
    git(path, "checkout", "-q", "--detach")


def _inner(path: Path) -> None:
    git(path, "init", "-q", "inner")


def _conflicted(path: Path) -> None:
    (path / "a.txt").write_text("mine\n")
    git(path, "commit", "-qam", "Mine")
    git(path, "stash", "pop", check=False)


def _locked(path: Path) -> None:
    (path / ".git/index.lock").touch()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_dirty, "uncommitted changes in 'a.txt'"),
        (_detached, "detached"),
        (_inner, "inner"),
        (_conflicted, "conflicts"),
        (_locked, "another git"),
    ],
)
def test_an_odd_checkout_is_not_borrowed(
    tmp_path: Path, make: Callable[[Path], None], said: str
) -> None:
    checkout = checkout_of(tmp_path)
    make(checkout)
    repo = Repository.open(checkout).working("in-place")
    with pytest.raises(RepositoryError, match=said) as caught:
        workspace.require_workable(repo)
    assert caught.value.fix
    if make is _dirty:
        workspace.require_workable(repo, {b"a.txt"})


def test_a_linked_worktree_is_borrowed_and_given_back(tmp_path: Path) -> None:
    main = checkout_of(tmp_path)
    git(main, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    before, theirs = fingerprint(tmp_path / "linked"), fingerprint(main)
    repo = Repository.open(tmp_path / "linked").working("in-place")
    work = workspace.create(repo, "item", repo.head)
    _own_git_linked(repo.checkout, repo.git_dir)
    workspace.release(repo, work)
    assert fingerprint(tmp_path / "linked") == before
    assert fingerprint(main) == theirs
    assert not borrowed.note(repo).exists()


def _own_git_linked(path: Path, git_dir: Path) -> None:
    (path / "a.txt").write_text("committed\n")
    git(path, "commit", "-qam", "Worker's own")
    (git_dir / "index.lock").touch()
