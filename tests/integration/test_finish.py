"""Delivery: what a person asked for arrives, checked, by his own git; nothing else changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.finished import BRANCH, make_finished, user_content
from tests.gitrepo import fingerprint
from tests.scratch import CHANGE, GOOD, TASKS, Scratch, make_scratch

pytestmark = pytest.mark.processes


@pytest.fixture
def done(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """A scratch repository whose change was run to its end."""
    return make_finished(tmp_path, tmp_path_factory.mktemp("finished"))


def hook(scratch: Scratch, name: str, body: str) -> None:
    """Install a hook of the user's."""
    path = scratch.path / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def kept(scratch: Scratch) -> list[str]:
    """The refs that keep deliveries."""
    return scratch.git("for-each-ref", "--format=%(refname)", "refs/orchestrator/kept").split()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen to sign with")
def test_squash_is_one_commit_of_the_users_own_git(done: Scratch) -> None:
    key = done.home / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    log = done.home / "hooks.log"
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"):
        hook(done, name, f"echo {name} >>{log}; test -f one.txt && git diff --cached --quiet HEAD; "
             f"test $? = 1 -o {name} = post-commit")  # fmt: skip
    (done.path / "mine.txt").write_text("mine\n")
    (done.path / "staged.txt").write_text("staged\n")
    done.git("add", "staged.txt")
    tip = done.git("rev-parse", BRANCH).strip()

    ran = done.orc("finish", CHANGE, "--squash", "-m", "Add one and two")

    assert ran.code == 0, ran.err
    assert log.read_text().split() == [
        "pre-commit", "prepare-commit-msg", "commit-msg", "post-commit",
    ]  # fmt: skip
    assert done.git("log", "-1", "--format=%s|%an|%P").split("|")[:2] == [
        "Add one and two", "Test Operator",
    ]  # fmt: skip
    assert f"Orchestrator-Item: {CHANGE}" in done.git("log", "-1", "--format=%B")
    assert len(done.git("log", "--format=%H").split()) == 2
    assert done.git("diff", "HEAD", tip, "--stat") == ""
    status = done.git("status", "--porcelain").splitlines()
    assert status == ["A  staged.txt", "?? mine.txt", "?? orchestrator.toml"]
    assert "hooks ran" in ran.out
    assert "2 attempts pinned 14 days" in ran.out
    assert done.git("branch", "--list", BRANCH) == ""
    (pin,) = kept(done)
    assert done.git("merge-base", tip, pin).strip() == tip


@pytest.mark.parametrize("what", ["refuses", "changes and refuses", "hangs"])
def test_hook_that_does_not_let_it_pass_leaves_everything_as_before(
    done: Scratch, what: str
) -> None:
    body = {
        "refuses": "echo not today >&2; exit 1",
        "changes and refuses": "echo reformatted >one.txt; rm two.txt; exit 1",
        "hangs": "sleep 300",
    }[what]
    hook(done, "pre-commit", body)
    done.configure(attempt_timeout="2s")
    (done.path / "staged.txt").write_text("staged\n")
    done.git("add", "staged.txt")
    before = content(done)
    ran = done.orc("finish", CHANGE, "--squash")
    assert ran.code == 4, ran.err
    assert ("not today" in ran.err) == (what == "refuses")
    assert content(done) == before
    assert json.loads(done.orc("status", "--json").out)["items"][0]["status"] == "blocked"
    if what == "changes and refuses":
        (left,) = [ref for ref in kept(done) if not done.git("log", "-1", "--format=%s", ref)
                   .startswith("Delivery")]  # fmt: skip
        assert done.git("show", f"{left}:one.txt") == "reformatted\n"

    hook(done, "pre-commit", "exit 0")
    assert done.orc("finish", CHANGE, "--squash").code == 0
    assert (done.path / "one.txt").read_text() == "good\n"
    assert done.git("status", "--porcelain", "--", "staged.txt") == "A  staged.txt\n"


def content(scratch: Scratch) -> dict[str, object]:
    """Return what the user has."""
    return user_content(fingerprint(scratch.path))


