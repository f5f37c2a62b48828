"""Promise: where no clone can be faithful, a linked worktree is, with the operator's filters."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.adapters.git import checkpoint, objects, snapshot, workspace
from orchestrator.adapters.git.carry import carried_tree
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ProcessError, RepositoryError
from tests.gitrepo import commit_files, fingerprint, git, make_repository

pytestmark = pytest.mark.processes


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a repository whose ``*.bin`` files go through a filter of the operator's."""
    script = tmp_path / "rot"
    script.write_text('#!/bin/sh\ntest ! -e "$(dirname "$0")/broken" && tr a-z n-za-m\n')
    script.chmod(0o755)
    for kind in ("clean", "smudge"):
        git(tmp_path, "config", "--global", f"filter.rot.{kind}", str(script))
    checkout = make_repository(
        tmp_path / "repo", {".gitattributes": "*.bin filter=rot\n", "a.txt": "a\n"}
    )
    commit_files(checkout, {"x.bin": "secret\n", "y.bin": "other\n"}, "Filtered")
    assert git(checkout, "cat-file", "blob", "HEAD:x.bin") == "frperg"
    return checkout


def test_a_clone_is_refused_and_the_way_on_named(checkout: Path) -> None:
    with pytest.raises(RepositoryError, match=r"x\.bin.*rot") as caught:
        workspace.require_workable(Repository.open(checkout))
    assert 'mode = "worktree"' in str(caught.value.fix)
    workspace.require_workable(Repository.open(checkout).working("worktree"))


def test_the_operators_filters_apply_both_ways(checkout: Path) -> None:
    before = fingerprint(checkout)
    repo = Repository.open(checkout).working("worktree")
    work = workspace.create(repo, "item", repo.head)
    assert (work.path / "x.bin").read_text() == "secret\n"
    assert git(work.path, "status", "--porcelain") == ""
    os.utime(work.path / "y.bin", (1, 1))
    assert checkpoint.take(repo, work, repo.head).changed == ()
    (work.path / "x.bin").write_text("changed\n")
    (work.path / "new.bin").write_text("new\n")
    taken = checkpoint.take(repo, work, repo.head)
    assert (taken.problems, set(taken.changed)) == ((), {b"x.bin", b"new.bin"})
    assert objects.read_blob(repo.git, taken.tree, b"x.bin") == b"punatrq\n"
    kept = snapshot.snapshot(repo, work, repo.head, "Attempt", repo.identity(), 1)
    assert objects.read_blob(repo.git, kept, b"x.bin") == b"changed\n"
    new = objects.commit(repo.git, taken.tree, [repo.head], "New", repo.identity(), 1)
    snapshot.restore(repo, work, new)
    assert (work.path / "new.bin").read_text() == "new\n"
    snapshot.restore(repo, work, repo.head)
    assert (work.path / "x.bin").read_text() == "secret\n"
    assert not (work.path / "new.bin").exists()
    assert fingerprint(checkout) == before


def test_nothing_is_committed_raw_when_the_filter_fails_or_is_not_there(
    checkout: Path, tmp_path: Path
) -> None:
    repo = Repository.open(checkout).working("worktree")
    work = workspace.create(repo, "item", repo.head)
    (work.path / ".gitattributes").write_text("*.bin filter=rot\n*.lfs filter=unknown\n")
    (work.path / "x.lfs").write_text("raw")
    (problem,) = checkpoint.take(repo, work, repo.head).problems
    assert "unknown" in problem
    snapshot.restore(repo, work, repo.head)
    (work.path / "x.bin").write_text("changed\n")
    (tmp_path / "broken").touch()
    with pytest.raises(ProcessError, match="external filter"):
        checkpoint.take(repo, work, repo.head)


def test_a_worker_can_set_no_filter_of_its_own(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "config", "extensions.worktreeConfig", "true")
    repo = Repository.open(checkout).working("worktree")
    work = workspace.create(repo, "item", repo.head)
    sprung = tmp_path / "sprung"
    git(work.path, "config", "--worktree", "filter.trap.clean", f"touch {sprung}; cat")
    hooks = work.path / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text(f"#!/bin/sh\ntouch {sprung}\n")
    (hooks / "post-checkout").chmod(0o755)
    git(work.path, "config", "--worktree", "core.hooksPath", str(hooks))
    (work.path / ".gitattributes").write_text("*.bin filter=rot\n*.trap filter=trap\n")
    (work.path / "x.trap").write_text("x")
    assert checkpoint.take(repo, work, repo.head).problems
    snapshot.snapshot(repo, work, repo.head, "Attempt", repo.identity(), 1)
    snapshot.restore(repo, work, repo.head)
    assert not sprung.exists()
    assert git(work.path, "config", "--worktree", "--list", check=False) == ""


