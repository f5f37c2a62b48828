"""`diff`, `finish`, `undo`, `recover`, `gc`: what a run left, where it goes, how long it stays."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import UnknownItemError, UsageError
from orchestrator.run.backlog.naming import item_meant
from orchestrator.run.delivery import items, pins
from orchestrator.text import clean, one_line

from .output import coloured, print_json
from .overrides import patience

if TYPE_CHECKING:
    from orchestrator.run.delivery.delivering import Finished, FinishOptions


def diff(arguments: argparse.Namespace) -> int:
    """Print what the item's branch changed since its base."""
    repo = Repository.open(Path(arguments.directory))
    item = items.item_named(repo, arguments.item)
    text = items.diff(repo, item, names_only=arguments.stat)
    if sys.stdout.isatty():
        sys.stdout.write(clean(text.decode(errors="replace")))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
    return 0


def finish(arguments: argparse.Namespace) -> int:
    """Deliver an item in the way that was asked for."""
    import trio

    from orchestrator.run.finish import finish_item

    if arguments.message is not None and arguments.how != "squash":
        raise UsageError("-m is the message of a squashed commit", fix="add --squash")
    terminal = sys.stdin.isatty()
    options = attrs.evolve(
        _options(arguments),
        item=arguments.item,
        how=arguments.how,
        archive=arguments.archive,
        message=arguments.message,
        edit=terminal,
        terminal=terminal,
        verify=arguments.verify,
        command_timeout=arguments.command_timeout,
        patience=patience(arguments),
    )
    print_finished(trio.run(partial(finish_item, options, signals=True)), as_json=arguments.json)
    return 0


def undo(arguments: argparse.Namespace) -> int:
    """Take back the last delivery."""
    import trio

    from orchestrator.run.finish import undo_last

    record = trio.run(undo_last, _options(arguments), arguments.item)
    if arguments.json:
        print_json({"item": record.item, "how": record.how, "branch": f"orchestrator/{record.item}",
                    "target": record.target, "commit": record.old})  # fmt: skip
    else:
        where = {"apply": "its files are as before", "discard": "nothing was lost"}
        moved = f"{record.target.removeprefix('refs/heads/')} is at {record.old[:7]} again"
        print(f"took back the {record.how} of {record.item}: {where.get(record.how, moved)}; "
              f"branch orchestrator/{record.item} is back")  # fmt: skip
    return 0


def gc(arguments: argparse.Namespace) -> int:
    """Remove what was delivered and kept long enough."""
    import trio

    from orchestrator.run.finish import collect_garbage

    found = trio.run(partial(collect_garbage, _options(arguments), dry_run=arguments.dry_run))
    if arguments.json:
        print_json({"dry_run": found.dry_run, "refs": list(found.refs), "bytes": found.bytes,
                    "files": [os.fsdecode(path) for path in found.files]})  # fmt: skip
        return 0
    for name in (*found.refs, *found.files) if found.dry_run else ():
        print(one_line(str(name), 200))
    verb = "would remove" if found.dry_run else "removed"
    pins = f"{len(found.refs)} pin{'s' if len(found.refs) != 1 else ''}"
    files = f"{len(found.files)} log{'s' if len(found.files) != 1 else ''} or workspaces"
    print(f"{verb} {pins} and {files}, {found.bytes / 1e6:.1f} MB; "
          "nothing that is not delivered was touched")  # fmt: skip
    return 0


def print_finished(done: Finished, *, as_json: bool) -> None:
    """Tell what was delivered, on one line or as one document."""
    if as_json:
        print_json(attrs.asdict(done))
        return
    print(closing_line(done))


def closing_line(done: Finished) -> str:
    """Return one line that says where the work is now, and how to get at what is pinned."""
    kept = f"{done.pinned} attempt{'s' if done.pinned != 1 else ''} pinned {done.days} days"
    kept += " (orc recover)"
    match done.how:
        case "keep":
            return f"kept: branch orchestrator/{done.item} at {done.commit[:7]}"
        case "discard":
            return f"gave {done.item} up; its branch and {kept}; back with: orc undo {done.item}"
        case "apply":
            arrived = f"changed in the work tree on {done.base}, not committed"
        case _:
            arrived = f"{done.target} +{done.commit[:7]}"
    if done.checked == "already":
        return f"already delivered: {arrived.replace(' +', ' is at ')}"
    notes = [
        *(["signed"] if done.signed else []),
        *(["hooks ran"] if done.hooks else []),
        *([f"hooks changed {done.changed_by_hooks} files"] if done.changed_by_hooks else []),
    ]
    parts = [
        f"{done.checked} on {done.base}" if done.checked else "completed",
        f"{arrived} ({', '.join(notes)})" if notes else arrived,
        *(["change archived"] if done.archived else []),
        kept,
    ]
    return "; ".join(parts)


def _options(arguments: argparse.Namespace) -> FinishOptions:
    from orchestrator.run.delivery.delivering import FinishOptions

    return FinishOptions(
        directory=Path(arguments.directory),
        config_file=Path(arguments.config) if arguments.config else None,
        item="",
        how="",
    )


def recover(arguments: argparse.Namespace) -> int:
    """List what is pinned, or write one attempt's files into a new directory."""
    repo = Repository.open(Path(arguments.directory))
    chosen = _chosen(repo, pins.pinned(repo), arguments.pinned)
    if arguments.to is None:
        _list(chosen, as_json=arguments.json)
        return 0
    if len(chosen) != 1:
        raise UsageError("name one attempt to restore", fix="orc recover lists their ids")
    count = pins.restore_to(repo, chosen[0], Path(arguments.to))
    print(f"{count} files of {chosen[0].id} written to {arguments.to}")
    return 0


def _chosen(
    repo: Repository, everything: Sequence[pins.Pinned], wanted: str | None
) -> list[pins.Pinned]:
    """Return what is pinned of an item, else what begins like that; all, when nothing is named."""
    if wanted is None:
        return list(everything)
    chosen = [entry for entry in everything if entry.item == wanted]
    chosen = chosen or [entry for entry in everything if entry.id.startswith(wanted)]
    fix = "orc recover lists all"
    if not chosen:
        try:
            item = item_meant(repo.git, wanted)
        except UnknownItemError as error:
            fix = f"{error.message}; {fix}"
        else:
            chosen = [entry for entry in everything if entry.item == item]
    if not chosen:
        raise UsageError(f"nothing is pinned under {wanted}", fix=fix)
    return chosen


def _list(entries: Sequence[pins.Pinned], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "pinned": [
                    {
                        "id": entry.id,
                        "item": entry.item,
                        "story": entry.story,
                        "phase": entry.phase,
                        "state": entry.state,
                        "reason": entry.reason,
                        "ref": entry.ref,
                        "commit": entry.commit,
                    }
                    for entry in entries
                ]
            }
        )
        return
    if not entries:
        print("nothing is pinned")
        return
    for entry in entries:
        state = coloured(f"{entry.state:<11}", "dim", sys.stdout)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.at))
        reason = one_line(entry.reason, 80)
        print(f"{when}  {entry.id:<40} {state} {entry.commit[:9]}  {reason}".rstrip())
    print("restore one: orc recover ATTEMPT --to DIR")
