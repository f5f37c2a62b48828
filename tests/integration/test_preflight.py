"""Promise: before any work all that would stop it is told, with where it is and how to mend it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import load_config
from orchestrator.errors import PreflightError
from orchestrator.run.backlog.callables import call_problem
from orchestrator.run.backlog.preflight import Problem, problems, require_sound
from orchestrator.work.backlog.item import Item, Status
from tests.gitrepo import make_repository
from tests.scratch import make_scratch

pytestmark = pytest.mark.processes

AGENT = f"""
[agents.mine]
kind = "command"
argv = ["{sys.executable}"]
"""


class Project:
    """A repository with a configuration that can be looked at."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.checkout = make_repository(folder / "project")
        self.environ: Mapping[str, str] = {"HOME": str(home), "PATH": "/nowhere"}

    def look(self, text: str, *items: Item) -> tuple[Problem, ...]:
        file = self.checkout / "orchestrator.toml"
        file.write_text(text + AGENT)
        return problems(
            load_config(file, environ=self.environ),
            items,
            repo=Repository.open(self.checkout),
            base_dir=file.parent,
            environ=self.environ,
        )


@pytest.fixture
def project(tmp_path: Path, isolated_home: Path) -> Project:
    return Project(tmp_path, isolated_home)


def test_sound_project_says_nothing(project: Project, isolated_home: Path) -> None:
    (isolated_home / "w").mkdir()
    (isolated_home / "w" / "scope.md").write_text("scope it")
    (project.checkout / "build.md").write_text("build it")
    (project.checkout / "tools.py").write_text("async def publish(task): ...\n")
    text = """
[backlog]
mirror = "state/backlog.jsonl"
[pipelines.feature]
pre_phases = [{name = "scope", workflows = ["~/w/scope.md", "build.md"]}]
phases = [{name = "publish", call = "tools:publish"}, {name = "work", spec = "written-before"}]
"""
    assert not project.look(text, Item(id="A", title="a"))
    assert not project.look("", Item(id="A", title="a", status=Status.READY))


