"""Promises of branches by hand on real git: durable, recoverable, by their gates, side by side."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from orchestrator.errors import (
    AdapterTimedOutError,
    ConflictError,
    EditError,
    GateError,
    IllegalStepError,
    OrchestratorError,
    UsageError,
)
from orchestrator.store.reading import open_reader
from tests.by_hand import WORKFLOW, engine, scratch
from tests.gitrepo import commit_files, git
from tests.scratch import wait_for

BRANCH = "feature/12-login"
PLAN = {
    "cycles": [
        {"number": number, "exit_criteria": "done", "deliverables": [{"id": f"part-{number}"}]}
        for number in (1, 2)
    ]
}
FORCE = {"reason": "because", "approved_by": "bob"}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return scratch(tmp_path / "repo")


def stored(repo: Path) -> dict[str, object]:
    """Return the item of the branch as it is on the disk."""
    with open_reader(repo / ".git/orchestrator") as reader:
        assert reader is not None
        (row,) = [row for row in reader.items() if "track" in row.document]
        return dict(json.loads(row.document))


def records(repo: Path) -> list[str]:
    """Return the refs that keep how branches came through their phases."""
    return git(repo, "for-each-ref", "--format=%(refname)", "refs/orchestrator/phases").split()


def lose_the_store(repo: Path) -> None:
    for path in (repo / ".git/orchestrator").glob("store.db*"):
        path.unlink()


async def test_a_checkout_of_a_branch_without_state_begins_it_and_answers(repo: Path) -> None:
    git(repo, "branch", BRANCH)
    async with engine(repo) as call:
        answer = await call("git.checkout-branch", branch=BRANCH)
        assert answer["state"]["phase"] == "design"
        assert answer["state"]["rebuilt"] == "name"
        assert stored(repo)["phase"] == "design"
    assert git(repo, "branch", "--show-current") == BRANCH


async def test_a_checkout_shows_the_state_of_the_branch_and_not_of_another(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        await call("phase.force-transition", to="build", **FORCE)
        await call("phase.start-work", branch="feature/13-other", base="main")
        assert (await call("phase.get-state"))["phase"] == "design"
        answer = await call("git.checkout-branch", branch=BRANCH)
        assert (answer["state"]["phase"], answer["state"]["cycle"]) == ("build", 1)
        assert answer["base"] == "main"
        other = await call("phase.get-state", branch="feature/13-other")
        assert other["phase"] == "design"


async def test_a_forced_step_is_on_the_disk_and_in_git_when_it_is_answered(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        answer = await call("phase.force-transition", to="ready", by="ann", **FORCE)
        assert answer["skipped"] == ["design.md is missing; it has to be there"]
        assert answer["warnings"] == []
        assert stored(repo)["phase"] == "ready"
        (ref,) = git(
            repo, "for-each-ref", "--format=%(refname)", "refs/orchestrator/phases"
        ).split()
        message = git(repo, "log", "-1", "--format=%B", ref)
        assert json.loads(message.splitlines()[2])["phase"] == "ready"
        assert "Orchestrator-By: ann" in message
        assert '"approved_by": "bob"' in message
        with open_reader(repo / ".git/orchestrator") as reader:
            assert reader is not None
            row = [row for row in reader.history() if row.what == "transition"][-1]
        assert row.document["passage"]["reason"] == "because"
        assert row.document["passage"]["skipped"] == answer["skipped"]


async def test_a_step_goes_by_its_gates_and_tells_what_comes(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        (repo / "design.md").write_text("still open\n")
        with pytest.raises(GateError, match="does not contain 'decided'"):
            await call("phase.transition-branch")
        assert stored(repo)["phase"] == "design"
        (repo / "design.md").write_text("decided\n")
        answer = await call("phase.transition-branch", to="build", approved_by="bob")
        assert answer["passed"] == ["design.md has to be there and contain 'decided'"]
        assert answer["state"]["cycle"] == 1
        assert "Sub-phases for commits: red, green" in answer["guidance"]
        assert "round.md has to be there" in answer["message"]


async def test_gates_of_a_branch_that_is_not_checked_out_look_at_its_commit(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        commit_files(repo, {"design.md": "decided\n"}, "docs(P_DESIGN): Decide")
        await call("git.checkout-branch", branch="main")
        assert not (repo / "design.md").exists()
        answer = await call("phase.transition-branch", branch=BRANCH)
        assert answer["target"] == "build"
        git(repo, "worktree", "add", "-q", "../tree", BRANCH)
        (repo.parent / "tree/round.md").write_text("x")
        await call("phase.save-plan", branch=BRANCH, **PLAN)
        assert (await call("phase.transition-cycle", branch=BRANCH))["target_cycle"] == 2


async def test_a_lost_store_is_put_back_from_the_record_and_says_so(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH, title="The login")
        await call("phase.save-plan", **PLAN)
        await call("phase.force-transition", to="build", **FORCE)
        await call("phase.force-cycle", to=2, **FORCE)
    lose_the_store(repo)
    git(repo, "update-ref", "-d", "refs/orchestrator/backlog")
    async with engine(repo) as call:
        state = await call("phase.get-state")
        assert (state["rebuilt"], state["saved"]) == ("record", True)
        assert (state["phase"], state["cycle"], state["cycles"]) == ("build", 2, 2)
        assert state["title"] == "The login"
        assert "put back from git's record" in state["message"]
        answer = await call("git.checkout-branch", branch=BRANCH)
        assert answer["state"]["saved"] is True
        assert stored(repo)["phase"] == "build"
        told = [line["what"] for line in (await call("phase.get-context"))["history"]]
        assert told == ["started", "planned", "transition", "cycle", "rebuilt"]


async def test_a_branch_that_is_put_back_with_the_backlog_has_its_history(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        await call("phase.force-transition", to="build", **FORCE)
    lose_the_store(repo)
    async with engine(repo) as call:
        history = (await call("phase.get-context"))["history"]
        assert [line["what"] for line in history] == ["started", "transition", "imported"]
        assert "approved by bob" in history[1]["text"]


async def test_a_copy_of_the_backlog_that_is_older_than_the_record_does_not_win(
    repo: Path,
) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
    older = git(repo, "rev-parse", "refs/orchestrator/backlog")
    async with engine(repo) as call:
        await call("phase.force-transition", to="build", **FORCE)
    git(repo, "update-ref", "refs/orchestrator/backlog", older)
    lose_the_store(repo)
    async with engine(repo) as call:
        state = await call("phase.get-state")
        assert (state["phase"], state["rebuilt"]) == ("build", "record")


async def test_a_record_that_a_kill_left_behind_is_brought_up_to_date(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        (ref,) = git(
            repo, "for-each-ref", "--format=%(refname)", "refs/orchestrator/phases"
        ).split()
        before = git(repo, "rev-parse", ref)
        await call("phase.force-transition", to="build", **FORCE)
    git(repo, "update-ref", ref, before)
    async with engine(repo) as call:
        assert (await call("phase.get-state"))["phase"] == "build"
    kept = json.loads(git(repo, "log", "-1", "--format=%B", ref).splitlines()[2])
    assert kept["phase"] == "build"


async def test_what_was_closed_stays_closed_when_all_else_is_lost(repo: Path) -> None:
    async with engine(repo) as call:
        state = (await call("phase.start-work", branch=BRANCH))["state"]
        await call("backlog.close-item", item=state["item"], reason="not wanted")
    lose_the_store(repo)
    git(repo, "update-ref", "-d", "refs/orchestrator/backlog")
    async with engine(repo) as call:
        with pytest.raises(UsageError, match="is closed: not wanted"):
            await call("phase.get-state")


async def test_no_other_name_gets_a_branch_merged_before_its_time(repo: Path) -> None:
    async with engine(repo) as call:
        state = (await call("phase.start-work", branch=BRANCH))["state"]
        tip = commit_files(repo, {"x": "x"}, "feat(P_DESIGN): x")
        await call("git.checkout-branch", branch="main")
        for name in (f"{BRANCH}~0", tip, f"refs/heads/{BRANCH}"):
            with pytest.raises(UsageError):
                await call("git.merge-branch", branch=name)
        with pytest.raises(IllegalStepError, match="it is done after ready"):
            await call("backlog.complete-item", item=state["item"], summary="done")
        assert git(repo, "rev-parse", "main") != tip


async def test_a_branch_that_only_a_remote_has_is_taken_up(repo: Path, tmp_path: Path) -> None:
    git(repo, "switch", "-qc", BRANCH)
    tip = commit_files(repo, {"x": "x"}, "test(P_BUILD_SP_C1_RED): x")
    git(repo, "switch", "-q", "main")
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(repo), str(other))
    async with engine(other) as call:
        started = await call("phase.start-work", branch=BRANCH)
        assert started["created"] is False
        assert started["state"]["phase"] == "build"
    assert git(other, "rev-parse", BRANCH) == tip


async def test_an_issue_is_begun_by_its_number_and_title(repo: Path) -> None:
    async with engine(repo) as call:
        started = await call("phase.open-issue", issue="12", title="The login form!")
        assert started["state"]["branch"] == "feature/12-the-login-form"
        assert started["state"]["issue"] == "12"
        with pytest.raises(UsageError):
            await call("phase.open-issue", issue="9; touch x", title="Bad")


async def test_a_clone_of_somebody_else_knows_the_phase_by_the_commits(
    repo: Path, tmp_path: Path
) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        await call("phase.force-transition", to="build", **FORCE)
        (repo / "test.py").write_text("x = 1\n")
        made = await call("git.commit-changes", message="Fail first", subphase="red")
        assert made["subject"] == "test(P_BUILD_SP_C1_RED): Fail first"
        assert made["state"]["subphase"] == "red"
        body = git(repo, "log", "-1", "--format=%B")
        assert "Orchestrator-Phase: build" in body
    git(repo, "switch", "-q", "main")
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(repo), str(other))
    async with engine(other) as call:
        answer = await call("git.checkout-branch", branch=BRANCH)
        state = answer["state"]
        assert answer["created"] is True
        assert (state["rebuilt"], state["phase"], state["cycle"]) == ("commits", "build", 1)
        assert state["subphase"] == "red"


async def test_commits_of_the_trunk_tell_nothing_of_a_branch(repo: Path) -> None:
    commit_files(repo, {"x": "x"}, "feat(P_BUILD): merged long ago")
    git(repo, "branch", BRANCH)
    async with engine(repo) as call:
        assert (await call("git.checkout-branch", branch=BRANCH))["state"]["phase"] == "design"
        assert (await call("git.checkout-branch", branch="main"))["state"] is None
        commit_files(repo, {"y": "y"}, "feat(P_BUILD): more")
        await call("git.checkout-branch", branch="main")
        listed = await call("backlog.list-items")
        assert [item["branch"] for item in listed["items"]] == [BRANCH]


async def test_commits_of_its_base_tell_nothing_of_a_new_branch(repo: Path) -> None:
    git(repo, "switch", "-c", "trunk")
    commit_files(repo, {"x": "x"}, "feat(P_READY): merged long ago")
    async with engine(repo) as call:
        await call("git.create-branch", branch=BRANCH)
        assert (await call("phase.get-state"))["phase"] == "design"


async def test_a_commit_is_answered_also_when_its_item_is_closed_meanwhile(repo: Path) -> None:
    hook = repo / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    async with engine(repo) as call:
        item = (await call("phase.start-work", branch=BRANCH))["state"]["item"]
        hook.write_text("#!/bin/sh\ntouch .git/held\nuntil test -e .git/go; do sleep 0.05; done\n")
        hook.chmod(0o755)
        (repo / "x").write_text("x")
        made: list[str] = []

        async def commit() -> None:
            made.append((await call("git.commit-changes", message="X"))["commit"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            await trio.to_thread.run_sync(wait_for, (repo / ".git/held").exists)
            await call("backlog.close-item", item=item, reason="dropped")
            (repo / ".git/go").touch()
        assert made == [git(repo, "rev-parse", "HEAD")]


async def test_a_record_that_is_another_name_of_a_branch_moves_no_branch(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        (ref,) = records(repo)
        git(repo, "symbolic-ref", ref, "refs/heads/main")
        before = git(repo, "rev-parse", "main")
        await call("phase.force-transition", to="build", **FORCE)
        assert git(repo, "rev-parse", "main") == before
        assert git(repo, "for-each-ref", "--format=%(symref)", ref) == ""


@pytest.mark.parametrize("content", ["12" * 20, "", "nonsense"])
async def test_a_damaged_record_keeps_nobody_from_anything(repo: Path, content: str) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        await call("phase.force-transition", to="build", **FORCE)
    (ref,) = records(repo)
    (repo / ".git" / ref).write_text(f"{content}\n" if content else "")
    async with engine(repo) as call:
        assert (await call("phase.get-state"))["phase"] == "build"
        assert (await call("phase.force-transition", to="ready", **FORCE))["warnings"] == []
    assert git(repo, "log", "-1", "--format=%s", ref).startswith("transition: from build to ready")
    (repo / ".git" / ref).write_text(f"{content}\n" if content else "")
    lose_the_store(repo)
    async with engine(repo) as call:
        assert (await call("phase.get-state"))["phase"] == "ready"
    assert git(repo, "log", "-1", "--format=%s", ref)


async def test_a_record_that_cannot_be_read_is_passed_over(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        await call("phase.force-transition", to="build", **FORCE)
    lose_the_store(repo)
    git(repo, "update-ref", "-d", "refs/orchestrator/backlog")
    (ref,) = records(repo)
    git(repo, "update-ref", ref, "HEAD")
    commit_files(repo, {"x": "x"}, "feat(P_BUILD): x")
    async with engine(repo) as call:
        state = await call("phase.get-state")
        assert (state["rebuilt"], state["phase"]) == ("commits", "build")
        assert (await call("phase.force-transition", to="ready", **FORCE))["warnings"] == []


async def test_hundreds_of_steps_at_once_lose_nothing(repo: Path) -> None:
    branches = [f"feature/{number}-x" for number in range(1, 9)]
    for branch in branches:
        git(repo, "branch", branch)
    targets = ["design", "build", "ready"]
    answers: dict[str, list[str]] = {branch: [] for branch in branches}
    seen: list[tuple[str, int]] = []

    async with engine(repo) as call:

        async def force(branch: str, number: int) -> None:
            to = targets[number % 3]
            with suppress(IllegalStepError):  # it is there already
                answer = await call("phase.force-transition", branch=branch, to=to, **FORCE)
                answers[branch].append(answer["source"] + ">" + answer["target"])

        async def look(branch: str) -> None:
            for _ in range(20):
                state = await call("phase.get-state", branch=branch)
                seen.append((state["phase"], state["cycle"]))
                await trio.lowlevel.checkpoint()

        with trio.fail_after(100):
            async with trio.open_nursery() as nursery:
                for number in range(13):
                    for branch in branches:
                        nursery.start_soon(force, branch, number)
                for branch in branches:
                    nursery.start_soon(look, branch)
        for branch in branches:
            context = await call("phase.get-context", branch=branch)
            item = context["state"]["item"]
            with open_reader(repo / ".git/orchestrator") as reader:
                assert reader is not None
                rows = [row for row in reader.history(item) if row.what == "transition"]
            passed = [row.document["passage"] for row in rows]
            told = [f"{each['source']}>{each['target']}" for each in passed]
            assert sorted(told) == sorted(answers[branch])
            for earlier, later in pairwise(passed):
                assert earlier["target"] == later["source"]
    assert all((cycle > 0) == (phase == "build") for phase, cycle in seen)


async def test_commits_go_where_the_branch_is(repo: Path) -> None:
    async with engine(repo) as call:
        with pytest.raises(UsageError, match="main is protected"):
            await call("git.commit-changes", message="x")
        await call("phase.start-work", branch=BRANCH)
        (repo / "n.txt").write_text("n")
        (repo / "m.txt").write_text("m")
        with pytest.raises(IllegalStepError, match="is in design, not in build"):
            await call("git.commit-changes", message="x", phase="build")
        with pytest.raises(UsageError, match='no sub-phase "red"'):
            await call("git.commit-changes", message="x", subphase="red")
        made = await call("git.commit-changes", message="Add n", files=["n.txt"])
        assert (made["files"], made["subject"]) == (["n.txt"], "chore(P_DESIGN): Add n")
        status = await call("git.show-status")
        assert status["untracked"] == ["m.txt"]


async def test_a_whole_life_of_a_branch(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH, title="The login", by="ann")
        commit_files(repo, {"design.md": "decided\n"}, "docs(P_DESIGN): Decide")
        await call("phase.transition-branch")
        await call("phase.save-plan", **PLAN)
        (repo / "round.md").write_text("1")
        await call("git.commit-changes", message="Round", subphase="green")
        await call("phase.transition-cycle")
        await call("git.checkout-branch", branch="main")
        with pytest.raises(IllegalStepError, match="it may be merged in ready"):
            await call("git.merge-branch", branch=BRANCH)
        await call("phase.transition-branch", branch=BRANCH)
        with pytest.raises(IllegalStepError, match="under way"):
            await call("git.delete-branch", branch=BRANCH)
        merged = await call("git.merge-branch", branch=BRANCH, by="ann")
        assert "is done" in merged["message"]
        again = await call("git.checkout-branch", branch=BRANCH)
        assert again["state"] is None
        assert "is done: merged into main" in again["message"]
        await call("git.checkout-branch", branch="main")
        assert "merged into main" in (await call("git.merge-branch", branch=BRANCH))["message"]
        deleted = await call("git.delete-branch", branch=BRANCH)
        assert deleted["kept"] == ""
        listed = await call("backlog.list-items", all=True)
        assert [item["status"] for item in listed["items"]] == ["done"], listed
        again = await call("phase.start-work", branch=BRANCH, base="main")
        assert again["state"]["item"].endswith("-2")
    assert (repo / "round.md").exists()


async def test_a_question_waits_for_its_answer(repo: Path) -> None:
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        said = await call("phase.ask-operator", question="Which database?")
        (item,) = said["items"]
        assert (await call("phase.get-state"))["waits"] == "Which database?"
        commit_files(repo, {"design.md": "decided\n"}, "docs(P_DESIGN): Decide")
        with pytest.raises(IllegalStepError, match="Which database"):
            await call("phase.transition-branch")
        await call("backlog.answer-item", item=item, text="SQLite", by="ann")
        assert (await call("phase.transition-branch"))["target"] == "build"
        reported = await call("phase.report-result", summary="Built it", follow_ups=["Write docs"])
        assert len(reported["items"]) == 1
        assert (await call("phase.get-context"))["summary"] == "Built it"


async def test_restored_and_deleted_work_is_kept(repo: Path) -> None:
    async with engine(repo) as call:
        (repo / "a.txt").write_text("precious\n")
        restored = await call("git.restore-files", files=["a.txt"])
        assert (repo / "a.txt").read_text() == "a\n"
        assert git(repo, "show", f"{restored['kept']}:a.txt") == "precious"
        await call("phase.start-work", branch=BRANCH)
        tip = commit_files(repo, {"only": "here"}, "feat(P_DESIGN): here")
        await call("git.checkout-branch", branch="main")
        deleted = await call("git.delete-branch", branch=BRANCH, force=True)
        assert git(repo, "rev-parse", deleted["kept"]) == tip
        assert "is closed" in deleted["message"]


async def test_no_edit_takes_the_configuration_from_those_who_come_next(repo: Path) -> None:
    async with engine(repo) as call:
        with pytest.raises(EditError, match="nope"):
            await call("file.edit-file", path="orchestrator.toml", content="[nope]\nx = 1\n")
        assert git(repo, "status", "--porcelain") == ""
        edited = await call("file.edit-file", path="other.toml", content="[nope]\nx = 1\n")
        assert edited["written"] is True


async def test_protected_paths_are_left_alone(tmp_path: Path) -> None:
    repo = scratch(tmp_path / "repo", '[workspace]\nprotect = ["ci/**"]\n' + WORKFLOW)
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH, title="Change ci/allowed.yml")
        with pytest.raises(UsageError, match="protected: ci/x"):
            await call("file.edit-file", path="ci/x.yml", content="a: 1\n")
        edited = await call("file.edit-file", path="ci/allowed.yml", content="a: 1\n")
        assert edited["written"] is True
        (repo / "ci/other.yml").write_text("b: 1\n")
        with pytest.raises(UsageError, match=r"protected: ci/other.yml \(ci/\*\*\)"):
            await call("git.commit-changes", message="x")
        made = await call("git.commit-changes", message="x", files=["ci/allowed.yml"])
        assert made["files"] == ["ci/allowed.yml"]


async def test_rules_of_names_and_bases(tmp_path: Path) -> None:
    bases = '[branches]\nbases = { hotfix = ["main"] }\n'
    repo = scratch(tmp_path / "repo", bases + WORKFLOW)
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        with pytest.raises(UsageError, match="may not start from feature/12-login"):
            await call("git.create-branch", branch="hotfix/1-now")
        with pytest.raises(UsageError, match="does not begin with a type"):
            await call("phase.start-work", branch="login")
        with pytest.raises(UsageError, match="no workflow"):
            await call("phase.start-work", branch="feature/2-x", workflow="none")
        with pytest.raises(UsageError, match="under way already"):
            await call("phase.start-work", branch=BRANCH)
        with pytest.raises(UsageError, match="main is protected"):
            await call("git.push-branch", branch="main")
        (repo / "dirty").write_text("x")
        with pytest.raises(OrchestratorError, match="not committed: dirty"):
            await call("git.create-branch", branch="feature/3-y")


@pytest.mark.processes
async def test_gates_that_are_commands_keys_and_plugins(tmp_path: Path) -> None:
    gates = """\
