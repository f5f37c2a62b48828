"""Where an item is, what it waits for and how to answer it, in words. Pure, and imports little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.text import one_line

if TYPE_CHECKING:
    from orchestrator.work.backlog.item import Item

_KINDS = {"clarification": "an answer", "decision": "a decision", "approval": "an approval"}


def status_word(status: str) -> str:
    """Return a status as a person reads it."""
    return status.replace("_", " ")


def doing(item: Item) -> str:
    """Return where an item is, and why when it is there to stay."""
    words = status_word(item.status.value)
    if item.phase and not item.status.is_final:
        words += f", {item.phase}"
    if item.question is not None:
        words += f": waits for {_KINDS[item.question.asks.value]}"
    if item.status.is_final and item.reason:
        words += f": {one_line(item.reason)}"
    return words


def waiting(item: Item, unmet: Sequence[str]) -> list[str]:
    """Return what an item waits for, besides its turn.

    Args:
      unmet: the items that it needs and that are open.
    """
    found = []
    if item.question is not None:
        found.append(f"asks: {one_line(item.question.text)}")
    if unmet and not item.status.is_final:
        found.append(f"needs {', '.join(unmet)}")
    if item.claim is not None:
        found.append(f"claimed by {one_line(item.claim.by)}")
    if item.track is not None:
        found.append(f"by hand on {one_line(item.track.branch, 60)}")
    return found


def question_line(text: str, asks: str, cause: str) -> str:
    """Return a question with its kind, as one line."""
    kind = asks if cause == "asked" else f"{asks}, {cause}"
    return f"{kind}: {one_line(text)}"


def answers(id: str, asks: str, cause: str) -> tuple[str, ...]:
    """Return the commands that let a blocked item go on, or end it, the likeliest first."""
    if asks == "approval":
        return (f"orc answer {id} --yes", f"orc answer {id} --no")
    if cause == "asked":
        return (f"orc answer {id} TEXT",)
    return (f"orc retry {id}", f"orc answer {id} TEXT")


def question_lines(item: Item) -> list[str]:
    """Return the question of a blocked item, and what to say to it; nothing when it is not."""
    question = item.question
    if question is None:
        return []
    asks, cause = question.asks.value, question.cause.value
    line = question_line(question.text, asks, cause)
    return [line, " | ".join(answers(item.id, asks, cause))]
