"""What is exchanged with remotes: nothing is forced, and what conflicts changes nothing here."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from orchestrator.adapters.git.checkout.branching import switch
from orchestrator.adapters.git.checkout.looking import status
from orchestrator.adapters.git.checkout.remote import fetch, pull, push
from orchestrator.adapters.git.checkout.running import OwnGit
from orchestrator.errors import ConflictError, ProcessError, RepositoryError, UsageError
from tests.gitrepo import commit_files, git, make_repository

pytestmark = pytest.mark.processes


@attrs.frozen
class Place:
    """A checkout, the remote that it pushes to, and somebody else's checkout of that."""

    checkout: Path
    hub: Path
    theirs: Path
    own: OwnGit

    def they_commit(self, files: dict[str, str], branch: str = "main") -> str:
        """Have the other one commit and push."""
        git(self.theirs, "switch", "-q", branch)
        tip = commit_files(self.theirs, files, "Theirs")
        git(self.theirs, "push", "-q", "origin", branch)
        return tip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a checkout whose main follows a remote's."""
    checkout = make_repository(tmp_path / "repo")
    hub = tmp_path / "hub.git"
    git(tmp_path, "clone", "-q", "--bare", "repo", str(hub))
    git(tmp_path, "clone", "-q", str(hub), "theirs")
    git(checkout, "remote", "add", "origin", str(hub))
    git(checkout, "fetch", "-q")
    git(checkout, "branch", "-q", "-u", "origin/main")
    return Place(checkout, hub, tmp_path / "theirs", OwnGit.open(checkout))


def test_fetch_says_what_changed_and_touches_no_file(place: Place) -> None:
    tip = place.they_commit({"a.txt": "2"})
    git(place.theirs, "push", "-q", "origin", "main:new")
    (place.checkout / "a.txt").write_text("mine")
    assert fetch(place.own).changed == ("origin/main", "origin/new")
    assert fetch(place.own).changed == ()
    assert (place.checkout / "a.txt").read_text() == "mine"
    assert (status(place.own).ahead, status(place.own).behind) == (0, 1)
    git(place.theirs, "push", "-q", "origin", ":new")
    assert fetch(place.own).changed == ()
    assert fetch(place.own, prune=True).changed == ("origin/new",)
    assert git(place.checkout, "rev-parse", "origin/main") == tip


def test_branch_that_a_remote_got_meanwhile_can_be_switched_to(place: Place) -> None:
    git(place.theirs, "switch", "-qc", "feature")
    tip = place.they_commit({"x": "x"}, "feature")
    fetch(place.own)
    assert switch(place.own, "feature").head == tip
    assert status(place.own).upstream == "origin/feature"


def test_remote_that_is_none_is_refused(place: Place) -> None:
    for remote in ("", "--all", "../hub.git", "orign"):
        with pytest.raises(UsageError, match="no remote is named"):
            fetch(place.own, remote)
        with pytest.raises(UsageError, match="no remote is named") as caught:
            push(place.own, "main", remote)
    assert caught.value.fix == "did you mean origin?"


def test_remote_that_cannot_be_reached_says_that_nothing_asks(place: Place) -> None:
    git(place.checkout, "remote", "set-url", "origin", str(place.hub) + ".gone")
    for use in (
        lambda: fetch(place.own),
        lambda: pull(place.own),
        lambda: push(place.own, "main"),
    ):
        with pytest.raises(ProcessError, match="does not appear to be a git repository") as caught:
            use()
        assert "credential helper" in (caught.value.fix or "")


