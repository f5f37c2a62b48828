"""What the commands of the phase machine answer; each says it in words, too."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class BranchState:
    """Where a branch is.

    Attributes:
      item: id of its item.
      phase: where it is; ``next_phase``: what comes next, "" after the last one.
      subphase: the part that was last committed, "" for none.
      cycle, cycles: the cycle it is in, and how many are planned; 0 for none.
      phases: all of its workflow, in their order.
      gates: what has to hold before it may go on.
      waits: the question it waits for, "" for none.
      rebuilt: what its state was put back from: "record", "commits" or "name"; "" when it was not.
      saved: whether the state is in the store; what was rebuilt is saved with the next step.
    """

    message: str
    item: str
    branch: str
    title: str
    issue: str
    base: str
    workflow: str
    status: str
    phase: str
    next_phase: str
    subphase: str
    cycle: int
    cycles: int
    phases: tuple[str, ...]
    gates: tuple[str, ...]
    waits: str
    rebuilt: str
    saved: bool


@attrs.frozen(kw_only=True)
class Started:
    """Work that begins. ``created``: the branch was made."""

    message: str
    created: bool
    state: BranchState


@attrs.frozen(kw_only=True)
class Stepped:
    """A step that was taken, durably.

    Attributes:
      skipped: gates that did not hold and were passed by force.
      passed: gates that held.
      guidance: what is expected in the phase that begins.
      warnings: what went wrong beside it.
    """

    message: str
    source: str
    target: str
    source_cycle: int
    target_cycle: int
    forced: bool
    skipped: tuple[str, ...]
    passed: tuple[str, ...]
    guidance: str
    warnings: tuple[str, ...]
    state: BranchState


@attrs.frozen(kw_only=True)
class PartAnswer:
    """One planned part; ``gate`` says in words how it is told, "" when nobody looks."""

    id: str
    description: str
    gate: str


@attrs.frozen(kw_only=True)
class CycleAnswer:
    """One planned cycle; ``state`` is "done", "current" or "planned"."""

    number: int
    name: str
    exit_criteria: str
    state: str
    deliverables: tuple[PartAnswer, ...]


@attrs.frozen(kw_only=True)
class PhaseAnswer:
    """What a phase has to bring."""

    phase: str
    deliverables: tuple[PartAnswer, ...]


@attrs.frozen(kw_only=True)
class Planned:
    """The plan of a branch."""

    message: str
    item: str
    branch: str
    cycles: tuple[CycleAnswer, ...]
    phases: tuple[PhaseAnswer, ...]


@attrs.frozen(kw_only=True)
class CommitAnswer:
    """A commit; ``at`` in Unix seconds."""

    commit: str
    subject: str
    author: str
    at: int


@attrs.frozen(kw_only=True)
class PassedAnswer:
    """One line of a branch's history; ``at`` in Unix seconds."""

    at: int
    what: str
    text: str
    by: str


@attrs.frozen(kw_only=True)
class WorkContext:
    """All that somebody who goes on with a branch needs."""

    message: str
    state: BranchState
    guidance: str
    summary: str
    plan: Planned
    commits: tuple[CommitAnswer, ...]
    staged: tuple[str, ...]
    changed: tuple[str, ...]
    untracked: tuple[str, ...]
    history: tuple[PassedAnswer, ...]


@attrs.frozen(kw_only=True)
class Said:
    """Something that was taken down; ``items`` are the ids of what became of it."""

    message: str
    items: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class CheckAnswer:
    """How one verify command ended; ``output`` is the tail of what it printed."""

    command: str
    passed: bool
    reason: str
    seconds: float
    output: str


@attrs.frozen(kw_only=True)
class Verified:
    """How the verify commands ended; those after one that failed were not run."""

    message: str
    passed: bool
    checks: tuple[CheckAnswer, ...]
