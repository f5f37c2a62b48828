"""`worklog`: what was done on items, as Markdown, month by month."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator

from orchestrator.errors import UsageError
from orchestrator.store.reading import HistoryRow
from orchestrator.work.backlog.change import Entry
from orchestrator.work.backlog.item import Status
from orchestrator.work.backlog.worklog import month_file, worklog_entry

from .output import print_json
from .place import find_state
from .stored import Stored, open_stored

_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")


def worklog(arguments: argparse.Namespace) -> int:
    """Print what the history tells of work, of all months or of one."""
    month = arguments.month
    if month is not None and not _MONTH.fullmatch(month):
        raise UsageError(f"{month!r} is no month", where="--month", fix="write it as 2026-02")
    with open_stored(find_state(arguments)) as stored:
        entries = list(_entries(stored, month))
    if arguments.json:
        print_json({"entries": [document for document, _ in entries]})
        return 0
    sys.stdout.write("".join(text for _, text in entries))
    return 0


def _entries(stored: Stored, month: str | None) -> Iterator[tuple[dict[str, object], str]]:
    """Yield the entries that tell of work, oldest first: as documents, and as Markdown."""
    if stored.reader is None:
        return
    titles = {item.id: item.title for item in stored.items()}
    for row in stored.reader.history():
        if month is not None and month_file(row.at) != f"{month}.md":
            continue
        entry, title = _entry(row), titles.get(row.item, "")
        if text := worklog_entry(entry, title, row.at):
            told = {"phase": entry.phase, "outcome": entry.outcome, "summary": entry.text}
            yield {"at": row.at, "item": row.item, "title": title, **told}, text


def _entry(row: HistoryRow) -> Entry:
    status = Status.NEW  # the worklog does not tell it
    said = row.document
    return Entry(
        item=row.item,
        what=row.what,
        before=status,
        after=status,
        phase=str(said.get("phase", "")),
        outcome=str(said.get("outcome", "")),
        text=str(said.get("text", "")),
        by=str(said.get("by", "")),
    )
