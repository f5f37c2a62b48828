"""What a person does to items: adding, answering, moving, ending them; durable when it is told."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from orchestrator.errors import UsageError
from orchestrator.redact import redactor
from orchestrator.text import one_line
from orchestrator.work.backlog.item import Item

from .additions import additions, described
from .answered import show
from .ask import ask, author
from .item_document import item_document
from .item_words import doing, question_lines
from .output import coloured, print_json, width
from .place import find_state
from .stored import open_stored

_STEP_SECONDS = 905.0
"""How long a step may take: commands of its gates are run."""

_NONE = "none"
"""What a person writes to take all needs, all tags or the parent away."""


def add(arguments: argparse.Namespace) -> int:
    """Add one item, or as many as a file holds."""
    wanted = [_redacted(addition) for addition in additions(arguments)]
    added = ask(arguments, "backlog.add-items", items=wanted, by=author(arguments.directory))
    items = _read(arguments, added)
    if arguments.json:
        print_json({"items": [item_document(item) for item in items]})
        return 0
    for item in items:
        pipeline = f" (pipeline: {item.pipeline})" if item.pipeline else ""
        print(f"Added {item.id} — {one_line(item.title)}{pipeline}")
    return 0


def edit(arguments: argparse.Namespace) -> int:
    """Change what is known of an item."""
    fields = described(arguments)
    fields["needs_review"] = arguments.review
    fields["title"] = arguments.title
    for name, none in (("needs", []), ("tags", []), ("parent", "")):
        if fields.get(name) in (_NONE, [_NONE]):
            fields[name] = none
    return _one(arguments, "edit-item", "edited", **fields)


def answer(arguments: argparse.Namespace) -> int:
    """Answer what an item waits for."""
    text, verdict = " ".join(arguments.text), arguments.verdict
    return _one(arguments, "answer-item", "answered", text=text, verdict=verdict)


def move(arguments: argparse.Namespace) -> int:
    """Bring an item to a phase, or one step on; of a branch by hand, through its gates."""
    if arguments.cycle is not None or _is_by_hand(arguments):
        return _step(arguments)
    return _one(
        arguments,
        "move-item",
        "moved",
        to=arguments.phase,
        force=arguments.force,
        reason=arguments.reason,
        approved_by=arguments.approved_by,
    )


def _is_by_hand(arguments: argparse.Namespace) -> bool:
    """Tell whether a branch is meant that is brought through phases by hand."""
    if arguments.item is None or "/" in arguments.item:
        return True
    with open_stored(find_state(arguments)) as stored:
        return stored.find(arguments.item).track is not None


def _step(arguments: argparse.Namespace) -> int:
    """Take a step of a branch: to a phase, or to a cycle of it, by its gates or by force."""
    by_cycle = arguments.cycle is not None
    cycle = None if arguments.cycle is True else arguments.cycle  # True: given without a number
    to = cycle if by_cycle else arguments.phase
    fields: dict[str, Any] = {
        "branch": arguments.item,
        "approved_by": arguments.approved_by,
        "by": author(arguments.directory),
    }
    if arguments.force:
        if to is None:
            what = "--cycle N" if by_cycle else "--to PHASE"
            raise UsageError("force goes somewhere in particular", fix=f"say where: {what}")
        fields |= {"to": to, "reason": redactor(os.environ).text(arguments.reason)}
        name = "phase.force-cycle" if by_cycle else "phase.force-transition"
    else:
        fields |= {"to": to}
        name = "phase.transition-cycle" if by_cycle else "phase.transition-branch"
    return show(ask(arguments, name, patience=_STEP_SECONDS, **fields), as_json=arguments.json)


def retry(arguments: argparse.Namespace) -> int:
    """Let an item try again what stopped it."""
    return _one(arguments, "retry-item", "retried")


def hold(arguments: argparse.Namespace) -> int:
    """Let an item wait for a person."""
    return _one(arguments, "hold-item", "held", reason=arguments.reason)


def close(arguments: argparse.Namespace) -> int:
    """End an item without its being done."""
    twin = arguments.duplicate_of
    return _one(arguments, "close-item", "closed", reason=arguments.reason, duplicate_of=twin)


def complete(arguments: argparse.Namespace) -> int:
    """End an item that a person did the rest of."""
    return _one(arguments, "complete-item", "completed", summary=arguments.summary)


def claim(arguments: argparse.Namespace) -> int:
    """Keep the scheduler off an item, or give it back."""
    verb = "released" if arguments.release else "claimed"
    by = arguments.by or author(arguments.directory)
    return _one(arguments, "claim-item", verb, by=by, release=arguments.release)


def _one(arguments: argparse.Namespace, name: str, verb: str, **fields: Any) -> int:
    """Have something done to the item that the arguments name, and tell where it is then."""
    fields.setdefault("by", author(arguments.directory))
    done = ask(arguments, f"backlog.{name}", item=arguments.item, **_redacted(fields))
    (item,) = _read(arguments, [done])
    if arguments.json:
        print_json(item_document(item))
        return 0
    told = f"{verb} {item.id}: {doing(item)}"
    title = one_line(item.title, max(20, width() - len(told) - 2))
    print(f"{told}  {coloured(title, 'dim', sys.stdout)}")
    for line in question_lines(item):
        print(f"    {line}")
    return 0


def _read(arguments: argparse.Namespace, wanted: list[str]) -> list[Item]:
    with open_stored(find_state(arguments)) as stored:
        return stored.named(wanted)


def _redacted(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what a person wrote without secrets: prompts and commits will tell it."""
    redact = redactor(os.environ).text
    words = {"title", "description", "text", "reason", "summary"}
    return {
        name: redact(value) if name in words and isinstance(value, str) else value
        for name, value in fields.items()
    }
