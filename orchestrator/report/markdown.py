"""A report as Markdown that reads well as the description of a pull request. Pure.

Text from elsewhere becomes code wherever it may hold anything: there no markup, no mention of a
person and no word that closes an issue has an effect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.text import clean, one_line

from .model import Attempt, Diff, Item, Report, Row, Story, Task
from .words import (
    SYMBOLS,
    attempt_state,
    backlog,
    changes,
    count,
    failed,
    file_changes,
    headline,
    made,
    moment,
    money,
    outcome,
    overview,
    place,
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
    blocks = list(_overview(report)) if report.rows else []
    for item in report.items:
        blocks += _item(item, report.at)
    if not report.items and not report.rows:
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


def _overview(report: Report) -> Iterator[str]:
    yield f"# {count(len(report.rows), 'item')}: {plain(overview(report))}"
    if counts := backlog(report):
        yield f"In the backlog: {plain(counts)}."
    yield "\n".join(
        (
            "| Item | Status | Done | Tries | Cost | Last | Why |",
            "|---|---|--:|--:|--:|---|---|",
            *map(_row, report.rows),
        )
    )
    if left := len(report.rows) - len(report.items):
        told = count(len(report.items), "item")
        yield f"The first {told} are told in full below, the other {left:,} by `orc report ITEM`."


def _row(row: Row) -> str:
    cells = (
        f"{code(row.id)} {plain(row.title, 60)}",
        plain(row.status),
        str(row.done or ""),
        str(row.tries or ""),
        money(row.cost) if row.cost else "",
        moment(row.at) if row.at else "",
        plain(row.reason, 100),
    )
    return f"| {' | '.join(cells)} |"


def _item(item: Item, now: float) -> Iterator[str]:
    yield f"# {plain(item.title)}"
    yield f"{code(item.id)}: **{plain(headline(item))}**. {summary(item, now)}."
    if item.reason and item.status not in ("delivered", "discarded"):
        yield f"{item.status.capitalize()}: {code(item.reason)}"
    if item.evidence:
        yield _evidence(item.evidence)
    yield "\n".join(_place(item))
    if item.task is not None:
        yield from _description(item.task)
    if item.stories:
        yield f"## {'Phases' if item.unit == 'phase' else 'Stories'}"
        yield "\n".join(_table(item))
    if item.task is not None:
        yield from _questions(item.task, now)
    if wrong := failed(item):
        yield "## What went wrong"
        for story, attempt in wrong:
            yield from _failure(story, attempt)
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
        yield "- Its branch is gone" if item.run.base else "- Nothing was done for it yet"
    if not item.run.base:
        return
    target = item.run.target.removeprefix("refs/heads/")
    yield f"- Started from {code(target or 'a detached HEAD')} at {code(item.run.base[:9])}"
    for delivery in item.deliveries:
        yield f"- Delivery: {code(delivery)}"
    if item.run.carried:
        yield f"- Carried from the checkout: {', '.join(map(code, item.run.carried[:10]))}"
    if item.checks is False:
        yield "- No verify command was configured: what is done was not verified"


def _description(task: Task) -> Iterator[str]:
    if task.description:
        yield "## Description"
    for name, text in task.description:
        if "\n" in text or len(text) > 300:
            yield f"{name.capitalize()}:"
            yield block(text)
        else:
            yield f"{name.capitalize()}: {code(text)}"


def _questions(task: Task, now: float) -> Iterator[str]:
    if task.asked:
        yield "## Questions"
        yield "\n".join(
            f"- {moment(asked.at)} {plain(asked.phase)} {code(asked.text)}: "
            + plain(outcome(asked, now))
            + (f": {code(asked.answer)}" if asked.answer else "")
            for asked in task.asked
        )
    if task.found:
        yield "## Follow-ups"
        yield "\n".join(
            f"- {code(one.id)} {plain(one.title, 80)}: {plain(one.status)}" for one in task.found
        )


def _table(item: Item) -> Iterator[str]:
    yield f"| {item.unit.capitalize()} | Result | Tries | Spent | Changes |"
    yield "|---|---|--:|---|---|"
    for story in item.stories:
        yield (
            "| "
            + " | ".join(
                (
                    plain(f"{story.id} {story.title}", 80),
                    f"{SYMBOLS[story.state]} {story_word(story, item)}",
                    str(story.tries or ""),
                    ", ".join(spent(story.attempts)),
                    made(story),
                )
            )
            + " |"
        )


def _failure(story: Story, attempt: Attempt) -> Iterator[str]:
    record = attempt.record
    where = f"{plain(place(story, attempt), 80)}, attempt {record.number}"
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
