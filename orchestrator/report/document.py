"""A report as plain values for JSON: the same facts as on paper. Pure."""

from __future__ import annotations

from typing import Any

import attrs

from .model import Attempt, Diff, Item, Report, Story, seconds_of, usage_of, waits_of


def document(report: Report) -> dict[str, Any]:
    """Return the document of ``report --json``; times in Unix seconds, cost in US dollars."""
    return {
        "product": report.product,
        "repository": report.repository,
        "at": report.at,
        "items": [_item(item, report.at) for item in report.items],
    }


def _item(item: Item, now: float) -> dict[str, Any]:
    run = item.run
    return {
        "id": item.id,
        "kind": "change" if item.task is None else "item",
        "title": run.title if item.task is None else item.task.title,
        "status": item.status,
        "reason": item.reason,
        "evidence": item.evidence,
        "advice": item.advice,
        "waiting": item.waiting,
        "change": run.change,
        "base": run.base,
        "target": run.target,
        "branch": item.branch or None,
        "tip": item.tip or None,
        "commits": item.commits,
        "verified": item.checks,
        "deliveries": item.deliveries,
        "carried": run.carried,
        "usage": attrs.asdict(usage_of(item.attempts)),
        "stories": [_story(story) for story in item.stories if item.task is None],
        **_task(item, now),
        "runs": [attrs.asdict(run) for run in item.runs],
        "waits": [attrs.asdict(wait) for wait in waits_of(item, now)],
        "notes": [attrs.asdict(note) for note in item.notes],
        "diff": _diff(item.diff),
    }


def _story(story: Story) -> dict[str, Any]:
    return {
        "id": story.id,
        "title": story.title,
        "state": story.state,
        "tasks": story.tasks,
        "tasks_done": story.done,
        "attempts": [attempt_document(attempt) for attempt in story.attempts],
    }


def _task(item: Item, now: float) -> dict[str, Any]:
    """Return what is told of items of the backlog only."""
    if item.task is None:
        return {}
    task = item.task
    return {
        "pipeline": task.pipeline,
        "origin": task.origin,
        "description": {name.replace(" ", "_"): text for name, text in task.description},
        "phases": [
            {
                "name": phase.id,
                "state": phase.state,
                "verified": phase.checked,
                "tries": phase.tries,
                "seconds": seconds_of(phase.attempts),
                "usage": attrs.asdict(usage_of(phase.attempts)),
                "attempts": [attempt_document(attempt) for attempt in phase.attempts],
            }
            for phase in item.stories
        ],
        "questions": [attrs.asdict(asked) | {"waited": asked.waited(now)} for asked in task.asked],
        "follow_ups": [attrs.asdict(found) for found in task.found],
    }


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as the documents have it."""
    record = attempt.record
    return {
        "id": record.id,
        "run": record.run,
        "phase": record.phase,
        "story": record.story,
        "number": record.number,
        "state": record.state.value,
        "running": attempt.running,
        "at": record.at,
        "ended": attempt.ended,
        "reason": record.reason,
        "evidence": record.evidence,
        "usage": attrs.asdict(record.usage),
        "commit": attempt.commit or None,
        "diff": _diff(attempt.diff),
    }


def _diff(diff: Diff | None) -> dict[str, Any] | None:
    if diff is None:
        return None
    return {
        "count": diff.count,
        "added": diff.added,
        "removed": diff.removed,
        "files": [attrs.asdict(file) for file in diff.files],
    }
