"""What becomes of a branch's item: begun, moved, planned, asked about, reported on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from orchestrator.errors import GateError, UsageError
from orchestrator.work.backlog.change import Change, Passage, View
from orchestrator.work.backlog.checks import check_title
from orchestrator.work.backlog.description import parse_description
from orchestrator.work.backlog.draft import Draft
from orchestrator.work.backlog.gate import GateResult
from orchestrator.work.backlog.item import UNDESCRIBED, Asks, Cause, Item, Pool, Question, Status
from orchestrator.work.backlog.pipeline import Pipeline
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.text import one_line, page
from orchestrator.work.backlog.track import Plan, Track

from .scope import Scope, names
from .steps import Step, track_of, waits, workflow_of


@attrs.frozen(kw_only=True)
class Beginning:
    """A branch that comes under the phase machine.

    Attributes:
      id: of its item, which is new.
      scope: where it is on its way already, None: at the beginning.
    """

    id: str
    title: str
    track: Track
    pipeline: str | None
    description: str = ""
    scope: Scope | None = None


def begin(view: View, rules: Rules, new: Beginning, *, now: int, by: str = "") -> Change:
    """Let a branch have an item, in the first phase of its workflow or where it is already.

    Raises:
      UsageError: it has one, the title is none, or the workflow is not configured.
    """
    if view.get(new.id) is not None:
        raise UsageError(
            f"{new.track.branch} is under way already", where=new.id, fix=f"orc show {new.id}"
        )
    draft = Draft(view, now)
    made = Item(
        id=new.id,
        title=check_title(new.title),
        description=parse_description(new.description) if new.description else UNDESCRIBED,
        pipeline=new.pipeline,
        track=new.track,
        tags=(),
    )
    pipeline = workflow_of(made, rules)
    scope = new.scope or Scope(phase=names(pipeline)[0])
    item = draft.add(made, text=made.title, by=by)
    item = draft.step(item, Status.IN_PROGRESS, "started", phase=scope.phase, by=by)
    draft.put(_entered(item, pipeline, scope.phase, scope.cycle, subphase=scope.subphase))
    return draft.change()


def take(
    view: View,
    rules: Rules,
    id: str,
    step: Step,
    results: Sequence[GateResult],
    *,
    now: int,
    by: str = "",
) -> Change:
    """Take a step whose gates were decided.

    Raises:
      GateError: gates do not hold and it is not forced; names all of them.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    track = track_of(item)
    closed = [result for result in results if not result.holds]
    if closed and not step.forced:
        raise _closed(item, step, closed)
    if item.question is not None and not step.forced:
        raise waits(item)
    if item.question is not None:
        item = draft.step(item, item.question.since, "moved", by=by)
    passage = Passage(
        source=item.phase or "",
        target=step.phase,
        source_cycle=track.cycle,
        target_cycle=step.cycle,
        forced=step.forced,
        reason=step.reason,
        approved_by=step.approved_by,
        passed=tuple(result.gate.wanted for result in results if result.holds),
        skipped=tuple(result.problem for result in closed),
    )
    item = draft.put(_entered(item, workflow_of(item, rules), step.phase, step.cycle))
    what = "cycle" if passage.source == passage.target else "transition"
    draft.note(item, what, phase=step.phase, text=in_words(passage), by=by, passage=passage)
    return draft.change()


def in_words(passage: Passage) -> str:
    """Return a passage as a line of history."""
    if passage.source == passage.target:
        way = f"from cycle {passage.source_cycle} to cycle {passage.target_cycle}"
    else:
        cycle = f", cycle {passage.target_cycle}" if passage.target_cycle else ""
        way = f"from {passage.source or 'nowhere'} to {passage.target}{cycle}"
    if passage.forced:
        count = len(passage.skipped)
        skipped = f", {count} {'gate' if count == 1 else 'gates'} passed by force" if count else ""
        return f"{way}, forced{skipped}, approved by {passage.approved_by}: {passage.reason}"
    return f"{way}, approved by {passage.approved_by}" if passage.approved_by else way


def note_commit(view: View, id: str, where: Scope, commit: str, *, now: int, by: str) -> Change:
    """Remember what part of its phase a commit of a branch was about.

    It was made: so this also holds when the item was moved or ended meanwhile.
    """
    draft = Draft(view, now)
    item = draft.item(id)
    if item.phase == where.phase and not item.status.is_final:
        track = attrs.evolve(track_of(item), subphase=where.subphase)
        item = draft.put(attrs.evolve(item, track=track))
    part = f":{where.subphase}" if where.subphase else ""
    text = f"{commit[:12]} in {where.phase}{part}"
    draft.note(item, "committed", phase=where.phase, text=text, by=by)
    return draft.change()


def keep_plan(view: View, id: str, plan: Plan, *, now: int, by: str) -> Change:
    """Let a branch have this plan; see `plans` for how one is made."""
    draft = Draft(view, now)
    item = draft.open_item(id)
    item = draft.put(attrs.evolve(item, track=attrs.evolve(track_of(item), plan=plan)))
    count = len(plan.cycles) + sum(map(len, plan.deliverables.values()))
    draft.note(item, "planned", phase=item.phase or "", text=f"{count} parts", by=by)
    return draft.change()


def ask(view: View, id: str, question: str, asks: Asks, *, now: int, by: str) -> Change:
    """Let a branch wait for a person's answer.

    Raises:
      IllegalStepError: it waits already.
      UsageError: the question is blank.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    track_of(item)
    text = page(question)
    if not text:
        raise UsageError("the question is empty", where="question", fix="ask something")
    asked = Question(text=text, asks=asks, cause=Cause.ASKED, since=item.status)
    draft.block(item, asked, "blocked", phase=item.phase or "", by=by)
    return draft.change()


def report(view: View, id: str, summary: str, *, now: int, by: str) -> Change:
    """Remember what was done in the phase of a branch.

    Raises:
      UsageError: the summary is blank.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    track_of(item)
    text = page(summary)
    if not text:
        raise UsageError("the summary is empty", where="summary", fix="say what was done")
    item = draft.put(attrs.evolve(item, summary=text))
    draft.note(item, "reported", phase=item.phase or "", text=text, by=by)
    return draft.change()


def _entered(item: Item, pipeline: Pipeline, phase: str, cycle: int, *, subphase: str = "") -> Item:
    track = track_of(item)
    begun = tuple(sorted({*track.begun, cycle})) if cycle else track.begun
    found = pipeline.find(phase)
    return attrs.evolve(
        item,
        phase=phase,
        pool=found[0] if found is not None else Pool.MAIN,
        visit=item.visit + 1,
        track=attrs.evolve(track, cycle=cycle, begun=begun, subphase=subphase, rebuilt=""),
    )


def _closed(item: Item, step: Step, closed: Sequence[GateResult]) -> GateError:
    what = f"cycle {step.cycle}" if step.phase == item.phase else step.phase
    count = "one gate does" if len(closed) == 1 else f"{len(closed)} gates do"
    return GateError(
        f"{item.id} may not go on from {item.phase} to {one_line(what, 80)}: {count} not hold",
        [result.problem for result in closed],
        where=item.id,
        fix="satisfy them and move it again; a person may have it forced, with a reason and the "
        "name of who approved it",
    )
