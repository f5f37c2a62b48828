"""Promise: pipelines are configured as documented, and all that is wrong is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.config import effective
from orchestrator.config import load_config, read_layers
from orchestrator.errors import ConfigError
from orchestrator.settings import Config
from orchestrator.work.backlog.gate import Gate
from orchestrator.work.backlog.item import Level, Size
from orchestrator.work.backlog.pipeline import CommitPolicy, Phase, Pipeline, Staleness
from orchestrator.work.backlog.rules import Guardrails, Limits

WHOLE = """\
[backlog]
prefix = "TG"
max_wip = 5
cap = 7
mirror = "state/backlog.jsonl"

[execution]
max_concurrent = 3
finish = "merge"

[guardrails]
max_size = "large"
max_risk = "medium"

[pipelines.blog]
description = "a post"
pre_phases = [{ name = "scope", workflows = ["~/w/scope.md"], is_destructive = false }]

[[pipelines.blog.phases]]
name = "draft-1"
prompt = "Write it."
timeout = "2m"
retries = 0
agent = "mine"
model = "opus[1m]"
verify = false
commit = "batch"
enter = [{ file = "notes/{item}.md", contains = "ready" }]
leave = [{ command = "make lint" }, { absent = "**/*.orig" }]

[[pipelines.blog.phases]]
name = "publish"
call = "tools.site:publish"
destructive = true
staleness = "warn"
"""


def load(tmp_path: Path, text: str, user: str = "") -> Config:
    project = tmp_path / "orchestrator.toml"
    project.write_text(text)
    (tmp_path / "orchestrator").mkdir(exist_ok=True)
    (tmp_path / "orchestrator" / "config.toml").write_text(user)
    return load_config(project, environ={"XDG_CONFIG_HOME": str(tmp_path)})


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    return f"{caught.value.message} {caught.value.fix}"


def test_everything_that_can_be_configured_arrives_in_the_rules(tmp_path: Path) -> None:
    config = load(tmp_path, WHOLE)
    rules = config.rules()
    assert (rules.prefix, rules.delivers) == ("TG", True)
    assert (config.backlog.cap, config.backlog.mirror) == (7, "state/backlog.jsonl")
    assert rules.limits == Limits(max_wip=5, max_concurrent=3)
    assert rules.guardrails == Guardrails(
        max_size=Size.LARGE, max_complexity=Level.MEDIUM, max_risk=Level.MEDIUM
    )
    assert rules.pipelines == {
        "blog": Pipeline(
            name="blog",
            description="a post",
            pre_phases=(Phase(name="scope", workflows=("~/w/scope.md",)),),
            phases=(
                Phase(
                    name="draft-1",
                    prompt="Write it.",
                    timeout=120.0,
                    retries=0,
                    agent="mine",
                    model="opus[1m]",
                    verify=False,
                    commit=CommitPolicy.BATCH,
                    enter=(Gate(file="notes/{item}.md", contains="ready"),),
                    leave=(Gate(command="make lint"), Gate(absent="**/*.orig")),
                ),
                Phase(
                    name="publish",
                    call="tools.site:publish",
                    destructive=True,
                    staleness=Staleness.WARN,
                ),
            ),
        )
    }


@pytest.mark.parametrize("text", ["", "[pipelines]\n"])
def test_without_pipelines_there_is_one_that_needs_no_other_file(tmp_path: Path, text: str) -> None:
    rules = load(tmp_path, text).rules()
    feature = rules.pipeline(None)
    assert feature is not None
    assert feature is rules.pipelines["feature"]
    assert [phase.name for phase in feature.phases] == ["plan", "build", "review"]
    assert all(phase.prompt and not phase.workflows for phase in feature.phases)
    assert [phase.verify for phase in feature.phases] == [False, True, True]
    assert (rules.prefix, rules.delivers, rules.limits) == ("WRK", False, Limits())
    assert rules.guardrails == Guardrails()


def test_a_pipeline_of_the_project_replaces_that_of_the_user_as_a_whole(tmp_path: Path) -> None:
    user = (
        "[pipelines.feature]\ndescription = 'u'\nphases = [{name = 'a'}]\n"
        "[pipelines.mine]\nphases = [{name = 'b'}]\n"
    )
    rules = load(tmp_path, "[pipelines.feature]\nphases = [{name = 'c'}]\n", user).rules()
    assert rules.pipelines == {
        "feature": Pipeline(name="feature", phases=(Phase(name="c"),)),
        "mine": Pipeline(name="mine", phases=(Phase(name="b"),)),
    }


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("[backlog]\nmax_wop = 1\n", "backlog.max_wop", "did you mean max_wip?"),
        ("[backlog]\nmax_wip = 0\n", "backlog.max_wip", "1 or more"),
        ("[backlog]\ncap = true\n", "backlog.cap", "expected int"),
        ("[backlog]\nprefix = '../x'\n", "backlog.prefix", "letters and digits"),
        ("[backlog]\nprefix = '-x'\n", "backlog.prefix", "letters and digits"),
        ("[backlog]\nmirror = '../b.jsonl'\n", "backlog.mirror", "below the checkout"),
        ("[backlog]\nmirror = '.git/b'\n", "backlog.mirror", "below the checkout"),
        ("[guardrails]\nmax_risk = 'Low'\n", "guardrails.max_risk", "low, medium or high"),
        ("[execution]\nmax_concurrent = 0\n", "execution.max_concurrent", "above zero"),
        ("[pipelines.p]\n", "pipelines.p.phases", "one phase or more"),
        ("[pipelines.p]\nphases = []\n", "pipelines.p.phases", "one phase or more"),
        ("[pipelines.p]\nphases = [3]\n", "pipelines.p.phases.0", "expected a table"),
        ("[pipelines.p]\nphases = [{}]\n", "pipelines.p.phases.0.name", "missing key"),
        ("[pipelines.'a b']\nphases = [{name='a'}]\n", "pipelines.a b", "letters, digits"),
        ("pipelines = 3\n", "pipelines", "expected a table"),
    ],
)
def test_wrong_table_is_named_with_its_path(
    tmp_path: Path, text: str, path: str, said: str
) -> None:
    found = problems(tmp_path, text)
    assert found.startswith(f"{path}:")
    assert said in found


@pytest.mark.parametrize(
    ("phase", "key", "said"),
    [
        ("retrys = 1", ".retrys", "did you mean retries?"),
        ("retries = -1", ".retries", "0 or more"),
        ("timeout = 'soon'", ".timeout", "duration"),
        ("verify = 'no'", ".verify", "expected bool"),
        ("staleness = 'stop'", ".staleness", "ignore, warn or block"),
        ("commit = 1", ".commit", "immediate or batch"),
        ("destructive = 1", ".destructive", "expected bool"),
        ("destructive = true, is_destructive = true", "", "same key"),
        ("destructive = true, commit = 'batch'", ".commit", "at once"),
        ("workflows = 'a.md'", ".workflows", "list of files"),
        ("workflows = [' ']", ".workflows", "list of files"),
        ("prompt = ' '", ".prompt", "nothing but blanks"),
        ("command = ''", ".command", "nothing but blanks"),
        ('command = "a\\u0000b"', ".command", "NUL"),
        ("call = 'module'", ".call", "package.module:function"),
        ("call = 'a.b:c()'", ".call", "package.module:function"),
        ("spec = '../x'", ".spec", "inside the project"),
        ("model = '--x'", ".model", "name of a model"),
        ("prompt = 'x', command = 'y'", "", "prompt and command cannot go together"),
        ("workflows = ['w'], spec = 's'", "", "workflows and spec cannot go together"),
        ("command = 'x', agent = 'a'", ".agent", "command does the work"),
        ("enter = [{}]", ".enter.0", "got none"),
        ("enter = [{file='a', glob='b'}]", ".enter.0", "got file and glob"),
        ("leave = [{glob='b', contains='x'}]", ".leave.0", "contains goes only with file"),
        (
            "cycles = true, leave_cycle = [{file='a', cycle=-1}]",
            ".leave_cycle.0.cycle",
            "0 or more",
        ),
        ("leave_cycle = [{file='a'}]", ".leave_cycle", "only with cycles"),
        ("commit_types = {red='test'}", ".commit_types.red", "no such sub-phase"),
        ("subphases = ['A B']", ".subphases", "names in lower case"),
        ("leave = [{glob='b', key='x'}]", ".leave.0", "key goes only with file"),
        ("leave = [{file='../b'}]", ".leave.0.file", "inside the project"),
        ("leave = {file='b'}", ".leave", "expected a list"),
    ],
)
def test_wrong_phase_is_named_with_its_place(
    tmp_path: Path, phase: str, key: str, said: str
) -> None:
    text = f"[pipelines.feature]\nphases = [{{name = 'a'}}, {{name = 'b', {phase}}}]\n"
    found = problems(tmp_path, text)
    assert found.startswith(f"pipelines.feature.phases.1{key}:")
    assert said in found


@pytest.mark.parametrize("name", ["Build", "", "-a", "a/b", "..", "a b", "x" * 65, "deliver", "ü"])
def test_a_phase_has_a_name_fit_for_refs_and_of_its_own(tmp_path: Path, name: str) -> None:
    found = problems(tmp_path, f"[pipelines.p]\nphases = [{{name = '{name}'}}]\n")
    assert found.startswith("pipelines.p.phases.0.name:")


def test_staleness_block_does_not_go_with_several_items_at_a_time(tmp_path: Path) -> None:
    block = "[pipelines.p]\nphases = [{name = 'a', staleness = 'block'}]\n"
    load(tmp_path, block)
    assert "pipelines.p.phases.0.staleness" in problems(
        tmp_path, f"[backlog]\nmax_wip = 2\n{block}"
    )
    with pytest.raises(ConfigError, match="staleness"):
        load(tmp_path, "[backlog]\nmax_wip = 2\n", user=block)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
[backlog]
max_wip = 2
cap = "many"
[pipelines.one]
pre_phases = [{ name = "a", destructive = true }]
phases = [{ name = "a", retrys = 1 }, { name = "b", staleness = "block", retries = "x" }]
[pipelines.two]
""",
    )
    for part in (
        "7 settings are wrong",
        "backlog.cap: expected int",
        "pipelines.one.phases.0.retrys: unknown key (did you mean retries?)",
        "pipelines.one.phases.1.retries: expected int",
        "pipelines.one: 2 phases are called 'a'",
        "pipelines.one.pre_phases.0: ",
        "pipelines.one.phases.1.staleness: ",
        "pipelines.two.phases: expected one phase",
    ):
        assert part in found
    assert found.count("\n  - ") == 7