def test_its_entry_survives_prune_and_goes_with_it(checkout: Path) -> None:
    repo = Repository.open(checkout).working("worktree")
    work = workspace.create(repo, "item", repo.head)
    admin = checkout / ".git/worktrees/orchestrator-item"
    work.path.rename(work.path.with_name("away"))
    git(checkout, "worktree", "prune")
    assert admin.is_dir()
    work.path.with_name("away").rename(work.path)
    assert str(work.path) in git(checkout, "worktree", "list")
    workspace.remove(repo, work)
    assert not admin.exists()
    assert len(git(checkout, "worktree", "list").splitlines()) == 1


def test_what_a_killed_engine_left_of_making_one_is_made_good(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repository.open(checkout).working("worktree")
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            workspace.create(repo, "item", repo.head)
    assert workspace.open_existing(repo, "item") is None
    work = workspace.create(repo, "item", repo.head)
    assert git(work.path, "status", "--porcelain") == ""
    assert workspace.open_existing(repo, "item") == work


def test_a_worktree_of_the_operators_with_that_name_is_left_alone(
    checkout: Path, tmp_path: Path
) -> None:
    git(checkout, "worktree", "add", "-q", "--detach", str(tmp_path / "orchestrator-item"))
    repo = Repository.open(checkout).working("worktree")
    with pytest.raises(RepositoryError, match="exists already"):
        workspace.create(repo, "item", repo.head)
    assert git(tmp_path / "orchestrator-item", "status", "--porcelain") == ""


def test_a_partial_clone_fetches_what_it_needs(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "config", "uploadpack.allowFilter", "true")
    git(checkout, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(checkout, "mv", "y.bin", "z.bin")
    git(checkout, "commit", "-qm", "Move")
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", checkout.as_uri(), "part")
    part = tmp_path / "part"
    with pytest.raises(RepositoryError, match="partial clone"):
        workspace.require_workable(Repository.open(part))
    repo = Repository.open(part).working("worktree")
    work = workspace.create(repo, "item", repo.head)
    assert (work.path / "x.bin").read_text() == "secret\n"
    (work.path / "a.txt").write_text("new\n")
    assert checkpoint.take(repo, work, repo.head).changed == (b"a.txt",)


def test_a_sparse_checkout_gives_a_sparse_worktree(checkout: Path) -> None:
    commit_files(checkout, {"in/a": "a\n", "out/b": "b\n"}, "More")
    git(checkout, "sparse-checkout", "set", "in")
    repo = Repository.open(checkout).working("worktree")
    work = workspace.create(repo, "item", repo.head)
    assert not (work.path / "out").exists()
    assert git(work.path, "status", "--porcelain") == ""
    (work.path / "in/a").write_text("new\n")
    taken = checkpoint.take(repo, work, repo.head)
    assert taken.changed == (b"in/a",)


def test_carried_files_go_through_line_ends_and_filters_or_not_at_all(checkout: Path) -> None:
    git(checkout, "config", "core.autocrlf", "true")
    (checkout / "n.bin").write_text("new\n")
    (checkout / "spec.md").write_bytes(b"one\r\n")
    before = fingerprint(checkout)
    repo = Repository.open(checkout)
    carried = {b"n.bin": checkout / "n.bin", b"spec.md": checkout / "spec.md", b"a.txt": None}
    with pytest.raises(RepositoryError, match=r"n\.bin"):
        carried_tree(repo, repo.head, carried)
    tree = carried_tree(repo.working("worktree"), repo.head, carried)
    assert objects.read_blob(repo.git, tree, b"n.bin") == b"arj\n"
    assert objects.read_blob(repo.git, tree, b"spec.md") == b"one\n"
    assert objects.read_blob(repo.git, tree, b"a.txt") is None
    assert fingerprint(checkout) == before


def test_a_file_with_conflicts_is_not_carried(checkout: Path) -> None:
    (checkout / "a.txt").write_text("stashed\n")
    git(checkout, "stash")
    commit_files(checkout, {"a.txt": "other\n"}, "Other")
    git(checkout, "stash", "pop", check=False)
    repo = Repository.open(checkout).working("worktree")
    with pytest.raises(RepositoryError, match=r"a\.txt.*conflicts"):
        carried_tree(repo, repo.head, {b"a.txt": checkout / "a.txt"})
    (checkout / "b.txt").write_text("b\n")
    assert carried_tree(repo, repo.head, {b"b.txt": checkout / "b.txt"})
