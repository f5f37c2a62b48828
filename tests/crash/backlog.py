"""The life of a backlog: an item is added, triaged, worked on in phases, delivered and done.

Its last phase finds other work, which goes the same way through a shorter pipeline. The result of
one phase waits to be committed with that of the next, which is destructive.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from orchestrator.store.reading import Reader, open_reader
from orchestrator.work.backlog.document import read_line
from orchestrator.work.backlog.item import Item
from tests.crash.matrix import Give
from tests.crash.spec_run import own_work, repository
from tests.gitrepo import git
from tests.scratch import VERIFY, Scratch, make_scratch

TITLE = "Big work"

WORKER = """\
says() {
    printf '{"result": "phase_complete", "summary": "%s", "usage": {"turns": 1, "cost": %s}%s}' \\
        "did $ORCHESTRATOR_PHASE" "$1" "$2" >"$ORCHESTRATOR_RESULT.new"
    mv "$ORCHESTRATOR_RESULT.new" "$ORCHESTRATOR_RESULT"
}
rated() {
    echo ', "pipeline_type": "'$1'", "updated_assessments": {"size": "'$2'", "risk": "low"}'
}
case $ORCHESTRATOR_PHASE in
triage)
    case $(cat "$ORCHESTRATOR_PROMPT_FILE") in
    *"found by build"*) says 0.0625 "$(rated small small)" ;;
    *) says 0.125 "$(rated feature medium)" ;;
    esac ;;
scope) echo scope >>scope.txt; says 0.25 ;;
plan) echo plan >>plan.txt; says 0.5 ', "commit_summary": "planned"' ;;
build) echo build >>build.txt
    says 1 ', "follow_ups": [{"title": "Found work", "context": "found by build"}]' ;;
do) echo do >>do.txt; says 2 ', "commit_summary": "did it"' ;;
esac
"""

CONFIG = """\
[execution]
agent = "mine"
verify = [{verify}]
finish = "merge"
[agents.mine]
kind = "command"
argv = ["/bin/sh", {worker}]
[pipelines.feature]
pre_phases = [{{name = "scope"}}]
phases = [{{name = "plan", commit = "batch"}}, {{name = "build", destructive = true}}]
[pipelines.small]
phases = [{{name = "do"}}]
"""

ADD = ("add", TITLE)
RUN = ("run", "--cap", "50")
STEP = ("run", "--step")

DETOURS = "detours"
"""What differs when a call failed, or a person was asked: the item took more steps then."""

_DETOURS = {"failed", "parked", "blocked", "retried", "answered", "lost"}
_VARYING = ("id", "created", "updated", "visit", "head", "based_on", "accepts_branch")
_COMMAND = re.compile(r"\bgit branch [^;()\n]+")
_COMPLETE = re.compile(r"\bcomplete it: orc ([^;()\n]+); or take it back: orc ([^;()\n]+)")


@attrs.frozen
class Backlog:
    """One item, given a step at a time, or all at once."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    roots: tuple[str, ...] = ("project", "state")
    detours: frozenset[str] = frozenset({DETOURS})

    def begin(self, directory: Path) -> Scratch:
        """Make a repository with pipelines, and files that its user has not committed."""
        scratch = make_scratch(directory)
        shutil.rmtree(scratch.path / "openspec")
        worker = directory / "worker.sh"
        worker.write_text(WORKER)
        config = CONFIG.format(verify=json.dumps(VERIFY), worker=json.dumps(str(worker)))
        (scratch.path / "orchestrator.toml").write_text(config)
        (scratch.path / ".git/info/exclude").write_text("orchestrator.toml\nignored.txt\n")
        own_work(scratch)
        return scratch

    def go_on(self, scratch: Scratch, give: Give) -> None:
        """Add the item if it is not there, and run; do what a blocked item asks for."""
        for _ in range(6):
            if not any(item.title == TITLE for item in items_of(scratch)):
                give(*ADD)
            give(*RUN)
            for item in items_of(scratch):
                if item.question is not None:
                    for command in _COMMAND.findall(item.question.text):
                        scratch.git(*shlex.split(command)[1:])
                    for complete, take_back in _COMPLETE.findall(item.question.text):
                        if give(*shlex.split(complete)).code != 0:
                            give(*shlex.split(take_back))
                    give("retry", item.id)
            if items_of(scratch) and all(item.status.is_final for item in items_of(scratch)):
                return
        questions = [item.question.text for item in items_of(scratch) if item.question]
        ran = give(*RUN)
        raise AssertionError(f"it does not end: {ran.code} {ran.err[-1500:]} {questions}")

    def document(self, scratch: Scratch) -> dict[str, object]:
        """Return the items with all that became of them, the branches, and what is the user's."""
        with open_reader(_state(scratch)) as reader:
            assert reader is not None
            found = {**_decisions(scratch, reader), **repository(scratch)}
        titles = {item.id: item.title for item in items_of(scratch)}
        return {name: _named(value, titles) for name, value in found.items()}


