"""Says where a branch is, what is expected there and what is planned: answers, with their words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import attrs

from orchestrator.adapters.git.checkout.history import LogEntry
from orchestrator.run.machine.answers import (
    BranchState,
    CommitAnswer,
    CycleAnswer,
    PartAnswer,
    PhaseAnswer,
    Planned,
    Said,
    Stepped,
)
from orchestrator.run.machine.gating import values_of
from orchestrator.run.machine.git_answers import Done
from orchestrator.text import one_line
from orchestrator.work.backlog.change import Passage
from orchestrator.work.backlog.folders import change_folder
from orchestrator.work.backlog.gate import fill
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.pipeline import Phase
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.track import Deliverable
from orchestrator.work.machine.scope import names
from orchestrator.work.machine.steps import cycle_gates, next_phase, phase_gates, track_of

_PUT_BACK = {
    "record": "The store had no state of it: it was put back from git's record of its phases.",
    "commits": "The store had no state of it: it was put back from the scopes of its commits.",
    "name": "Nothing was known of it: it begins at the first phase of the workflow of its name.",
}


def state_of(item: Item, rules: Rules, *, saved: bool = True, problem: str = "") -> BranchState:
    """Return where a branch is.

    Args:
      problem: what git could not tell of it, "" when nothing is missing.
    """
    track, pipeline = track_of(item), rules.pipeline(item.pipeline)
    phase = pipeline.find(item.phase) if pipeline is not None else None
    after = next_phase(item, pipeline) if pipeline is not None else ""
    gates = gates_in_words(item, phase[2]) if phase is not None else ()
    state = BranchState(
        message="",
        item=item.id,
        branch=track.branch,
        title=item.title,
        issue=track.issue,
        base=track.base,
        workflow=item.pipeline or "",
        status=item.status.value,
        phase=item.phase or "",
        next_phase=after,
        subphase=track.subphase,
        cycle=track.cycle,
        cycles=len(track.plan.cycles),
        phases=names(pipeline) if pipeline is not None else (),
        gates=gates,
        waits=item.question.text if item.question is not None else "",
        rebuilt=track.rebuilt,
        saved=saved,
    )
    return _with_message(state, problem)


def gates_in_words(item: Item, phase: Phase) -> tuple[str, ...]:
    """Return what has to hold before a branch leaves its phase, and its cycle."""
    values = values_of(item)
    later = track_of(item).cycle < len(track_of(item).plan.cycles)
    gates = cycle_gates(item, phase) if phase.cycles and later else phase_gates(item, phase)
    return tuple(gate.filled(values).wanted for gate in gates)


def guidance_of(item: Item, rules: Rules) -> str:
    """Return what is expected in the phase that a branch is in, as a page of text."""
    pipeline = rules.pipeline(item.pipeline)
    found = pipeline.find(item.phase) if pipeline is not None else None
    if found is None or pipeline is None:
        return ""
    phase, track = found[2], track_of(item)
    told = fill(phase.prompt.strip(), values_of(item)) or _unsaid(phase)
    lines = [f"Phase {phase.name} of {pipeline.name}: {told}"]
    if "change folder" in told:
        lines.append(f"The change folder is {change_folder(item)}/.")
    if phase.subphases:
        lines.append(f"Sub-phases for commits: {', '.join(phase.subphases)}.")
    if phase.cycles:
        cycle = track.plan.cycle(track.cycle)
        total = len(track.plan.cycles)
        where = f"Cycle {track.cycle} of {total}" if total else f"Cycle {track.cycle}, unplanned"
        name = f" {cycle.name}" if cycle is not None and cycle.name else ""
        said = f"{name}, over when: {cycle.exit_criteria}" if cycle is not None else ""
        lines.append(f"{where}{said}.")
    wanted = gates_in_words(item, phase)
    if wanted:
        lines.append("Before it may end:")
        lines += [f"- {each}" for each in wanted]
    return "\n".join(lines)


def planned_of(item: Item) -> Planned:
    """Return what is planned for a branch."""
    track = track_of(item)
    cycles = tuple(
        CycleAnswer(
            number=cycle.number,
            name=cycle.name,
            exit_criteria=cycle.exit_criteria,
            state=_state_of_cycle(cycle.number, track.cycle, track.begun),
            deliverables=_parts(cycle.deliverables),
        )
        for cycle in track.plan.cycles
    )
    phases = tuple(
        PhaseAnswer(phase=phase, deliverables=_parts(wanted))
        for phase, wanted in track.plan.deliverables.items()
    )
    lines = [f"{track.branch}: " + ("nothing is planned" if not (cycles or phases) else "the plan")]
    for each in cycles:
        lines.append(
            f"cycle {each.number} {each.name} ({each.state}), over when: {each.exit_criteria}"
        )
        lines += [
            f"  - {part.id}{part.description and f': {part.description}'}"
            for part in each.deliverables
        ]
    for wanted in phases:
        lines.append(f"{wanted.phase} brings")
        lines += [
            f"  - {part.id}{part.description and f': {part.description}'}"
            for part in wanted.deliverables
        ]
    return Planned(
        message="\n".join(lines), item=item.id, branch=track.branch, cycles=cycles, phases=phases
    )


def stepped(item: Item, rules: Rules, passage: Passage, warnings: Iterable[str] = ()) -> Stepped:
    """Return the answer to a step that was taken."""
    state, told = state_of(item, rules), guidance_of(item, rules)
    warned = tuple(warnings)
    lines = [f"warning: {one_line(each)}" for each in warned]
    if passage.forced and passage.skipped:
        count = len(passage.skipped)
        lines.append(f"{count} {'gate' if count == 1 else 'gates'} passed by force:")
        lines += [f"- {each}" for each in passage.skipped]
    if passage.source == passage.target:
        way = f"cycle {passage.source_cycle} → cycle {passage.target_cycle} of {passage.target}"
    else:
        way = f"{passage.source or 'nowhere'} → {passage.target}"
    forced = f", forced: {passage.reason}" if passage.forced else ""
    approved = f" (approved by {passage.approved_by})" if passage.approved_by else ""
    lines.append(f"{state.branch}: {way}{forced}{approved}")
    if passage.passed:
        lines.append(f"Held: {'; '.join(passage.passed)}")
    lines += ["", told]
    return Stepped(
        message="\n".join(lines).strip(),
        source=passage.source,
        target=passage.target,
        source_cycle=passage.source_cycle,
        target_cycle=passage.target_cycle,
        forced=passage.forced,
        skipped=passage.skipped,
        passed=passage.passed,
        guidance=told,
        warnings=warned,
        state=state,
    )


def commits_of(entries: Iterable[LogEntry]) -> tuple[CommitAnswer, ...]:
    """Return commits as they are answered."""
    return tuple(
        CommitAnswer(commit=each.commit, subject=each.subject, author=each.author, at=each.at)
        for each in entries
    )


A = TypeVar("A", Planned, Said, Done)


def with_warnings(answer: A, warnings: Iterable[str]) -> A:
    """Return an answer that also tells what went wrong beside it."""
    lines = [answer.message, *(f"warning: {one_line(each, 400)}" for each in warnings)]
    return attrs.evolve(answer, message="\n".join(lines))


def _with_message(state: BranchState, problem: str) -> BranchState:
    part = f":{state.subphase}" if state.subphase else ""
    of = f" of {state.cycles}" if state.cycles else ""
    cycle = f", cycle {state.cycle}{of}" if state.cycle else ""
    after = f"next {state.next_phase}" if state.next_phase else "the last one"
    lines = [
        f"{state.branch} ({state.item}): {state.phase}{part}{cycle} of {state.workflow}, {after}",
        state.title,
    ]
    if state.waits:
        lines.append(f"waits for an answer: {one_line(state.waits)} (orc answer {state.item} TEXT)")
    if state.rebuilt:
        lines.append(_PUT_BACK[state.rebuilt])
    lines += [f"warning: {problem}"] if problem else []
    if state.gates:
        lines.append("Before it may go on:")
        lines += [f"- {each}" for each in state.gates]
    return attrs.evolve(state, message="\n".join(lines))


def _unsaid(phase: Phase) -> str:
    if phase.workflows:
        return f"follow {', '.join(phase.workflows)}"
    return "do what the name of the phase says"


def _parts(wanted: Iterable[Deliverable]) -> tuple[PartAnswer, ...]:
    return tuple(
        PartAnswer(
            id=each.id,
            description=each.description,
            gate=each.gate.wanted if each.gate is not None else "",
        )
        for each in wanted
    )


def _state_of_cycle(number: int, current: int, begun: tuple[int, ...]) -> str:
    if number == current:
        return "current"
    return "done" if number in begun else "planned"
