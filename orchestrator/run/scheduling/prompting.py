"""Writes what the worker of a phase is told."""

from __future__ import annotations

import os
from collections.abc import Sequence

from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.backlog.workflows import workflow_path
from orchestrator.run.scheduling.session import Session
from orchestrator.work.backlog.folders import CHANGES, change_folder
from orchestrator.work.backlog.item import TRIAGE, Item
from orchestrator.work.backlog.pipeline import Phase
from orchestrator.work.backlog.prompts import phase_prompt
from orchestrator.work.backlog.triage_prompt import triage_prompt
from orchestrator.work.records import AttemptRecord


def write_prompt(
    session: Session,
    runner: AttemptRunner,
    item: Item,
    phase: Phase,
    *,
    result_path: str,
    guidance: Sequence[str],
    previous: AttemptRecord | None,
) -> str:
    """Return the prompt of one attempt. Blocking: it looks for the item's change folder.

    Args:
      result_path: where the result is expected.
      guidance: what the operator says to this attempt, oldest first.
      previous: the last failure of this visit.
    """
    build = runner.settings.build
    if phase.name == TRIAGE:
        return triage_prompt(
            item,
            others=_others(session, item),
            pipelines=session.book.rules.pipelines,
            result_path=result_path,
            protected=build.protect,
            guidance=guidance,
            previous=previous,
            own_tools=runner.settings.own_tools,
        )
    changes = runner.root / CHANGES
    existing = [path.name for path in changes.iterdir()] if changes.is_dir() else []
    return phase_prompt(
        item,
        phase,
        folder=change_folder(item, existing),
        result_path=result_path,
        workflows=[
            str(workflow_path(path, session.base_dir, os.environ)) for path in phase.workflows
        ],
        verify=build.commands,
        protected=build.protect,
        guidance=guidance,
        previous=previous,
        own_tools=runner.settings.own_tools,
    )


def _others(session: Session, item: Item) -> list[Item]:
    others = (
        one for one in session.book.backlog.items() if one.id != item.id and not one.status.is_final
    )
    return sorted(others, key=_importance)


def _importance(item: Item) -> tuple[int, int]:
    impact = item.ratings.impact
    return -item.priority, -impact.rank if impact is not None else 1
