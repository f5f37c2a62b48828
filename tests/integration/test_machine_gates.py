"""Promises of what gates and edits of a branch by hand look at: nobody waits, nothing leads out."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import trio

from orchestrator.adapters.edited_file import edit_file
from orchestrator.adapters.git import export, runner
from orchestrator.adapters.git.export import export_tree
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.process import run
from orchestrator.config import load_config
from orchestrator.context import Context
from orchestrator.errors import AdapterError, GateError, UsageError
from orchestrator.run.machine import editing, gating
from orchestrator.run.machine.gating import _temporary
from orchestrator.run.machine.guards import require_unprotected
from orchestrator.settings import Config
from tests.by_hand import WORKFLOW, engine, scratch
from tests.gitrepo import commit_files, git, make_repository
from tests.scratch import wait_for

pytestmark = pytest.mark.processes

BRANCH = "feature/12-login"
PROTECT = '[workspace]\nprotect = ["ci/**"]\n'


@pytest.fixture
def protected(tmp_path: Path) -> Path:
    repo = scratch(tmp_path / "repo", PROTECT + WORKFLOW)
    commit_files(repo, {"ci/x.yml": "a: 1\n", "ci/allowed.yml": "a: 1\n"}, "CI")
    return repo


async def test_no_name_leads_around_the_protection_of_a_path(protected: Path) -> None:
    (protected / "notes.yml").symlink_to("ci/x.yml")
    (protected / "also.yml").symlink_to("ci/allowed.yml")
    (protected / "plain").symlink_to("ci")
    git(protected, "add", ".")
    git(protected, "commit", "-qm", "Links")
    names = ("ci/x.yml", "./ci/x.yml", "ci//x.yml", f"{protected}/ci/x.yml", "plain/x.yml")
    async with engine(protected) as call:
        await call("phase.start-work", branch=BRANCH, title="Change ci/allowed.yml, notes.yml")
        for name in (*names, "notes.yml"):
            with pytest.raises(UsageError, match=r"protected: ci/x.yml \(ci/\*\*\)"):
                await call("file.edit-file", path=name, content="a: 2\n")
        with pytest.raises(UsageError, match=r"protected: ci/new\.yml"):
            await call("file.edit-file", path="plain/new.yml", content="a: 2\n")
        for name in ("./ci/allowed.yml", f"{protected}/ci/allowed.yml", "also.yml"):
            answer = await call("file.edit-file", path=name, content=f"a: {name}\n")
            assert answer["written"] is True
    assert (protected / "ci/x.yml").read_text() == "a: 1\n"


def test_a_protected_path_is_refused_however_it_is_written(protected: Path) -> None:
    config = load_config(protected / "orchestrator.toml", environ=os.environ)
    services: Mapping[type[Any], object] = {Config: config, Repository: Repository.open(protected)}
    context = Context(publish=lambda _: None, services=services, call=cast(Any, None))
    for name in ("ci/x", "./ci/x", "a/../ci/x", f"{protected}/ci/x", f"{protected}/a/../ci//x"):
        with pytest.raises(UsageError, match=r"protected: ci/x \(ci/\*\*\)"):
            require_unprotected(context, None, ["a", name])
    for name in ("..", "../repo-2/x", "/etc/passwd", "a/../../x"):
        with pytest.raises(UsageError, match="is not a path below the checkout"):
            require_unprotected(context, None, [name])
    require_unprotected(context, None, ["a", f"{protected}/b", "..c/ci"])


async def test_slow_edits_take_no_place_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = scratch(tmp_path / "repo")
    go_on = threading.Event()
    counting = threading.Lock()
    under_way: list[int] = [0]
    most: list[int] = [0]

    def slow(*args: Any, **options: Any) -> Any:
        with counting:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        try:
            assert go_on.wait(60)
            return edit_file(*args, **options)
        finally:
            with counting:
                under_way[0] -= 1

    monkeypatch.setattr(editing, "edit_one", slow)
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)

        async def edit(number: int) -> None:
            await call("file.edit-file", path=f"{number}.txt", content="x\n")

        async with trio.open_nursery() as nursery:
            for number in range(45):
                nursery.start_soon(edit, number)
            await trio.to_thread.run_sync(
                wait_for, lambda: under_way[0] >= 4, limiter=trio.CapacityLimiter(1)
            )
            try:
                with trio.fail_after(10):
                    for _ in range(10):
                        assert (await call("phase.get-state"))["phase"] == "design"
            finally:
                go_on.set()
    assert most[0] == 4
    assert len(list(repo.glob("*.txt"))) == 46


@pytest.fixture
def blocking() -> Iterator[list[str]]:
    """Collect what the event loop's thread makes and removes in directories of the product."""
    found: list[str] = []
    watched = threading.get_ident()
    over = False

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if over or threading.get_ident() != watched:
            return
        kinds = ("os.mkdir", "os.rmdir", "os.remove", "shutil.rmtree", "tempfile.mkdtemp")
        if event in kinds and "orchestrator-" in os.fsdecode(args[0]):
            found.append(f"{event} {args[0]!r}")

    sys.addaudithook(watch)
    yield found
    over = True


