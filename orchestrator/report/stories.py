"""Reads the stories of a change: as the spec has them, with all their attempts. Blocking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.adapters.git import refs, workspace
from orchestrator.adapters.git.refs import RefRecord
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import OrchestratorError, SpecError
from orchestrator.run.specs import FORMATS
from orchestrator.store.reading import FactRow
from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord
from orchestrator.work.spec import Story as SpecStory

from .cleaning import Cleaner
from .model import Attempt, Story


def stories_of(
    repo: Repository,
    run: RunRecord,
    attempts: Sequence[Attempt],
    facts: Sequence[FactRow],
    clean: Cleaner,
) -> tuple[Story, ...]:
    """Return the stories of a change's last run, those of the spec first."""
    known = {story.id: story for story in _spec(repo, run)}
    titles = {
        str(fact.document["story"]): str(fact.document["title"])
        for fact in facts
        if {"story", "title"} <= fact.document.keys()
    }
    names = dict.fromkeys([*known, *(attempt.record.story for attempt in attempts)])
    return tuple(
        Story(
            id=name,
            title=clean.line(known[name].title if name in known else titles.get(name, "")),
            tasks=len(known[name].tasks) if name in known else 0,
            done=sum(task.done for task in known[name].tasks) if name in known else 0,
            attempts=tuple(attempt for attempt in attempts if attempt.record.story == name),
        )
        for name in names
    )


def _spec(repo: Repository, run: RunRecord) -> tuple[SpecStory, ...]:
    """Return the stories as they stand in the workspace, or else in the checkout."""
    places: list[Path] = []
    with suppress(OrchestratorError):
        place = workspace.open_existing(repo, run.item)
        if place is not None:
            places.append(place.path)
    for top in (*places, repo.checkout):
        for kind in FORMATS:
            with suppress(SpecError, OSError):
                stories = kind.below(top / run.root).read(run.change).stories
                return tuple(story for story in stories if story.tasks)
    return ()


def story_checks(
    records: Sequence[AttemptRecord], found: Mapping[str, RefRecord], facts: Sequence[FactRow]
) -> bool | None:
    """Return whether verify commands decided about the newest story that is done."""
    for fact in reversed(facts):
        if fact.name == "story_verified":
            return bool(fact.document.get("verified"))
    for record in reversed(records):
        ref = found.get(refs.attempt_ref(record.id))
        if record.state is AttemptState.VERIFIED and ref is not None:
            return {"yes": True, "no": False}.get(ref.trailers.get("Orchestrator-Verified", ""))
    return None
