"""The story loop's decisions: what comes next, from what is known. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .records import LEARNINGS_LIMIT, AttemptRecord, AttemptState, tail
from .spec import Story


@attrs.frozen(kw_only=True)
class TryStory:
    """Run a worker on this story; ``previous`` is its last failure of this run, if any.

    ``number`` counts every start; ``tries`` those that a limit did not end, this one included.
    """

    story: Story
    position: int
    number: int
    tries: int
    previous: AttemptRecord | None


@attrs.frozen(kw_only=True)
class GiveUp:
    """The story has used up its attempts."""

    story: Story
    last: AttemptRecord


@attrs.frozen(kw_only=True)
class Park:
    """The story waits for a person: its last attempt asked a question."""

    story: Story
    last: AttemptRecord


@attrs.frozen(kw_only=True)
class AllDone:
    """No story is left."""


Step = TryStory | GiveUp | Park | AllDone


def next_step(
    stories: Sequence[Story], attempts: Sequence[AttemptRecord], *, max_attempts: int
) -> Step:
    """Decide what to do next.

    Args:
      stories: as they stand on the branch, in document order.
      attempts: those of the current run, in order of their start.
      max_attempts: failures allowed per story, and as many times a worker may be lost to a crash.
    """
    for position, story in enumerate(stories, start=1):
        if not story.tasks or story.is_complete:
            continue
        mine = [attempt for attempt in attempts if attempt.story == story.id]
        if mine and mine[-1].state is AttemptState.BLOCKED:
            return Park(story=story, last=mine[-1])
        for state in (AttemptState.FAILED, AttemptState.LOST):
            spent = [attempt for attempt in mine if attempt.state is state]
            if len(spent) >= max_attempts:
                return GiveUp(story=story, last=spent[-1])
        return TryStory(
            story=story,
            position=position,
            number=max((attempt.number for attempt in mine), default=0) + 1,
            tries=sum(attempt.state is not AttemptState.LIMITED for attempt in mine) + 1,
            previous=last_failure(mine, story.id),
        )
    return AllDone()


def last_failure(attempts: Sequence[AttemptRecord], story: str) -> AttemptRecord | None:
    """Return the newest failure of a story: what its next prompt tells about."""
    failed = [a for a in attempts if a.story == story and a.state is AttemptState.FAILED]
    return failed[-1] if failed else None


def gather_learnings(attempts: Sequence[AttemptRecord]) -> str:
    """Join what earlier attempts of the item noted, newest kept when it grows too long."""
    seen = dict.fromkeys(attempt.learnings.strip() for attempt in attempts)
    return tail("\n\n".join(text for text in seen if text), LEARNINGS_LIMIT)
