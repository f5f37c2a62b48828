"""A report as one HTML file: no network, no script, light and dark, fit to print. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from html import escape
from importlib.resources import files

from orchestrator.text import clean, duration, one_line
from orchestrator.work.records import AttemptState

from . import plots
from .model import Attempt, Diff, Item, Report, Story, Task, seconds_of, usage_of, waits_of
from .words import (
    SYMBOLS,
    attempt_state,
    backlog,
    changes,
    count,
    file_changes,
    headline,
    made,
    moment,
    money,
    outcome,
    overview,
    short,
    spent,
    state_word,
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
            f'content="light dark"><title>Report: {_text(title)}</title>\n<style>{style}</style>',
            f"</head>\n<body>{plots.DEFINITIONS}<main>\n",
            *(_overview(report) if report.rows else ()),
            *(part for item in report.items for part in _item(item, report.at)),
            "" if report.items or report.rows else "<h1>Nothing has been run here yet</h1>",
            f"<footer>{_text(report.repository)} · {_text(report.product)} · ",
            f"{moment(report.at)}</footer>\n</main></body></html>\n",
        )
    )


def _overview(report: Report) -> Iterator[str]:
    yield f"<header><h1>{_text(count(len(report.rows), 'item'))}</h1>"
    yield f'<p class="lead">{_text(overview(report))}.</p>'
    if counts := backlog(report):
        yield f'<p class="note">In the backlog: {_text(counts)}.</p>'
    yield "</header><section>"
    rows = (
        (
            f"<code>{_text(row.id)}</code> {_text(one_line(row.title, 80))}",
            _badge(row.status),
            f"{row.done or ''}",
            f"{row.tries or ''}",
            money(row.cost) if row.cost else "",
            moment(row.at) if row.at else "",
            _text(one_line(row.reason, 120)),
        )
        for row in report.rows
    )
    yield from _table(("Item", "Status", "Done", "Tries", "Cost", "Last", "Why"), rows)
    if left := len(report.rows) - len(report.items):
        yield f'<p class="note">The first {count(len(report.items), "item")} are told in full '
        yield f"below, the other {left:,} by <code>orc report ITEM</code>.</p>"
    yield "</section>"


def _item(item: Item, now: float) -> Iterator[str]:
    yield f'<article><header><p class="kicker">{_text(item.id)}</p>'
    yield f"<h1>{_text(item.title)}</h1>"
    told = headline(item).removeprefix(f"{item.status}, ")
    yield f'<p class="lead">{_badge(item.status)} {_text(told)}. '
    yield f"{_text(summary(item, now))}.</p>"
    if item.reason and item.status not in ("delivered", "discarded"):
        yield f'<p class="reason">{_text(item.reason)}</p>'
    if item.evidence:
        yield f"<pre>{_text(item.evidence)}</pre>"
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
        yield f"<section><h2>Everything that changed: {_text(changes(item.diff))}</h2>"
        yield from _diff(item.diff, f"orc diff {item.id}")
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
        yield f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>"
    yield "</dl>"


def _plural(item: Item) -> str:
    return "phases" if item.unit == "phase" else "stories"


def _description(task: Task) -> Iterator[str]:
    if not task.description:
        return
    yield "<section><h2>Description</h2>"
    for name, text in task.description:
        yield f"<h4>{_text(name.capitalize())}</h4><pre>{_text(text)}</pre>"
    yield "</section>"


def _questions(task: Task, now: float) -> Iterator[str]:
    if task.asked:
        yield "<section><h2>Questions</h2>"
        rows = (
            (
                f"{moment(asked.at)} {_text(asked.phase)}",
                _text(asked.text),
                _text(outcome(asked, now)),
                _text(asked.answer),
            )
            for asked in task.asked
        )
        yield from _table(("When", "Question", "Came of it", "Answer"), rows)
        yield "</section>"
    if task.found:
        yield "<section><h2>Follow-ups</h2>"
        found = (
            (f"<code>{_text(one.id)}</code> {_text(one.title)}", _badge(one.status))
            for one in task.found
        )
        yield from _table(("Item", "Status"), found)
        yield "</section>"


def _stories(item: Item) -> Iterator[str]:
    if not item.stories:
        return
    yield f"<section><h2>{_plural(item).capitalize()}</h2>"
    whole = usage_of(item.attempts)
    heads = [item.unit.capitalize(), "Result", "Tries", "Time"]
    heads += [name for name, known in (("Cost", whole.cost), ("Tokens", whole.tokens)) if known]
    yield from _table(
        [*heads, "Changes"], (_story_row(story, item, heads) for story in item.stories)
    )
    yield "</section>"


def _story_row(story: Story, item: Item, heads: Container[str]) -> Iterator[str]:
    usage, tried = usage_of(story.attempts), bool(story.attempts)
    yield f"{_text(story.id)} {_text(story.title)}"
    yield _badge(story.state, story_word(story, item))
    yield f"{story.tries or ''}"
    yield duration(seconds_of(story.attempts)) if tried else ""
    if "Cost" in heads:
        yield money(usage.cost) if tried else ""
    if "Tokens" in heads:
        yield short(usage.tokens) if tried else ""
    yield _text(made(story))


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
    yield f'<section class="story"><h3>{_text(story.id)} {_text(story.title)} '
    yield f"{_badge(story.state, story_word(story, item))}</h3>"
    tried = count(len(story.attempts), "attempt") if story.attempts else "No attempt"
    yield f'<p class="note">{tried}{tasks}.</p>'
    for attempt in story.attempts:
        yield from _attempt(attempt, item, unfold=attempt is story.attempts[-1])
    yield "</section>"


def _attempt(attempt: Attempt, item: Item, *, unfold: bool) -> Iterator[str]:
    """Yield one attempt, folded when something came after it that made it good."""
    record, state = attempt.record, attempt_state(attempt)
    unfold = unfold and attempt.state is not AttemptState.VERIFIED
    yield f"<details{' open' if unfold else ''}><summary>{_badge(state)} "
    inner = f"{_text(record.story)} " if item.unit == "phase" and record.story else ""
    yield f"{inner}attempt {record.number} · {moment(record.at)}"
    yield "".join(f" · {_text(part)}" for part in spent((attempt,)))
    if record.reason:
        yield f' <span class="why">{_text(record.reason)}</span>'
    yield '</summary><div class="inside">'
    if record.evidence:
        yield f"<h4>What shows it</h4><pre>{_text(record.evidence)}</pre>"
    if record.learnings:
        yield f"<h4>What the worker noted</h4><pre>{_text(record.learnings)}</pre>"
    if attempt.diff is not None:
        yield f"<h4>What it changed: {_text(changes(attempt.diff))}</h4>"
        yield from _diff(attempt.diff, f"git show {attempt.commit[:12]}")
    yield f'<p class="note">Attempt <code>{_text(record.id)}</code>'
    if len(item.runs) > 1:
        yield f" of run <code>{_text(record.run)}</code>"
    yield f", kept at <code>{_text(attempt.commit[:12])}</code>" if attempt.commit else ""
    yield ".</p></div></details>"


def _diff(diff: Diff, command: str) -> Iterator[str]:
    if not diff.count:
        return
    rows = ((f"<code>{_text(file.path)}</code>", _text(file_changes(file))) for file in diff.files)
    yield from _table(("File", "Lines"), rows)
    if diff.count > len(diff.files):
        yield f'<p class="note">and {diff.count - len(diff.files):,} more files</p>'
    if diff.patch:
        yield "<details><summary>Patch</summary>"
        yield f'<pre class="patch">{"".join(map(_patch_line, diff.patch.splitlines()))}</pre>'
        yield "</details>"
    if diff.cut:
        yield f'<p class="note">The patch is cut here: <code>{_text(command)}</code></p>'


def _patch_line(line: str) -> str:
    """Return one line; only its first character decides how it looks."""
    kind = ""
    if line.startswith(("+++", "---", "diff ", "index ", "new file", "deleted ", "rename ")):
        kind = "head"
    else:
        kind = {"+": "add", "-": "del", "@": "hunk"}.get(line[:1], "")
    text = _text(line)
    return f'<span class="{kind}">{text}</span>\n' if kind else f"{text}\n"


def _place(item: Item) -> Iterator[str]:
    run = item.run
    if not run.base:
        return
    target = run.target.removeprefix("refs/heads/") or "a detached HEAD"
    rows = [("Started from", f"<code>{_text(target)}</code> at <code>{_text(run.base[:9])}</code>")]
    if item.branch:
        what = f"<code>{_text(item.branch)}</code> at <code>{_text(item.tip[:9])}</code>, "
        rows.append(("Branch", what + count(item.commits, "commit")))
    else:
        rows.append(("Branch", "gone"))
    rows += [("Delivery", _text(delivery)) for delivery in item.deliveries]
    if run.carried:
        rows.append(("Carried from the checkout", _text(", ".join(run.carried))))
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
            f"<code>{_text(run.id)}</code>",
            moment(run.at),
            duration(run.ended - run.at) if run.ended is not None else "",
            _badge(run.state),
            _text(run.reason),
        )
        for run in item.runs
    )
    yield from _table(("Run", "Began", "Took", "State", "Why"), rows)
    yield "</section>"


def _notes(item: Item) -> Iterator[str]:
    if not item.notes:
        return
    yield "<section><h2>What else happened</h2>"
    rows = ((moment(note.at), _text(note.kind), _text(note.text)) for note in item.notes)
    yield from _table(("When", "What", ""), rows)
    yield "</section>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Return a table; the cells are markup already."""
    yield '<div class="wide"><table><thead><tr>'
    for head in heads:
        yield f'<th scope="col">{head}</th>' if head else "<td></td>"
    yield "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def _badge(state: str, word: str = "") -> str:
    sign = SYMBOLS.get(state, _ENDINGS.get(state, "·"))
    return f'<span class="badge s-{_class(state)}">{sign} {_text(word or state_word(state))}</span>'


_ENDINGS = {"done": "✓", "delivered": "✓", "in progress": "▸"}
_CLASSES = {"done": "verified", "delivered": "verified", "in progress": "running"}


def _class(state: str) -> str:
    return _CLASSES.get(state, state if state in SYMBOLS else "open")


def _text(text: str) -> str:
    """Return text from elsewhere as it may stand in markup and in attributes."""
    return escape(clean(text))
