"""What is changed in a checkout: branches, index, files, commits; nothing a person has is lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.adapters.git.checkout import running
from orchestrator.adapters.git.checkout.branching import create_branch, delete_branch, switch
from orchestrator.adapters.git.checkout.committing import commit
from orchestrator.adapters.git.checkout.history import reflog_parent
from orchestrator.adapters.git.checkout.looking import status
from orchestrator.adapters.git.checkout.merging import merge
from orchestrator.adapters.git.checkout.restoring import restore
from orchestrator.adapters.git.checkout.running import OwnGit
from orchestrator.adapters.git.checkout.staging import stage, unstage
from orchestrator.adapters.git.checkout.stashing import stash_list, stash_pop, stash_push
from orchestrator.errors import (
    BusyError,
    ConflictError,
    OrchestratorError,
    RepositoryError,
    UsageError,
)
from tests.gitrepo import commit_files, fingerprint, git, make_repository

pytestmark = pytest.mark.processes

ODD = os.fsdecode(b"odd \xff\nname [*]")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a place for a repository that is made once."""
    return tmp_path_factory.mktemp("template") / "repo"


@pytest.fixture
def checkout(template: Path, tmp_path: Path) -> Path:
    """Give a checkout with one commit."""
    if not template.exists():
        make_repository(template)
    return Path(shutil.copytree(template, tmp_path / "repo"))


@pytest.fixture
def own(checkout: Path) -> OwnGit:
    """Give the operator's git in it."""
    return OwnGit(executable=shutil.which("git") or "", checkout=checkout)


def hook(checkout: Path, name: str, body: str) -> None:
    """Make a hook."""
    place = checkout / ".git/hooks" / name
    place.write_text(f"#!/bin/sh\n{body}\n")
    place.chmod(0o755)


def diverge(checkout: Path) -> None:
    """Have main and side change the same file; main is checked out."""
    git(checkout, "switch", "-qc", "side")
    commit_files(checkout, {"a.txt": "side\n", "side.txt": "side\n"}, "Side")
    git(checkout, "switch", "-q", "main")
    commit_files(checkout, {"a.txt": "main\n"}, "Main")


def kept_bytes(own: OwnGit, ref: str | None, path: str) -> bytes:
    """Return a file of what was kept."""
    return own.run("cat-file", "blob", f"{ref}:{path}").stdout


# --- branches


def test_branch_is_made_where_it_is_asked_for(checkout: Path, own: OwnGit) -> None:
    first = git(checkout, "rev-parse", "HEAD")
    git(checkout, "tag", "v1")
    commit_files(checkout, {"a.txt": "2"}, "Second")
    git(checkout, "update-ref", "refs/remotes/origin/theirs", first)
    for number, base in enumerate(("v1", "origin/theirs", "HEAD~1", first)):
        assert create_branch(own, f"new/{number}", base) == first
        assert status(own).branch == f"new/{number}"
        assert status(own).upstream is None
        git(checkout, "switch", "-q", "main")
    assert create_branch(own, "side") == git(checkout, "rev-parse", "main")
    assert reflog_parent(own, "side") == "main"
    create_branch(own, "next", "new/0")
    assert reflog_parent(own, "next") == "new/0"


def test_name_that_git_does_not_take_is_refused(own: OwnGit) -> None:
    for name in ("", "-x", "a b", "a..b", "@{-1}", "HEAD", "x.lock", "a\nb", "/a", "a\0b"):
        with pytest.raises(UsageError, match="cannot be the name of a branch"):
            create_branch(own, name)


def test_branch_that_is_taken_or_in_the_way_is_refused(checkout: Path, own: OwnGit) -> None:
    git(checkout, "branch", "topic/one")
    with pytest.raises(UsageError, match="exists"):
        create_branch(own, "topic/one")
    for name in ("topic", "topic/one/more"):
        with pytest.raises(UsageError, match="beside topic/one"):
            create_branch(own, name)
    with pytest.raises(UsageError, match="no commit is named") as caught:
        create_branch(own, "new", "topic/onee")
    assert caught.value.fix == "did you mean topic/one?"
    assert status(own).branch == "main"