async def test_directories_are_made_and_removed_off_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocking: list[str]
) -> None:
    own = tmp_path / "tmp"
    own.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(own))
    locked = 'command = "mkdir -p sub/deep && touch sub/deep/x && chmod 0 sub/deep sub"'
    leave = f"leave = [{{ {locked} }}, {{ file = 'design.md' }}]\n"
    config = WORKFLOW.replace('leave = [{ file = "design.md", contains = "decided" }]\n', leave)
    repo = scratch(tmp_path / "repo", config)
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        commit_files(repo, {"design.md": "x", "a/b.txt": "x"}, "docs(P_DESIGN): x")
        await call("git.checkout-branch", branch="main")
        await call("phase.transition-branch", branch=BRANCH)
        left = [name for name in os.listdir(own) if "-gate-" in name or "-check-" in name]
    assert left == []
    assert blocking == []


async def test_a_directory_is_removed_when_its_user_is_cancelled() -> None:
    found: list[Path] = []
    with trio.CancelScope() as scope:
        async with _temporary("test", "tmp") as made:
            found.append(made)
            assert (made / "tmp").is_dir()
            (made / "link").symlink_to("/")
            scope.cancel()
            await trio.sleep_forever()
    assert not found[0].exists()


async def test_removing_a_directory_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gating, "_REMOVE_SECONDS", 0.02)
    async with _temporary("test") as made:
        for number in range(500):
            (made / str(number)).mkdir()
    assert made.exists()
    gating._remove(made)
    assert not made.exists()


async def test_a_gate_that_hangs_does_not_take_the_step_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gating, "TOTAL_SECONDS", 1.5)
    leave = 'leave = [{ command = "sleep 600" }, { file = "design.md" }]\n'
    config = WORKFLOW.replace('leave = [{ file = "design.md", contains = "decided" }]\n', leave)
    repo = scratch(tmp_path / "repo", config)
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        with trio.fail_after(30), pytest.raises(GateError) as refused:
            await call("phase.transition-branch")
        hung, after = refused.value.problems
        assert hung.startswith("the command `sleep 600` cannot be decided within 1.")
        assert after.startswith("design.md cannot be decided: those before it took 1.")
        assert (await call("phase.get-state"))["phase"] == "design"


async def test_a_planned_gate_stays_in_the_project(tmp_path: Path) -> None:
    repo = scratch(tmp_path / "repo")
    async with engine(repo) as call:
        await call("phase.start-work", branch=BRANCH)
        for gate in ({"file": "../x"}, {"absent": "/etc/*"}, {"glob": "~/x"}, {"command": "a\0"}):
            part = {"id": "a", "gate": gate}
            with pytest.raises(UsageError, match="expected "):
                await call(
                    "phase.save-plan",
                    cycles=[{"number": 1, "exit_criteria": "done", "deliverables": [part]}],
                )


def test_an_exported_tree_is_the_commit_byte_for_byte_in_few_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_repository(tmp_path / "repo")
    files = {f"many/{number}.txt": f"{number}\n" for number in range(300)}
    files |= {
        "ident.txt": "$Id$\n",
        "empty": "",
        'odd "näme"\n\t.txt': "no newline at the end",
        "large.bin": "\0\r\n" * 5000,
        "run.sh": "#!/bin/sh\n",
    }
    (repo / "link").symlink_to("many/1.txt")
    git(repo, "add", "link")
    commit_files(repo, files, "Files")
    git(repo, "update-index", "--chmod=+x", "run.sh")
    files[".gitattributes"] = "* text eol=crlf ident filter=none\n"
    commit = commit_files(repo, {".gitattributes": files[".gitattributes"]}, "Attributes")
    ran: list[str] = []

    def counted(argv: Any, **options: Any) -> Any:
        ran.append(argv[-1])
        return run(argv, **options)

    monkeypatch.setattr(runner, "run", counted)
    monkeypatch.setattr(export, "_AT_ONCE", 20_000)
    target = tmp_path / "made/here"

    count = export_tree(Repository.open(repo).git, commit, target)

    assert count == len(files) + 3
    assert len(ran) < 12
    for name, text in files.items():
        assert (target / name).read_bytes() == text.encode()
    assert os.readlink(target / "link") == "many/1.txt"
    assert stat.S_IMODE((target / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "empty").stat().st_mode) == 0o644
    with pytest.raises(FileExistsError):
        export_tree(Repository.open(repo).git, commit, target)


def test_a_file_that_git_has_lost_is_named(tmp_path: Path) -> None:
    repo = make_repository(tmp_path / "repo")
    lost = git(repo, "rev-parse", "HEAD:src/b.txt")
    (repo / ".git/objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(AdapterError, match=r"src/b\.txt"):
        export_tree(Repository.open(repo).git, "HEAD", tmp_path / "out")
