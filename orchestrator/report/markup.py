"""Pieces of a page that several of its sections are made of. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from orchestrator.text import clean

from .model import Diff
from .words import SYMBOLS, file_changes, state_word

_ENDINGS = {"done": "✓", "delivered": "✓", "in progress": "▸"}
_CLASSES = {"done": "verified", "delivered": "verified", "in progress": "running"}


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Return a table; the cells are markup already."""
    yield '<div class="wide"><table><thead><tr>'
    for head in heads:
        yield f'<th scope="col">{head}</th>' if head else "<td></td>"
    yield "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"


def badge(state: str, word: str = "") -> str:
    """Return a state as a sign and a word."""
    sign = SYMBOLS.get(state, _ENDINGS.get(state, "·"))
    return (
        f'<span class="badge s-{_class(state)}">{sign} {escaped(word or state_word(state))}</span>'
    )


def _class(state: str) -> str:
    return _CLASSES.get(state, state if state in SYMBOLS else "open")


def escaped(text: str) -> str:
    """Return text from elsewhere as it may stand in markup and in attributes."""
    return escape(clean(text))


def diff_table(diff: Diff, command: str) -> Iterator[str]:
    """Yield a difference: its files, and its patch folded; ``command`` shows all of it."""
    if not diff.count:
        return
    rows = (
        (f"<code>{escaped(file.path)}</code>", escaped(file_changes(file))) for file in diff.files
    )
    yield from table(("File", "Lines"), rows)
    if diff.count > len(diff.files):
        yield f'<p class="note">and {diff.count - len(diff.files):,} more files</p>'
    if diff.patch:
        yield "<details><summary>Patch</summary>"
        yield f'<pre class="patch">{"".join(map(_patch_line, diff.patch.splitlines()))}</pre>'
        yield "</details>"
    if diff.cut:
        yield f'<p class="note">The patch is cut here: <code>{escaped(command)}</code></p>'


def _patch_line(line: str) -> str:
    """Return one line; only its first character decides how it looks."""
    kind = ""
    if line.startswith(("+++", "---", "diff ", "index ", "new file", "deleted ", "rename ")):
        kind = "head"
    else:
        kind = {"+": "add", "-": "del", "@": "hunk"}.get(line[:1], "")
    text = escaped(line)
    return f'<span class="{kind}">{text}</span>\n' if kind else f"{text}\n"
