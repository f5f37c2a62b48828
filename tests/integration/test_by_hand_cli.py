"""Promises of `orc git` and `orc move`: a branch through its workflow, by the real command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.by_hand import WORKFLOW, scratch
from tests.gitrepo import commit_files, git
from tests.scratch import Ran, Scratch, alive_with, kill9, wait_for

pytestmark = pytest.mark.processes

BRANCH = "feature/12-login"


@pytest.fixture
def place(tmp_path: Path) -> Scratch:
    return Scratch(home=tmp_path, path=scratch(tmp_path / "repo", WORKFLOW))


def document(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err
    return dict(json.loads(ran.out))


def test_a_branch_goes_through_its_workflow(place: Scratch) -> None:
    repo = place.path
    started = place.orc("git", "start", BRANCH, "--title", "The login")
    assert started.code == 0, started.err
    assert f"{BRANCH} was made from main" in started.out
    refused = place.orc("move")
    assert refused.code == 1
    assert "design.md is missing" in refused.err
    commit_files(repo, {"design.md": "decided\n"}, "docs(P_DESIGN): Decide")
    zeroth = place.orc("move", BRANCH, "--cycle", "0")
    assert zeroth.code != 0
    moved = document(place.orc("move", BRANCH, "--to", "build", "--json"))
    assert (moved["source"], moved["target"]) == ("design", "build")
    plan = [{"number": n, "exit_criteria": "x", "deliverables": [{"id": "a"}]} for n in (1, 2)]
    assert place.orc("git", "save", "--cycles", json.dumps(plan)).code == 0
    (repo / "round.md").write_text("1")
    made = place.orc("git", "commit", "First round", "--subphase", "red")
    assert "test(P_BUILD_SP_C1_RED): First round" in made.out, made.err
    assert place.orc("move", "--cycle").code == 0
    state = document(place.orc("git", "state", "--json"))
    assert (state["phase"], state["cycle"], state["next_phase"]) == ("build", 2, "ready")
    shown = place.orc("show", str(state["item"]), "--history")
    assert "from cycle 1 to cycle 2" in shown.out
    assert "by hand" in shown.out
    assert place.orc("move").code == 0
    assert place.orc("git", "checkout", "main").code == 0
    merged = place.orc("git", "merge", BRANCH)
    assert "is done" in merged.out, merged.err
    assert git(repo, "show", "main:round.md") == "1"


def test_force_takes_words_and_is_remembered(place: Scratch) -> None:
    place.orc("git", "start", BRANCH)
    bare = place.orc("move", "--to", "ready", "--force")
    assert bare.code == 2
    assert "force takes a reason" in bare.err
    nowhere = place.orc("move", "--force", "--reason", "r", "--approved-by", "bob")
    assert nowhere.code == 2
    assert "--to PHASE" in nowhere.err
    forced = place.orc("move", "--to", "ready", "--force", "--reason", "r", "--approved-by", "bob")
    assert "1 gate passed by force" in forced.out
    told = " ".join(place.orc("show", "feature-12", "--history").out.split())
    assert "forced, 1 gate passed by force, approved by bob: r by Test Operator" in told


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("git", "bogus"), 2, 'no "orc git bogus"'),
        (("git", "start"), 2, "required: BRANCH"),
        (("git", "start", "login"), 2, "does not begin with a type"),
        (("git", "checkout", "nothing"), 2, "nothing"),
        (("git", "state"), 2, "main is protected"),
        (("git", "commit", "x"), 2, "main is protected"),
        (("git", "log", "--limit", "many"), 2, "limit"),
        (("move", "feature/none"), 2, "no branch and no item"),
        (("move", "--cycle"), 2, "main is protected"),
    ],
)
def test_what_is_wrong_is_told(
    place: Scratch, words: tuple[str, ...], code: int, says: str
) -> None:
    ran = place.orc(*words)
    assert (ran.code, ran.out) == (code, "")
    assert says in ran.err
    assert "Traceback" not in ran.err


def test_a_run_works_beside_a_branch_by_hand_and_leaves_it_alone(place: Scratch) -> None:
    repo = place.path
    quick = '[[pipelines.quick.phases]]\nname = "do"\ncommand = "echo hi > done.txt"\n'
    agent = '[agents.mine]\nkind = "command"\nargv = ["true"]\n'
    commit_files(repo, {"orchestrator.toml": f"{WORKFLOW}\n{quick}\n{agent}"}, "Configure")
    place.orc("git", "start", BRANCH)
    added = document(place.orc("add", "Quick one", "--pipeline", "quick", "--json"))
    ran = place.orc("run")
    assert ran.code == 0, ran.err
    (item,) = added["items"]
    assert git(repo, "show", f"orchestrator/{item['id']}:done.txt") == "hi"
    state = document(place.orc("git", "state", "--json"))
    assert state["phase"] == "design"
    assert git(repo, "branch", "--show-current") == BRANCH


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_step_that_waits_for_a_gate(place: Scratch, signum: int) -> None:
    began = place.home / "began"
    gate = f'[{{ command = "touch {began}; sleep 612" }}]'
    config = f'[workspace]\nwritable = ["{place.home}"]\n{WORKFLOW}'
    config = config.replace('[{ file = "design.md", contains = "decided" }]', gate)
    commit_files(place.path, {"orchestrator.toml": config}, "Wait for long")
    place.orc("git", "start", BRANCH)
    moving = place.start("move")
    try:
        wait_for(began.exists)
        moving.send_signal(signum)
        assert moving.wait(20) == 130
    finally:
        kill9(moving)
    assert not alive_with("sleep\x00612")
    assert "design" in place.orc("git", "state").out


def test_what_a_hook_does_after_a_kill_is_ended_by_the_next_command(place: Scratch) -> None:
    place.orc("git", "start", BRANCH)
    began = place.home / "began"
    hook = place.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nsetsid sleep 613 &\ntouch {began}\nsleep 613\n")
    hook.chmod(0o755)
    (place.path / "made").write_text("made")
    head = git(place.path, "rev-parse", "HEAD")
    committing = place.start("git", "commit", "Made")
    try:
        wait_for(began.exists)
    finally:
        kill9(committing)
    assert len(alive_with("sleep\x00613")) >= 2
    told = place.orc("git", "state")
    assert told.code == 0, told.err
    assert not alive_with("sleep\x00613")
    assert not (place.path / ".git/index.lock").exists()
    assert not list((place.path / ".git/orchestrator/gits").iterdir())
    assert git(place.path, "rev-parse", "HEAD") == head
    assert (place.path / "made").read_text() == "made"
