"""A report as one HTML file: no network, no script, light and dark, fit to print. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterator
from html import escape
from importlib.resources import files

from orchestrator.text import duration, one_line
from orchestrator.work.records import AttemptState

from . import plots
from .markup import badge, diff_table, escaped, table
from .model import Attempt, Item, Report, Story, Task, seconds_of, usage_of, waits_of
from .words import (
    attempt_state,
    backlog,
    changes,
    count,
    headline,
    made,
    moment,
    money,
    outcome,
    overview,
    short,
    spent,
    story_word,
    summary,
)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(report: Report) -> str:
    """Return the whole report as one document."""
    title = ", ".join(item.title for item in report.items[:3]) or "Nothing yet"
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    return "".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
            '<meta name="referrer" content="no-referrer"><meta name="color-scheme" ',
            f'content="light dark"><title>Report: {escaped(title)}</title>\n<style>{style}</style>',
            f"</head>\n<body>{plots.DEFINITIONS}<main>\n",
            *(_overview(report) if report.rows else ()),
            *(part for item in report.items for part in _item(item, report.at)),
            "" if report.items or report.rows else "<h1>Nothing has been run here yet</h1>",
            f"<footer>{escaped(report.repository)} · {escaped(report.product)} · ",
            f"{moment(report.at)}</footer>\n</main></body></html>\n",
        )
    )


def _overview(report: Report) -> Iterator[str]:
    yield f"<header><h1>{escaped(count(len(report.rows), 'item'))}</h1>"
    yield f'<p class="lead">{escaped(overview(report))}.</p>'
    if counts := backlog(report):
        yield f'<p class="note">In the backlog: {escaped(counts)}.</p>'
    yield "</header><section>"
    rows = (
        (
            f"<code>{escaped(row.id)}</code> {escaped(one_line(row.title, 80))}",
            badge(row.status),
            f"{row.done or ''}",
            f"{row.tries or ''}",
            money(row.cost) if row.cost else "",
            moment(row.at) if row.at else "",
            escaped(one_line(row.reason, 120)),
        )
        for row in report.rows
    )
    yield from table(("Item", "Status", "Done", "Tries", "Cost", "Last", "Why"), rows)
    if left := len(report.rows) - len(report.items):
        yield f'<p class="note">The first {count(len(report.items), "item")} are told in full '
        yield f"below, the other {left:,} by <code>orc report ITEM</code>.</p>"
    yield "</section>"


def _item(item: Item, now: float) -> Iterator[str]:
    yield f'<article><header><p class="kicker">{escaped(item.id)}</p>'
    yield f"<h1>{escaped(item.title)}</h1>"
    told = headline(item).removeprefix(f"{item.status}, ")
    yield f'<p class="lead">{badge(item.status)} {escaped(told)}. '
    yield f"{escaped(summary(item, now))}.</p>"
    if item.reason and item.status not in ("delivered", "discarded"):
        yield f'<p class="reason">{escaped(item.reason)}</p>'
    if item.evidence:
        yield f"<pre>{escaped(item.evidence)}</pre>"
    yield "</header>"
    yield from _tiles(item, now)
    if item.task is not None:
        yield from _description(item.task)
    yield from _stories(item)
    if item.task is not None:
        yield from _questions(item.task, now)
    if item.attempts:
        yield from _plots(item, now)
        yield f"<section><h2>{item.unit.capitalize()} by {item.unit}</h2>"
        for story in item.stories:
            yield from _story(story, item)
        yield "</section>"
    yield from _place(item)
    yield from _runs(item)
    yield from _notes(item)
    if item.diff is not None and item.diff.count:
        yield f"<section><h2>Everything that changed: {escaped(changes(item.diff))}</h2>"
        yield from diff_table(item.diff, f"orc diff {item.id}")
        yield "</section>"
    yield "</article>\n"


def _tiles(item: Item, now: float) -> Iterator[str]:
    usage = usage_of(item.attempts)
    waited = sum(wait.end - wait.start for wait in waits_of(item, now))
    tiles = [
        (f"{_plural(item)} done", f"{item.complete}/{len(item.stories)}"),
        ("attempts", f"{len(item.attempts):,}"),
        ("worked", duration(seconds_of(item.attempts))),
    ]
    if usage.cost:
        tiles.append(("cost", money(usage.cost)))
    if usage.tokens:
        tiles.append(("tokens", short(usage.tokens)))
    if usage.turns:
        tiles.append(("turns", f"{usage.turns:,}"))
    if waited:
        tiles.append(("waited", duration(waited)))
    if item.diff is not None:
        tiles.append(("lines", changes(item.diff).split(" in ")[0]))
    yield '<dl class="tiles">'
    for name, value in tiles:
        yield f"<div><dt>{name}</dt><dd>{escaped(value)}</dd></div>"
    yield "</dl>"


def _plural(item: Item) -> str:
    return "phases" if item.unit == "phase" else "stories"


def _description(task: Task) -> Iterator[str]:
    if not task.description:
        return
    yield "<section><h2>Description</h2>"
    for name, text in task.description:
        yield f"<h4>{escaped(name.capitalize())}</h4><pre>{escaped(text)}</pre>"
    yield "</section>"


def _questions(task: Task, now: float) -> Iterator[str]:
    if task.asked:
        yield "<section><h2>Questions</h2>"
        rows = (
            (
                f"{moment(asked.at)} {escaped(asked.phase)}",
                escaped(asked.text),
                escaped(outcome(asked, now)),
                escaped(asked.answer),
            )
            for asked in task.asked
        )
        yield from table(("When", "Question", "Came of it", "Answer"), rows)
        yield "</section>"
    if task.found:
        yield "<section><h2>Follow-ups</h2>"
        found = (
            (f"<code>{escaped(one.id)}</code> {escaped(one.title)}", badge(one.status))
            for one in task.found
        )
        yield from table(("Item", "Status"), found)
        yield "</section>"


def _stories(item: Item) -> Iterator[str]:
    if not item.stories:
        return
    yield f"<section><h2>{_plural(item).capitalize()}</h2>"
    whole = usage_of(item.attempts)
    heads = [item.unit.capitalize(), "Result", "Tries", "Time"]
    heads += [name for name, known in (("Cost", whole.cost), ("Tokens", whole.tokens)) if known]
    yield from table(
        [*heads, "Changes"], (_story_row(story, item, heads) for story in item.stories)
    )
    yield "</section>"


def _story_row(story: Story, item: Item, heads: Container[str]) -> Iterator[str]:
    usage, tried = usage_of(story.attempts), bool(story.attempts)
    yield f"{escaped(story.id)} {escaped(story.title)}"
    yield badge(story.state, story_word(story, item))
    yield f"{story.tries or ''}"
    yield duration(seconds_of(story.attempts)) if tried else ""
    if "Cost" in heads:
        yield money(usage.cost) if tried else ""
    if "Tokens" in heads:
        yield short(usage.tokens) if tried else ""
    yield escaped(made(story))


def _plots(item: Item, now: float) -> Iterator[str]:
    shown = (
        ("When", plots.timeline(item, now), "Idle time and very short attempts are not to scale."),
        (f"What each {item.unit} took", plots.cost_per_story(item), "Hatched: did not count."),
        ("What it came to", plots.cumulative(item, now), ""),
        ("How often", plots.retries(item), ""),
    )
    yield f'<section><h2>At a glance</h2>{plots.legend(item)}<div class="plots">'
    for title, plot, note in shown:
        yield f"<figure><figcaption>{title}</figcaption>{plot}"
        yield f'<p class="note">{note}</p></figure>' if note else "</figure>"
    yield "</div></section>"


def _story(story: Story, item: Item) -> Iterator[str]:
    tasks = f", {story.done} of {count(story.tasks, 'task')} ticked" if story.tasks else ""
    yield f'<section class="story"><h3>{escaped(story.id)} {escaped(story.title)} '
    yield f"{badge(story.state, story_word(story, item))}</h3>"
    tried = count(len(story.attempts), "attempt") if story.attempts else "No attempt"
    yield f'<p class="note">{tried}{tasks}.</p>'
    for attempt in story.attempts:
        yield from _attempt(attempt, item, unfold=attempt is story.attempts[-1])
    yield "</section>"


def _attempt(attempt: Attempt, item: Item, *, unfold: bool) -> Iterator[str]:
    """Yield one attempt, folded when something came after it that made it good."""
    record, state = attempt.record, attempt_state(attempt)
    unfold = unfold and attempt.state is not AttemptState.VERIFIED
    yield f"<details{' open' if unfold else ''}><summary>{badge(state)} "
    inner = f"{escaped(record.story)} " if item.unit == "phase" and record.story else ""
    yield f"{inner}attempt {record.number} · {moment(record.at)}"
    yield "".join(f" · {escaped(part)}" for part in spent((attempt,)))
    if record.reason:
        yield f' <span class="why">{escaped(record.reason)}</span>'
    yield '</summary><div class="inside">'
    if record.evidence:
        yield f"<h4>What shows it</h4><pre>{escaped(record.evidence)}</pre>"
    if record.learnings:
        yield f"<h4>What the worker noted</h4><pre>{escaped(record.learnings)}</pre>"
    if attempt.diff is not None:
        yield f"<h4>What it changed: {escaped(changes(attempt.diff))}</h4>"
        yield from diff_table(attempt.diff, f"git show {attempt.commit[:12]}")
    yield f'<p class="note">Attempt <code>{escaped(record.id)}</code>'
    if len(item.runs) > 1:
        yield f" of run <code>{escaped(record.run)}</code>"
    yield f", kept at <code>{escaped(attempt.commit[:12])}</code>" if attempt.commit else ""
    yield ".</p></div></details>"


def _place(item: Item) -> Iterator[str]:
    run = item.run
    if not run.base:
        return
    target = run.target.removeprefix("refs/heads/") or "a detached HEAD"
    rows = [
        ("Started from", f"<code>{escaped(target)}</code> at <code>{escaped(run.base[:9])}</code>")
    ]
    if item.branch:
        what = f"<code>{escaped(item.branch)}</code> at <code>{escaped(item.tip[:9])}</code>, "
        rows.append(("Branch", what + count(item.commits, "commit")))
    else:
        rows.append(("Branch", "gone"))
    rows += [("Delivery", escaped(delivery)) for delivery in item.deliveries]
    if run.carried:
        rows.append(("Carried from the checkout", escaped(", ".join(run.carried))))
    if item.checks is False:
        rows.append(("Verification", "no command was configured: what is done was not verified"))
    yield '<section><h2>Where it is</h2><dl class="facts">'
    for name, value in rows:
        yield f"<dt>{name}</dt><dd>{value}</dd>"
    yield "</dl></section>"


def _runs(item: Item) -> Iterator[str]:
    if len(item.runs) < 2:
        return
    yield "<section><h2>Runs</h2>"
    rows = (
        (
            f"<code>{escaped(run.id)}</code>",
            moment(run.at),
            duration(run.ended - run.at) if run.ended is not None else "",
            badge(run.state),
            escaped(run.reason),
        )
        for run in item.runs
    )
    yield from table(("Run", "Began", "Took", "State", "Why"), rows)
    yield "</section>"


def _notes(item: Item) -> Iterator[str]:
    if not item.notes:
        return
    yield "<section><h2>What else happened</h2>"
    rows = ((moment(note.at), escaped(note.kind), escaped(note.text)) for note in item.notes)
    yield from table(("When", "What", ""), rows)
    yield "</section>"