leave = [
  { command = "test -e done && echo $SECRET_TOKEN" },
  { file = "app.json", key = "build.0.name" },
  { file = "notes.md", lacks = "TODO" },
  { glob = "docs/{issue}/*.md" },
  { check = "tags.no-such" },
]
"""
    config = WORKFLOW.replace('leave = [{ file = "design.md", contains = "decided" }]\n', gates)
    repo = scratch(tmp_path / "repo", config)
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        (repo / "notes.md").write_text("TODO")
        with pytest.raises(GateError) as refused:
            await call("phase.transition-branch")
        said = "\n".join(refused.value.problems)
        for part in (
            "the command `test -e done",
            "app.json is missing",
            "notes.md contains 'TODO'; it must not",
            "nothing matches docs/12/*.md",
            "no plugin has a command tags.no-such",
        ):
            assert part in said
        assert len(refused.value.problems) == 5
        (repo / "done").touch()
        (repo / "app.json").write_text('{"build": [{"name": "x"}]}')
        (repo / "notes.md").write_text("fine")
        (repo / "docs/12").mkdir(parents=True)
        (repo / "docs/12/design.md").touch()
        with pytest.raises(GateError) as refused:
            await call("phase.transition-branch")
        assert len(refused.value.problems) == 1


def hook(repo: Path, name: str, text: str) -> None:
    path = repo / ".git/hooks" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.processes
async def test_a_hook_that_hangs_ends_at_the_deadline_and_delays_nobody(repo: Path) -> None:
    overrides = {"execution": {"command_timeout": "1s"}}
    async with engine(repo, overrides) as call:
        await call("phase.start-work", branch=BRANCH)
        hook(repo, "pre-commit", "touch .git/at-hook; setsid sleep 600 & sleep 600")
        (repo / "n").write_text("n")
        outcome: list[Exception] = []

        async def commit() -> None:
            try:
                await call("git.commit-changes", message="n")
            except (AdapterTimedOutError, ConflictError) as error:
                outcome.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            await trio.to_thread.run_sync(wait_for, (repo / ".git/at-hook").exists)
            for _ in range(20):
                assert (await call("phase.get-state"))["phase"] == "design"
            moved = await call("phase.force-transition", to="build", **FORCE)
            assert moved["target"] == "build"
            assert not outcome
        assert isinstance(outcome[0], AdapterTimedOutError)
        assert not (repo / ".git/index.lock").exists()
        hook(repo, "pre-commit", "exit 0")
        assert (await call("git.commit-changes", message="n"))["files"] == ["n"]


async def test_an_unborn_or_detached_head_is_told(repo: Path) -> None:
    git(repo, "switch", "-q", "--detach")
    async with engine(repo) as call:
        with pytest.raises(UsageError, match="HEAD is detached"):
            await call("phase.get-state")
        assert (await call("git.show-status"))["branch"] == ""
        with pytest.raises(UsageError, match="no branch and no item"):
            await call("phase.get-state", branch="feature/nothing")
