"""What a run tells: the events of the story loop."""

from __future__ import annotations

import attrs

from orchestrator.messages import Fact, Progress
from orchestrator.work.worker import Usage


@attrs.frozen(kw_only=True)
class RunStarted(Fact):
    """A run began, or an interrupted one goes on (``continued``).

    What has a default is filled in when the run is opened.
    """

    item: str
    agent: str
    stories: int
    left_behind: tuple[str, ...]
    run: str = ""
    title: str = ""
    branch: str = ""
    base: str = ""
    base_name: str = ""
    carried: tuple[str, ...] = ()
    continued: bool = False


@attrs.frozen(kw_only=True)
class Warned(Fact):
    """Something odd that a person should know."""

    message: str


@attrs.frozen(kw_only=True)
class BuildInferred(Fact):
    """What is in force is not all configured; some is what the project declares."""

    setup: tuple[str, ...]
    verify: tuple[str, ...]
    not_used: tuple[str, ...]


@attrs.frozen(kw_only=True)
class BaselinePassed(Fact):
    """Set-up and verification passed in the untouched workspace; ``seconds`` for both.

    ``remembered`` is the Unix time at which verification passed, when it was not run again.
    """

    commands: tuple[str, ...]
    seconds: float
    remembered: int | None = None


@attrs.frozen(kw_only=True)
class BaselineFailed(Fact):
    """A command fails before any work: no worker is started. ``output`` is its tail."""

    command: str
    reason: str
    output: str


@attrs.frozen(kw_only=True)
class AttemptStarted(Fact):
    """A worker is about to run; ``done`` of the ``stories`` are complete.

    For a phase of a pipeline, stories are the pipeline's phases.

    Attributes:
      attempt: filled in when it is begun.
      phase: of the item's pipeline, "" for a story outside one.
    """

    item: str
    story: str
    title: str
    position: int
    done: int
    stories: int
    number: int
    attempt: str = ""
    phase: str = ""


@attrs.frozen(kw_only=True)
class Paused(Fact):
    """A person wants no new attempt to begin for now."""


@attrs.frozen(kw_only=True)
class Resumed(Fact):
    """Attempts may begin again."""


@attrs.frozen(kw_only=True)
class Guided(Fact):
    """A person told an item something; its next attempts are given it."""

    item: str
    text: str


@attrs.frozen(kw_only=True)
class WorkerActed(Progress):
    """The worker said or did something; ``text`` is one line without control characters."""

    attempt: str
    kind: str
    text: str


@attrs.frozen(kw_only=True)
class CheckRunning(Progress):
    """A set-up or verify command starts (``seconds`` 0), or is still at work."""

    command: str
    seconds: float


@attrs.frozen(kw_only=True)
class AttemptFailed(Fact):
    """An attempt did not count; its tree is kept at ``ref``, filled in when it is."""

    story: str
    title: str
    position: int
    stories: int
    number: int
    attempt: str
    state: str
    reason: str
    evidence: str
    ref: str = ""
    seconds: float
    usage: Usage
    phase: str = ""


@attrs.frozen(kw_only=True)
class LimitReached(Fact):
    """The agent's service refuses for now: nothing is tried before the Unix time ``until``."""

    item: str
    agent: str
    until: float
    seconds: float
    reason: str


@attrs.frozen(kw_only=True)
class StoryVerified(Fact):
    """A story is done: its checkpoint is on the branch. ``verified`` is False without commands.

    Attributes:
      done: how many of the ``stories`` are, with this one.
      commit: filled in when it is made.
    """

    story: str
    title: str
    position: int
    done: int
    stories: int
    number: int
    attempt: str
    commit: str = ""
    verified: bool
    seconds: float
    usage: Usage


@attrs.frozen(kw_only=True)
class RunEnded(Fact):
    """A run ended; ``state`` is done, partial, failed, blocked, limited or stopped.

    Attributes:
      advice: how to go on, when the same command again is not it, else "".
    """

    run: str
    item: str
    change: str
    state: str
    reason: str
    done: int
    stories: int
    attempts: int
    cost: float
    verified: bool
    advice: str
    branch: str
    target: str


@attrs.frozen(kw_only=True)
class ItemDelivered(Fact):
    """What an item's branch holds has arrived, or was given up.

    Attributes:
      how: "merge", "squash", "apply" or "discard".
      target: the branch that it went to and that is at ``commit`` now, "" when none moved.
    """

    item: str
    how: str
    target: str
    commit: str


@attrs.frozen(kw_only=True)
class DeliveryBlocked(Fact):
    """A delivery waits for a person; nothing was changed."""

    item: str
    reason: str


@attrs.frozen(kw_only=True)
class DeliveryUndone(Fact):
    """A delivery was taken back: the item is as it was before."""

    item: str
    how: str
