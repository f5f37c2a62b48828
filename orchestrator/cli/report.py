"""`report`: what happened, as Markdown, as one HTML file, or as JSON."""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import ConfigError, UsageError
from orchestrator.redact import redactor
from orchestrator.report import html, markdown
from orchestrator.report.cleaning import Cleaner
from orchestrator.report.document import document
from orchestrator.report.gather import gather
from orchestrator.report.overview import read_overview
from orchestrator.run.delivery.items import item_named
from orchestrator.settings import Config

from .output import json_text

MOST_ITEMS = 20
"""How many of all items a report for people tells in full."""


def report(arguments: argparse.Namespace) -> int:
    """Tell what happened to one item, or to all that ever ran here."""
    repo = Repository.open(Path(arguments.directory))
    config = _config(arguments, repo)
    redact = redactor(os.environ, *(agent.env for agent in config.agents.values())).text
    tell = partial(
        gather,
        repo,
        now=time.time(),
        redact=redact,
        patches=bool(arguments.html),
        rules=config.rules(),
    )
    if arguments.item:
        found = tell([item_named(repo, arguments.item)])
    else:
        rows, counts = read_overview(repo, Cleaner(redact))
        # A document is for programs, which want all of it.
        most = None if arguments.json else MOST_ITEMS
        found = tell([row.id for row in rows[:most]])
        if len(rows) > 1:
            found = attrs.evolve(found, rows=rows, counts=counts)
    if arguments.html:
        _put(html.render(found), arguments.html)
    elif arguments.json:
        _put(json_text(document(found)), arguments.output)
    else:
        _put(markdown.render(found), arguments.output)
    return 0


def _config(arguments: argparse.Namespace, repo: Repository) -> Config:
    """Return the settings; a configuration that is wrong keeps no one from reading."""
    file = Path(arguments.config) if arguments.config else repo.checkout / FILE_NAME
    try:
        return load_config(file, environ=os.environ)
    except ConfigError:
        return Config()


def _put(text: str, file: str | None) -> None:
    """Write to stdout or to a file, which is whole or stays as it was."""
    if file in (None, "-"):
        sys.stdout.write(text)
        return
    try:
        if Path(file).exists() and not Path(file).is_file():
            Path(file).write_text(text, encoding="utf-8")  # a pipe or a terminal
        else:
            _replace(Path(os.path.realpath(file)), text)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror}", where=file, fix="name another file"
        ) from error


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("x", encoding="utf-8") as stream:
            stream.write(text)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