def test_pipelines_are_shown_as_they_are_written(tmp_path: Path) -> None:
    project = tmp_path / "orchestrator.toml"
    project.write_text(WHOLE)
    layers = read_layers(project, environ={"XDG_CONFIG_HOME": str(tmp_path)})
    shown = {setting.key: (setting.value, setting.layer) for setting in effective(layers)}
    assert shown["guardrails.max_size"] == ("large", "project file")
    assert shown["guardrails.max_complexity"] == ("medium", "default")
    phases, layer = shown["pipelines.blog.phases"]
    assert layer == "project file"
    assert phases[1] == {
        "name": "publish",
        "destructive": True,
        "staleness": "warn",
        "call": "tools.site:publish",
    }
    assert phases[0]["leave"] == [{"command": "make lint"}, {"absent": "**/*.orig"}]


def test_a_pipeline_is_of_one_layer_as_a_whole(tmp_path: Path) -> None:
    user = "[pipelines.feature]\ndescription = 'u'\nphases = [{name = 'a'}]\n"
    load(tmp_path, "[pipelines.feature]\nphases = [{name = 'c'}]\n", user)
    layers = read_layers(tmp_path / "orchestrator.toml", environ={"XDG_CONFIG_HOME": str(tmp_path)})
    shown = {setting.key: (setting.value, setting.layer) for setting in effective(layers)}
    assert shown["pipelines.feature.description"] == ("", "default")
    assert shown["pipelines.feature.phases"] == ([{"name": "c"}], "project file")
