"""The arguments of the backlog's commands. Imports nothing heavy: `--help` waits for it."""

from __future__ import annotations

import argparse
import functools

from .arguments import Commands, add_command

_SIZES = ("small", "medium", "large")
_LEVELS = ("low", "medium", "high")


def add_backlog(commands: Commands) -> None:
    """Add what a person does to items."""
    add = functools.partial(add_command, commands, json=True)
    _add(add("add", "add an item, or many from a file; also while a run goes on"))
    edit = add("edit", "change what is known of an item; what is left out stays")
    edit.add_argument("item")
    edit.add_argument("--title")
    _described(edit)
    edit.add_argument("--needs", action="append", metavar="ID,…|none", help="all that it needs")
    edit.add_argument("--parent", metavar="ID|none", help="what it is a part of")
    edit.add_argument("--review", action=argparse.BooleanOptionalAction, help="approve it first")
    answer = add("answer", "answer what an item waits for; it goes on then")
    answer.add_argument("item")
    answer.add_argument("text", nargs="*")
    verdict = answer.add_mutually_exclusive_group()
    verdict.set_defaults(verdict=None)
    for word, text in (("yes", "approve it"), ("no", "refuse it: an approval closes the item")):
        verdict.add_argument(
            f"--{word}", dest="verdict", action="store_const", const=word, help=text
        )
    move = add("move", "bring an item, or a branch by hand, to a phase, or one step on")
    move.add_argument("item", nargs="?", metavar="ITEM|BRANCH", help="the branch checked out")
    move.add_argument("--to", dest="phase", metavar="PHASE", help='or "triage", to begin anew')
    move.add_argument("--force", action="store_true", help="past what needs an approval")
    move.add_argument(
        "--cycle", nargs="?", type=int, const=True, metavar="N", help="the next cycle, or this one"
    )
    move.add_argument("--reason", metavar="TEXT", default="")
    move.add_argument("--approved-by", metavar="NAME", default="")
    _stops(commands)
    _more(commands)
    _old(commands)


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add what says which items are wanted."""
    parser.add_argument(
        "--only", action="append", metavar="KEY=VALUE", default=[],
        help="items like this: a comma is or, repeated is and; such as impact=high,medium",
    )  # fmt: skip


def add_orders(run: argparse.ArgumentParser) -> None:
    """Add what a person asks a run of the backlog for."""
    run.add_argument(
        "--target", action="append", metavar="ID", default=[], help="this item; may be repeated"
    )
    add_filters(run)
    run.add_argument("--cap", type=int, metavar="N", help="begin at most so many phases")
    run.add_argument(
        "--auto-advance", action="store_true", help="pass over targets that cannot go on"
    )


def _add(add: argparse.ArgumentParser) -> None:
    add.add_argument("title", nargs="*", metavar="TITLE", help="in words")
    add.add_argument(
        "-f", dest="file", metavar="FILE|-",
        help="many: a title a line, a task list, or JSON Lines",
    )  # fmt: skip
    _described(add)
    add.add_argument("--needs", action="append", metavar="ID,…", help="what must be done before")
    add.add_argument("--parent", metavar="ID", help="what it is a part of")
    add.add_argument("--review", action="store_true", help="you approve it before it is begun")


def _described(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-d", "--description", metavar="TEXT|-")
    parser.add_argument("--size", choices=_SIZES)
    for name in ("complexity", "risk", "impact"):
        parser.add_argument(f"--{name}", choices=_LEVELS)
    parser.add_argument("--pipeline", metavar="NAME")
    parser.add_argument("--priority", type=int, metavar="N", help="higher goes first (default 0)")
    parser.add_argument("--tag", action="append", metavar="TAG", help="may be repeated")


def _stops(commands: Commands) -> None:
    add = functools.partial(add_command, commands, json=True)
    retry = add("retry", "let an item try again what stopped it")
    retry.add_argument("item")
    hold = add("hold", "let an item wait until you answer or retry it")
    hold.add_argument("item")
    hold.add_argument("--reason", metavar="TEXT", required=True)
    close = add("close", "end an item without its being done")
    close.add_argument("item")
    close.add_argument("--reason", metavar="TEXT", default="")
    close.add_argument("--duplicate-of", metavar="ID", help="goes into this one")
    complete = add("complete", "end an item because you did the rest of it")
    complete.add_argument("item")
    complete.add_argument("--summary", metavar="TEXT", required=True, help="what was done")
    claim = add("claim", "keep runs off an item: you work on it")
    claim.add_argument("item")
    claim.add_argument("--by", metavar="NAME", help="you, when left out")
    claim.add_argument("--release", action="store_true", help="give it back")


def _more(commands: Commands) -> None:
    add = functools.partial(add_command, commands, json=True)
    pipeline = add("pipeline", "the pipelines in force, their phases and who does them")
    pipeline.add_argument("name", nargs="?")
    worklog = add("worklog", "what was done on items, as Markdown")
    worklog.add_argument("--month", metavar="YYYY-MM", help="only this one, in UTC")
    imported = add("import", "take items over from a backlog of another tool")
    imported.add_argument("path")
    imported.add_argument("--dry-run", action="store_true", help="say what would be taken over")
    exported = add("export", "write the items for another tool")
    exported.add_argument("path", nargs="?", help="a file; standard output when left out")
    exported.add_argument(
        "--format", choices=("jsonl", "task-golem"), default="jsonl", help="(default jsonl)"
    )


def _old(commands: Commands) -> None:
    """Add the spellings of earlier tools."""
    old = functools.partial(add_command, commands, json=True)
    advance = old("advance", "see move", stands_for="move")
    advance.set_defaults(force=False, reason="", approved_by="", cycle=None)
    advance.add_argument("item")
    advance.add_argument("--to", dest="phase", metavar="PHASE")
    unblock = old("unblock", "see answer", stands_for="answer")
    unblock.set_defaults(verdict=None)
    unblock.add_argument("item")
    unblock.add_argument("--notes", dest="text", action="append", metavar="TEXT", default=[])