def test_branch_needs_a_clean_checkout_unless_changes_come_along(
    checkout: Path, own: OwnGit
) -> None:
    (checkout / "new").write_text("x")
    with pytest.raises(RepositoryError, match="not committed: new"):
        create_branch(own, "side")
    (checkout / "a.txt").write_text("changed")
    create_branch(own, "side", keep_changes=True)
    assert (checkout / "a.txt").read_text() == "changed"
    commit_files(checkout, {"src/b.txt": "2"}, "Second")
    (checkout / "src/b.txt").write_text("changed")
    with pytest.raises(ConflictError, match=r"would be overwritten: src/b\.txt"):
        create_branch(own, "other", "main", keep_changes=True)
    assert status(own).branch == "side"


def test_branch_of_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "empty")
    empty = OwnGit.open(tmp_path / "empty")
    with pytest.raises(RepositoryError, match="no commit yet"):
        create_branch(empty, "side")
    with pytest.raises(UsageError):
        switch(empty, "main")


def test_switch_knows_local_and_remote_branches(checkout: Path, own: OwnGit) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    git(checkout, "remote", "add", "origin", "nowhere")
    git(checkout, "remote", "add", "up/stream", "nowhere")
    for ref in ("origin/one", "origin/deep/two", "origin/three", "up/stream/both", "origin/both"):
        git(checkout, "update-ref", f"refs/remotes/{ref}", head)
    made = switch(own, "one")
    assert (made.branch, made.head, made.created) == ("one", head, True)
    assert status(own).upstream == "origin/one"
    assert not switch(own, "one").created
    assert switch(own, "origin/deep/two").branch == "deep/two"
    assert switch(own, "main").created is False
    assert switch(own, "origin/deep/two") == switch(own, "deep/two")
    with pytest.raises(UsageError, match="several remotes have both") as caught:
        switch(own, "both")
    assert caught.value.fix == "say which: origin/both, up/stream/both"
    assert switch(own, "up/stream/both").branch == "both"
    assert status(own).upstream == "up/stream/both"


def test_switch_to_what_is_no_branch_is_refused(checkout: Path, own: OwnGit) -> None:
    git(checkout, "tag", "v1")
    for name, fix in (
        ("mian", "did you mean main?"),
        ("v1", "git switch -c NAME v1"),
        ("", ""),
        ("-", ""),
        ("--detach", ""),
        ("HEAD~0", ""),
    ):
        with pytest.raises(UsageError, match="no branch is named") as caught:
            switch(own, name)
        assert fix in (caught.value.fix or "")
    assert status(own).branch == "main"


def test_switch_never_overwrites_changes(checkout: Path, own: OwnGit) -> None:
    diverge(checkout)
    (checkout / "a.txt").write_text("mine")
    with pytest.raises(ConflictError, match=r"overwritten: a\.txt"):
        switch(own, "side")
    git(checkout, "checkout", "-q", "a.txt")
    (checkout / "side.txt").write_text("mine")
    with pytest.raises(ConflictError, match=r"overwritten: side\.txt"):
        switch(own, "side")
    assert (checkout / "side.txt").read_text() == "mine"
    (checkout / "side.txt").rename(checkout / "other.txt")
    assert switch(own, "side").branch == "side"


