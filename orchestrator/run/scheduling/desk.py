"""An item's workspace while the engine works on it: opened once, then brought up to date."""

from __future__ import annotations

import attrs
import trio

from orchestrator.adapters.git.workspace import Workspace
from orchestrator.errors import ConflictError, OvertakenError
from orchestrator.run.backlog.closing import closed
from orchestrator.run.backlog.keeping import Brought, is_moved
from orchestrator.run.backlog.phases import CommitWaiting, KeepPhase, OpenItem, SettleItem
from orchestrator.run.commands import AdoptBranch, CloseRun, ReleaseWorkspace, RestoreWorkspace
from orchestrator.run.events import RunStarted, Warned
from orchestrator.run.records.ledger import read_attempts, read_run
from orchestrator.run.records.opening import OpenedRun, Spec
from orchestrator.run.scheduling.phase_plan import brief
from orchestrator.run.scheduling.session import Session
from orchestrator.work.backlog import outcomes
from orchestrator.work.backlog.item import Item, Status
from orchestrator.work.records import RunState


@attrs.define(eq=False)
class Desk:
    """Where the work on one item lies.

    Attributes:
      opened: its run and its workspace, None as long as it is not open.
      head: the commit that the workspace is at.
    """

    session: Session
    item: str
    opened: OpenedRun | None = attrs.field(default=None, init=False)
    head: str = attrs.field(default="", init=False)

    async def open(self, item: Item) -> OpenedRun:
        """Bring the workspace to where the item's next phase starts from.

        What a person committed on the branch meanwhile is taken over. An item that nothing was
        built for starts from where HEAD is now, on top of what it needs.

        Raises:
          ConflictError: when the branch does not hold any more what it did.
          BusyError: when the branch is checked out, or processes do not leave the workspace.
          BranchTakenError: when the branch holds other work.
        """
        await self.session.orchestrator.call(SettleItem(item=item.id))
        try:
            return await self._bring(item)
        except ConflictError:
            if not item.accepts_branch:
                raise
        await self.session.decide(
            lambda view, now: outcomes.branch_accepted(view, item.id, now=now)
        )
        self.opened = None
        return await self._bring(self._item())

    async def _bring(self, item: Item) -> OpenedRun:
        call = self.session.orchestrator.call
        if self.opened is None or (not item.head and item.status is Status.IN_PROGRESS):
            self.opened = await call(
                OpenItem(item=item.id, spec=self._spec(item), fact=self._started(item))
            )
            self.head = self.opened.tip
        if item.waiting:
            await self.go_to(item.head)
            if await trio.to_thread.run_sync(is_moved, self.session.repo, item):
                await self.commit_waiting()
        else:
            adopt = AdoptBranch(item=item.id, workspace=self.place, tip=item.head or self.head)
            self.head = await call(adopt)
        return self.opened

    async def go_to(self, commit: str) -> None:
        """Bring the workspace to a commit, if it is elsewhere."""
        if self.head != commit:
            command = RestoreWorkspace(item=self.item, workspace=self.place, tip=commit)
            await self.session.orchestrator.call(command)
            self.head = commit

    async def keep(self, brought: Brought) -> None:
        """Keep what a phase brought, and let the item go on.

        Raises:
          ConflictError: when the branch was moved meanwhile; nothing is changed then.
        """
        change, self.head = await self.session.orchestrator.call(
            KeepPhase(item=self.item, workspace=self.place, head=self.head, brought=brought)
        )
        self.session.tally.note(change)

    async def commit_waiting(self) -> None:
        """Commit on the branch what waits to be committed, if anything does.

        Raises:
          ConflictError: when it cannot be combined with what somebody did on the branch.
        """
        head = await self.session.orchestrator.call(CommitWaiting(item=self.item))
        if self.opened is not None and head:
            await self.go_to(head)

    async def close(self, item: Item) -> None:
        """Record that the item's run is done, if it is open: its branch can be delivered then."""
        self.opened = None
        last = await trio.to_thread.run_sync(read_run, self.session.repo, item.id)
        if last is None or last.state is not RunState.OPEN:
            return
        attempts = await trio.to_thread.run_sync(read_attempts, self.session.repo, item.id)
        run, ended = closed(last, item, self.session.book.rules, attempts)
        await self.session.orchestrator.call(CloseRun(run=run, fact=ended))

    async def leave(self) -> None:
        """Give back what was borrowed, if anything was; the next phase opens it again."""
        if self.session.repo.mode != "in-place":
            return
        self.opened = None
        for message in await self.session.orchestrator.call(ReleaseWorkspace(item=self.item)):
            await self.session.record(self.item, Warned(message=message))

    @property
    def place(self) -> Workspace:
        """The workspace of an open desk."""
        assert self.opened is not None
        return self.opened.workspace

    def _item(self) -> Item:
        item = self.session.book.get(self.item)
        if item is None:
            raise OvertakenError(f"{self.item} is gone")
        return item

    def _spec(self, item: Item) -> Spec:
        needed = (self.session.book.get(id) for id in item.needs)
        return Spec(
            change=item.id,
            title=item.title,
            root=".",
            directory="",
            carried={},
            brief=brief(item),
            onto=tuple(one.id for one in needed if one is not None and one.head),
            begun=bool(item.head),
        )

    def _started(self, item: Item) -> RunStarted:
        pipeline = self.session.book.rules.pipeline(item.pipeline)
        phases = len(pipeline.phases) if pipeline is not None else 0
        return RunStarted(item=item.id, agent="", stories=phases, left_behind=())
