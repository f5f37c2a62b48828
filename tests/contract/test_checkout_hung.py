"""A git that hangs ends in time with an error, and leaves neither a process nor a lock."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
import trio

from orchestrator.adapters.git.checkout import leftovers
from orchestrator.adapters.git.checkout.committing import commit
from orchestrator.adapters.git.checkout.looking import status
from orchestrator.adapters.git.checkout.merging import merge
from orchestrator.adapters.git.checkout.remote import fetch, push
from orchestrator.adapters.git.checkout.running import OwnGit
from orchestrator.adapters.threads import in_thread
from orchestrator.errors import AdapterTimedOutError
from tests.gitrepo import commit_files, git, make_repository

pytestmark = pytest.mark.processes

HANG = "setsid sh -c 'sleep 600; :' & sleep 600"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a checkout with a change."""
    checkout = make_repository(tmp_path / "repo")
    (checkout / "a.txt").write_text("changed")
    (checkout / "new").write_text("x")
    return checkout


def hook(checkout: Path, name: str, body: str) -> Path:
    """Make a hook and return its file."""
    place = checkout / ".git/hooks" / name
    place.write_text(f"#!/bin/sh\n{body}\n")
    place.chmod(0o755)
    return place


def impatient(checkout: Path, seconds: float = 1.0) -> OwnGit:
    """Return the operator's git with little time."""
    return OwnGit.open(checkout, deadline=seconds)


def marked(checkout: Path) -> list[str]:
    """Return the processes that git started in the checkout, or a hook of it."""
    mark = b"\0ORCHESTRATOR_WORKSPACE=" + os.fsencode(checkout) + b"#"
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if mark in b"\0" + Path(f"/proc/{pid}/environ").read_bytes():
                found.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def assert_free(checkout: Path) -> None:
    assert marked(checkout) == []
    assert not (checkout / ".git/index.lock").exists()


@pytest.mark.parametrize("name", ["pre-commit", "post-commit"])
def test_hook_that_hangs_is_ended_with_all_that_it_started(checkout: Path, name: str) -> None:
    mine = hook(checkout, name, HANG)
    own = impatient(checkout)
    began = time.monotonic()
    with pytest.raises(AdapterTimedOutError) as caught:
        commit(own, "Change", ["a.txt", "new"])
    assert time.monotonic() - began < 5
    state = status(own)
    is_committed = name == "post-commit"
    assert (state.head[:12] in (caught.value.fix or "")) == is_committed
    assert (state.changed, state.untracked) == (
        ((), ()) if is_committed else (("a.txt",), ("new",))
    )  # fmt: skip
    assert_free(checkout)
    mine.unlink()
    (checkout / "a.txt").write_text("changed again")
    assert "a.txt" in commit(own, "Change", ["a.txt", "new"]).files


@pytest.mark.parametrize("name", ["pre-merge-commit", "post-merge"])
def test_merge_that_hangs_is_undone_unless_it_is_done(checkout: Path, name: str) -> None:
    git(checkout, "checkout", "-q", "a.txt")
    git(checkout, "switch", "-qc", "side")
    commit_files(checkout, {"side": "x"}, "Side")
    git(checkout, "switch", "-q", "main")
    head = commit_files(checkout, {"main": "x"}, "Main")
    hook(checkout, name, HANG)
    own = impatient(checkout)
    with pytest.raises(AdapterTimedOutError):
        merge(own, "side")
    assert status(own).is_committed
    assert status(own).under_way is None
    assert (status(own).head == head) == (name == "pre-merge-commit")
    assert_free(checkout)


def test_push_whose_hook_hangs_pushes_nothing(tmp_path: Path, checkout: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "hub.git")
    git(checkout, "remote", "add", "origin", str(tmp_path / "hub.git"))
    hook(checkout, "pre-push", HANG)
    with pytest.raises(AdapterTimedOutError):
        push(impatient(checkout), "main")
    assert git(tmp_path / "hub.git", "for-each-ref") == ""
    assert_free(checkout)


def script(place: Path, body: str) -> str:
    """Make a program and return its path."""
    place.write_text(f"#!/bin/sh\n{body}\n")
    place.chmod(0o755)
    return str(place)


def test_remote_that_never_answers_is_given_up(tmp_path: Path, checkout: Path) -> None:
    git(checkout, "remote", "add", "origin", f"ext::{script(tmp_path / 'remote', HANG)}")
    git(checkout, "config", "protocol.ext.allow", "always")
    with pytest.raises(AdapterTimedOutError, match="git fetch"):
        fetch(impatient(checkout))
    assert_free(checkout)


def test_git_that_hangs_is_ended(tmp_path: Path, checkout: Path) -> None:
    program = script(tmp_path / "git", HANG)
    own = OwnGit(executable=program, checkout=checkout, deadline=0.2)
    with pytest.raises(AdapterTimedOutError, match="git status"):
        status(own)
    assert_free(checkout)


def test_lock_of_a_git_that_was_not_asked_to_end_is_removed(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_PATIENCE", 0.2)
    mine = hook(checkout, "pre-commit", HANG)
    program = script(tmp_path / "git", f'{impatient(checkout).executable} "$@"\nexit $?')
    own = OwnGit(executable=program, checkout=checkout, deadline=1.0)
    with pytest.raises(AdapterTimedOutError):
        commit(own, "Change", ["a.txt"])
    assert_free(checkout)
    mine.unlink()
    assert commit(own, "Change", ["a.txt"]).files == ("a.txt",)


def test_lock_that_may_be_somebody_elses_stays(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_PATIENCE", 0.3)
    lock = checkout / ".git/index.lock"
    lock.touch()
    leftovers.clear_leftovers("nobody", checkout, None)
    assert lock.exists()
    theirs = script(checkout / "git-theirs", "sleep 600")
    with subprocess.Popen([theirs], cwd=checkout / "src", start_new_session=True) as process:
        while not leftovers._is_git_in(checkout, process.pid):
            time.sleep(0.01)
        leftovers.clear_leftovers("nobody", checkout, lock)
        assert lock.exists()
        os.killpg(process.pid, signal.SIGKILL)
    leftovers.clear_leftovers("nobody", checkout, lock)
    assert not lock.exists()
    lock.touch()
    renewal = threading.Timer(0.01, lock.write_text, ["another"])
    renewal.start()
    leftovers.clear_leftovers("nobody", checkout, lock)
    renewal.join()
    assert lock.exists()


async def test_cancelled_call_leaves_nothing_either(checkout: Path) -> None:
    hook(checkout, "pre-commit", f"touch began; {HANG}")
    own = impatient(checkout, 60)
    limiter = trio.CapacityLimiter(1)
    async with trio.open_nursery() as nursery:

        async def call() -> None:
            await in_thread(commit, own, "Change", deadline=60, limiter=limiter, what="git commit")

        nursery.start_soon(call)
        while not (checkout / "began").exists():  # noqa: ASYNC110 - a hook cannot set an Event
            await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    assert_free(checkout)


def test_what_a_hook_leaves_running_in_time_is_its_own(checkout: Path) -> None:
    hook(checkout, "post-commit", "setsid sleep 0.5 >/dev/null 2>&1 </dev/null &")
    commit(impatient(checkout, 10), "Change")
    assert len(marked(checkout)) == 1
    while marked(checkout):
        time.sleep(0.05)
