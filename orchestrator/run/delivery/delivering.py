"""Delivers one item: settles what a crash left, verifies what would land, lands it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git import objects
from orchestrator.adapters.git.own_commit import is_signed
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.process import DEADLINE
from orchestrator.errors import ConflictError, StoppedError, UsageError
from orchestrator.guardian.client import Guardians
from orchestrator.messages import Fact
from orchestrator.run.build import choose_build, require_honest
from orchestrator.run.checks.checker import make_checker
from orchestrator.run.checks.preparation import Preparation
from orchestrator.run.checks.verify import CheckResult
from orchestrator.run.commands import RecordFact, RemoveWorkspace
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config
from orchestrator.text import one_line
from orchestrator.work.records import DeliveryRecord, DeliveryState, RunRecord

from .archive import CLI, archive_check, is_archived, require_archived, require_change
from .commands import (
    AddArchived,
    BlockItem,
    Deliver,
    Discard,
    PlanDelivery,
    PrepareMerge,
    SettleDelivery,
    Squash,
)
from .items import short
from .pins import pinned, read_deliveries
from .planning import Ready


@attrs.frozen(kw_only=True)
class FinishOptions:
    """What a person asked `finish` for; ``verify`` and the timeouts None mean: as configured.

    Attributes:
      how: "keep", "merge", "squash", "apply" or "discard".
      message: of the squashed commit; None: composed, and edited where there is a terminal.
      edit: whether an editor may open.
      terminal: whether the operator's git could ask him something.
      patience: seconds a git command may take before the configuration is known.
    """

    directory: Path
    config_file: Path | None
    item: str
    how: str
    archive: bool = False
    message: str | None = None
    edit: bool = False
    terminal: bool = False
    setup: Sequence[str] | None = None
    verify: Sequence[str] | None = None
    command_timeout: str | None = None
    attempt_timeout: str | None = None
    patience: float = DEADLINE


@attrs.frozen(kw_only=True)
class Finished:
    """What `finish` did.

    Attributes:
      commit: where the target, or the kept branch, is now.
      target: the branch that moved, "" when none did.
      base: what the result went on top of, such as ``main@9c1e2d7``.
      checked: whether what landed was verified: "verified", "unverified" or, when it had
        arrived before, "already".
      changed_by_hooks: how many files the operator's hooks changed after that.
      pinned: how many attempts are kept; ``days``: for how long.
    """

    item: str
    how: str
    commit: str
    target: str = ""
    base: str = ""
    checked: str = ""
    signed: bool = False
    hooks: bool = False
    changed_by_hooks: int = 0
    archived: bool = False
    pinned: int = 0
    days: int = 0


@attrs.frozen(kw_only=True)
class Delivery:
    """One item on its way to where it is wanted.

    Attributes:
      landing: is called right before anything lands; what it raises ends the delivery.
    """

    repo: Repository
    config: Config
    options: FinishOptions
    item: str
    orchestrator: Orchestrator
    landing: Callable[[], object] = lambda: None

    async def run(self) -> Finished:
        """Settle what a crash left, then work out, verify, land."""
        before = await trio.to_thread.run_sync(self._last)
        settled = await self.orchestrator.call(SettleDelivery(item=self.item))
        if settled is not None and settled.how == "discard" != self.options.how:
            raise UsageError(f"{self.item} was given up", fix=f"orc undo {self.item}")
        if settled is not None and settled.how == "apply" != self.options.how:
            raise UsageError(
                f"{self.item} was applied to the work tree, not committed",
                fix=f"commit it yourself; or orc undo {self.item}, then finish again",
            )
        if settled is not None:
            if self.options.archive:
                await trio.to_thread.run_sync(require_archived, self.repo, settled)
            again = before is not None and before.state is DeliveryState.DONE
            return await self._tell(settled, None, "already" if again else "")
        if self.options.how == "discard":
            record = await self.orchestrator.call(Discard(item=self.item))
            return await self._tell(record, None, "")
        try:
            return await self._land()
        except ConflictError as error:
            reason = one_line(f"{self.options.how}: {error.message}", 400)
            await self.orchestrator.call(BlockItem(item=self.item, reason=reason))
            raise

    def _last(self) -> DeliveryRecord | None:
        return next(iter(read_deliveries(self.repo, self.item)[::-1]), None)

    async def _land(self) -> Finished:
        options = self.options
        ready = await self.orchestrator.call(
            PlanDelivery(item=self.item, how=options.how, terminal=options.terminal)
        )
        ready, checked = await self._check(ready)
        self.landing()
        if options.how == "squash" and ready.plan.new != ready.plan.old:
            record = await self.orchestrator.call(
                Squash(
                    ready=ready,
                    message=options.message,
                    edit=options.edit and options.message is None,
                    attached=options.terminal,
                    deadline=self.config.execution.attempt_timeout,
                    interrupt=self.orchestrator.stopping.requested,
                )
            )
        else:
            record = await self.orchestrator.call(Deliver(ready=ready))
        return await self._tell(record, ready, checked)

    async def _check(self, ready: Ready) -> tuple[Ready, str]:
        """Archive and verify in a workspace of the merged tree, as far as there is a need."""
        if ready.verified and not self.options.archive:
            return ready, "verified"
        root = self.repo.checkout / ready.run.root
        build = await trio.to_thread.run_sync(choose_build, self.config, root, self.repo.checkout)
        require_honest(build, self.repo.checkout)
        if not build.verify and not self.options.archive:
            return ready, "unverified"
        archiving = archive_check(ready.run.change) if self.options.archive else None
        place = await self.orchestrator.call(PrepareMerge(item=self.item, commit=ready.plan.new))
        try:
            async with Guardians() as guardians:
                checker = make_checker(
                    self.repo, self.config, build, guardians, place, ready.run.root,
                    self.orchestrator.stopping.requested, self.orchestrator.publish,
                )  # fmt: skip
                if build.verify:
                    # Before anything is archived: what that adds is not what set-up brings.
                    preparation = Preparation(
                        caller=self.orchestrator,
                        record=partial(self._record, ready.run),
                        item=self.item,
                        workspace=place,
                        checker=checker,
                        tip=ready.plan.new,
                    )
                    self._require(await preparation.set_up(), "set-up of the merged tree fails")
                if archiving is not None and not is_archived(place, ready.run):
                    require_change(place, ready.run)
                    what = f"{CLI} does not archive {ready.run.change}"
                    self._require(await checker.run((archiving,)), what)
                    plan = await self.orchestrator.call(AddArchived(ready=ready, workspace=place))
                    ready = attrs.evolve(ready, plan=plan)
                if build.verify:
                    results = await checker.run(build.verify)
                    self._require(results, "the merged tree fails verification")
        finally:
            with trio.CancelScope(shield=True):  # bounded by the command's own deadline
                await self.orchestrator.call(RemoveWorkspace(item=self.item, workspace=place))
        return ready, "verified" if build.verify else "unverified"

    async def _record(self, run: RunRecord, fact: Fact) -> None:
        await self.orchestrator.call(RecordFact(fact=fact, item=run.item, run=run.id))

    def _require(self, results: Sequence[CheckResult], what: str) -> None:
        if not results or results[-1].passed:
            return
        last = results[-1]
        if self.orchestrator.stopping.requested.is_set():
            raise StoppedError("stopped before anything was delivered", fix="finish it again")
        raise ConflictError(
            f"{what}: `{last.command}` ({last.reason}):\n{last.output}",
            where=self.item,
            fix="nothing was delivered; bring the branch up to date, or deliver it by hand",
        )

    async def _tell(self, record: DeliveryRecord, ready: Ready | None, checked: str) -> Finished:
        return await trio.to_thread.run_sync(self._told, record, ready, checked)

    def _told(self, record: DeliveryRecord, ready: Ready | None, checked: str) -> Finished:
        own = record.how == "squash" and record.commit != record.old
        changed = objects.diff_paths(self.repo.git, record.new, record.commit) if own else ()
        mine = [pin for pin in pinned(self.repo) if pin.item == self.item and pin.phase]
        return Finished(
            item=self.item,
            how=record.how,
            commit=record.commit,
            target=short(record.target),
            base=ready.base if ready else f"{short(record.target) or 'HEAD'}@{record.old[:7]}",
            checked=checked,
            signed=own and is_signed(self.repo, record.commit),
            hooks=own and ready is not None and ready.own is not None and bool(ready.own.hooks),
            changed_by_hooks=len(changed),
            archived=self.options.archive and checked not in ("", "already"),
            pinned=len(mine),
            days=round(self.config.execution.retention / 86400),
        )
