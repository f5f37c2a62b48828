"""What is said of a checkout: its state, branches and history; looking changes nothing in it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from orchestrator.adapters.git.checkout import history, running
from orchestrator.adapters.git.checkout.history import diff, log, reflog_parent
from orchestrator.adapters.git.checkout.looking import branches, require_settled, status
from orchestrator.adapters.git.checkout.naming import resolve
from orchestrator.adapters.git.checkout.paths import covered, inside, shown_name
from orchestrator.adapters.git.checkout.running import OwnGit
from orchestrator.errors import BusyError, ProcessError, RepositoryError, UsageError
from tests.gitrepo import commit_files, fingerprint, git, make_repository

pytestmark = pytest.mark.processes


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


def test_clean_checkout_is_clean(checkout: Path, own: OwnGit) -> None:
    state = status(own)
    assert state.is_clean
    assert (state.branch, state.head) == ("main", git(checkout, "rev-parse", "HEAD"))
    assert (state.upstream, state.ahead, state.behind, state.under_way) == (None, 0, 0, None)


def test_every_kind_of_change_is_told_apart(checkout: Path, own: OwnGit) -> None:
    commit_files(
        checkout, {"gone.txt": "x", "both.txt": "x", "old name": "long enough to be one"}, "More"
    )
    (checkout / "a.txt").write_text("changed")
    (checkout / "both.txt").write_text("staged")
    git(checkout, "add", "both.txt")
    (checkout / "both.txt").write_text("changed")
    git(checkout, "rm", "-q", "gone.txt")
    git(checkout, "mv", "old name", "new name")
    (checkout / "known.txt").write_text("meant to be added")
    git(checkout, "add", "-N", "known.txt")
    (checkout / "new").mkdir()
    (checkout / "new/file").write_text("x")
    before = fingerprint(checkout)
    state = status(own)
    assert state.staged == ("both.txt", "gone.txt", "new name", "old name")
    assert state.changed == ("a.txt", "both.txt", "known.txt")
    assert state.untracked == ("new/file",)
    assert not state.is_clean
    assert not state.is_committed
    assert set(state.uncommitted) == {*state.staged, *state.changed, *state.untracked}
    assert fingerprint(checkout) == before


def test_only_untracked_files_leave_everything_committed(checkout: Path, own: OwnGit) -> None:
    (checkout / "new").write_text("x")
    assert status(own).is_committed
    assert not status(own).is_clean


def test_odd_names_survive(checkout: Path, own: OwnGit) -> None:
    names = {b"with space ", b"new\nline", b"\xff latin", b'"quoted"\t', b"-x", b":(glob)*"}
    for name in names:
        (checkout / os.fsdecode(name)).write_text("x")
    found = status(own).untracked
    assert {os.fsencode(path) for path in found} == names
    assert all(shown_name(path).isprintable() for path in found)


def test_names_are_shown_on_one_line() -> None:
    assert shown_name("plain ä") == "plain ä"
    assert shown_name("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert shown_name(os.fsdecode(b"\xff")) == "\\xff"


def test_conflicts_and_what_is_under_way_are_told(checkout: Path, own: OwnGit) -> None:
    git(checkout, "switch", "-qc", "side")
    commit_files(checkout, {"a.txt": "side\n"}, "Side")
    git(checkout, "switch", "-q", "main")
    commit_files(checkout, {"a.txt": "main\n"}, "Main")
    require_settled(own)
    git(checkout, "merge", "side", check=False)
    state = status(own)
    assert (state.conflicted, state.under_way) == (("a.txt",), "a merge")
    with pytest.raises(RepositoryError, match="a merge is under way") as caught:
        require_settled(own)
    assert "merge --continue or --abort" in (caught.value.fix or "")
    git(checkout, "merge", "--abort")
    git(checkout, "rebase", "side", check=False)
    assert (status(own).under_way, status(own).branch) == ("a rebase", None)


def test_detached_and_unborn_heads_are_no_errors(
    tmp_path: Path, checkout: Path, own: OwnGit
) -> None:
    git(checkout, "checkout", "-q", "--detach")
    assert (status(own).branch, bool(status(own).head)) == (None, True)
    git(tmp_path, "init", "-q", "-b", "first", "empty")
    (tmp_path / "empty/x").write_text("x")
    empty = OwnGit.open(tmp_path / "empty")
    state = status(empty)
    assert (state.branch, state.head, state.untracked) == ("first", "", ("x",))
    assert (branches(empty), log(empty), diff(empty), reflog_parent(empty, "first")) == (
        (),
        (),
        "",
        None,
    )
    with pytest.raises(RepositoryError, match="no commit yet"):
        resolve(empty, "HEAD")
    with pytest.raises(RepositoryError, match="no commit yet"):
        diff(empty, against="HEAD")


def test_upstream_says_how_far_apart_the_two_are(
    tmp_path: Path, checkout: Path, own: OwnGit
) -> None:
    git(tmp_path, "clone", "-q", "--bare", "repo", "hub.git")
    git(checkout, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(checkout, "push", "-qu", "origin", "main")
    commit_files(checkout, {"a.txt": "2"}, "Second")
    state = status(own)
    assert (state.upstream, state.ahead, state.behind) == ("origin/main", 1, 0)
    git(checkout, "reset", "-q", "--hard", "HEAD~1")
    git(checkout, "update-ref", "-d", "refs/remotes/origin/main")
    assert (status(own).upstream, status(own).behind) == ("origin/main", 0)


def test_linked_worktree_has_its_own_state(tmp_path: Path, checkout: Path) -> None:
    git(checkout, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    linked = OwnGit.open(tmp_path / "linked")
    (tmp_path / "linked/new").write_text("x")
    assert (status(linked).branch, status(linked).untracked) == ("side", ("new",))
    assert linked.common_dir.resolve() == checkout / ".git"
    assert linked.git_dir == checkout / ".git/worktrees/linked"
    where = {branch.name: (branch.is_current, branch.worktree) for branch in branches(linked)}
    assert where == {"main": (False, str(checkout)), "side": (True, str(tmp_path / "linked"))}


def test_changes_inside_a_submodule_are_told_apart(tmp_path: Path) -> None:
    inner = make_repository(tmp_path / "inner")
    outer = make_repository(tmp_path / "outer")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    git(outer, "commit", "-qm", "Sub")
    (outer / "sub/new").write_text("x")
    own = OwnGit.open(outer)
    assert status(own).dirty_submodules == ("sub",)
    assert status(own).is_clean
    commit_files(outer / "sub", {"new": "y"}, "Inner")
    assert status(own).changed == ("sub",)
    assert status(OwnGit.open(outer / "sub")).branch == "main"


@pytest.mark.parametrize("kind", ["bare", "nothing", "git directory"])
def test_what_is_no_checkout_is_refused(tmp_path: Path, kind: str) -> None:
    git(tmp_path, "init", "-q", *(["--bare"] if kind == "bare" else []), "repo")
    place = {"nothing": tmp_path, "git directory": tmp_path / "repo/.git"}.get(
        kind, tmp_path / "repo"
    )
    with pytest.raises(RepositoryError):
        OwnGit.open(place)
    with pytest.raises(RepositoryError):
        status(OwnGit(executable="git", checkout=tmp_path))


def test_branches_say_where_they_are(tmp_path: Path, checkout: Path, own: OwnGit) -> None:
    git(tmp_path, "clone", "-q", "--bare", "repo", "hub.git")
    git(checkout, "remote", "add", "origin", str(tmp_path / "hub.git"))
    git(checkout, "push", "-q", "origin", "main:theirs")
    git(checkout, "push", "-qu", "origin", "main")
    git(checkout, "remote", "set-head", "origin", "main")
    git(checkout, "branch", "side/ä")
    first, second = branches(own)
    head = git(checkout, "rev-parse", "HEAD")
    assert (first.name, first.head, first.upstream, first.is_current) == (
        "main",
        head,
        "origin/main",
        True,
    )
    assert (first.subject, first.at) == ("Start", int(git(checkout, "log", "-1", "--format=%ct")))
    assert (second.name, second.upstream, second.is_current) == ("side/ä", None, False)
    every = [(branch.name, branch.is_remote) for branch in branches(own, remote=True)]
    assert every == [
        ("main", False),
        ("side/ä", False),
        ("origin/main", True),
        ("origin/theirs", True),
    ]


def test_a_branch_goes_before_a_tag_of_its_name(checkout: Path, own: OwnGit) -> None:
    git(checkout, "tag", "both")
    tip = commit_files(checkout, {"a.txt": "2"}, "Second")
    git(checkout, "branch", "both")
    assert (resolve(own, "both").commit, resolve(own, "both").name) == (tip, "refs/heads/both")
    assert resolve(own, "HEAD~1").commit == git(checkout, "rev-parse", "HEAD~1")
    assert resolve(own, "main").name == "main"


def test_what_names_no_commit_is_refused(own: OwnGit) -> None:
    for name in ("", "-x", "a\0b", "--all", "^main", "main..main", "mian"):
        with pytest.raises(UsageError, match="no commit is named") as caught:
            resolve(own, name)
    assert caught.value.fix == "did you mean main?"


def test_log_lists_commits_newest_first(checkout: Path, own: OwnGit) -> None:
    commit_files(checkout, {"a.txt": "2"}, "Second\n\nbody")
    tip = commit_files(checkout, {"src/b.txt": "2"}, "Third ä")
    entries = log(own)
    assert [entry.subject for entry in entries] == ["Third ä", "Second", "Start"]
    assert (entries[0].commit, entries[0].author) == (tip, "Test Operator")
    assert [entry.subject for entry in log(own, limit=1, start="HEAD~1")] == ["Second"]
    assert [entry.subject for entry in log(own, paths=("src",))] == ["Third ä", "Start"]
    assert log(own, paths=("s*",)) == ()
    with pytest.raises(UsageError):
        log(own, limit=0)
    with pytest.raises(UsageError):
        log(own, start="nowhere")


def test_diff_shows_what_is_asked_for(checkout: Path, own: OwnGit) -> None:
    git(checkout, "switch", "-qc", "side")
    commit_files(checkout, {"side.txt": "side\n"}, "Side")
    git(checkout, "branch", "-q", "elsewhere", "main")
    (checkout / "a.txt").write_text("staged\n")
    git(checkout, "add", "a.txt")
    (checkout / "a.txt").write_text("changed\n")
    assert "-staged\n+changed" in diff(own)
    assert "-a\n+staged" in diff(own, staged=True)
    assert diff(own, paths=("src",)) == ""
    assert "+side" in diff(own, against="main")
    assert diff(own, against="main", stat=True).splitlines()[0].split() == [
        "side.txt",
        "|",
        "1",
        "+",
    ]
    with pytest.raises(UsageError):
        diff(own, against="main", staged=True)
    with pytest.raises(UsageError):
        diff(own, against="nowhere")


def test_diff_is_since_the_branch_was_left(checkout: Path, own: OwnGit) -> None:
    git(checkout, "switch", "-qc", "side")
    commit_files(checkout, {"side.txt": "side\n"}, "Side")
    git(checkout, "switch", "-q", "main")
    commit_files(checkout, {"main.txt": "main\n"}, "Main")
    assert "side.txt" not in diff(own, against="side")
    git(checkout, "switch", "-q", "--orphan", "other")
    commit_files(checkout, {"x": "x"}, "Other")
    with pytest.raises(UsageError, match="no commit in common"):
        diff(own, against="main")


def test_long_diff_is_cut_and_an_endless_one_refused(
    checkout: Path, own: OwnGit, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "a.txt").write_text("line ä\xff\n" * 1000, encoding="latin-1")
    text = diff(own, limit=500)
    assert text.endswith(f"[the first 500 of {len(own.run('diff').stdout)} bytes]\n")
    assert "\ufffd" in text
    monkeypatch.setattr(history, "OUTPUT_LIMIT", 100)
    with pytest.raises(UsageError, match="bigger than"):
        diff(own)


@pytest.mark.parametrize(
    "made", ["switch", "branch", "from", "worktree", "renamed", "tag", "detached", "remote"]
)
def test_parent_is_the_branch_that_another_was_made_from(
    tmp_path: Path, checkout: Path, own: OwnGit, made: str
) -> None:
    git(checkout, "branch", "other")
    expected: str | None = "main"
    if made == "switch":
        git(checkout, "switch", "-qc", "side")
    elif made == "branch":
        git(checkout, "branch", "side")
    elif made == "from":
        git(checkout, "switch", "-qc", "side", "other")
        expected = "other"
    elif made == "worktree":
        git(checkout, "worktree", "add", "-q", "-b", "side", str(tmp_path / "w"), "other")
        expected = "other"
    elif made == "renamed":
        git(checkout, "switch", "-qc", "old")
        git(checkout, "branch", "-m", "side")
    elif made == "tag":
        git(checkout, "tag", "v1")
        git(checkout, "switch", "-qc", "side", "v1")
        expected = None
    elif made == "detached":
        git(checkout, "checkout", "-q", "--detach")
        git(checkout, "switch", "-qc", "side")
        expected = None
    else:
        git(checkout, "update-ref", "refs/remotes/origin/side", "HEAD")
        git(checkout, "switch", "-qc", "side", "refs/remotes/origin/side")
        expected = None
    git(checkout, "switch", "-q", "other")
    if made != "worktree":
        git(checkout, "switch", "-q", "side")  # where one comes from later says nothing
        git(checkout, "checkout", "-q", "side")
    assert reflog_parent(own, "side") == expected


def test_parent_is_unknown_when_no_reflog_tells(checkout: Path, own: OwnGit) -> None:
    git(checkout, "-c", "core.logAllRefUpdates=false", "branch", "silent")
    assert reflog_parent(own, "silent") is None
    assert reflog_parent(own, "nowhere") is None
    assert reflog_parent(own, "--all") is None
    git(checkout, "switch", "-qc", "short-lived")
    git(checkout, "switch", "-qc", "child")
    git(checkout, "branch", "-qD", "short-lived")
    assert reflog_parent(own, "child") is None


def test_parent_may_end_like_the_branch(checkout: Path, own: OwnGit) -> None:
    git(checkout, "switch", "-qc", "topic/x")
    git(checkout, "switch", "-qc", "x")
    assert reflog_parent(own, "x") == "topic/x"


def test_parent_of_a_branch_that_was_made_again_is_the_last_one(
    checkout: Path, own: OwnGit, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(checkout, "switch", "-qc", "side")
    git(checkout, "switch", "-qc", "other", "main")
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"@{int(time.time()) + 10} +0000")
    git(checkout, "branch", "-qD", "side")
    git(checkout, "checkout", "-q", "-b", "side")
    assert reflog_parent(own, "side") == "other"


def test_paths_stay_in_the_checkout(checkout: Path, own: OwnGit) -> None:
    assert inside(own, ["./a//b/", str(checkout / "x"), "."]) == ("a/b", "x", ".")
    for path in ("..", "a/../../x", "/etc/passwd", "", "a\0b", ".git/config", ".git"):
        with pytest.raises(UsageError, match="no file of the checkout"):
            inside(own, [path])
    with pytest.raises(UsageError, match="no path"):
        inside(own, [])
    assert covered("a", ("a", "a/b", "ab", "nest/")) == ("a", "a/b")
    assert covered("nest", ("nest/",)) == ("nest/",)


def test_what_fails_says_so(own: OwnGit) -> None:
    with pytest.raises(ProcessError, match="no-such-command"):
        own.run("no-such-command")


def test_another_gits_lock_is_named(
    checkout: Path, own: OwnGit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "LOCK_PATIENCE", 0.1)
    lock = checkout / ".git/index.lock"
    lock.touch()
    with pytest.raises(BusyError) as caught:
        own.require_free()
    assert caught.value.where == str(lock)
    with pytest.raises(BusyError) as caught:
        own.run("add", "--all")
    assert caught.value.where == str(lock)
    assert status(own).is_clean  # looking needs no lock


def test_operators_settings_are_in_force_but_nothing_asks(
    checkout: Path, own: OwnGit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    monkeypatch.setenv("GPG_TTY", "/dev/tty")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "alias.show-environment")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "!env; readlink /proc/self/fd/0")
    lines = own.text("show-environment").splitlines()
    assert lines[-1] == "/dev/null"
    assert {"GIT_TERMINAL_PROMPT=0", "GIT_EDITOR=false", "LC_ALL=C"} <= set(lines)
    assert not [line for line in lines if line.startswith(("GIT_LITERAL", "GPG_TTY"))]
    assert own.text("config", "user.name") == "Test Operator"
