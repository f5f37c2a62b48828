"""Collects what a bug report needs: versions, settings, records, logs. Blocking, bounded.

It reads no file of the project and no value of the environment.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs

from orchestrator import __version__
from orchestrator.adapters.git import refs
from orchestrator.adapters.git.discover import as_operator, state_dir
from orchestrator.adapters.git.runner import Git
from orchestrator.errors import OrchestratorError
from orchestrator.guardian import landlock
from orchestrator.run.records.paths import attempt_logs
from orchestrator.settings import Config
from orchestrator.store.reading import Reader, open_reader

from .bundle import Part

_RUNS = 100
_ATTEMPTS = 200
_FACTS = 500
_OPERATIONS = 100
_ITEMS = 500
_HISTORY = 1000
_LOGS = 10
_LOG = 32 << 10
_TEXT = 2000
_SHORTEST = 6
_QUOTES = ("evidence", "learnings", "brief", "text")
_LIBRARIES = ("trio", "attrs", "cattrs", "markdown-it-py")
_HIDDEN = "[hidden]"


def versions(executable: str | None) -> Part:
    """Return what runs here.

    Args:
      executable: git's absolute path, None when there is none.
    """
    rows: dict[str, object] = {
        "orchestrator": __version__,
        "python": sys.version.replace("\n", " "),
        "platform": platform.platform(),
        "kernel": f"{platform.release()} {platform.version()}",
        "libc": " ".join(platform.libc_ver()),
        "landlock": landlock.abi(),
        "sqlite": sqlite3.sqlite_version,
        "processors": os.cpu_count(),
        "git": "not installed",
    }
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            rows[name] = version(name)
    if executable is not None:
        with suppress(OrchestratorError):
            rows["git"] = as_operator(executable, Path("/"), "--version").stdout.decode().strip()
    text = "".join(f"{name}: {value}\n" for name, value in rows.items())
    return Part(name="versions.txt", about="versions of what runs here", text=text)


def environment(environ: Mapping[str, str]) -> Part:
    """Return the names of the variables that are set, without their values."""
    text = "".join(f"{name}\n" for name in sorted(environ))
    return Part(name="environment.txt", about="names of variables, no values", text=text)


def configuration(config: Config) -> Part:
    """Return the configuration in force, every value of an ``env`` table hidden."""
    document = attrs.asdict(config)
    for agent in document["agents"].values():
        agent["env"] = dict.fromkeys(agent["env"], _HIDDEN)
    return Part(name="configuration.json", about="the configuration in force", text=_json(document))


def declared_secrets(*files: Path) -> dict[str, str]:
    """Return every value of the ``env`` tables in configuration files, by its name.

    A file that is no valid configuration still gives up what is in its tables.
    """
    found: dict[str, str] = {}
    for file in files:
        with suppress(OSError, ValueError):
            document = tomllib.loads(file.read_text(encoding="utf-8"))
            agents = document.get("agents")
            for agent in agents.values() if isinstance(agents, dict) else ():
                table = agent.get("env") if isinstance(agent, dict) else None
                if isinstance(table, dict):
                    found |= {str(name): str(value) for name, value in table.items()}
    return {name: value for name, value in found.items() if len(value) >= _SHORTEST}


def records(git: Git, *, logs: bool) -> Iterator[Part]:
    """Yield the names of our refs, what the store holds, and the tails of the newest logs.

    Args:
      logs: whether logs, and what workers and checks printed, may be in it.
    """
    names = sorted(refs.read_refs(git, "refs/orchestrator/", refs.BRANCHES))
    yield Part(name="refs.txt", about="names of our refs", text="".join(f"{n}\n" for n in names))
    directory = state_dir(git.git_dir)
    try:
        with open_reader(directory) as reader:
            if reader is not None:
                yield from _store(reader, logs=logs)
    except OrchestratorError as error:
        yield Part(name="store/error.txt", about="why the store cannot be read", text=str(error))
    if logs:
        yield from _logs(directory)


def _store(reader: Reader, *, logs: bool) -> Iterator[Part]:
    def rows(name: str, about: str, documents: list[Any]) -> Part:
        lines = (json.dumps(_bounded(document, logs), sort_keys=True) for document in documents)
        return Part(name=f"store/{name}.jsonl", about=about, text="".join(f"{x}\n" for x in lines))

    runs = [json.loads(row.document) for row in reader.runs()[-_RUNS:]]
    yield rows("runs", f"the newest {_RUNS} runs", runs)
    attempts = [json.loads(row.document) for row in reader.attempts()[-_ATTEMPTS:]]
    yield rows("attempts", f"the newest {_ATTEMPTS} attempts", attempts)
    since = max(reader.last_seq() - _FACTS, 0)
    facts = [row._asdict() for row in reader.facts(since, limit=_FACTS)]
    yield rows("facts", f"the newest {_FACTS} facts", facts)
    yield rows("timers", "what is waited for", [row._asdict() for row in reader.timers()])
    items = [json.loads(row.document) for row in reader.items()[-_ITEMS:]]
    yield rows("items", f"the newest {_ITEMS} items of the backlog", items)
    history = [
        {"at": row.at, "item": row.item, "what": row.what, **row.document}
        for row in reader.history()[-_HISTORY:]
    ]
    yield rows("history", f"the newest {_HISTORY} lines of the items' history", history)
    operations = [row._asdict() for row in reader.operations()[:_OPERATIONS]]
    yield rows("operations", f"the newest {_OPERATIONS} operations", operations)


def _logs(directory: Path) -> Iterator[Part]:
    """Yield the ends of the logs that were written to last."""
    newest = sorted(
        attempt_logs(directory).glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True
    )
    for file in newest[:_LOGS]:
        with suppress(OSError), file.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _LOG))
            text = stream.read().decode(errors="replace")
            if size > _LOG:
                text = text.partition("\n")[2]
            about = "the end of what its worker printed; may quote files"
            yield Part(name=f"logs/{file.name}", about=about, text=text)


def _bounded(value: Any, logs: bool, name: str = "") -> Any:
    """Return a record with long texts cut, and without what was printed unless ``logs``."""
    match value:
        case dict():
            return {key: _bounded(inner, logs, str(key)) for key, inner in value.items()}
        case list() | tuple():
            return [_bounded(inner, logs, name) for inner in value[:_OPERATIONS]]
        case str() if name in _QUOTES and not logs and value:
            return "[left out]"
        case str() if name == "by" and value:
            return "[a person]"
        case str():
            return value if len(value) <= _TEXT else f"[cut]{value[-_TEXT:]}"
        case _:
            return value


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=1, sort_keys=True, default=str) + "\n"
