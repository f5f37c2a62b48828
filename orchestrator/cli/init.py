"""`init`: looks at what is here and writes it down as ``orchestrator.toml``."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.run.build import Build, choose_build
from orchestrator.run.hosting.agent import choose_agent
from orchestrator.run.specs import find_source
from orchestrator.settings import Config
from orchestrator.text import one_line
from orchestrator.work.spec import SpecSource

from .agent_lines import agent_line
from .output import build_words, shortened


def init(arguments: argparse.Namespace) -> int:
    """Look at what is here and write ``orchestrator.toml``, never over an existing one."""
    repo = Repository.open(Path(arguments.directory))
    path = Path(arguments.config) if arguments.config else repo.checkout / FILE_NAME
    if os.path.lexists(path):
        raise UsageError(
            "there is one already; nothing was written",
            where=str(path),
            fix="edit it, and check it with orc doctor; or move it away first",
        )
    spec, root = _spec(repo, Path(arguments.directory))
    build = choose_build(Config(), root, repo.checkout)
    print(f"spec    {spec}\nagent   {_agent()}")
    setup, verify, not_used = build_words(build.setup, build.commands, build.not_used)
    print(f"setup   {setup}\nverify  {verify}")
    if not_used:
        print(f"        {not_used}")
    text = _document(build)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    lines = text.count("\n")
    print(f"wrote   {path.name} ({lines} lines), nothing else.   next: orc doctor")
    return 0


def _spec(repo: Repository, start: Path) -> tuple[str, Path]:
    """Return a line on the spec, and the root of the project it belongs to."""
    try:
        source = find_source(repo, start)
    except OrchestratorError as error:
        return one_line(error.message), repo.checkout
    changed = [os.path.join(repo.checkout, os.fsdecode(path)) for path in repo.changes()]
    shown = []
    for change in source.changes():
        state = "done" if change.status == "complete" else f"{change.done}/{change.total} tasks"
        mark = " (uncommitted)" if _is_changed(source, change.id, changed) else ""
        shown.append(f"{change.id} {state}{mark}")
    below = os.path.relpath(source.root, repo.checkout)
    place = "" if below == "." else f" in {below}"
    line = f"{source.format}{place}: {shortened(shown) or 'no open change'}"
    return one_line(line, 400), source.root


def _is_changed(source: SpecSource, change_id: str, changed: list[str]) -> bool:
    try:
        place = source.read(change_id).path
    except OrchestratorError:
        return False
    return place is not None and any(Path(path).is_relative_to(place) for path in changed)


def _agent() -> str:
    try:
        agent = choose_agent(load_config(Path("/dev/null"), environ=os.environ), os.environ)
        return agent_line(agent, os.environ, Path.cwd())
    except OrchestratorError as error:
        return one_line(error.message)


def _document(build: Build) -> str:
    return (
        "# What a run needs to know; everything has a default.\n"
        "[execution]\n"
        'attempt_timeout = "30m"\n'
        "max_attempts = 3          # per story\n"
        "# What must pass before a story counts as done.\n"
        f"verify = {_list(build.commands)}\n"
        "\n[workspace]\n"
        "# What makes a fresh workspace ready; run once in it.\n"
        f"setup = {_list(build.setup)}\n"
        "copy = []                 # untracked files that the work needs, such as .env\n"
        "protect = []              # paths a worker may change only if its task names them\n"
        "\n# Items of the backlog go through plan, build and review, unless you say otherwise:\n"
        "# [[pipelines.feature.phases]]\n"
        '# name = "build"\n'
        '# workflows = ["docs/build.md"]   # or prompt, command, call, spec\n'
    )


def _list(commands: tuple[str, ...]) -> str:
    return json.dumps(list(commands), ensure_ascii=False).replace("\x7f", "\\u007f")