def test_hook_that_changes_files_has_its_way(done: Scratch) -> None:
    hook(done, "pre-commit", "echo formatted >one.txt; git add one.txt")
    ran = done.orc("finish", CHANGE, "--squash")
    assert ran.code == 0, ran.err
    assert "hooks changed 1 files" in ran.out
    assert done.git("show", "HEAD:one.txt") == "formatted\n"
    assert done.git("status", "--porcelain") == "?? orchestrator.toml\n"


def test_hook_that_commits_on_top_leaves_nothing_staged(done: Scratch) -> None:
    hook(done, "post-commit", "test -e CHANGES || { echo new >CHANGES; git add CHANGES; "
         "git commit -qm Changes; }")  # fmt: skip
    (done.path / "staged.txt").write_text("staged\n")
    done.git("add", "staged.txt")
    ran = done.orc("finish", CHANGE, "--squash")
    assert ran.code == 0, ran.err
    assert done.git("log", "--format=%s").split("\n")[:2] == ["Changes", "Add things"]
    assert done.git("status", "--porcelain") == "A  staged.txt\n?? orchestrator.toml\n"


def test_deleted_target_is_named_with_a_way_on(done: Scratch) -> None:
    done.git("switch", "-q", "-c", "side")
    done.git("branch", "-D", "main")
    for how in ("merge", "squash"):
        ran = done.orc("finish", CHANGE, f"--{how}")
        assert ran.code == 4
        assert "branch main is gone" in ran.err
    way = ran.err.partition("fix:")[2].partition(" brings")[0].split()
    assert way[:3] == ["git", "branch", "main"]
    done.git(*way[1:])
    assert done.orc("finish", CHANGE, "--merge").code == 0


