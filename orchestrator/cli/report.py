"""`report`: what happened, as Markdown, as one HTML file, or as JSON."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import ConfigError, UsageError
from orchestrator.redact import redactor
from orchestrator.report import html, markdown
from orchestrator.report.document import document
from orchestrator.report.gather import gather, known_items
from orchestrator.run.delivery.items import item_named

from .output import json_text


def report(arguments: argparse.Namespace) -> int:
    """Tell what happened to one item, or to all that ever ran here."""
    repo = Repository.open(Path(arguments.directory))
    items = [item_named(repo, arguments.item)] if arguments.item else known_items(repo)
    redact = redactor(os.environ, *_agents(arguments, repo)).text
    found = gather(repo, items, now=time.time(), redact=redact, patches=bool(arguments.html))
    if arguments.html:
        _put(html.render(found), arguments.html)
    elif arguments.json:
        _put(json_text(document(found)), arguments.output)
    else:
        _put(markdown.render(found), arguments.output)
    return 0


def _agents(arguments: argparse.Namespace, repo: Repository) -> list[Mapping[str, str]]:
    """Return what agents are given; a configuration that is wrong keeps no one from reading."""
    file = Path(arguments.config) if arguments.config else repo.checkout / FILE_NAME
    try:
        return [agent.env for agent in load_config(file, environ=os.environ).agents.values()]
    except ConfigError:
        return []


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