def test_all_that_is_in_the_way_is_told_at_once(project: Project, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (project.checkout / "state").symlink_to(tmp_path / "outside")
    os.mkfifo(project.checkout / "pipe.md")
    text = """
[execution]
max_concurrent = 2
[workspace]
mode = "in-place"
[backlog]
mirror = "state/backlog.jsonl"
[pipelines.feature]
phases = [
  {name = "a", workflows = ["gone.md", "pipe.md"]},
  {name = "b", workflows = ["gone.md", "~/gone.md"], agent = "claude"},
  {name = "c", call = "no_such_module:run"},
  {name = "d", prompt = "x", agent = "nobody"},
]
[pipelines.spec]
phases = [{name = "stories", spec = "no-such-change"}]
"""
    found = project.look(
        text,
        Item(id="A", title="a", status=Status.READY, pipeline="gone"),
        Item(id="B", title="b", needs=("X",)),
    )
    told = [(problem.where, problem.what) for problem in found]
    home = project.environ["HOME"]
    assert told == [
        ("pipelines.feature.phases.0.workflows.0", f"{project.checkout}/gone.md does not exist"),
        (
            "pipelines.feature.phases.0.workflows.1",
            f"{project.checkout}/pipe.md is not a regular file",
        ),
        ("pipelines.feature.phases.1.workflows.1", f"{home}/gone.md does not exist"),
        (
            "pipelines.feature.phases.1.agent",
            "agent claude: claude is not installed or not executable",
        ),
        ("pipelines.feature.phases.3.agent", "no agent nobody"),
        (
            "pipelines.feature.phases.2.call",
            "there is no module no_such_module, neither installed nor in the project",
        ),
        ("pipelines.spec.phases.0.spec", told[6][1]),
        ("execution.max_concurrent", "work in the checkout itself is for one phase at a time"),
        ("backlog.mirror", "state/backlog.jsonl leads out of the checkout"),
        ("A", "its pipeline gone is not configured"),
        ("B", "needs X, and there is no such item"),
    ]
    assert told[6][1].startswith("no-such-change: ")
    assert all(problem.fix for problem in found)


def test_work_is_refused_with_every_problem_in_one_message(project: Project) -> None:
    file = project.checkout / "orchestrator.toml"
    file.write_text("[pipelines.feature]\nphases = [{name = 'a', workflows = ['x.md', 'y.md']}]\n")
    with pytest.raises(PreflightError) as caught:
        require_sound(
            load_config(file, environ=project.environ),
            [],
            repo=Repository.open(project.checkout),
            base_dir=file.parent,
            environ=project.environ,
        )
    assert caught.value.exit_code == 2
    message = caught.value.message
    assert message.startswith("3 problems; nothing was begun\n  - ")
    for part in ("x.md does not exist", "y.md does not exist", "no coding agent is installed"):
        assert part in message
    assert message.count("\n    where: ") == message.count("\n    fix:   ") == 3


def test_one_problem_is_told_like_any_other_error() -> None:
    error = PreflightError([Problem("it is gone", "pipelines.x", "bring it back")])
    assert (error.message, error.where, error.fix) == ("it is gone", "pipelines.x", "bring it back")


def test_agent_is_not_asked_for_where_none_works(project: Project) -> None:
    text = (
        "[execution]\nagent = 'nobody'\n[pipelines.feature]\nphases = [{name='a', command='x'}]\n"
    )
    assert not project.look(text)
    (problem,) = project.look(text, Item(id="A", title="a"))
    assert (problem.where, problem.what) == ("execution.agent", "no agent nobody")


MODULES = {
    "top.py": "def direct(task): ...\nfrom os import path as borrowed\nmade = lambda task: None\n",
    "package/__init__.py": "",
    "package/inner.py": (
        "if True:\n    async def deep(task): ...\nclass Worker:\n    def hidden(self): ..."
    ),
    "loose/part.py": "from somewhere import *\n",
    "lazy.py": "def __getattr__(name): ...\n",
    "broken.py": "def (:\n",
    "runs.py": "raise SystemExit('it was run')\ndef late(task): ...\n",
}


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("top:direct", ""),
        ("top:borrowed", ""),
        ("top:made", ""),
        ("package.inner:deep", ""),
        ("package.inner:Worker", ""),
        ("loose.part:anything", ""),
        ("lazy:anything", ""),
        ("runs:late", ""),
        ("json:dumps", ""),
        ("math:sqrt", ""),
        ("sys:exit", ""),
        ("orchestrator.text:clean", ""),
        ("top:other", "top has no function other"),
        ("package.inner:hidden", "package.inner has no function hidden"),
        ("package:inner", "package has no function inner"),
        ("package.gone:x", "there is no module package.gone, neither installed nor in the project"),
        ("json.gone:x", "there is no module json.gone, neither installed nor in the project"),
        ("gone:x", "there is no module gone, neither installed nor in the project"),
        ("broken:x", "broken is no Python: "),
    ],
)
def test_function_is_looked_for_without_running_anything(
    tmp_path: Path, call: str, problem: str
) -> None:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = call_problem(call, tmp_path)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


def test_doctor_tells_what_stops_the_backlog(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    file = scratch.path / "orchestrator.toml"
    plain = file.read_text()
    assert "backlog:" not in scratch.orc("doctor").out
    file.write_text(
        f"{plain}[pipelines.blog]\npre_phases = [{{name = 'scope', workflows = ['gone.md']}}]\n"
        "phases = [{name = 'draft'}, {name = 'publish', command = 'true'}]\n"
    )
    ran = scratch.orc("doctor")
    assert ran.code == 2
    assert "ok    backlog: 0 open items; blog: scope → draft → publish" in ran.out
    assert "fail  backlog: pipelines.blog.pre_phases.0.workflows.0: " in ran.out
    assert "gone.md does not exist" in ran.out
    (scratch.path / "gone.md").write_text("here")
    assert "fail  backlog" not in scratch.orc("doctor").out


def test_hint_that_init_writes_is_a_configuration(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    file = scratch.path / "orchestrator.toml"
    file.unlink()
    assert scratch.orc("init").code == 0
    text = file.read_text()
    file.write_text(text.replace("# [[", "[[").replace("# name", "name").replace("# work", "work"))
    (phase,) = load_config(file, environ={}).rules().pipelines["feature"].phases
    assert (phase.name, phase.workflows) == ("build", ("docs/build.md",))
