"""Promise: real changes written by others, and the real Claude Code, go from start to done."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.gitrepo import fingerprint
from tests.mock_model import Say, Use, serve
from tests.scratch import CHANGE, make_scratch

pytestmark = pytest.mark.processes

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "openspec"
DO_STORY = (
    'printf "good\\n" > "story-$ORCHESTRATOR_STORY.txt"; '
    f'sed -i "s/- \\[ \\] $ORCHESTRATOR_STORY\\./- [x] $ORCHESTRATOR_STORY./" '
    f"openspec/changes/{CHANGE}/tasks.md"
)
TICK_ALL = """\
import json
change = os.environ["ORCHESTRATOR_ITEM"]
path = Path(f"openspec/changes/{change}/tasks.md")
prompt = Path(os.environ["ORCHESTRATOR_PROMPT_FILE"]).read_text()
mine = re.findall(r"^- \\[ \\] ([\\d.]+) ", prompt, re.M)
text = path.read_text()
for task in mine:
    text = re.sub(rf"- \\[ \\] {re.escape(task)}(?=\\s)", f"- [x] {task}", text)
path.write_text(text)
Path(f"done-{story}.txt").write_text("good\\n")
complete()
"""


@pytest.mark.skipif(not DATA.is_dir(), reason="shared data is absent")
@pytest.mark.parametrize("change", ["add-global-install-scope", "add-change-stacking-awareness"])
def test_real_openspec_change_runs_to_done(tmp_path: Path, change: str) -> None:
    scratch = make_scratch(tmp_path)
    shutil.rmtree(scratch.path / "openspec")
    shutil.copytree(DATA, scratch.path / "openspec")
    scratch.worker(TICK_ALL)
    before = fingerprint(scratch.path)
    shown = json.loads(scratch.orc("show", change, "--json").out)
    ran = scratch.orc("run", change, "--json", "--max-attempts", "1")
    assert ran.code == 0, ran.err + ran.out
    verified = [event for event in ran.events if event["event"] == "story_verified"]
    open_stories = [s for s in shown["stories"] if any(not t["done"] for t in s["tasks"])]
    assert [event["story"] for event in verified] == [story["id"] for story in open_stories]
    tasks = scratch.git("show", f"orchestrator/{change}:openspec/changes/{change}/tasks.md")
    assert re.findall(r"^\s*- \[ \]", tasks, re.M) == []
    assert fingerprint(scratch.path) == before


@pytest.mark.real_cli("claude")
@pytest.mark.timeout(180)
def test_change_runs_to_done_with_the_real_claude_code(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    scratch.configure(agent="claude")
    before = fingerprint(scratch.path)
    script = (
        Use("Bash", {"command": DO_STORY, "description": "do the story"}),
        Say("All tasks of the story are done.\n\n<promise>COMPLETE</promise>"),
    )
    with serve(*script) as model:
        ran = scratch.orc("run", CHANGE, "--json", env=model.environment(), timeout=150)
    assert ran.code == 0, ran.err + ran.out
    assert scratch.log()[-2:] == [f"{CHANGE}: 1 First", f"{CHANGE}: 2 Second"]
    assert scratch.git("show", f"orchestrator/{CHANGE}:story-2.txt") == "good\n"
    assert ran.events[-1]["cost"] > 0
    assert "API key" in ran.events[0]["agent"]
    assert fingerprint(scratch.path) == before


@pytest.mark.skipif(not DATA.is_dir(), reason="shared data is absent")
@pytest.mark.real_cli("claude")
@pytest.mark.timeout(300)
def test_real_change_runs_to_done_with_the_real_claude_code(tmp_path: Path) -> None:
    change = "unify-template-generation-pipeline"
    scratch = make_scratch(tmp_path)
    shutil.rmtree(scratch.path / "openspec")
    shutil.copytree(DATA, scratch.path / "openspec")
    scratch.configure(agent="claude")
    scratch.worker(TICK_ALL)
    command = f"python3 -B {scratch.home / 'worker.py'}"
    script = (
        Use("Bash", {"command": command, "description": "do the story"}),
        Say("Done.\n\n<promise>COMPLETE</promise>"),
    )
    with serve(*script) as model:
        ran = scratch.orc("run", change, "--json", env=model.environment(), timeout=270)
    assert ran.code == 0, ran.err + ran.out
    tasks = scratch.git("show", f"orchestrator/{change}:openspec/changes/{change}/tasks.md")
    assert re.findall(r"^\s*- \[ \]", tasks, re.M) == []


@pytest.mark.real_cli("claude")
@pytest.mark.timeout(180)
def test_denied_tool_fails_the_attempt_and_names_the_setting(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    scratch.configure(agent="claude")
    settings = scratch.path / "orchestrator.toml"
    settings.write_text(
        settings.read_text() + '\n[agents.claude]\nkind = "claude"\nallowed_tools = ["Read"]\n'
    )
    script = (
        Use("Bash", {"command": DO_STORY, "description": "do the story"}),
        Say("<promise>COMPLETE</promise>"),
    )
    with serve(*script) as model:
        ran = scratch.orc(
            "run", CHANGE, "--max-attempts", "1", env=model.environment(), timeout=150
        )
    assert ran.code == 1
    assert "allowed_tools" in ran.err + ran.out
