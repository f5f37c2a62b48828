"""Decides the gates of a branch where its files are: the checkout, a work tree, or its commit."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git import objects
from orchestrator.adapters.git.export import export_tree
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.process import raise_if_cancelled
from orchestrator.context import Context
from orchestrator.errors import UsageError
from orchestrator.guardian.client import Guardians
from orchestrator.redact import redactor
from orchestrator.run.backlog.gates import examine, gate_values
from orchestrator.run.backlog.plugin_checks import asking
from orchestrator.run.build import Build, choose_build
from orchestrator.run.checks.checker import Checker
from orchestrator.run.checks.verify import CheckResult
from orchestrator.run.hosting.environment import child_environment
from orchestrator.run.hosting.host import GuardedHost, writable_paths
from orchestrator.run.threads import GitThreads
from orchestrator.settings import Check, Config
from orchestrator.work.backlog.gate import Gate, GateResult
from orchestrator.work.backlog.item import Item
from orchestrator.work.machine.steps import track_of

FILES_SECONDS = 20.0
"""How long looking for the files of one gate may take."""

COMMAND_SECONDS = 600.0
"""How long the command of a gate may take."""

TOTAL_SECONDS = 800.0
"""How long all gates of a step may take; what is left of its own deadline is for the step."""

_REMOVE_SECONDS = 30.0


def values_of(item: Item) -> dict[str, str]:
    """Return what the placeholders of a branch's gates and prompts stand for."""
    track = track_of(item)
    about = track.issue or track.branch.rpartition("/")[2]
    return gate_values(item.id, item.phase or "", issue=about, branch=track.branch)


async def decide(context: Context, item: Item, gates: Sequence[Gate]) -> tuple[GateResult, ...]:
    """Decide gates of a branch, each; nothing is looked at when there are none.

    What is not decided in `TOTAL_SECONDS` does not hold.

    Raises:
      UsageError: the branch is gone.
      GuardianError: a command could not be started.
    """
    if not gates:
        return ()
    values = values_of(item)
    until = trio.current_time() + TOTAL_SECONDS
    async with _files_of(context, track_of(item).branch) as root:
        return await examine(
            gates,
            root=root,
            values=values,
            checker=CheckoutRunner(context=context, root=root),
            deadline=FILES_SECONDS,
            ask=asking(context, values),
            verify=await _verify(context, gates, root),
            total=until - trio.current_time(),
        )


async def _verify(context: Context, gates: Sequence[Gate], root: Path) -> tuple[Check, ...]:
    """Return the verify commands in force, when a gate wants them."""
    if not any(gate.verify for gate in gates):
        return ()
    repo, config = context.service(Repository), context.service(Config)
    return (await trio.to_thread.run_sync(choose_build, config, root, repo.checkout)).verify


@attrs.frozen(kw_only=True)
class CheckoutRunner:
    """Runs shell commands in a tree of the operator's, each under a guardian of its own.

    Attributes:
      root: where they run; they may write there.
      seconds: what one may take.
    """

    context: Context
    root: Path
    seconds: float = COMMAND_SECONDS

    async def run(self, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
        """Run commands in order; stop at the first that fails. Cancellation kills its tree."""
        repo, config = self.context.service(Repository), self.context.service(Config)
        async with _temporary("check", "tmp") as temporary:
            further = config.workspace.writable
            writable = await trio.to_thread.run_sync(_writable, self.root, temporary, further)
            environment = child_environment(
                os.environ,
                # It is the operator's own tree: what points into it belongs there.
                checkout=temporary,
                workspace=self.root,
                temporary=temporary / "tmp",
                allow=config.workspace.env,
            )
            async with Guardians() as guardians:
                checker = Checker(
                    host=GuardedHost(
                        guardians=guardians,
                        writable=writable,
                        lock=temporary / "lock",
                        wrap=config.workspace.wrap,
                    ),
                    env=environment,
                    root=self.root,
                    checkout=repo.checkout,
                    build=Build(),
                    before=(),
                    timeout=self.seconds,
                    interrupt=trio.Event(),
                    redact=redactor(os.environ),
                    publish=self.context.publish,
                )
                return await checker.run(checks)


def _writable(root: Path, temporary: Path, further: Sequence[str]) -> tuple[Path, ...]:
    extra = (temporary, *(Path(each).expanduser() for each in further))
    return writable_paths(os.environ, root, extra)


@asynccontextmanager
async def _files_of(context: Context, branch: str) -> AsyncGenerator[Path, None]:
    """Give the directory that holds the branch's files for as long as the block lasts."""
    repo, threads = context.service(Repository), context.service(GitThreads)
    place = await threads.run(_work_tree, repo, branch)
    if place is not None:
        yield place
        return
    async with _temporary("gate") as made:
        root = made / "tree"
        await threads.run(_export, repo, branch, root)
        yield root


@asynccontextmanager
async def _temporary(name: str, *below: str) -> AsyncGenerator[Path, None]:
    """Give a new directory, with others below it, for as long as the block lasts."""
    # Of its own: what was made is removed however busy all other threads are.
    limiter = trio.CapacityLimiter(1)
    made = await trio.to_thread.run_sync(_make, name, below, limiter=limiter)
    try:
        yield made
    finally:
        with trio.move_on_after(_REMOVE_SECONDS, shield=True):
            await trio.to_thread.run_sync(_remove, made, limiter=limiter)


def _make(name: str, below: Sequence[str]) -> Path:
    made = Path(tempfile.mkdtemp(prefix=f"orchestrator-{name}-"))
    for each in below:
        (made / each).mkdir()
    return made


def _remove(top: Path) -> None:
    """Remove a directory of ours, also what a command made read-only in it; listens."""
    # What cannot be removed is left to the system: it decides no gate.
    found = [os.fspath(top)]
    for directory in found:
        raise_if_cancelled()
        with suppress(OSError):
            os.chmod(directory, 0o700)
            with os.scandir(directory) as entries:
                below = list(entries)
            for entry in below:
                if entry.is_dir(follow_symlinks=False):
                    found.append(entry.path)
                else:
                    os.unlink(entry.path)
    for directory in reversed(found):
        raise_if_cancelled()
        with suppress(OSError):
            os.rmdir(directory)


def _work_tree(repo: Repository, branch: str) -> Path | None:
    """Return the work tree that has the branch checked out, None when none does."""
    listed = repo.git.run("worktree", "list", "--porcelain", "-z").stdout
    place: Path | None = None
    for line in listed.split(b"\0"):
        if line.startswith(b"worktree "):
            place = Path(os.fsdecode(line[len(b"worktree ") :]))
        elif line == b"branch refs/heads/" + os.fsencode(branch) and place is not None:
            return place if place.is_dir() else None
    return None


def _export(repo: Repository, branch: str, root: Path) -> None:
    commit = f"refs/heads/{branch}"
    if not objects.exists(repo.git, commit):
        raise UsageError(
            f"there is no branch {branch} any more",
            where=branch,
            fix="bring it back, or close its item: orc close ITEM --reason TEXT",
        )
    export_tree(repo.git, commit, root)
