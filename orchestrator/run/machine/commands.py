"""What brings a branch through the phases of its workflow: commands of plugin "phase".

``branch`` is a branch, or the id of its item or a unique beginning of that; None means the branch
that is checked out. ``by`` says who asks, "" for nobody in particular. Every answer has a
``message``: what happened and what comes next, in words.
"""

from __future__ import annotations

from typing import Literal

import attrs

from orchestrator.messages import Command
from orchestrator.run.machine.answers import (
    BranchState,
    Planned,
    Said,
    Started,
    Stepped,
    Verified,
    WorkContext,
)


@attrs.frozen(kw_only=True)
class StartWork(Command[Started]):
    """Begin work on a branch, in the first phase of its workflow.

    A branch that exists already is taken up where it is; one that does not is made, and checked
    out.

    Attributes:
      branch: its name, such as feature/12-login.
      title: what it is about, in one line; the name of the branch when left out.
      issue: number or key of the issue; that in the branch's name when left out.
      workflow: name of a pipeline; the one named like the branch's type when left out.
      base: branch to start from; the configured one, or the one checked out, when left out.
      description: more about it.
    """

    branch: str
    title: str = ""
    issue: str = ""
    workflow: str | None = None
    base: str | None = None
    description: str = ""
    by: str = ""


@attrs.frozen(kw_only=True)
class OpenIssue(Command[Started]):
    """Begin work on an issue by its number or key and its title; the branch is named after them.

    Attributes:
      kind: the type of branch; the workflow of that name is taken.
      base: branch to start from; the configured one, or the one checked out, when left out.
      description: more about it.
    """

    issue: str
    title: str
    kind: str = "feature"
    base: str | None = None
    description: str = ""
    by: str = ""


@attrs.frozen(kw_only=True)
class GetState(Command[BranchState]):
    """Say where a branch is: workflow, phase, cycle, and which gates close the phase."""

    branch: str | None = None


@attrs.frozen(kw_only=True)
class GetContext(Command[WorkContext]):
    """Say all that somebody who goes on with a branch needs: state, guidance, plan, git, history.

    Attributes:
      commits: how many of the newest commits are told.
    """

    branch: str | None = None
    commits: int = attrs.field(
        default=5, validator=[attrs.validators.ge(0), attrs.validators.le(100)]
    )


@attrs.frozen(kw_only=True)
class TransitionBranch(Command[Stepped]):
    """Go on to the next phase; every gate of the phase that ends has to hold.

    Attributes:
      to: the phase, which has to be the next one; whichever that is when left out.
      approved_by: who said that it may be so, for the record.
    """

    branch: str | None = None
    to: str | None = None
    approved_by: str = ""
    by: str = ""


@attrs.frozen(kw_only=True)
class ForceTransition(Command[Stepped]):
    """Go to any phase of the workflow, past its order and its gates; the gates passed are told.

    Attributes:
      to: the phase.
      reason: why it may not go its way.
      approved_by: the person who said that it may be so.
    """

    to: str
    reason: str
    approved_by: str
    branch: str | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class TransitionCycle(Command[Stepped]):
    """Go on to the next cycle of a phase that is done in cycles; the gates of the cycle must hold.

    Attributes:
      to: number of the cycle, which has to be the next one; whichever that is when left out.
      approved_by: who said that it may be so, for the record.
    """

    branch: str | None = None
    to: int | None = None
    approved_by: str = ""
    by: str = ""


@attrs.frozen(kw_only=True)
class ForceCycle(Command[Stepped]):
    """Go to any planned cycle, forwards or backwards, past its gates.

    Attributes:
      to: number of the cycle.
      reason: why it may not go its way.
      approved_by: the person who said that it may be so.
    """

    to: int
    reason: str
    approved_by: str
    branch: str | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class PlannedGate:
    """How it is told that a deliverable is there; see the gates of a phase.

    Attributes:
      file: this path exists.
      glob: a path matches this pattern.
      absent: no path matches this pattern.
      command: this shell command succeeds.
      contains, lacks, key: text the file has, text it has not, a key that leads to a value in it.
    """

    file: str = ""
    glob: str = ""
    absent: str = ""
    command: str = ""
    contains: str = ""
    lacks: str = ""
    key: str = ""


@attrs.frozen(kw_only=True)
class PlannedPart:
    """Something that is to be there.

    Attributes:
      id: its name, once in its list.
      gate: how it is told that it is there; nobody looks when left out.
    """

    id: str
    description: str = ""
    gate: PlannedGate | None = None


@attrs.frozen(kw_only=True)
class PlannedCycle:
    """A round of a phase that is done in cycles.

    Attributes:
      number: from 1, without gaps.
      exit_criteria: in words, when it is over.
      deliverables: what it brings, one or more.
    """

    number: int
    name: str = ""
    exit_criteria: str = ""
    deliverables: tuple[PlannedPart, ...] = ()


@attrs.frozen(kw_only=True)
class PhaseParts:
    """What a phase has to bring."""

    phase: str
    deliverables: tuple[PlannedPart, ...]


@attrs.frozen(kw_only=True)
class SavePlan(Command[Planned]):
    """Save what is planned for a branch: the cycles, and what each phase has to bring.

    Attributes:
      mode: "new" where there is no plan yet; "merge" adds, and replaces what has the same id or
        number; "replace" makes it anew.
    """

    cycles: tuple[PlannedCycle, ...] = ()
    phases: tuple[PhaseParts, ...] = ()
    mode: Literal["new", "merge", "replace"] = "new"
    branch: str | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class GetPlan(Command[Planned]):
    """Say what is planned for a branch."""

    branch: str | None = None


@attrs.frozen(kw_only=True)
class ReportResult(Command[Said]):
    """Report what was done in the phase of a branch; whoever comes next is told.

    Attributes:
      summary: what was done, in words.
      follow_ups: titles of work that was found and is not this branch's; each becomes an item.
    """

    summary: str
    follow_ups: tuple[str, ...] = ()
    branch: str | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class AskOperator(Command[Said]):
    """Ask the operator a question; the branch waits until `orc answer` gives the answer.

    Attributes:
      asks: what kind of answer is needed.
    """

    question: str
    asks: Literal["clarification", "decision", "approval"] = "clarification"
    branch: str | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class RunVerify(Command[Verified]):
    """Run the project's verify commands in the checkout, before claiming to be done."""
