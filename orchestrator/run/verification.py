"""Sets up a fresh workspace of one commit and verifies it, with no worker in between."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import trio

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.brought import require_copies
from orchestrator.adapters.git.repository import Repository
from orchestrator.bridge import Sink
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import NoSpecError, StoppedError, UsageError
from orchestrator.guardian.client import Guardians
from orchestrator.messages import Fact
from orchestrator.run.build import Build, choose_build, require_honest
from orchestrator.run.checks.checker import make_checker
from orchestrator.run.checks.preparation import Preparation
from orchestrator.run.checks.remembered import Remembered, recall
from orchestrator.run.checks.verify import CheckResult
from orchestrator.run.commands import RecordFact, RememberBaseline, RemoveWorkspace
from orchestrator.run.delivery.commands import PrepareMerge
from orchestrator.run.delivery.items import item_named, require_run
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.specs import find_source
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config
from orchestrator.store.reading import open_reader

_ITEM = "verify"


@attrs.frozen(kw_only=True)
class Subject:
    """What is verified.

    Attributes:
      name: of the branch, for people; ``commit`` is what it is at.
      root: where the project lies below the repository, "." for the top.
      is_base: whether it is the checkout's own commit, on which runs start.
    """

    repo: Repository
    config: Config
    build: Build
    name: str
    commit: str
    root: str
    is_base: bool


@attrs.frozen(kw_only=True)
class Verified:
    """How set-up and verification of a commit ended; what failed is the last of its part."""

    setup: tuple[CheckResult, ...]
    verify: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether all commands ran and passed."""
        return all(result.passed for result in (*self.setup, *self.verify))


def find_subject(
    directory: Path,
    config_file: Path | None = None,
    item: str | None = None,
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> Subject:
    """Return what `orc verify` is about: HEAD, or the branch of an item. Blocking.

    Raises:
      UsageError: (and its kinds) for whatever would stop it later.
    """
    repo = Repository.open(directory)
    config = load_config(
        config_file or repo.checkout / FILE_NAME,
        environ=os.environ,
        overrides=overrides,
        required=config_file is not None,
    )
    repo = repo.within(config.execution.command_timeout)
    # A fresh workspace is always a clone, wherever runs work.
    config = attrs.evolve(config, workspace=attrs.evolve(config.workspace, mode="clone"))
    if item is not None:
        item = item_named(repo, item)
        run, commit = require_run(repo, item)
        name, root = refs.branch_ref(item).removeprefix("refs/heads/"), run.root
    else:
        commit, name = repo.head, repo.branch or "HEAD"
        try:
            root = os.path.relpath(find_source(repo, directory).root, repo.checkout)
        except NoSpecError:
            root = "."
    build = choose_build(config, repo.checkout / root, repo.checkout)
    require_honest(build, repo.checkout)
    require_copies(repo.checkout, build.copy)
    return Subject(
        repo=repo,
        config=config,
        build=build,
        name=name,
        commit=commit,
        root=root,
        is_base=item is None,
    )


async def verify_subject(
    subject: Subject,
    *,
    sinks: Mapping[str, Sink] = MappingProxyType({}),
    signals: bool = False,
) -> Verified:
    """Set up and verify in a fresh workspace, which goes afterwards.

    A base that passes is remembered: the next run does not pay for its baseline again.

    Args:
      sinks, signals: see `open_orchestrator`.

    Raises:
      UsageError: when there is nothing to run.
      BusyError: when another engine works on the repository.
      StoppedError: when it was stopped.
    """
    if not subject.build.setup and not subject.build.verify:
        raise UsageError(
            "there is nothing to verify with: no set-up and no verify command",
            fix="give --verify CMD, or configure execution.verify",
        )

    async def work(orchestrator: Orchestrator) -> Verified:
        place = await orchestrator.call(PrepareMerge(item=_ITEM, commit=subject.commit))
        try:
            async with Guardians() as guardians:
                requested = orchestrator.stopping.requested
                checker = make_checker(
                    subject.repo, subject.config, subject.build, guardians, place,
                    subject.root, requested, orchestrator.publish,
                )  # fmt: skip

                async def record(fact: Fact) -> None:
                    await orchestrator.call(RecordFact(fact=fact, item=_ITEM, run=""))

                preparation = Preparation(
                    caller=orchestrator,
                    record=record,
                    item=_ITEM,
                    workspace=place,
                    checker=checker,
                    tip=subject.commit,
                )
                setup = await preparation.set_up()
                verify: tuple[CheckResult, ...] = ()
                if _passed(setup):
                    verify = await checker.run(subject.build.verify)
        finally:
            with trio.CancelScope(shield=True):  # bounded by the command's own deadline
                await orchestrator.call(RemoveWorkspace(item=_ITEM, workspace=place))
        if requested.is_set() and not _passed((*setup, *verify)):
            raise StoppedError("stopped before it was verified", fix="verify it again")
        found = Verified(setup=setup, verify=verify)
        if subject.is_base and found.passed and subject.build.verify:
            await orchestrator.call(
                RememberBaseline(
                    commit=subject.commit,
                    root=subject.root,
                    build=subject.build,
                    setup_seconds=sum(result.seconds for result in setup),
                    verify_seconds=sum(result.seconds for result in verify),
                )
            )
        return found

    return await run_engine(
        subject.repo,
        _ITEM,
        work,
        config=subject.config,
        sinks=sinks,
        signals=signals,
    )


def known_baseline(subject: Subject) -> Remembered | None:
    """Return what is remembered of the subject's baseline, if it passed. Blocking.

    Raises:
      StoreError: when the store cannot be read.
    """
    with open_reader(subject.repo.state_dir) as store:
        if store is None:
            return None
        return recall(subject.repo, store, subject.commit, subject.root, subject.build)


def _passed(results: Sequence[CheckResult]) -> bool:
    return all(result.passed for result in results)