def test_work_from_a_detached_head_is_offered_the_way_that_works(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    scratch.git("switch", "-q", "--detach")
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    assert f"orc finish {CHANGE} --apply" in ran.out
    assert scratch.orc("finish", CHANGE, "--apply").code == 0


def test_deleted_branch_comes_back_with_the_command_that_is_named(done: Scratch) -> None:
    done.git("branch", "-D", BRANCH)
    ran = done.orc("finish", CHANGE, "--merge")
    assert ran.code == 2
    way = ran.err.partition("bring it back: ")[2].split()
    assert way[:3] == ["git", "branch", BRANCH]
    done.git(*way[1:])
    assert done.orc("finish", CHANGE, "--merge").code == 0
    assert (done.path / "two.txt").read_text() == "good\n"


def test_what_was_applied_is_not_called_squashed(done: Scratch) -> None:
    assert done.orc("finish", CHANGE, "--apply").code == 0
    ran = done.orc("finish", CHANGE, "--squash")
    assert ran.code == 2
    assert f"orc undo {CHANGE}" in ran.err
    assert done.orc("undo", CHANGE).code == 0
    assert done.orc("finish", CHANGE, "--squash").code == 0


@pytest.mark.parametrize("how", ["merge", "squash", "apply"])
def test_refused_delivery_is_nothing_to_take_back(done: Scratch, how: str) -> None:
    (done.path / "two.txt").write_text("mine\n")
    before = content(done)
    assert done.orc("finish", CHANGE, f"--{how}").code == 4
    (done.path / "two.txt").unlink()
    lock = done.path / ".git" / "index.lock"
    lock.touch()
    assert done.orc("finish", CHANGE, f"--{how}").code == 2
    lock.unlink()
    assert done.orc("run", CHANGE).code == 0, "nothing was cut short"
    (done.path / "two.txt").write_text("mine\n")
    ran = done.orc("undo")
    assert ran.code == 2
    assert "no delivery" in ran.err
    assert content(done) == before


def test_squash_in_a_repository_without_reflogs(done: Scratch) -> None:
    done.git("config", "core.logAllRefUpdates", "false")
    for log in (done.path / ".git/logs").rglob("*"):
        if log.is_file() and "orchestrator" not in str(log.relative_to(done.path)):
            log.unlink()
    hook(done, "commit-msg", "sed -i '/^Orchestrator/d' \"$1\"")
    ran = done.orc("finish", CHANGE, "--squash")
    assert ran.code == 0, ran.err
    assert len(done.git("log", "--format=%H").split()) == 2
    assert done.git("status", "--porcelain") == "?? orchestrator.toml\n"


def test_squash_without_terminal_is_refused_when_it_would_be_signed(done: Scratch) -> None:
    done.git("config", "commit.gpgsign", "true")
    before = fingerprint(done.path)
    ran = done.orc("finish", CHANGE, "--squash")
    assert ran.code == 2
    assert "in a terminal" in ran.err
    assert fingerprint(done.path) == before
    unattended = done.orc("run", CHANGE, "--finish", "squash")
    assert unattended.code == 2, "found before anything is paid"
    assert "in a terminal" in unattended.err


def test_squash_onto_a_branch_that_is_not_checked_out_says_where_to_go(done: Scratch) -> None:
    done.git("switch", "-q", "-c", "side")
    ran = done.orc("finish", CHANGE, "--squash")
    assert ran.code == 2
    assert "git switch main" in ran.err
    done.git("switch", "-q", "main")
    assert done.orc("finish", CHANGE, "--squash").code == 0


@pytest.mark.parametrize("mode", ["worktree", "in-place"])
def test_merge_is_tried_beside_the_checkout_in_every_mode(tmp_path: Path, mode: str) -> None:
    scratch = make_scratch(tmp_path, commit_spec=True)
    (scratch.path / ".git/info/exclude").write_text("orchestrator.toml\n")
    scratch.configure(verify=["test -f README.md"])
    config = scratch.path / "orchestrator.toml"
    config.write_text(f'{config.read_text()}[workspace]\nmode = "{mode}"\n')
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, ran.err
    (scratch.path / "theirs.txt").write_text("theirs\n")
    scratch.git("add", "theirs.txt")
    scratch.git("commit", "-qm", "Theirs")
    (scratch.path / "mine.txt").write_text("mine\n")
    ran = scratch.orc("finish", CHANGE, "--squash")
    assert ran.code == 0, ran.err
    assert "verified on main@" in ran.out
    assert scratch.git("status", "--porcelain") == "?? mine.txt\n"
    assert scratch.git("show", "HEAD:two.txt") == "good\n"
    assert scratch.orc("undo").code == 0
    assert scratch.git("log", "-1", "--format=%s") == "Theirs\n"


def test_submodule_gets_its_squash_where_it_is_checked_out(done: Scratch) -> None:
    outer = Scratch(home=done.home, path=done.home / "outer")
    outer.path.mkdir()
    outer.git("init", "-q", "-b", "main")
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(done.path), "sub")
    outer.git("commit", "-qm", "Start")
    inner = attrs.evolve(done, path=outer.path / "sub")
    inner.worker(GOOD)
    change = inner.path / "openspec" / "changes" / CHANGE
    change.mkdir(parents=True)
    (change / "proposal.md").write_text("# Add things\n")
    (change / "tasks.md").write_text(TASKS)
    inner.configure()
    assert inner.orc("run", CHANGE).code == 0
    ran = inner.orc("finish", CHANGE, "--squash")
    assert ran.code == 0, ran.err
    assert inner.git("status", "--porcelain") == "?? orchestrator.toml\n"
    assert inner.git("log", "-1", "--format=%s") == "Add things\n"