def test_branch_in_another_worktree_is_busy(tmp_path: Path, checkout: Path, own: OwnGit) -> None:
    git(checkout, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    for use in (lambda: switch(own, "side"), lambda: delete_branch(own, "side", force=True)):
        with pytest.raises(BusyError) as caught:
            use()
        assert caught.value.where == str(tmp_path / "linked")
    linked = OwnGit.open(tmp_path / "linked")
    assert create_branch(linked, "third") == git(checkout, "rev-parse", "HEAD")


def test_hook_that_fails_after_a_switch_does_not_undo_it(checkout: Path, own: OwnGit) -> None:
    git(checkout, "branch", "side")
    hook(checkout, "post-checkout", "exit 3")
    assert switch(own, "side").branch == "side"
    create_branch(own, "next")
    assert status(own).branch == "next"


def test_nothing_is_switched_in_the_middle_of_a_merge(checkout: Path, own: OwnGit) -> None:
    diverge(checkout)
    git(checkout, "merge", "side", check=False)
    for use in (
        lambda: switch(own, "side"),
        lambda: create_branch(own, "new", keep_changes=True),
        lambda: merge(own, "side"),
    ):
        with pytest.raises(RepositoryError, match="a merge is under way"):
            use()


def test_merged_branch_is_deleted_and_others_only_by_force(checkout: Path, own: OwnGit) -> None:
    git(checkout, "branch", "merged")
    assert delete_branch(own, "merged").kept is None
    git(checkout, "switch", "-qc", "Side/Änd")
    tip = commit_files(checkout, {"x": "x"}, "Only there")
    with pytest.raises(UsageError, match="is checked out"):
        delete_branch(own, "Side/Änd", force=True)
    git(checkout, "switch", "-q", "main")
    with pytest.raises(UsageError, match="not merged"):
        delete_branch(own, "Side/Änd")
    gone = delete_branch(own, "Side/Änd", force=True)
    assert gone.head == tip
    assert (gone.kept or "").startswith("refs/orchestrator/kept/branch-side-nd-")
    assert git(checkout, "rev-parse", gone.kept or "") == tip
    git(checkout, "branch", "Side/Änd", tip)
    assert delete_branch(own, "Side/Änd", force=True).kept == gone.kept
    for name in ("Side/Änd", "-D", ""):
        with pytest.raises(UsageError, match="no branch is named"):
            delete_branch(own, name, force=True)


# --- index


def test_staged_is_what_is_named(checkout: Path, own: OwnGit) -> None:
    (checkout / "a.txt").write_text("changed")
    (checkout / "src/b.txt").unlink()
    (checkout / ODD).write_text("x")
    (checkout / "odd z").write_text("a pattern would match it")
    assert stage(own, [ODD]).staged == (ODD,)
    assert stage(own, ["src"]).staged == (ODD, "src/b.txt")
    assert stage(own, update=True).untracked == ("odd z",)
    assert stage(own).is_clean is False
    assert set(status(own).staged) == {"a.txt", ODD, "odd z", "src/b.txt"}
    assert unstage(own, ["src", ODD]).staged == ("a.txt", "odd z")
    assert unstage(own).staged == ()
    assert (checkout / "a.txt").read_text() == "changed"


def test_of_paths_that_are_refused_none_is_staged(checkout: Path, own: OwnGit) -> None:
    commit_files(checkout, {".gitignore": "ignored\n"}, "Ignore")
    (checkout / "good").write_text("x")
    (checkout / "ignored").write_text("x")
    (checkout / "link").symlink_to("src")
    for bad, message in (
        ("goood", "no such file: goood"),
        ("ignored", "ignored by git: ignored"),
        ("link/b.txt", "link/b.txt is beyond a symbolic link"),
        ("../x", "no file of the checkout"),
    ):
        with pytest.raises(UsageError, match=message):
            stage(own, ["good", bad])
        assert status(own).staged == ()
    with pytest.raises(UsageError) as caught:
        stage(own, ["goood"])
    assert caught.value.fix == "did you mean good?"


def test_only_what_is_staged_can_be_unstaged(checkout: Path, own: OwnGit) -> None:
    with pytest.raises(UsageError, match="nothing is staged"):
        unstage(own)
    (checkout / "a.txt").write_text("changed")
    stage(own)
    with pytest.raises(UsageError, match="not staged: src"):
        unstage(own, ["src"])


def test_index_of_a_repository_without_a_commit_works(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "empty")
    empty = OwnGit.open(tmp_path / "empty")
    assert stage(empty).staged == ()
    (tmp_path / "empty/x").write_text("x")
    (tmp_path / "empty/y").write_text("y")
    assert stage(empty).staged == ("x", "y")
    assert unstage(empty, ["x"]).untracked == ("x",)
    with pytest.raises(RepositoryError, match="no commit yet"):
        restore(empty, ["y"])
    with pytest.raises(RepositoryError, match="no commit yet"):
        merge(empty, "HEAD")
    with pytest.raises(RepositoryError, match="no commit yet"):
        stash_push(empty)
    assert commit(empty, "Only x", ["x"]).files == ("x",)
    assert commit(empty, "The rest").files == ("y",)


def test_repository_in_the_checkout_is_never_recorded_by_accident(
    checkout: Path, own: OwnGit
) -> None:
    make_repository(checkout / "inner")
    for use in (
        lambda: stage(own),
        lambda: stage(own, ["inner"]),
        lambda: stage(own, ["inner/a.txt"]),
        lambda: commit(own, "All"),
        lambda: commit(own, "It", ["inner"]),
    ):
        with pytest.raises(UsageError, match="a repository of its own: inner/"):
            use()
    assert status(own).untracked == ("inner/",)


def test_what_is_not_merged_is_staged_by_name_only(checkout: Path, own: OwnGit) -> None:
    diverge(checkout)
    git(checkout, "merge", "side", check=False)
    for use in (
        lambda: stage(own),
        lambda: stage(own, update=True),
        lambda: commit(own, "Merge"),
        lambda: commit(own, "Merge", ["a.txt"]),
        lambda: stash_push(own),
    ):
        with pytest.raises(ConflictError, match=r"not merged: a\.txt"):
            use()
    (checkout / "a.txt").write_text("both\n")
    assert stage(own, ["a.txt"]).conflicted == ()
    with pytest.raises(RepositoryError, match="committed as a whole"):
        commit(own, "Some", ["a.txt"])
    made = commit(own, "Merge side")
    assert (made.subject, made.files) == ("Merge side", ("a.txt", "side.txt"))
    assert len(git(checkout, "log", "-1", "--format=%P").split()) == 2


# --- restore


def test_restored_is_what_a_commit_has_and_nothing_is_lost(checkout: Path, own: OwnGit) -> None:
    (checkout / "a.txt").write_text("staged\n")
    git(checkout, "add", "a.txt")
    (checkout / "a.txt").write_bytes(b"changed\r\n\xff")
    (checkout / "src/b.txt").unlink()
    (checkout / "added").write_text("added")
    git(checkout, "add", "added")
    (checkout / "untracked").write_text("stays")
    done = restore(own, ["a.txt", "src", "added"])
    assert (checkout / "a.txt").read_text() == "a\n"
    assert (checkout / "src/b.txt").read_text() == "b\n"
    assert not (checkout / "added").exists()
    assert status(own).uncommitted == ("untracked",)
    assert (done.kept or "").startswith("refs/orchestrator/kept/restore-")
    assert kept_bytes(own, done.kept, "a.txt") == b"changed\r\n\xff"
    assert kept_bytes(own, done.kept, "added") == b"added"
    assert kept_bytes(own, f"{done.kept}^2", "a.txt") == b"staged\n"
    assert git(checkout, "ls-tree", "-r", "--name-only", done.kept or "") == "a.txt\nadded"
    assert git(checkout, "rev-parse", f"{done.kept}^1") == git(checkout, "rev-parse", "HEAD")


def test_restoring_what_is_as_committed_keeps_nothing(checkout: Path, own: OwnGit) -> None:
    before = fingerprint(checkout)
    assert restore(own, ["."]).kept is None
    commit_files(checkout, {"a.txt": "2"}, "Second")
    assert restore(own, ["a.txt"], "HEAD~1").kept is None
    assert status(own).staged == ("a.txt",)
    assert restore(own, ["a.txt"]).kept is not None
    git(checkout, "reset", "-q", "--hard", "HEAD~1")
    assert before["file " + repr(os.fsencode(checkout / "src/b.txt"))] is not None


@pytest.mark.parametrize("is_ignored", [False, True])
def test_files_that_git_does_not_know_are_kept_too(
    checkout: Path, own: OwnGit, is_ignored: bool
) -> None:
    commit_files(checkout, {"old": "old", "deep/er": "old", ODD: "old", "link": "old"}, "Old")
    git(checkout, "rm", "-qr", "old", "deep", ODD, "link")
    git(checkout, "commit", "-qm", "Gone")
    if is_ignored:
        (checkout / ".git/info/exclude").write_text("*\n")
    (checkout / "old").mkdir()
    (checkout / "old/inner").write_bytes(b"in the folder\r\n")
    (checkout / "old/run").write_text("#!")
    (checkout / "old/run").chmod(0o755)
    (checkout / "deep").write_text("in place of a folder")
    (checkout / ODD).write_text("odd")
    (checkout / "link").symlink_to("no\nwhere")
    done = restore(own, ["old", "deep", ODD, "link"], "HEAD~1")
    for name in ("old", "deep/er", ODD, "link"):
        assert (checkout / name).read_text() == "old"
    assert kept_bytes(own, done.kept, "old/inner") == b"in the folder\r\n"
    assert kept_bytes(own, done.kept, "deep") == b"in place of a folder"
    assert kept_bytes(own, done.kept, ODD) == b"odd"
    assert kept_bytes(own, done.kept, "link") == b"no\nwhere"
    modes = git(checkout, "ls-tree", "-r", "-z", done.kept or "").split("\0")
    assert [entry for entry in modes if entry.startswith("100755") and entry.endswith("old/run")]


def test_what_lies_behind_a_link_is_not_touched(
    tmp_path: Path, checkout: Path, own: OwnGit
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b.txt").write_text("theirs")
    (checkout / "src/b.txt").unlink()
    (checkout / "src").rmdir()
    (checkout / "src").symlink_to(tmp_path / "elsewhere")
    done = restore(own, ["src/b.txt"])
    assert (tmp_path / "elsewhere/b.txt").read_text() == "theirs"
    assert (checkout / "src/b.txt").read_text() == "b\n"
    assert kept_bytes(own, done.kept, "src") == os.fsencode(tmp_path / "elsewhere")


def test_files_that_are_assumed_to_be_unchanged_are_kept(checkout: Path, own: OwnGit) -> None:
    git(checkout, "update-index", "--assume-unchanged", "a.txt")
    (checkout / "a.txt").write_text("local settings")
    done = restore(own, ["a.txt"])
    assert kept_bytes(own, done.kept, "a.txt") == b"local settings"


def test_bytes_are_kept_whatever_the_filters_say(checkout: Path, own: OwnGit) -> None:
    commit_files(checkout, {".gitattributes": "*.txt text eol=crlf\n"}, "Attributes")
    git(checkout, "config", "filter.f.clean", "tr a-z A-Z")
    (checkout / "a.txt").write_bytes(b"one\r\ntwo\n")
    done = restore(own, ["a.txt"])
    assert kept_bytes(own, done.kept, "a.txt") == b"one\r\ntwo\n"


def test_conflicted_file_is_restored_and_kept(checkout: Path, own: OwnGit) -> None:
    diverge(checkout)
    git(checkout, "merge", "side", check=False)
    text = (checkout / "a.txt").read_bytes()
    assert b"<<<<<<<" in text
    done = restore(own, ["a.txt"])
    assert (checkout / "a.txt").read_text() == "main\n"
    assert kept_bytes(own, done.kept, "a.txt") == text
    assert (status(own).conflicted, status(own).under_way) == ((), "a merge")


def test_repository_in_the_way_of_a_file_is_not_removed(checkout: Path, own: OwnGit) -> None:
    commit_files(checkout, {"inner": "a file"}, "File")
    git(checkout, "rm", "-q", "inner")
    git(checkout, "commit", "-qm", "Gone")
    make_repository(checkout / "inner")
    with pytest.raises(ConflictError, match="a repository lies where a file"):
        restore(own, ["inner"], "HEAD~1")
    assert (checkout / "inner/.git").is_dir()
    assert git(checkout, "for-each-ref", "refs/orchestrator") == ""


def test_submodules_are_left_alone(tmp_path: Path, checkout: Path, own: OwnGit) -> None:
    inner = make_repository(tmp_path / "inner")
    git(checkout, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    git(checkout, "commit", "-qm", "Sub")
    git(checkout, "config", "submodule.recurse", "true")
    tip = commit_files(checkout / "sub", {"a.txt": "2"}, "Second")
    (checkout / "sub/a.txt").write_text("mine")
    git(checkout, "add", "sub")
    done = restore(own, ["."])
    assert (checkout / "sub/a.txt").read_text() == "mine"
    assert git(checkout, "rev-parse", f"{done.kept}^2:sub") == tip
    assert status(own).changed == ("sub",)


def test_path_that_matches_nothing_is_not_restored(checkout: Path, own: OwnGit) -> None:
    (checkout / "a.txt").write_text("changed")
    for bad in ("a.tx", "*.txt", "../repo/x/../../y"):
        with pytest.raises(UsageError):
            restore(own, ["a.txt", bad])
    with pytest.raises(UsageError) as caught:
        restore(own, ["a.tx"])
    assert caught.value.fix == "did you mean a.txt?"
    with pytest.raises(UsageError, match="no commit is named"):
        restore(own, ["a.txt"], "nowhere")
    assert (checkout / "a.txt").read_text() == "changed"
    assert git(checkout, "for-each-ref", "refs/orchestrator") == ""


# --- commit


def test_everything_is_committed_when_nothing_is_named(checkout: Path, own: OwnGit) -> None:
    (checkout / "a.txt").write_text("changed")
    (checkout / "src/b.txt").unlink()
    (checkout / ODD).write_text("x")
    made = commit(own, "#12 Change\n\nbody", trailers=("Key: value",))
    assert (made.subject, set(made.files)) == ("#12 Change", {"a.txt", ODD, "src/b.txt"})
    assert made.commit == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "log", "-1", "--format=%B") == "#12 Change\n\nbody\n\nKey: value"
    assert git(checkout, "log", "-1", "--format=%an <%ae>") == (
        "Test Operator <operator@example.invalid>"
    )
    assert status(own).is_clean


def test_only_what_is_named_is_committed_and_the_rest_stays_as_it_is(
    checkout: Path, own: OwnGit
) -> None:
    commit_files(checkout, {"gone": "x", "removed": "x", "staged": "x", "other": "x"}, "More")
    (checkout / "staged").write_text("staged")
    (checkout / "untouched").write_text("staged and new")
    git(checkout, "add", "staged", "untouched")
    (checkout / "staged").write_text("changed")
    (checkout / "other").write_text("changed")
    (checkout / "gone").unlink()
    git(checkout, "rm", "-q", "removed")
    (checkout / "a.txt").write_text("changed")
    (checkout / "new").mkdir()
    (checkout / "new/file").write_text("x")
    (checkout / ODD).write_text("x")
    (checkout / "stays").write_text("x")
    made = commit(own, "Some", ["a.txt", "gone", "removed", "new", ODD])
    assert set(made.files) == {"a.txt", "gone", "removed", "new/file", ODD}
    state = status(own)
    assert state.staged == ("staged", "untouched")
    assert state.changed == ("other", "staged")
    assert state.untracked == ("stays",)
    assert git(checkout, "show", ":staged") == "staged"


def test_nothing_to_commit_is_said_and_no_hook_runs(checkout: Path, own: OwnGit) -> None:
    hook(checkout, "pre-commit", "touch ran")
    for paths in (None, ["a.txt"], ["."]):
        with pytest.raises(UsageError, match="nothing to commit"):
            commit(own, "Nothing", paths)
    assert not (checkout / "ran").exists()


def test_change_that_is_none_to_git_is_nothing_to_commit(checkout: Path, own: OwnGit) -> None:
    commit_files(checkout, {".gitattributes": "*.txt text\n"}, "Attributes")
    (checkout / "a.txt").write_bytes(b"a\r\n")
    with pytest.raises(UsageError, match="nothing to commit"):
        commit(own, "Line ends", ["a.txt"])


def test_path_that_matches_nothing_is_not_committed(checkout: Path, own: OwnGit) -> None:
    (checkout / "a.txt").write_text("changed")
    (checkout / ".git/info/exclude").write_text("ignored\n")
    (checkout / "ignored").write_text("x")
    for bad in ("a.tx", "ignored", "*", "../x"):
        with pytest.raises(UsageError, match=r"no such file|no file of"):
            commit(own, "Some", ["a.txt", bad])
    made = commit(own, "Some", ["a.txt", "src/b.txt"])
    assert made.files == ("a.txt",)


def test_commit_needs_a_message(checkout: Path, own: OwnGit) -> None:
    (checkout / "a.txt").write_text("changed")
    for message in ("", " \n\n", "a\0b"):
        with pytest.raises(UsageError, match="the message"):
            commit(own, message)
    assert status(own).changed == ("a.txt",)


@pytest.mark.parametrize(
    ("name", "paths"),
    [("pre-commit", None), ("commit-msg", ["a.txt", "new"]), ("pre-commit", ["a.txt", "new"])],
)
def test_hook_that_refuses_is_heard(
    checkout: Path, own: OwnGit, name: str, paths: list[str] | None
) -> None:
    hook(checkout, name, "seq 30; printf '\\033[31mlint: bad\\033[0m\\n' >&2; exit 1")
    (checkout / "a.txt").write_text("changed")
    (checkout / "new").write_text("x")
    head = status(own).head
    with pytest.raises(ConflictError, match="lint: bad") as caught:
        commit(own, "Change", paths)
    assert name in caught.value.message
    assert "\033" not in caught.value.message
    assert len(caught.value.message.splitlines()) <= 21
    assert status(own).head == head
    if paths:
        assert (status(own).changed, status(own).untracked) == (("a.txt",), ("new",))
    (checkout / ".git/hooks" / name).unlink()
    assert set(commit(own, "Change", paths).files) == {"a.txt", "new"}


def test_hooks_see_the_world_as_they_know_it(checkout: Path, own: OwnGit) -> None:
    hook(checkout, "pre-commit", "git ls-files '*.txt' >seen; env >env")
    (checkout / "a.txt").write_text("changed")
    commit(own, "Change", ["a.txt"])
    assert (checkout / "seen").read_text() == "a.txt\nsrc/b.txt\n"
    assert "PATHSPECS" not in (checkout / "env").read_text()


def test_hook_may_change_what_is_committed(checkout: Path, own: OwnGit) -> None:
    hook(checkout, "pre-commit", "echo formatted >a.txt; git add a.txt")
    (checkout / "a.txt").write_text("changed")
    commit(own, "Change")
    assert git(checkout, "show", "HEAD:a.txt") == "formatted"
    assert status(own).is_clean


def test_hook_that_meets_its_own_lock_is_a_hook_that_refuses(checkout: Path, own: OwnGit) -> None:
    hook(checkout, "pre-commit", "unset GIT_INDEX_FILE; git add a.txt || exit 1")
    (checkout / "a.txt").write_text("changed")
    with pytest.raises(ConflictError, match="pre-commit"):
        commit(own, "Change", ["a.txt"])


def test_signing_that_fails_says_what_to_do(checkout: Path, own: OwnGit) -> None:
    git(checkout, "config", "commit.gpgSign", "true")
    git(checkout, "config", "gpg.program", "false")
    (checkout / "a.txt").write_text("changed")
    with pytest.raises(ConflictError, match="could not be signed") as caught:
        commit(own, "Change")
    assert "commit.gpgSign false" in (caught.value.fix or "")


def test_unknown_person_cannot_commit(
    checkout: Path, own: OwnGit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git(checkout, "config", "user.useConfigOnly", "true")
    (checkout / "a.txt").write_text("changed")
    with pytest.raises(UsageError, match="who commits"):
        commit(own, "Change")


def test_locked_index_is_busy(checkout: Path, own: OwnGit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LOCK_PATIENCE", 0.0)
    commit_files(checkout, {"a.txt": "2"}, "Second")
    git(checkout, "branch", "side", "HEAD~1")
    (checkout / "new").write_text("x")
    lock = checkout / ".git/index.lock"
    lock.touch()
    uses: tuple[Callable[[], object], ...] = (
        lambda: stage(own),
        lambda: unstage(own),
        lambda: restore(own, ["a.txt"]),
        lambda: commit(own, "Change"),
        lambda: create_branch(own, "next", keep_changes=True),
        lambda: switch(own, "side"),
        lambda: merge(own, "side"),
        lambda: stash_push(own, include_untracked=True),
        lambda: stash_pop(own),
    )
    for use in uses:
        with pytest.raises(BusyError) as caught:
            use()
        assert caught.value.where == str(lock)
    lock.unlink()
    assert commit(own, "Change").files == ("new",)


# --- merge


def test_merge_returns_the_new_head(checkout: Path, own: OwnGit) -> None:
    git(checkout, "switch", "-qc", "side")
    tip = commit_files(checkout, {"side.txt": "side\n"}, "Side")
    git(checkout, "switch", "-q", "main")
    (checkout / "untracked").write_text("may stay")
    assert merge(own, "side") == tip
    assert merge(own, "side") == tip
    git(checkout, "switch", "-q", "side")
    commit_files(checkout, {"side.txt": "more\n"}, "Side")
    git(checkout, "switch", "-q", "main")
    commit_files(checkout, {"main.txt": "main\n"}, "Main")
    head = merge(own, "side", "Bring -side\n\nbody")
    assert git(checkout, "log", "-1", "--format=%H %s") == f"{head} Bring -side"
    assert status(own).untracked == ("untracked",)


def test_merge_that_conflicts_changes_nothing(checkout: Path, own: OwnGit) -> None:
    diverge(checkout)
    (checkout / "untracked").write_text("x")
    before = fingerprint(checkout)
    with pytest.raises(ConflictError, match=r"conflicts in a\.txt"):
        merge(own, "side")
    after = fingerprint(checkout)
    for key in before:
        if key.startswith("file ") and not key.endswith("/a.txt'"):
            assert after[key] == before[key]
    assert (checkout / "a.txt").read_text() == "main\n"
    assert after["refs"] == before["refs"]
    assert status(own).uncommitted == ("untracked",)
    assert status(own).under_way is None


@pytest.mark.parametrize("name", ["pre-merge-commit", "commit-msg"])
def test_merge_that_a_hook_refuses_changes_nothing(checkout: Path, own: OwnGit, name: str) -> None:
    git(checkout, "switch", "-qc", "side")
    commit_files(checkout, {"side.txt": "side\n"}, "Side")
    git(checkout, "switch", "-q", "main")
    head = commit_files(checkout, {"main.txt": "main\n"}, "Main")
    hook(checkout, name, "echo no merges >&2; exit 1")
    with pytest.raises(ConflictError, match="no merges"):
        merge(own, "side")
    assert (status(own).is_clean, status(own).head, status(own).under_way) == (True, head, None)


def test_merge_needs_everything_committed_and_something_in_common(
    checkout: Path, own: OwnGit
) -> None:
    diverge(checkout)
    (checkout / "src/b.txt").write_text("changed")
    with pytest.raises(RepositoryError, match=r"not committed: src/b\.txt"):
        merge(own, "side")
    git(checkout, "checkout", "-q", "--", ".")
    (checkout / "side.txt").write_text("mine")
    with pytest.raises(ConflictError, match=r"overwritten: side\.txt"):
        merge(own, "side")
    assert status(own).uncommitted == ("side.txt",)
    git(checkout, "switch", "-q", "--orphan", "other")
    (checkout / "side.txt").unlink()
    commit_files(checkout, {"x": "x"}, "Other")
    with pytest.raises(ConflictError, match="no commit in common"):
        merge(own, "main")
    with pytest.raises(UsageError, match="no commit is named"):
        merge(own, "nowhere")


# --- stash


def test_changes_are_put_aside_and_come_back(checkout: Path, own: OwnGit) -> None:
    (checkout / "a.txt").write_text("changed")
    (checkout / "new").write_text("x")
    put = stash_push(own, "Later -x")
    assert (put.name, put.subject) == ("stash@{0}", "On main: Later -x")
    assert status(own).uncommitted == ("new",)
    stash_push(own, include_untracked=True)
    assert status(own).is_clean
    assert [stash.name for stash in stash_list(own)] == ["stash@{0}", "stash@{1}"]
    assert stash_list(own)[1].commit == put.commit
    assert stash_pop(own).untracked == ("new",)
    assert stash_pop(own).changed == ("a.txt",)
    assert stash_list(own) == ()
    with pytest.raises(UsageError, match="nothing is put aside"):
        stash_pop(own)


def test_nothing_to_put_aside_is_said(checkout: Path, own: OwnGit) -> None:
    (checkout / "new").write_text("x")
    with pytest.raises(UsageError, match="nothing to put aside") as caught:
        stash_push(own)
    assert caught.value.fix == "include what git does not know"


def test_stash_that_conflicts_changes_nothing_and_stays(checkout: Path, own: OwnGit) -> None:
    commit_files(checkout, {"other": "x", "staged": "x"}, "More")
    (checkout / "a.txt").write_text("stashed")
    (checkout / "src/b.txt").write_text("stashed")
    (checkout / "added").write_text("stashed")
    git(checkout, "add", "added")
    (checkout / "new").write_text("stashed")
    put = stash_push(own, include_untracked=True)
    commit_files(checkout, {"a.txt": "2"}, "Second")
    (checkout / "other").write_text("changed")
    (checkout / "staged").write_text("staged")
    git(checkout, "add", "staged")
    (checkout / "staged").write_text("changed after")
    with pytest.raises(ConflictError, match=r"conflicts in a\.txt"):
        stash_pop(own)
    state = status(own)
    assert (state.staged, state.changed, state.untracked) == (("staged",), ("other", "staged"), ())
    assert (checkout / "a.txt").read_text() == "2"
    assert (checkout / "staged").read_text() == "changed after"
    assert git(checkout, "show", ":staged") == "staged"
    assert [stash.commit for stash in stash_list(own)] == [put.commit]


def test_stash_never_overwrites(checkout: Path, own: OwnGit) -> None:
    (checkout / "a.txt").write_text("stashed")
    (checkout / "new").write_text("stashed")
    stash_push(own, include_untracked=True)
    (checkout / "new").write_text("mine")
    with pytest.raises(ConflictError, match="exists already: new"):
        stash_pop(own)
    (checkout / "new").unlink()
    (checkout / "a.txt").write_text("mine")
    with pytest.raises(ConflictError, match=r"overwritten: a\.txt"):
        stash_pop(own)
    assert ((checkout / "a.txt").read_text(), status(own).untracked) == ("mine", ())
    assert len(stash_list(own)) == 1


def test_every_refusal_is_of_the_one_tree(checkout: Path, own: OwnGit) -> None:
    (checkout / ".git/HEAD").write_text("nonsense\n")
    for use in (status, stash_list, stash_pop, lambda git: commit(git, "x")):
        with pytest.raises(OrchestratorError):
            use(own)
