"""`why`: why an item is where it is, on one screen."""

from __future__ import annotations

import argparse
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import ConfigError, SpecError, UnknownItemError, UsageError
from orchestrator.redact import redactor
from orchestrator.report.document import attempt_document
from orchestrator.report.gather import gather
from orchestrator.report.model import Item, Story
from orchestrator.report.why import Why, never_run
from orchestrator.report.why import why as explain
from orchestrator.run.delivery.items import item_named
from orchestrator.run.specs import find_change
from orchestrator.settings import Config

from .output import coloured, print_json, width
from .rows import INDENT, print_row
from .why_item import explain_item

_EVIDENCE = 12


def why(arguments: argparse.Namespace) -> int:
    """Say why an item or a story is where it is, what comes next, and what to say."""
    directory = Path(arguments.directory)
    repo = Repository.open(directory)
    config_file = Path(arguments.config) if arguments.config else repo.checkout / FILE_NAME
    trouble = ""
    try:
        config = load_config(config_file, environ=os.environ)
    except ConfigError as error:
        config, trouble = Config(), f"{error.where}: {error.message}"
    answer = _answer(repo, directory, arguments, config)
    if arguments.json:
        print_json(_document(answer))
    else:
        _print(answer)
        if trouble:
            print_row("but", f"a run stops at once: {trouble}")
    return 0


def _answer(
    repo: Repository, directory: Path, arguments: argparse.Namespace, config: Config
) -> Why:
    now = time.time()
    redact = redactor(os.environ, *(agent.env for agent in config.agents.values())).text
    unknown: UnknownItemError | None = None
    if arguments.story is None:
        try:
            found = explain_item(repo, arguments.item, config, now=now, redact=redact)
        except UnknownItemError as error:
            unknown = error
        else:
            if found is not None:
                return found
    try:
        item_id = item_named(repo, arguments.item)
    except UsageError as error:
        with suppress(SpecError):
            source, change = find_change(repo, directory, arguments.item)
            stories = [story for story in source.read(change).stories if story.tasks]
            return never_run(change, len(stories))
        raise unknown or error from None
    (item,) = gather(repo, [item_id], now=now, redact=redact).items
    story = _story(item, arguments.story) if arguments.story is not None else None
    return explain(item, story, max_attempts=config.execution.max_attempts, now=now)


def _story(item: Item, name: str) -> Story:
    for story in item.stories:
        if story.id == name:
            return story
    ids = ", ".join(story.id for story in item.stories)
    raise UsageError(f"{item.id} has no story {name}", fix=f"its stories: {ids}")


def _document(answer: Why) -> dict[str, object]:
    return {
        "item": answer.item,
        "story": answer.story,
        "headline": answer.headline,
        "because": answer.because,
        "evidence": answer.evidence,
        "last": attempt_document(answer.last) if answer.last is not None else None,
        "facts": [{"kind": kind, "text": text} for kind, text in answer.facts],
        "next": answer.next,
        "say": [{"command": command, "does": does} for command, does in answer.say],
    }


def _print(answer: Why) -> None:
    print(coloured(answer.headline, "bold", sys.stdout))
    print_row("because", answer.because)
    _print_evidence(answer.evidence)
    for kind, text in answer.facts:
        print_row(kind, text)
        if kind == "last" and answer.last is not None:
            _print_evidence(answer.last.record.evidence)
    print_row("next", answer.next)
    longest = max(len(command) for command, _ in answer.say)
    for number, (command, does) in enumerate(answer.say):
        label = "" if number else "say"
        print(f"{label:<{INDENT}}{command:<{longest}}  {coloured(f'# {does}', 'dim', sys.stdout)}")


def _print_evidence(evidence: str) -> None:
    lines = evidence.expandtabs(4).splitlines()
    room = width() - INDENT - 2
    if len(lines) > _EVIDENCE:
        print(f"{'':<{INDENT}}| … {len(lines) - _EVIDENCE} lines before: orc report shows them")
    for line in lines[-_EVIDENCE:]:
        cut = line if len(line) <= room else line[: room - 1] + "…"
        print(coloured(f"{'':<{INDENT}}| {cut}", "dim", sys.stdout))
