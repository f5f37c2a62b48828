"""Bringing a branch home: everything or nothing, and never over what the user has."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.adapters.git import delivery, index_lock, landing, merging, objects, refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.runner import Git
from orchestrator.adapters.process import Completed
from orchestrator.errors import BusyError, ConflictError, ProcessError
from tests.gitrepo import commit_files, fingerprint, git, make_repository

pytestmark = pytest.mark.processes


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """Give a repository on main."""
    return Repository.open(
        make_repository(tmp_path / "repo", {"a": "a\n", "b": "b\n", "dir/c": "c\n"})
    )


def tip(repo: Repository, files: dict[bytes, bytes | Path | None], parent: str = "") -> str:
    """Make a commit of the item's branch."""
    parent = parent or repo.head
    tree = objects.write_files_tree(repo.git, objects.tree_of(repo.git, parent), files)
    return objects.commit(repo.git, tree, [parent], "Work", repo.identity(), 1700000000)


def merge(repo: Repository, new: str, carried: dict[bytes, str | None] | None = None) -> str:
    plan = merging.merge_plan(repo, new, "refs/heads/main", "Merge item")
    return delivery.land(repo, plan, carried or {}).commit


def test_a_fast_forward_brings_the_checkout_along(repo: Repository) -> None:
    new = tip(repo, {b"a": b"new\n", b"b": None, b"n\n\xff": b"odd", b"dir": b"now a file"})
    (repo.checkout / "mine").write_text("mine")
    assert merge(repo, new) == new
    assert git(repo.checkout, "rev-parse", "HEAD") == new
    assert git(repo.checkout, "status", "--porcelain") == "?? mine"
    assert (repo.checkout / "dir").read_text() == "now a file"
    assert not (repo.git_dir / "index.lock").exists()
    assert merge(repo, new) == new


def test_both_sides_are_merged(repo: Repository) -> None:
    new = tip(repo, {b"a": b"new\n"})
    theirs = commit_files(repo.checkout, {"b": "theirs\n"}, "Theirs")
    plan = merging.merge_plan(repo, new, "refs/heads/main", "Merge item")
    assert git(repo.checkout, "rev-parse", "main") == theirs
    assert delivery.land(repo, plan, {}).commit == plan.new
    assert objects.parents_of(repo.git, plan.new) == (theirs, new)
    assert git(repo.checkout, "status", "--porcelain") == ""
    assert (repo.checkout / "a").read_text() == "new\n"


def test_a_conflict_names_the_file_and_changes_nothing(repo: Repository) -> None:
    new = tip(repo, {b"a": b"new\n"})
    commit_files(repo.checkout, {"a": "theirs\n"}, "Theirs")
    before = fingerprint(repo.checkout)
    with pytest.raises(ConflictError, match="'a'"):
        merge(repo, new)
    assert fingerprint(repo.checkout) == before


def test_a_branch_that_is_nowhere_checked_out_just_moves(repo: Repository) -> None:
    git(repo.checkout, "checkout", "-qb", "side")
    before = fingerprint(repo.checkout)
    new = tip(repo, {b"a": b"new\n"})
    merge(repo, new)
    assert git(repo.checkout, "rev-parse", "main") == new
    after = fingerprint(repo.checkout)
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"refs", "log refs/heads/main"}


