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


@attrs.frozen(kw_only=True)
class Pause:
    """All that was asked for is done; ``story`` is the next one that is open."""

    story: Story


Step = TryStory | GiveUp | Park | AllDone | Pause


@attrs.frozen(kw_only=True)
class Selection:
    """Which stories a person asked for.

    Attributes:
      only: their ids; () means every story.
      first: the id of the one to begin at, or None.
      steps: how many stories to get verified before it pauses, or None.
    """

    only: tuple[str, ...] = ()
    first: str | None = None
    steps: int | None = None

    def unknown(self, stories: Sequence[Story]) -> tuple[str, ...]:
        """Return the ids that no story has."""
        named = (*self.only, *(() if self.first is None else (self.first,)))
        return tuple(name for name in named if name not in {story.id for story in stories})

    def ids(self, stories: Sequence[Story]) -> frozenset[str]:
        """Return the ids of the stories that are meant; an unknown first one means none."""
        ids = [story.id for story in stories]
        if self.first is not None:
            ids = ids[ids.index(self.first) :] if self.first in ids else []
        return frozenset(name for name in ids if not self.only or name in self.only)


EVERYTHING = Selection()


def next_step(
    stories: Sequence[Story],
    attempts: Sequence[AttemptRecord],
    *,
    max_attempts: int,
    selection: Selection = EVERYTHING,
    earlier: int = 0,
) -> Step:
    """Decide what to do next.

    Args:
      stories: as they stand on the branch, in document order.
      attempts: those of the current run, in order of their start.
      max_attempts: failures allowed per story, and as many times a worker may be lost to a crash.
      selection: no story outside it is tried.
      earlier: how many of the attempts were made before the person asked for this selection.
    """
    left = [story for story in stories if story.tasks and not story.is_complete]
    if not left:
        return AllDone()
    made = sum(attempt.state is AttemptState.VERIFIED for attempt in attempts[earlier:])
    if selection.steps is not None and made >= selection.steps:
        return Pause(story=left[0])
    wanted = selection.ids(stories)
    for position, story in enumerate(stories, start=1):
        if not story.tasks or story.is_complete or story.id not in wanted:
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
    return Pause(story=left[0])


def last_failure(attempts: Sequence[AttemptRecord], story: str) -> AttemptRecord | None:
    """Return the newest failure of a story: what its next prompt tells about."""
    failed = [a for a in attempts if a.story == story and a.state is AttemptState.FAILED]
    return failed[-1] if failed else None


def gather_learnings(attempts: Sequence[AttemptRecord]) -> str:
    """Join what earlier attempts of the item noted, newest kept when it grows too long."""
    seen = dict.fromkeys(attempt.learnings.strip() for attempt in attempts)
    return tail("\n\n".join(text for text in seen if text), LEARNINGS_LIMIT)
