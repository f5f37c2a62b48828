"""OpenSpec's own changes: our counts are those of its CLI, recorded and live."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.adapters.openspec.reader import OpenSpec
from orchestrator.adapters.openspec.scenarios import parse_scenarios
from orchestrator.adapters.openspec.tasks import parse_tasks

TESTS = Path(__file__).resolve().parents[1]
DATA = TESTS.parents[1] / "shared" / "data" / "openspec"
RECORDED: dict[str, list[int]] = json.loads(
    (TESTS / "data" / "openspec_counts.json").read_text(encoding="utf-8")
)
"""What ``openspec list --json`` of 1.13.2 said: change -> [completed, total]."""

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared OpenSpec data is absent")


def _counts(change: Path) -> list[int]:
    path = change / "tasks.md"
    tasks = parse_tasks(path.read_text(encoding="utf-8")).tasks if path.is_file() else ()
    return [sum(task.done for task in tasks), len(tasks)]


@needs_data
def test_counts_are_those_the_cli_gave() -> None:
    assert {name: _counts(DATA / "changes" / name) for name in RECORDED} == RECORDED


@needs_data
def test_the_list_is_the_clis() -> None:
    listed = {row.id: [row.done, row.total] for row in OpenSpec(DATA.parent).changes()}

    assert listed == {name: row for name, row in RECORDED.items() if "/" not in name}


@needs_data
def test_every_scenario_of_every_spec_is_read() -> None:
    total = 0
    for path in DATA.rglob("spec.md"):
        text = path.read_text(encoding="utf-8")
        shown = re.sub(r"^ *(```+)[^\n]*\n.*?^ *\1 *$", "", text, flags=re.M | re.S)
        names = re.findall(r"^#### Scenario:[ \t]*(.*?)[ \t]*$", shown, re.M)
        found = parse_scenarios(text, "c")
        assert [scenario.name for scenario in found] == names, path
        total += len(found)
    assert total > 2000


@pytest.mark.real_cli("openspec")
@pytest.mark.processes
def test_counts_are_those_of_the_installed_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSPEC_TELEMETRY", "0")
    change = tmp_path / "openspec" / "changes" / "odd"
    change.mkdir(parents=True)
    (change / "tasks.md").write_bytes(
        b"\xef\xbb\xbf- [x] bom\r\n+ [ ] plus\n1) [X] ordered\n- [~] tilde\n- [] none\n- [a](b)\n"
        b"```\n- [ ] fenced\n```\n- [ ](x)\n- [wip] no\n\x1c- [ ] fs\n\xc2\xa0- [ ] nbsp\n"
        b"- [\xf0\x9f\x98\x80] astral\n\t- [ x ] padded\n"
    )
    if DATA.is_dir():
        for source in sorted((DATA / "changes").iterdir()):
            if source.is_dir() and source.name != "archive":
                shutil.copytree(source, change.parent / source.name)

    answer = subprocess.run(
        ["openspec", "list", "--json"], cwd=tmp_path, check=True, capture_output=True, timeout=60
    )

    theirs = {
        row["name"]: (row["completedTasks"], row["totalTasks"], row["status"])
        for row in json.loads(answer.stdout)["changes"]
    }
    ours = {row.id: (row.done, row.total, row.status) for row in OpenSpec(tmp_path).changes()}
    assert ours == theirs
