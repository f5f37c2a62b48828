"""The commands in the scope of one attempt: what its worker can do, and all that it can do."""

from __future__ import annotations

import enum

import attrs

from orchestrator.messages import Command
from orchestrator.work.backlog.item import Asks, Assessments, Description, Level, Size

from .attempt_verify import Verified


class StoryEnd(enum.Enum):
    """How the work on a story can end, but for a question."""

    COMPLETE = "complete"
    FAILED = "failed"


class PhaseEnd(enum.Enum):
    """How the work on a phase can end, but for a question."""

    COMPLETE = "phase_complete"
    SUBPHASE = "subphase_complete"
    FAILED = "failed"


class TriageEnd(enum.Enum):
    """How a triage can end, but for a question."""

    COMPLETE = "phase_complete"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class Task:
    """What is to be done.

    Attributes:
      item, phase, story: what it belongs to; a phase may have no story.
      attempt: the id of this attempt.
      verify: commands that decide about the result.
      prompt_file: the whole task as a file.
      message: the task.
    """

    item: str
    phase: str
    story: str
    attempt: str
    verify: tuple[str, ...]
    prompt_file: str
    message: str


@attrs.frozen(kw_only=True)
class Told:
    """What happens next.

    Attributes:
      message: in words.
    """

    message: str


@attrs.frozen(kw_only=True)
class GetTask(Command[Task]):
    """Say again what your task is, and which commands verify it."""


@attrs.frozen(kw_only=True)
class ReportStory(Command[Told]):
    """Report how your task ended. It is the last thing you do; a later report replaces this one.

    Attributes:
      result: complete, or failed when it cannot be done this way. Ask with ask_operator what
        only a person can decide.
      summary: why it failed, when it did.
      learnings: what the next worker should know.
    """

    result: StoryEnd
    summary: str = ""
    learnings: str = ""


@attrs.frozen(kw_only=True)
class Found:
    """Work that was found and is not this task's.

    Attributes:
      title: what is to be done, in one line.
      context: why, and where to begin.
      suggested_size, suggested_risk: what you think of it.
    """

    title: str
    context: str = ""
    suggested_size: Size | None = None
    suggested_risk: Level | None = None


@attrs.frozen(kw_only=True)
class _Report(Command[Told]):
    """What the reports on phases have in common.

    Attributes:
      summary: what was done, in a sentence or two; why it failed, when it did.
      context: what else is to be known.
      updated_assessments: what you found to be different; leave out the others.
      commit_summary: what the commit does, in the imperative, in less than 72 characters.
      follow_ups: other work that you found.
      learnings: what the next worker should know.
    """

    summary: str
    context: str = ""
    updated_assessments: Assessments | None = None
    commit_summary: str = ""
    follow_ups: tuple[Found, ...] = ()
    learnings: str = ""


@attrs.frozen(kw_only=True)
class ReportPhase(_Report):
    """Report how your phase ended. It is the last thing you do; a later report replaces this one.

    Attributes:
      result: subphase_complete when a part is done and works, and you are to be asked again for
        the rest; failed when it cannot be done this way. Ask with ask_operator what only a
        person can decide.
    """

    result: PhaseEnd


@attrs.frozen(kw_only=True)
class ReportTriage(_Report):
    """Report on the item. It is the last thing you do; a later report replaces this one.

    Attributes:
      result: failed when it cannot be done this way. Ask with ask_operator what only a person can
        decide.
      pipeline_type: the pipeline that suits it.
      duplicates: ids of open items that are about the same.
      description: the item for someone who knows the project but not the item.
    """

    result: TriageEnd
    pipeline_type: str | None = None
    duplicates: tuple[str, ...] = ()
    description: Description | None = None


@attrs.frozen(kw_only=True)
class AskOperator(Command[Told]):
    """Ask what only a person can decide, and stop: the answer comes with the next attempt.

    Attributes:
      question: all that a person needs to know to answer it.
      asks: what kind of answer it takes.
    """

    question: str
    asks: Asks = Asks.CLARIFICATION


@attrs.frozen(kw_only=True)
class AddFollowUp(Command[Told]):
    """Note work that you found and that is not this task's; go on with your own.

    Attributes:
      title: what is to be done, in one line.
      context: why, and where to begin.
      suggested_size, suggested_risk: what you think of it.
    """

    title: str
    context: str = ""
    suggested_size: Size | None = None
    suggested_risk: Level | None = None


@attrs.frozen(kw_only=True)
class RunVerify(Command[Verified]):
    """Run the commands that decide about your result, up to the first that fails."""
