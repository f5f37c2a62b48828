"""Does what was selected for an item: its triage, a phase, or its delivery. One task for each."""

from __future__ import annotations

from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git import objects
from orchestrator.adapters.git.refs import branch_ref
from orchestrator.errors import (
    AdapterTimedOutError,
    AgentUnavailableError,
    BranchTakenError,
    BusyError,
    CommandTimedOutError,
    ConfigError,
    ConflictError,
    IllegalStepError,
    OvertakenError,
    RepositoryError,
    SpecError,
)
from orchestrator.run.backlog.gates import examine, failing, gate_values
from orchestrator.run.backlog.plugin_checks import asking
from orchestrator.run.events import Warned
from orchestrator.run.loop.baseline import Baseline
from orchestrator.run.plan import Plan
from orchestrator.run.runner import make_runner
from orchestrator.run.scheduling.attempting import PhaseAttempts, place_of
from orchestrator.run.scheduling.deliveries import deliver
from orchestrator.run.scheduling.desk import Desk
from orchestrator.run.scheduling.judge import GATE_SECONDS
from orchestrator.run.scheduling.phase_plan import plan_phase
from orchestrator.run.scheduling.session import Session
from orchestrator.run.scheduling.stories import find_stories, run_stories
from orchestrator.work.backlog import moves, outcomes
from orchestrator.work.backlog.attempted import Attempted
from orchestrator.work.backlog.halt import Ending
from orchestrator.work.backlog.item import DELIVER, TRIAGE, Item, Status
from orchestrator.work.backlog.pipeline import Phase, Pipeline, Staleness
from orchestrator.work.backlog.selection import RunPhase, Triage

_LEAVE_GRACE = 20.0
_TRIAGE = Phase(name=TRIAGE, verify=False)