def test_apply_changes_files_only(done: Scratch) -> None:
    index = (done.path / ".git/index").read_bytes()
    refs = done.git("for-each-ref", "refs/heads/main")
    ran = done.orc("finish", CHANGE, "--apply", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["how"] == "apply"
    assert (done.path / ".git/index").read_bytes() == index
    assert done.git("for-each-ref", "refs/heads/main") == refs
    assert (done.path / "one.txt").read_text() == "good\n"
    assert "- [x] 1.1" in (done.path / "openspec/changes" / CHANGE / "tasks.md").read_text()


def test_apply_that_conflicts_changes_nothing(done: Scratch) -> None:
    (done.path / "two.txt").write_text("mine\n")
    before = fingerprint(done.path)
    ran = done.orc("finish", CHANGE, "--apply")
    assert ran.code == 4
    assert "two.txt" in ran.err
    assert fingerprint(done.path) == before


def test_discarded_item_comes_back(done: Scratch) -> None:
    tip = done.git("rev-parse", BRANCH)
    ran = done.orc("finish", CHANGE, "--discard")
    assert ran.code == 0, ran.err
    assert "orc undo" in ran.out
    assert done.git("branch", "--list", BRANCH) == ""
    assert json.loads(done.orc("status", "--json").out)["items"][0]["status"] == "discarded"
    assert done.orc("undo").code == 0
    assert done.git("rev-parse", BRANCH) == tip
    assert done.orc("finish", CHANGE, "--merge").code == 0


@pytest.mark.parametrize("how", ["merge", "squash", "apply"])
def test_undo_gives_back_what_was_there(done: Scratch, how: str) -> None:
    (done.path / "staged.txt").write_text("staged\n")
    done.git("add", "staged.txt")
    before = content(done)
    tip = done.git("rev-parse", BRANCH)
    assert done.orc("finish", CHANGE, f"--{how}").code == 0
    ran = done.orc("undo", CHANGE)
    assert ran.code == 0, ran.err
    after = content(done)
    changed = {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
    assert changed <= {"index", "log HEAD", "log refs/heads/main", "ORIG_HEAD"}
    assert done.git("status", "--porcelain").splitlines()[0] == "A  staged.txt"
    assert done.git("rev-parse", BRANCH) == tip
    assert done.orc("undo", CHANGE).code == 2
    assert done.orc("finish", CHANGE, f"--{how}").code == 0


Built = Callable[[Scratch], object]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda s: s.git("commit", "-q", "--allow-empty", "-m", "Next"), "moved on"),
        (lambda s: s.git("update-ref", "refs/remotes/origin/main", "main"), "git revert"),
        (lambda s: (s.path / "one.txt").write_text("edited\n"), "one.txt"),
    ],
    ids=["committed", "pushed", "edited"],
)
def test_undo_of_what_was_built_on_is_refused(done: Scratch, build: Built, said: str) -> None:
    assert done.orc("finish", CHANGE, "--merge").code == 0
    build(done)
    before = content(done)
    ran = done.orc("undo")
    assert ran.code == 4
    assert said in ran.err
    assert content(done) == before


@pytest.mark.real_cli("openspec")
@pytest.mark.parametrize("how", ["merge", "squash", "apply"])
def test_archive_is_part_of_what_lands(done: Scratch, how: str) -> None:
    before = content(done)
    ran = done.orc("finish", CHANGE, f"--{how}", "--archive")
    assert ran.code == 0, ran.err
    assert "change archived" in ran.out
    changes = done.path / "openspec" / "changes"
    assert not (changes / CHANGE).exists()
    (archived,) = (changes / "archive").iterdir()
    assert "- [x] 2.1" in (archived / "tasks.md").read_text()
    if how != "apply":
        assert done.git("status", "--porcelain") == "?? orchestrator.toml\n"
    assert done.orc("undo").code == 0
    after = content(done)
    assert {k for k in before if k.startswith("file") and before[k] != after.get(k)} == set()


def test_archive_asked_for_too_late_is_not_silently_left_out(done: Scratch) -> None:
    assert done.orc("finish", CHANGE, "--merge").code == 0
    ran = done.orc("finish", CHANGE, "--merge", "--archive")
    assert ran.code == 2
    assert "delivered without" in ran.err


def test_archive_without_its_cli_says_how_to_get_it(done: Scratch) -> None:
    path = os.environ["PATH"].split(":")
    without = ":".join(p for p in path if not (Path(p) / "openspec").exists())
    ran = done.orc("finish", CHANGE, "--merge", "--archive", env={"PATH": without})
    assert ran.code == 2
    assert "npm install" in ran.err


def test_gc_says_what_it_removed(done: Scratch) -> None:
    done.configure(retention="1s")
    ran = done.orc("gc")
    assert ran.code == 0, ran.err
    assert "removed 0 pins" in ran.out
    assert json.loads(done.orc("gc", "--dry-run", "--json").out)["refs"] == []
