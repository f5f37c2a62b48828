"""A report as Markdown that reads well as the description of a pull request. Pure.

Text from elsewhere becomes code wherever it may hold anything: there no markup, no mention of a
person and no word that closes an issue has an effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.text import clean, one_line
from orchestrator.work.records import AttemptState

from .model import Attempt, Diff, Item, Report, Story
from .words import (
    SYMBOLS,
    attempt_state,
    changes,
    file_changes,
    headline,
    moment,
    spent,
    state_word,
    story_word,
    summary,
)

_EVIDENCE_LINES = 20
_FILES = 30
_NOTES = 30


def render(report: Report) -> str:
    """Return the whole report."""
    blocks: list[str] = []
    for item in report.items:
        blocks += _item(item, report.at)
    if not report.items:
        blocks.append("Nothing has been run here yet.")
    return "\n\n".join(blocks) + "\n"


def plain(text: str, limit: int = 200) -> str:
    """Return text as one line of Markdown that shows exactly that text."""
    line = re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", one_line(text, limit))
    # A mark that nobody sees keeps names, issues and addresses from becoming links.
    line = re.sub(r"(@|#|GH-|://|www\.)(?=\w)", "\\1\u2060", line)
    return re.sub(r"^(\d*)([#+=.)-])", r"\1\\\2", line)


def code(text: str, limit: int = 400) -> str:
    """Return text as code within a line."""
    line = one_line(text, limit) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def block(text: str, language: str = "text") -> str:
    """Return text as a block of code."""
    text = clean(text).strip("\n")
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _item(item: Item, now: float) -> Iterator[str]:
    yield f"# {plain(item.run.title or item.id)}"
    yield f"{code(item.id)}: **{plain(headline(item))}**. {summary(item, now)}."
    if item.reason and item.status not in ("delivered", "discarded"):
        yield f"{item.status.capitalize()}: {code(item.reason)}"
    if item.evidence:
        yield _evidence(item.evidence)
    yield "\n".join(_place(item))
    if item.stories:
        yield "## Stories"
        yield "\n".join(_table(item))
    failed = [a for a in item.attempts if a.state is not AttemptState.VERIFIED and a.record.reason]
    if failed:
        yield "## What went wrong"
        titles = {story.id: story for story in item.stories}
        for attempt in failed:
            yield from _failure(titles[attempt.record.story], attempt)
    if item.diff is not None and item.diff.count:
        yield "## What changed"
        yield "\n".join(_files(item.diff))
    if item.notes:
        yield "## Notes"
        yield "\n".join(
            f"- {moment(note.at)} {plain(note.kind)}"
            + (f": {code(note.text)}" if note.text else "")
            for note in item.notes[-_NOTES:]
        )
    if len(item.runs) > 1:
        yield "## Runs"
        yield "\n".join(
            f"- {code(run.id)} {moment(run.at)}: {plain(run.state)}"
            + (f": {code(run.reason)}" if run.reason else "")
            for run in item.runs
        )


def _place(item: Item) -> Iterator[str]:
    if item.branch:
        commits = "commit" if item.commits == 1 else "commits"
        yield f"- Branch {code(item.branch)} at {code(item.tip[:9])}: {item.commits} {commits}"
    else:
        yield "- Its branch is gone"
    target = item.run.target.removeprefix("refs/heads/")
    yield f"- Started from {code(target or 'a detached HEAD')} at {code(item.run.base[:9])}"
    for delivery in item.deliveries:
        yield f"- Delivery: {code(delivery)}"
    if item.run.carried:
        yield f"- Carried from the checkout: {', '.join(map(code, item.run.carried[:10]))}"
    if item.checks is False:
        yield "- No verify command was configured: what is done was not verified"


def _table(item: Item) -> Iterator[str]:
    yield "| Story | Result | Tries | Spent | Changes |"
    yield "|---|---|--:|---|---|"
    for story in item.stories:
        done = story.verified
        yield (
            "| "
            + " | ".join(
                (
                    plain(f"{story.id} {story.title}", 80),
                    f"{SYMBOLS[story.state]} {story_word(story, item)}",
                    str(story.tries or ""),
                    ", ".join(spent(story.attempts)),
                    changes(done.diff) if done is not None and done.diff is not None else "",
                )
            )
            + " |"
        )


def _failure(story: Story, attempt: Attempt) -> Iterator[str]:
    record = attempt.record
    where = f"{plain(f'{story.id} {story.title}', 80)}, attempt {record.number}"
    cost = ", ".join((moment(record.at), *spent((attempt,))))
    state = state_word(attempt_state(attempt))
    yield f"**{where}** {SYMBOLS[attempt_state(attempt)]} {state} ({cost}): {code(record.reason)}"
    if record.evidence:
        yield _evidence(record.evidence)


def _evidence(text: str) -> str:
    lines = text.splitlines()
    cut = ["…"] if len(lines) > _EVIDENCE_LINES else []
    shown = block("\n".join([*cut, *lines[-_EVIDENCE_LINES:]]))
    return f"<details><summary>What shows it</summary>\n\n{shown}\n\n</details>"


def _files(diff: Diff) -> Iterator[str]:
    yield f"{changes(diff)}:"
    yield ""
    for file in diff.files[:_FILES]:
        yield f"- {code(file.path)} {file_changes(file)}"
    if diff.count > _FILES:
        yield f"- and {diff.count - _FILES} more"