@attrs.define(eq=False)
class Executions:
    """Runs what is selected; keeps each item's desk between its phases."""

    session: Session
    _desks: dict[str, Desk] = attrs.field(factory=dict, init=False)

    async def run(self, action: Triage | RunPhase) -> Ending:
        """Do what was selected and record what came of it.

        What is wrong with the item alone lets it wait for a person, with what to do. Cancellation
        kills what runs and pins what it had done.

        Raises:
          BaselineError: when set-up or verification fails before any work.
          AdapterError, GuardianError: when the disk or git fails, which no item is to blame for.
          StoreError: when something could not be recorded.
          StoppedError: when a stop cut it short.
        """
        session = self.session
        desk = self._desks.setdefault(action.item, Desk(session, action.item))
        try:
            return await self._run(action, desk)
        except (OvertakenError, IllegalStepError):  # a person was faster
            return Ending.CANCELLED
        except (ConfigError, AgentUnavailableError, SpecError) as error:
            reason, stop, ending = error.explanation, outcomes.bad_configuration, Ending.EXHAUSTED
        except (ConflictError, BusyError, BranchTakenError, RepositoryError) as error:
            reason, stop, ending = error.explanation, outcomes.parked, Ending.BLOCKED
        except (AdapterTimedOutError, CommandTimedOutError) as error:
            reason, stop, ending = error.explanation, outcomes.parked, Ending.EXHAUSTED
        finally:
            # What is not given back in time, the next start gives back.
            with trio.move_on_after(_LEAVE_GRACE, shield=True):
                await desk.leave()
        self._desks.pop(action.item, None)
        await session.decide(lambda view, now: stop(view, action.item, reason, now=now))
        return ending

    async def _run(self, action: Triage | RunPhase, desk: Desk) -> Ending:
        item = self.session.book.get(action.item)
        name = TRIAGE if isinstance(action, Triage) else action.phase
        if item is None:
            raise OvertakenError(f"{action.item} is gone")
        if item.phase is None and not isinstance(action, Triage):
            # As an import may leave it; the first phase was selected.
            rules = self.session.book.rules
            await self.session.decide(
                lambda view, now: moves.move(view, rules, action.item, to=name, now=now)
            )
            item = self.session.book.get(action.item) or item
        what = Attempted(item=item.id, phase=name, visit=item.visit)
        if name == DELIVER:
            return await deliver(self.session, desk, what)
        pipeline = self.session.book.rules.pipeline(item.pipeline)
        if isinstance(action, Triage):
            return await self._attempt(desk, what, _TRIAGE, None)
        found = pipeline.find(name) if pipeline is not None else None
        if found is None:
            raise ConfigError(f"there is no phase {name}", fix=f"orc move {item.id} --to PHASE")
        return await self._attempt(desk, what, found[2], pipeline)

    async def _attempt(
        self, desk: Desk, what: Attempted, phase: Phase, pipeline: Pipeline | None
    ) -> Ending:
        while True:
            item = self.session.current(what)
            opened = await desk.open(item)
            if phase.destructive and await self._is_stale(item, what, phase, desk):
                return Ending.BLOCKED
            if phase.spec:
                await desk.commit_waiting()
            try:
                return await self._do(desk, item, what, phase, pipeline)
            except ConflictError:
                # Without results that wait, the next try starts from what a person committed.
                waits = self.session.book.get(what.item)
                if opened is not desk.opened or waits is None or waits.waiting:
                    raise

    async def _do(
        self, desk: Desk, item: Item, what: Attempted, phase: Phase, pipeline: Pipeline | None
    ) -> Ending:
        session = self.session
        plan = await trio.to_thread.run_sync(self._plan, desk, item, phase)
        for directory in plan.agent.directories:
            await trio.Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        assert desk.opened is not None
        runner = make_runner(
            plan,
            session.options,
            desk.opened,
            session.orchestrator,
            session.guardians,
            session.interrupt,
            session.steering,
        )
        baseline = Baseline(runner=runner, tip=desk.head, spec="")
        if runner.checker.build.verify:
            await baseline.prepare()
        else:
            await baseline.set_up()
        values = gate_values(item.id, phase.name)
        closed = failing(
            await examine(
                phase.enter,
                root=runner.root,
                values=values,
                checker=runner.checker,
                deadline=GATE_SECONDS,
                ask=asking(session.orchestrator, values),
                verify=runner.checker.build.verify,
            )
        )
        if closed:
            reason = f"{phase.name} may not begin: " + "; ".join(closed)
            await session.decide(
                lambda view, now: outcomes.gate_refused(view, what, reason, now=now)
            )
            return Ending.BLOCKED
        is_last = pipeline is not None and phase.name == pipeline.phases[-1].name
        if phase.spec:
            ending = await run_stories(session, desk, runner, what)
        else:
            place, of = place_of(pipeline, phase.name)
            ending = await PhaseAttempts(
                session=session,
                desk=desk,
                runner=runner,
                what=what,
                phase=phase,
                place=place,
                of=of,
                is_last=is_last,
                task=plan.target.change,
            ).run()
        await self._close_if_done(desk, what.item)
        return ending

    async def _close_if_done(self, desk: Desk, id: str) -> None:
        item = self.session.book.get(id)
        if item is not None and item.status is Status.DONE:
            await desk.close(item)
            del self._desks[id]

    def _plan(self, desk: Desk, item: Item, phase: Phase) -> Plan:
        session = self.session
        found = None
        if phase.spec:
            name = phase.spec.replace("{item}", item.id)
            found = find_stories(Path(desk.place.path), name)
        return plan_phase(session.repo, session.config, item, phase, found)

    async def _is_stale(self, item: Item, what: Attempted, phase: Phase, desk: Desk) -> bool:
        """Tell whether a destructive phase must wait: what it is based on left the history."""
        if not item.based_on:
            return False
        session, head = self.session, desk.head
        lost = await trio.to_thread.run_sync(self._is_lost, item, head)
        if not lost or phase.staleness is Staleness.IGNORE:
            return False
        if phase.staleness is Staleness.WARN:
            message = f"{item.id}: it is based on {item.based_on[:9]}, which left the history"
            await session.record(item.id, Warned(message=message))
            return False
        await session.decide(lambda view, now: outcomes.stale(view, what, item.based_on, now=now))
        return True

    def _is_lost(self, item: Item, head: str) -> bool:
        repo = self.session.repo.refreshed()
        return not any(
            objects.is_ancestor(repo.git, item.based_on, tip)
            for tip in (repo.head, *((head,) if self._is_own(item, head) else ()))
        )

    def _is_own(self, item: Item, head: str) -> bool:
        """Tell whether what it is based on was made for the item itself."""
        git = self.session.repo.git
        base = git.text("merge-base", "--end-of-options", head, branch_ref(item.id))
        return not objects.is_ancestor(git, item.based_on, base)
