"""What is to be added: one item from the words of a command line, or many from a file."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cattrs.errors import ClassValidationError

from orchestrator.calling import structured
from orchestrator.errors import UsageError
from orchestrator.run.backlog.commands import Addition
from orchestrator.structure import first_problem
from orchestrator.text import one_line
from orchestrator.work.backlog.document import read_document

from .ask import MOST

_LONGEST = 2 * MOST
"""Bytes of a file that are looked at: comments are not added."""

Document = dict[str, Any]

_JSON = re.compile(r"\s*(?:\{|\[\s*[\]{])")
_BULLET = re.compile(r"[-*]\s+(?:\[(?P<tick>[ xX])\]\s+)?")


def additions(arguments: argparse.Namespace) -> list[Document]:
    """Return the documents of all that is to be added, each checked; see `Addition`.

    What options say holds for every item of a file that says nothing else itself.

    Raises:
      UsageError: when nothing, or too much, is to be added, or it is not understood; names the
        line.
    """
    said = described(arguments)
    if arguments.file is None:
        if not arguments.title:
            raise UsageError("add what?", fix='orc add "Fix the login", or orc add -f FILE')
        found = [{**said, "title": " ".join(arguments.title)}]
    elif arguments.title:
        raise UsageError("a title and -f exclude each other", fix="put the title into the file")
    else:
        name = "standard input" if arguments.file == "-" else arguments.file
        found = [{**said, **each} for each in parse_additions(_read(arguments, name), name)]
        if not found:
            raise UsageError("it holds nothing to add", where=name, fix="write a title a line")
    size = len(json.dumps(found))
    if size > MOST:
        raise _too_much(size, arguments.file)
    return found


def described(arguments: argparse.Namespace) -> Document:
    """Return what the options of `add` and `edit` say of an item, as fields of the commands."""
    names = ("size", "complexity", "risk", "impact", "pipeline", "priority", "parent")
    said = {name: getattr(arguments, name) for name in names}
    said["description"] = _text(arguments.description)
    said["tags"] = arguments.tag
    said["needs"] = ids(arguments.needs)
    said["needs_review"] = arguments.review or None
    return {name: value for name, value in said.items() if value is not None}


def ids(given: list[str] | None) -> list[str] | None:
    """Return the ids of an option that may be repeated and holds some with commas between."""
    if given is None:
        return None
    return [id for text in given for part in text.split(",") if (id := part.strip())]


def parse_additions(text: str, name: str) -> list[Document]:
    """Return what a file says is to be added.

    It is a JSON list of objects, JSON Lines, or a title a line: blank lines, comments after "#" and
    ticked tasks are left out, and so is what makes a line one of a list.

    Raises:
      UsageError: when it is not understood; names the line.
    """
    if _JSON.match(text):
        return list(_documents(text, name))
    found = []
    for line in map(str.strip, text.split("\n")):
        bullet = _BULLET.match(line)
        if not line or line.startswith("#") or (bullet and bullet["tick"] in ("x", "X")):
            continue
        found.append({"title": line[bullet.end() :] if bullet else line})
    return found


def _documents(text: str, name: str) -> Iterator[Document]:
    """Yield the objects of a list, or of lines."""
    if text.lstrip().startswith("["):
        listed = _json(text, name)
        yield from (_checked(each, f"{name}: item {n}") for n, each in enumerate(listed, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{name}: line {number}"
            yield _checked(_json(line, where), where)


def _json(text: str, where: str) -> Any:
    try:
        return read_document(text)
    except ValueError as error:
        raise UsageError(str(error), where=where, fix="write one JSON object a line") from None


def _checked(document: object, where: str) -> Document:
    if not isinstance(document, Mapping):
        raise UsageError(
            f"{one_line(repr(document), 60)} is no object",
            where=where,
            fix='write {"title": "…"}',
        )
    try:
        structured(Addition, document)
    except ClassValidationError as error:
        path, problem, fix = first_problem(error)
        told = f"{path}: {problem}" if path else problem
        raise UsageError(one_line(told, 400), where=where, fix=fix) from None
    return dict(document)


def _text(given: str | None) -> str | None:
    """Return what was said in words: "-" stands for standard input."""
    if given != "-":
        return given
    return _decoded(sys.stdin.buffer.read(MOST), "standard input")


def _read(arguments: argparse.Namespace, name: str) -> str:
    """Return what a file, or standard input, says."""
    try:
        if arguments.file == "-":
            data = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with (Path(arguments.directory) / arguments.file).open("rb") as file:
                data = file.read(_LONGEST + 1)
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"it cannot be read: {told}", where=name, fix="name a file") from None
    if len(data) > _LONGEST:
        raise _too_much(len(data), name)
    return _decoded(data, name)


def _too_much(size: int, where: str | None) -> UsageError:
    return UsageError(
        f"that is {size >> 10} KiB or more to be added at once; {MOST >> 10} KiB can be",
        where=where,
        fix="split it: each part is added whole, or not at all",
    )


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        where = f"{name}: line {line}"
        raise UsageError("it is not UTF-8", where=where, fix="save it as UTF-8") from None