PHASES = ("add", "triage", "scope", "plan", "build", "deliver", "triage it", "do it", "deliver it")
"""What each command of a life does that is given a step at a time."""

STEPS = Backlog("backlog", (ADD, *(STEP,) * (len(PHASES) - 1)))
AT_ONCE = Backlog("backlog-at-once", (ADD, RUN))


def items_of(scratch: Scratch) -> list[Item]:
    """Return the items that the store holds."""
    with open_reader(_state(scratch)) as reader:
        rows = reader.items() if reader is not None else ()
        return [read_line(row.document) for row in rows]


def _state(scratch: Scratch) -> Path:
    return scratch.path / ".git" / "orchestrator"


def _decisions(scratch: Scratch, reader: Reader) -> dict[str, object]:
    items = [read_line(row.document) for row in reader.items()]
    title = {item.id: item.title for item in items}

    def subject(commit: str) -> str:
        return git(scratch.path, "log", "-1", "--format=%s", commit) if commit else ""

    history = [
        (title[row.item], row.what, *map(row.document.get, ("phase", "outcome")),
         re.sub(r"\b[0-9a-f]{9,40}\b", "<commit>", row.document["text"]))
        for row in reader.history()
    ]  # fmt: skip
    attempts = [json.loads(row.document) for row in reader.attempts()]
    verified = [attempt for attempt in attempts if attempt["state"] == "verified"]
    phases = [(title[one["item"]], one["phase"], one["usage"]["cost"]) for one in verified]
    told = Counter(
        (fact.name, title[fact.item], str(fact.document.get("phase")))
        for name in ("phase_ended", "item_delivered")
        for fact in reader.facts(name=name)
    )
    return {
        "items": sorted((item.title, json.dumps(_fields(item), default=str)) for item in items),
        "stands": sorted((one.title, subject(one.head), subject(one.based_on)) for one in items),
        "history": [line for line in history if line[1] not in _DETOURS],
        DETOURS: (
            [line for line in history if line[1] in _DETOURS],
            sorted((item.title, item.visit) for item in items),
        ),
        "verified": Counter(phases),
        "cost": sum(cost for *_, cost in phases),
        "told": told,
        "undecided": [row.id for row in reader.attempts() if row.state == "started"]
        + [row.id for row in reader.operations(state="intent")],
        "operations": Counter(_operations(scratch)),
    }  # fmt: skip


def _fields(item: Item) -> dict[str, Any]:
    return attrs.asdict(item, filter=lambda field, _: field.name not in _VARYING)


def _operations(scratch: Scratch) -> list[str]:
    """Return item and phase of each operation that the branches tell of, as often as they do."""
    trailer = "--format=%(trailers:key=Orchestrator-Op,valueonly)"
    found = git(scratch.path, "log", "--branches", trailer).split()
    return [re.sub(r"\.[0-9a-f]{8}\.", ".", operation).rpartition(".")[0] for operation in found]


def _named(value: Any, titles: Mapping[str, str]) -> Any:
    """Return a value with titles in place of ids, which differ in every life."""
    if isinstance(value, str):
        for id, title in titles.items():
            value = value.replace(id, f"<{title}>")
        return value
    if isinstance(value, Mapping):
        return {_named(key, titles): _named(inner, titles) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_named(inner, titles) for inner in value)
    return value
