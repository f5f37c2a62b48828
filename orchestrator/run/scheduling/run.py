"""Runs the backlog: looks at everything first, then works inside an engine until it ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git import workspace
from orchestrator.adapters.git.brought import require_copies
from orchestrator.adapters.git.repository import Repository
from orchestrator.bridge import Sink
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import UsageError
from orchestrator.guardian.client import Guardians
from orchestrator.run.backlog.book import Book
from orchestrator.run.backlog.events import BacklogEnded, BacklogStarted
from orchestrator.run.backlog.phases import EndBacklog
from orchestrator.run.backlog.preflight import require_sound
from orchestrator.run.delivery.commands import SettleDelivery
from orchestrator.run.delivery.planning import require_signing
from orchestrator.run.delivery.settling import interrupted, require_whole
from orchestrator.run.engine.comforts import collect_garbage, comforts, interrupt_later
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.engine.steering import Steering
from orchestrator.run.events import Warned
from orchestrator.run.lock import BACKLOG
from orchestrator.run.plan import RunOptions
from orchestrator.run.scheduling.scheduler import Scheduler
from orchestrator.run.scheduling.session import Session
from orchestrator.run.scheduling.spending import open_spending
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config
from orchestrator.work.backlog.filters import EVERYTHING, Filters
from orchestrator.work.backlog.halt import Halt, Orders
from orchestrator.work.backlog.index import Backlog
from orchestrator.work.backlog.item import DELIVER, Status

_CONTINUED = (Halt.STOPPED, Halt.LIMITED)
"""After these the next run goes on with the counters of this one."""


@attrs.frozen(kw_only=True)
class Asked:
    """What a person asked a run of the backlog for.

    Attributes:
      targets: ids, or unique beginnings of some; only these are worked on.
      cap: how many phases are begun at most; None: as configured.
      step: one phase is begun.
      terminal: whether the operator's git could ask him something.
    """

    options: RunOptions
    targets: tuple[str, ...] = ()
    auto_advance: bool = False
    only: Filters = EVERYTHING
    cap: int | None = None
    step: bool = False
    terminal: bool = False


@attrs.frozen(kw_only=True)
class BacklogPlan:
    """A run of the backlog that was looked at, as far as that is possible without owning it.

    Attributes:
      base_dir: directory of the configuration file.
    """

    asked: Asked
    repo: Repository
    config: Config
    base_dir: Path


def plan_backlog(asked: Asked) -> BacklogPlan:
    """Look at the repository and the configuration; change nothing. Blocking.

    Raises:
      UsageError: (and its kinds) for whatever would stop the run later.
    """
    options = asked.options
    repo = Repository.open(options.directory, deadline=options.patience)
    file = options.config_file or repo.checkout / FILE_NAME
    config = load_config(
        file,
        environ=os.environ,
        overrides=options.overrides,
        required=options.config_file is not None,
    )
    repo = repo.within(config.execution.command_timeout).working(config.workspace.mode)
    workspace.require_workable(repo)
    require_copies(repo.checkout, config.workspace.copy)
    if config.execution.finish == "squash":
        require_signing(repo, terminal=asked.terminal)
    return BacklogPlan(asked=asked, repo=repo, config=config, base_dir=file.resolve().parent)


def orders_of(plan: BacklogPlan, backlog: Backlog) -> Orders:
    """Return what the loop is to do.

    Raises:
      UsageError: when targets are unknown, ambiguous or there twice; says so of each.
    """
    asked = plan.asked
    return Orders(
        targets=_find_targets(backlog, asked.targets),
        auto_advance=asked.auto_advance,
        only=asked.only,
        cap=plan.config.backlog.cap if asked.cap is None else asked.cap,
        step=asked.step,
    )


def _find_targets(backlog: Backlog, targets: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    problems = []
    for target in targets:
        try:
            id = backlog.find(target.strip())
        except UsageError as error:
            problems.append(f"{error.message}{f' ({error.fix})' if error.fix else ''}")
            continue
        if id in found:
            problems.append(f"{id} is there twice")
        found.append(id)
    if problems:
        rows = "\n".join(f"- {problem}" for problem in problems)
        raise UsageError(f"Target validation failed:\n{rows}", fix="orc list shows the items")
    return tuple(found)


async def run_backlog(
    plan: BacklogPlan,
    *,
    sinks: Mapping[str, Sink],
    signals: bool = False,
    on_force: Callable[[], None] | None = None,
) -> BacklogEnded:
    """Work on the backlog until nothing is left, the rest waits, or a limit or a stop ends it.

    Items that are added meanwhile are taken up. A polite stop begins no new attempt and has the
    running workers interrupted by their own protocol after 10 s; a second one cancels them now.

    Args:
      sinks, signals, on_force: see `open_orchestrator`.

    Raises:
      BusyError: when another engine works on the repository.
      PreflightError: when something would stop the work; names everything.
      BaselineError: when set-up or verification fails before any work.
      StoppedError: when it was cancelled.
    """
    steering = Steering()

    async def work(orchestrator: Orchestrator) -> BacklogEnded:
        async with comforts(plan.config, plan.repo.checkout, BACKLOG, orchestrator):
            return await _work(plan, orchestrator, steering)

    return await run_engine(
        plan.repo,
        BACKLOG,
        work,
        config=plan.config,
        wanted=plan.asked.only,
        sinks=sinks,
        signals=signals,
        on_force=on_force,
        steering=steering,
    )


async def _work(plan: BacklogPlan, orchestrator: Orchestrator, steering: Steering) -> BacklogEnded:
    book = orchestrator.service(Book)
    await _complete_delivery(plan, orchestrator)
    await trio.to_thread.run_sync(
        lambda: require_sound(
            plan.config,
            book.backlog.items(),
            repo=plan.repo,
            base_dir=plan.base_dir,
            environ=os.environ,
        )
    )
    orders = orders_of(plan, book.backlog)
    counted = await trio.to_thread.run_sync(open_spending, book.store)
    async with Guardians() as guardians, trio.open_nursery() as nursery:
        interrupt, stopping = trio.Event(), orchestrator.stopping.requested
        nursery.start_soon(interrupt_later, stopping, interrupt, steering)
        session = Session(
            repo=plan.repo,
            config=plan.config,
            options=plan.asked.options,
            base_dir=plan.base_dir,
            orchestrator=orchestrator,
            book=book,
            guardians=guardians,
            interrupt=interrupt,
            stopping=stopping,
            steering=steering,
            spending=counted(),
            terminal=plan.asked.terminal,
        )
        await _tell_start(session, orders)
        scheduler = Scheduler(session, orders)
        halt = await scheduler.run()
        nursery.cancel_scope.cancel()
    ended = _ended(session, halt, scheduler.phases)
    await orchestrator.call(EndBacklog(fact=ended, continues=halt in _CONTINUED))
    await collect_garbage(plan.config, orchestrator)
    return ended


async def _complete_delivery(plan: BacklogPlan, orchestrator: Orchestrator) -> None:
    """Complete the delivery that a crash cut short while it changed the checkout.

    One that has to be given again is left to the scheduler, which does.

    Raises:
      UsageError: when it is none that this run would do itself; names what completes it.
    """
    record = await trio.to_thread.run_sync(interrupted, plan.repo)
    if record is not None and record.how == plan.config.execution.finish:
        item = orchestrator.service(Book).get(record.item)
        if item is not None and (item.status, item.phase) == (Status.IN_PROGRESS, DELIVER):
            await orchestrator.call(SettleDelivery(item=item.id))
            return
    await trio.to_thread.run_sync(require_whole, plan.repo)


async def _tell_start(session: Session, orders: Orders) -> None:
    counts = session.book.backlog.counts
    await session.record(
        "",
        BacklogStarted(
            items={s.value: n for s, n in counts.items() if n and not s.is_final},
            max_wip=session.book.rules.limits.max_wip,
            max_concurrent=session.book.rules.limits.max_concurrent,
            cap=orders.cap or 0,
            targets=orders.targets,
            only=str(orders.only),
        ),
    )
    if session.repo.identity().is_fallback:
        message = "git has no identity: committing as Orchestrator <orchestrator@localhost>"
        await session.record("", Warned(message=message))


def _ended(session: Session, halt: Halt, phases: int) -> BacklogEnded:
    tally, refusal = session.tally, session.refusal
    blocked = (id for id in dict.fromkeys(tally.blocked) if _is_blocked(session.book, id))
    return BacklogEnded(
        halt=halt.value,
        reason=refusal.reason if refusal is not None else halt.sentence,
        phases=phases,
        done=tuple(dict.fromkeys(tally.done)),
        blocked=tuple(blocked),
        follow_ups=tally.counts["added"],
        merged=tally.counts["merged"],
        cost=session.spending.usage.cost,
        advice=refusal.advice if refusal is not None else "",
    )


def _is_blocked(book: Book, id: str) -> bool:
    item = book.backlog.get(id)
    return item is not None and item.is_blocked