def test_a_branch_checked_out_elsewhere_is_left_alone(repo: Repository, tmp_path: Path) -> None:
    git(repo.checkout, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = Repository.open(tmp_path / "linked")
    with pytest.raises(ConflictError, match="another work tree"):
        merge(linked, tip(repo, {b"a": b"new\n"}))
    assert git(repo.checkout, "rev-parse", "main") == repo.head


@pytest.mark.parametrize(
    "kind", ["edited", "staged", "untracked", "ignored", "file for directory", "directory for file"]
)
def test_changes_of_the_user_in_the_way_are_kept(repo: Repository, kind: str) -> None:
    files: dict[bytes, bytes | Path | None]
    files = {b"a": b"new\n", b"added": b"added\n", b"sub/new": b"new\n", b"b": b"b2\n"}
    new = tip(repo, files)
    if kind in ("edited", "staged"):
        (repo.checkout / "a").write_text("mine\n")
    if kind == "staged":
        git(repo.checkout, "add", "a")
        (repo.checkout / "a").write_text("a\n")
    if kind == "file for directory":
        (repo.checkout / "sub").write_text("mine\n")
        (repo.git_dir / "info/exclude").write_text("sub\n")
    if kind == "directory for file":
        (repo.checkout / "added").mkdir()
        (repo.checkout / "added/mine.log").write_text("mine\n")
        (repo.git_dir / "info/exclude").write_text("*.log\n")
    if kind in ("untracked", "ignored"):
        (repo.checkout / "added").write_text("mine\n")
    if kind == "ignored":
        (repo.git_dir / "info/exclude").write_text("added\n")
    before = fingerprint(repo.checkout)
    with pytest.raises(ConflictError):
        merge(repo, new)
    assert fingerprint(repo.checkout) == before
    assert not (repo.git_dir / "index.lock").exists()


def test_changes_elsewhere_stay_as_they_are(repo: Repository) -> None:
    (repo.checkout / "b").write_text("mine\n")
    (repo.checkout / "dir/c").write_text("staged\n")
    git(repo.checkout, "add", "dir/c")
    merge(repo, tip(repo, {b"a": b"new\n"}))
    assert git(repo.checkout, "status", "--porcelain").splitlines() == ["M b", "M  dir/c"]


def test_files_that_were_carried_are_no_conflict(repo: Repository) -> None:
    (repo.checkout / "tasks.md").write_text("- [ ] 1\n")
    (repo.checkout / "a").write_text("carried\n")
    (repo.checkout / "b").unlink()
    carried: dict[bytes, str | None] = {
        path: objects.blob_id(os.path.join(os.fsencode(repo.checkout), path), "sha1")
        for path in (b"tasks.md", b"a", b"b")
    }
    start = tip(repo, {b"tasks.md": b"- [ ] 1\n", b"a": repo.checkout / "a", b"b": None})
    new = tip(repo, {b"tasks.md": b"- [x] 1\n"}, start)
    merge(repo, new, carried)
    assert (repo.checkout / "tasks.md").read_text() == "- [x] 1\n"
    assert git(repo.checkout, "status", "--porcelain") == ""


def test_a_carried_file_that_was_edited_since_is_a_conflict(repo: Repository) -> None:
    (repo.checkout / "tasks.md").write_text("- [ ] 1\n- [ ] 2\n")
    new = tip(repo, {b"tasks.md": b"- [x] 1\n"})
    with pytest.raises(ConflictError, match=r"tasks\.md"):
        merge(repo, new, {b"tasks.md": "1" * 40})


def test_a_target_that_moved_since_the_plan_is_not_overwritten(repo: Repository) -> None:
    plan = merging.merge_plan(repo, tip(repo, {b"a": b"new\n"}), "refs/heads/main", "Merge")
    theirs = commit_files(repo.checkout, {"b": "theirs\n"}, "Theirs")
    with pytest.raises(ConflictError):
        delivery.land(repo, plan, {})
    assert git(repo.checkout, "rev-parse", "main") == theirs
    assert git(repo.checkout, "status", "--porcelain") == ""


def test_a_lock_of_another_git_is_respected(repo: Repository) -> None:
    lock = repo.git_dir / "index.lock"
    lock.touch()
    with pytest.raises(BusyError):
        merge(repo, tip(repo, {b"a": b"new\n"}))
    assert lock.exists()


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", ["read-tree", "after read-tree", "update-ref", "index"])
def test_a_landing_that_died_is_finished_by_the_next(
    repo: Repository, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    new = tip(repo, {b"a": b"new\n", b"b": None, b"added": b"added\n"})
    plan = merging.merge_plan(repo, new, "refs/heads/main", "Merge item")

    def die(*_: object) -> None:
        raise Killed

    unlink = Path.unlink

    def die_at_the_record(path: Path, missing_ok: bool = False) -> None:
        if path.name == "landing.json":
            raise Killed
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        # A killed process leaves its lock behind.
        patch.setattr(index_lock.IndexLock, "__exit__", lambda *_: None)
        if step == "read-tree":
            patch.setattr(landing, "_starting_tree", die)
        elif step == "after read-tree":
            patch.setattr(delivery, "move_ref", die)
        elif step == "update-ref":
            patch.setattr(os, "replace", die)
        else:
            patch.setattr(Path, "unlink", die_at_the_record)
        with pytest.raises(Killed):
            delivery.land(repo, plan, {})
    assert delivery.land(repo, plan, {}).commit == new
    assert git(repo.checkout, "rev-parse", "HEAD") == new
    assert git(repo.checkout, "status", "--porcelain") == ""
    assert not (repo.git_dir / "index.lock").exists()
    assert len(git(repo.checkout, "reflog", "main").splitlines()) == 2


def test_file_that_a_killed_landing_half_wrote_is_written_anew(repo: Repository) -> None:
    new = tip(repo, {b"a": b"new and longer\n", b"fresh": b"fresh\n"})
    plan = merging.merge_plan(repo, new, "refs/heads/main", "Merge item")
    (repo.checkout / "fresh").write_text("fre")
    with pytest.raises(ConflictError):
        delivery.land(repo, plan, {})
    assert (repo.checkout / "fresh").read_text() == "fre"
    note = {"target": plan.target, "old": plan.old, "new": plan.new, "files": ""}
    (repo.state_dir / "landing.json").write_text(json.dumps(note))
    (repo.checkout / "a").write_text("")
    assert delivery.land(repo, plan, {}).commit == new
    assert (repo.checkout / "fresh").read_text() == "fresh\n"
    assert (repo.checkout / "a").read_text() == "new and longer\n"
    assert git(repo.checkout, "status", "--porcelain") == ""


def test_merge_is_worked_out_as_the_same_commit_again(repo: Repository) -> None:
    new = tip(repo, {b"a": b"new\n"})
    commit_files(repo.checkout, {"b": "theirs\n"}, "Theirs")
    plans = [merging.merge_plan(repo, new, "refs/heads/main", "Merge item") for _ in range(2)]
    assert plans[0].new == plans[1].new != new


def test_target_that_stays_locked_takes_the_checkout_back(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refs, "LOCK_PATIENCE", 1.0)
    new = tip(repo, {b"a": b"new\n", b"fresh": b"fresh\n"})
    lock = repo.git_dir / "refs" / "heads" / "main.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    before = fingerprint(repo.checkout)
    with pytest.raises(ProcessError):
        merge(repo, new)
    after = fingerprint(repo.checkout)
    assert {name: content for name, (content, *_) in _files(before).items()} == {
        name: content for name, (content, *_) in _files(after).items()
    }
    assert git(repo.checkout, "status", "--porcelain") == ""
    lock.unlink()
    assert merge(repo, new) == new


def _files(found: dict[str, object]) -> dict[str, tuple[object, ...]]:
    return {name: value for name, value in found.items() if isinstance(value, tuple)}


def test_git_that_is_killed_while_it_writes_leaves_its_note(
    repo: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tip(repo, {b"a": b"new\n", b"fresh": b"fresh\n"})
    run = Git.run

    def killed(git: Git, *args: str, **named: object) -> Completed:
        if args[:3] == ("read-tree", "-m", "-u"):
            (repo.checkout / "fresh").write_text("fre")
            return Completed(-9, b"", b"")
        return run(git, *args, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Git, "run", killed)
        with pytest.raises(ProcessError):
            merge(repo, new)
    assert delivery.unfinished_landing(repo)
    assert merge(repo, new) == new
    assert not delivery.unfinished_landing(repo)
    assert git(repo.checkout, "status", "--porcelain") == ""


def test_lock_of_a_killed_landing_is_removed_and_no_other(repo: Repository) -> None:
    lock, proof = repo.git_dir / "index.lock", repo.state_dir / "landing.lock"
    lock.touch()
    index_lock.clear_index_lock(repo)
    assert lock.exists()
    lock.unlink()
    proof.touch()
    os.link(proof, lock)
    assert delivery.unfinished_landing(repo)
    index_lock.clear_index_lock(repo)
    assert not lock.exists()
    assert not delivery.unfinished_landing(repo)
