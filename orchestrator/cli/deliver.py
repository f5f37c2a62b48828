"""`diff`, `finish` and `recover`: what a run left, and where it goes."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import UsageError
from orchestrator.run import delivery
from orchestrator.text import clean, one_line

from .output import coloured, print_json


def diff(arguments: argparse.Namespace) -> int:
    """Print what the item's branch changed since its base."""
    repo = Repository.open(Path(arguments.directory))
    item = delivery.item_named(repo, arguments.item)
    text = delivery.diff(repo, item, names_only=arguments.stat)
    if sys.stdout.isatty():
        sys.stdout.write(clean(text.decode(errors="replace")))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
    return 0


def finish(arguments: argparse.Namespace) -> int:
    """Keep the branch, or merge it into the branch it started from."""
    import trio

    from orchestrator.run.finish import FinishOptions, finish_item

    options = FinishOptions(
        directory=Path(arguments.directory),
        config_file=Path(arguments.config) if arguments.config else None,
        item=arguments.item,
        how=arguments.how,
        verify=tuple(arguments.verify) if arguments.verify else None,
        command_timeout=arguments.command_timeout,
    )
    result = trio.run(partial(finish_item, options, signals=True))
    if arguments.json:
        print_json({"item": arguments.item, "how": arguments.how, "commit": result.commit})
    else:
        print(result.text)
    return 0


def recover(arguments: argparse.Namespace) -> int:
    """List what is pinned, or write one attempt's files into a new directory."""
    repo = Repository.open(Path(arguments.directory))
    everything = delivery.pinned(repo)
    wanted = arguments.pinned
    chosen = [
        entry
        for entry in everything
        if wanted is None or entry.attempt.item == wanted or entry.attempt.id.startswith(wanted)
    ]
    if wanted is not None and not chosen:
        raise UsageError(f"nothing is pinned under {wanted}", fix="orc recover lists all")
    if arguments.to is None:
        _list(chosen, as_json=arguments.json)
        return 0
    if len(chosen) != 1:
        raise UsageError("name one attempt to restore", fix="orc recover lists their ids")
    count = delivery.restore_to(repo, chosen[0], Path(arguments.to))
    print(f"{count} files of {chosen[0].attempt.id} written to {arguments.to}")
    return 0


def _list(entries: list[delivery.Pinned], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "pinned": [
                    {
                        "id": entry.attempt.id,
                        "item": entry.attempt.item,
                        "story": entry.attempt.story,
                        "state": entry.attempt.state.value,
                        "reason": entry.attempt.reason,
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
        attempt = entry.attempt
        state = coloured(f"{attempt.state.value:<11}", "dim", sys.stdout)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(attempt.at))
        reason = one_line(attempt.reason, 80)
        print(f"{when}  {attempt.id:<40} {state} {entry.commit[:9]}  {reason}".rstrip())
    print("restore one: orc recover ATTEMPT --to DIR")