def test_ssh_does_not_ask_unless_the_operator_says_how_it_is_called(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$0 $*" >>{tmp_path}/said\nexit 255\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    git(place.checkout, "remote", "set-url", "origin", "ssh://host.invalid/repo")
    with pytest.raises(ProcessError, match="Could not read from remote"):
        fetch(place.own)
    assert "-oBatchMode=yes" in (tmp_path / "said").read_text()
    for settle in (
        lambda: git(place.checkout, "config", "core.sshCommand", f"{program} -own"),
        lambda: monkeypatch.setenv("GIT_SSH_COMMAND", f"{program} -own"),
    ):
        (tmp_path / "said").unlink()
        settle()
        with pytest.raises(ProcessError):
            fetch(place.own)
        assert "-own" in (tmp_path / "said").read_text()
        assert "BatchMode" not in (tmp_path / "said").read_text()


def test_pull_forwards_a_branch_whatever_the_settings_say(place: Place) -> None:
    (place.checkout / "untracked").write_text("may stay")
    for setting, value in (("pull.rebase", "true"), ("pull.ff", "only"), ("merge.ff", "false")):
        git(place.checkout, "config", setting, value)
        tip = place.they_commit({"a.txt": setting})
        before = status(place.own).head
        done = pull(place.own)
        assert (done.branch, done.upstream) == ("main", "origin/main")
        assert (done.before, done.head) == (before, tip)
        assert (place.checkout / "a.txt").read_text() == setting
    assert pull(place.own).head == tip


@pytest.mark.parametrize("setting", ["pull.rebase=true", "pull.ff=only"])
def test_pull_merges_or_rebases_only_when_told(place: Place, setting: str) -> None:
    git(place.checkout, "config", *setting.split("="))
    theirs = place.they_commit({"theirs": "x"})
    mine = commit_files(place.checkout, {"mine": "x"}, "Mine")
    with pytest.raises(ConflictError, match="both sides have commits") as caught:
        pull(place.own)
    assert "rebased" in (caught.value.fix or "")
    assert status(place.own).head == mine
    head = pull(place.own, merge=True).head
    assert git(place.checkout, "log", "-1", "--format=%P", head) == f"{mine} {theirs}"
    git(place.checkout, "reset", "-q", "--hard", mine)
    head = pull(place.own, rebase=True).head
    assert git(place.checkout, "log", "-1", "--format=%P %s", head) == f"{theirs} Mine"
    with pytest.raises(UsageError):
        pull(place.own, rebase=True, merge=True)


@pytest.mark.parametrize("rebase", [False, True])
def test_pull_that_conflicts_changes_nothing(place: Place, rebase: bool) -> None:
    place.they_commit({"a.txt": "theirs\n"})
    commit_files(place.checkout, {"other": "x"}, "Before")
    mine = commit_files(place.checkout, {"a.txt": "mine\n"}, "Mine")
    (place.checkout / "untracked").write_text("x")
    with pytest.raises(ConflictError, match=r"conflicts in a\.txt; everything is as before"):
        pull(place.own, rebase=rebase, merge=not rebase)
    state = status(place.own)
    assert (state.branch, state.head, state.under_way) == ("main", mine, None)
    assert state.uncommitted == ("untracked",)
    assert (place.checkout / "a.txt").read_text() == "mine\n"


def test_pull_needs_a_branch_an_upstream_and_everything_committed(place: Place) -> None:
    (place.checkout / "a.txt").write_text("mine")
    with pytest.raises(RepositoryError, match=r"not committed: a\.txt"):
        pull(place.own)
    git(place.checkout, "checkout", "-q", "--", ".")
    git(place.checkout, "switch", "-qc", "feature")
    with pytest.raises(UsageError, match="follows no other branch"):
        pull(place.own)
    git(place.checkout, "push", "-qu", "origin", "feature")
    git(place.theirs, "push", "-q", "origin", ":feature")
    with pytest.raises(UsageError, match="origin/feature is gone"):
        pull(place.own)
    git(place.checkout, "checkout", "-q", "--detach")
    with pytest.raises(RepositoryError, match="detached"):
        pull(place.own)


def test_pull_never_overwrites_files_that_git_does_not_know(place: Place) -> None:
    place.they_commit({"new": "theirs"})
    (place.checkout / "new").write_text("mine")
    with pytest.raises(ConflictError, match="overwritten: new"):
        pull(place.own)
    assert (place.checkout / "new").read_text() == "mine"


def test_branch_without_a_commit_can_be_pulled(place: Place, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main", "empty")
    git(tmp_path / "empty", "remote", "add", "origin", str(place.hub))
    empty = OwnGit.open(tmp_path / "empty")
    with pytest.raises(UsageError, match="follows no other branch"):
        pull(empty)
    with pytest.raises(UsageError, match="no branch is named"):
        push(empty, "main")
    git(tmp_path / "empty", "config", "branch.main.remote", "origin")
    git(tmp_path / "empty", "config", "branch.main.merge", "refs/heads/main")
    assert pull(empty).head == status(place.own).head


def test_push_gives_a_branch_and_follows_it(place: Place) -> None:
    git(place.checkout, "switch", "-qc", "feature/ä")
    tip = commit_files(place.checkout, {"x": "x"}, "X")
    done = push(place.own, "feature/ä")
    assert (done.head, done.is_new, done.is_changed) == (tip, True, True)
    assert status(place.own).upstream == "origin/feature/ä"
    assert git(place.hub, "rev-parse", "feature/ä") == tip
    assert not push(place.own, "feature/ä").is_changed
    commit_files(place.checkout, {"x": "y"}, "Y")
    git(place.checkout, "branch", "other")
    done = push(place.own, "feature/ä")
    assert (done.is_new, done.is_changed) == (False, True)
    push(place.own, "other", set_upstream=False)
    assert git(place.checkout, "config", "branch.other.remote", check=False) == ""
    with pytest.raises(UsageError, match="no branch is named") as caught:
        push(place.own, "othr")
    assert "other" in (caught.value.fix or "")


def test_push_is_never_forced(place: Place) -> None:
    tip = place.they_commit({"a.txt": "theirs"})
    commit_files(place.checkout, {"b": "mine"}, "Mine")
    git(place.checkout, "config", "remote.origin.push", "+refs/heads/*:refs/heads/*")
    for known in (False, True):
        if known:
            fetch(place.own)
        with pytest.raises(ConflictError, match="origin has commits that main has not") as caught:
            push(place.own, "main")
        assert caught.value.fix == "pull first, then push again"
    assert git(place.hub, "rev-parse", "main") == tip


def test_push_that_is_refused_says_who_refused_it(place: Place) -> None:
    commit_files(place.checkout, {"b": "mine"}, "Mine")
    theirs = place.hub / "hooks/pre-receive"
    theirs.write_text("#!/bin/sh\necho main is protected; exit 1\n")
    theirs.chmod(0o755)
    with pytest.raises(ConflictError, match="origin refused main") as caught:
        push(place.own, "main")
    assert "main is protected" in caught.value.message
    mine = place.checkout / ".git/hooks/pre-push"
    mine.write_text("#!/bin/sh\necho tests fail >&2; exit 1\n")
    mine.chmod(0o755)
    with pytest.raises(ConflictError, match="tests fail") as caught:
        push(place.own, "main")
    assert "pre-push" in caught.value.message


def test_remotes_are_reached_from_a_linked_worktree(place: Place, tmp_path: Path) -> None:
    git(place.checkout, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = OwnGit.open(tmp_path / "linked")
    assert push(linked, "side").is_new
    assert pull(linked).upstream == "origin/side"
