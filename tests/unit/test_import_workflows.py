"""Promises of importing a phase server's workflows: ours say the same, what is wrong is told."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.adapters.workflows.importing import import_workflows
from orchestrator.config import load_config
from orchestrator.errors import ConfigError

WORKFLOWS = """\
version: "1.0"
workflows:
  feature:
    name: feature
    description: Something new
    default_execution_mode: interactive
    phases: [research, design, planning, implementation, validation, documentation]
  bug:
    name: bug
    phases: [research, design, planning, implementation, validation, documentation]
  hotfix:
    name: hotfix
    description: What cannot wait
    default_execution_mode: autonomous
    phases: [implementation, validation, documentation, ready]
  refactor:
    name: refactor
    phases: [research, planning, implementation, validation, documentation]
  docs:
    name: docs
    phases: [planning, documentation]
  epic:
    name: epic
    phases: [research, design, planning, coordination, documentation]
"""

PHASES = """\
version: "1.0"
phases:
  research:
    display_name: Research
    description: Find out what is there
    commit_type_hint: docs
    subphases: []
    exit_requires: [{key: findings}]
  planning:
    display_name: Planning
    commit_type_hint: docs
    subphases: [c1, c2, c3, c4]
  design:
    description: Decide the shape
    commit_type_hint: docs
    subphases: [contracts, flows, schemas]
  implementation:
    display_name: Implementation
    description: Build it
    commit_type_hint: null
    subphases: [red, green, refactor]
  validation:
    commit_type_hint: test
    subphases: [e2e, acceptance]
  documentation:
    commit_type_hint: docs
    subphases: [reference, guides, agent]
  coordination:
    commit_type_hint: chore
    subphases: [delegation, sync, review]
  ready:
    terminal: true
"""

CYCLES = """\
      subphases: [red, green, refactor]
      cycle_based: true
      commit_type_map: {red: test, green: feat, refactor: refactor}
"""

CONTRACTS = f"""\
merge_policy:
  pr_allowed_phase: ready
  branch_local_artifacts:
    - {{path: .state/branch.json, reason: it is of one branch}}
workflows:
  feature:
    research:
      exit_requires:
        - {{id: found, type: file_glob, dir: docs/work, pattern: issue*/research*.md}}
    implementation:
{CYCLES}\
      exit_requires:
        - {{id: suite, type: file_glob, dir: docs/work/, pattern: "issue*/*suite*.md"}}
        - {{id: there, type: file_exists, file: CHANGES.md, required: false}}
      cycle_exit_requires:
        1: [{{id: one, type: contains_text, file: a.md, text: "say \\"yes\\""}}]
        2: [{{id: two, type: absent_text, file: b.md, text: TODO, heading: Open}}]
  bug:
    research:
      exit_requires:
        - {{id: found, type: file_glob, dir: docs/work, pattern: issue*/research*.md}}
    implementation:
{CYCLES}\
  hotfix:
    implementation:
      exit_requires:
        - {{id: version, type: key_path, file: app.json, path: a.version}}
  epic:
    coordination:
      exit_requires: []
"""

GIT = r"""
branch_types: [feature, bug, fix, refactor, docs, hotfix, epic]
protected_branches: [main, master, develop]
branch_name_pattern: "^[a-z0-9-]+$"
commit_types: [feat, fix, docs, style, refactor, test, chore, perf, ci, build, revert]
default_base_branch: trunk
issue_title_max_length: 60
"""

ENFORCEMENT = """\
enforcement:
  - event_source: tool
    tool: create_branch
    timing: pre
    actions:
      - type: check_branch_policy
        policy: bases
        rules: {hotfix: [main], feature: [main, "epic/*"]}
  - event_source: tool
    tool_category: branch_mutating
    timing: pre
    actions: [{type: check_pr_status}]
  - event_source: tool
    tool: submit_pr
    timing: pre
    actions: [{type: check_phase_readiness, policy: ready}]
"""

GOOD = {
    "workflows.yaml": WORKFLOWS,
    "workphases.yaml": PHASES,
    "phase_contracts.yaml": CONTRACTS,
    "git.yaml": GIT,
    "enforcement.yaml": ENFORCEMENT,
}


def write(directory: Path, files: dict[str, str]) -> Path:
    """Write the files; returns their directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def convert(directory: Path, files: dict[str, str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what the files come to, and the notes."""
    text, notes = import_workflows(write(directory, files))
    return tomllib.loads(text), notes


def refused(directory: Path, files: dict[str, str]) -> ConfigError:
    """Return why the files are not imported."""
    with pytest.raises(ConfigError) as caught:
        import_workflows(write(directory, files))
    return caught.value


def changed(file: str, old: str, new: str) -> dict[str, str]:
    """Return the good files with one thing changed in one of them."""
    assert old in GOOD[file]
    return GOOD | {file: GOOD[file].replace(old, new, 1)}


def phases(document: dict[str, Any], pipeline: str) -> dict[str, dict[str, Any]]:
    """Return the phases of a pipeline by their names."""
    return {phase["name"]: phase for phase in document["pipelines"][pipeline]["phases"]}


def test_ours_reads_what_is_written(tmp_path: Path) -> None:
    text, _ = import_workflows(write(tmp_path, GOOD))
    ours = tmp_path / "orchestrator.toml"
    ours.write_text(text, encoding="utf-8")
    pipelines = load_config(ours, environ={"HOME": str(tmp_path)}).rules().pipelines
    assert list(pipelines) == ["feature", "bug", "hotfix", "refactor", "docs", "epic"]
    assert [phase.name for phase in pipelines["docs"].phases] == [
        "planning",
        "documentation",
        "ready",
    ]


def test_branches_are_carried_over(tmp_path: Path) -> None:
    document, _ = convert(tmp_path, GOOD)
    assert document["branches"] == {
        "types": ["feature", "bug", "fix", "refactor", "docs", "hotfix", "epic"],
        "names": "[a-z0-9-]+",
        "protected": ["main", "master", "develop"],
        "default_base": "trunk",
        "commit_types": [
            *("feat", "fix", "docs", "style", "refactor", "test"),
            *("chore", "perf", "ci", "build", "revert"),
        ],
        "merge_phase": "ready",
        "bases": {"hotfix": ["main"], "feature": ["main", "epic/*"]},
    }


def test_every_workflow_is_a_pipeline_that_ends_with_the_terminal_phase(tmp_path: Path) -> None:
    document, _ = convert(tmp_path, GOOD)
    first = ["research", "design", "planning"]
    rest = ["implementation", "validation", "documentation", "ready"]
    assert {name: list(phases(document, name)) for name in document["pipelines"]} == {
        "feature": [*first, *rest],
        "bug": [*first, *rest],
        "hotfix": rest,
        "refactor": ["research", "planning", *rest],
        "docs": ["planning", "documentation", "ready"],
        "epic": [*first, "coordination", "documentation", "ready"],
    }
    said = {name: held.get("description") for name, held in document["pipelines"].items()}
    assert (said["feature"], said["hotfix"], said["bug"]) == (
        "Something new",
        "What cannot wait",
        None,
    )


def test_a_phase_says_what_is_expected_and_how_its_commits_are_called(tmp_path: Path) -> None:
    document, _ = convert(tmp_path, GOOD)
    feature = phases(document, "feature")
    assert feature["research"] == {
        "name": "research",
        "prompt": "Research: Find out what is there",
        "commit_type": "docs",
        "leave": [{"glob": "docs/work/issue*/research*.md"}],
    }
    assert feature["planning"]["prompt"] == "Planning"
    assert feature["planning"]["subphases"] == ["c1", "c2", "c3", "c4"]
    assert feature["design"]["prompt"] == "Decide the shape"
    assert feature["ready"] == {"name": "ready"}


def test_cycles_and_each_type_of_check_are_carried_over(tmp_path: Path) -> None:
    document, _ = convert(tmp_path, GOOD)
    implementation = {
        "name": "implementation",
        "prompt": "Implementation: Build it",
        "subphases": ["red", "green", "refactor"],
    }
    cycles = {
        "commit_types": {"red": "test", "green": "feat", "refactor": "refactor"},
        "cycles": True,
    }
    assert phases(document, "bug")["implementation"] == implementation | cycles
    assert phases(document, "feature")["implementation"] == implementation | cycles | {
        "leave": [{"glob": "docs/work/issue*/*suite*.md"}, {"file": "CHANGES.md"}],
        "leave_cycle": [
            {"file": "a.md", "contains": 'say "yes"', "cycle": 1},
            {"file": "b.md", "lacks": "TODO", "cycle": 2},
        ],
    }
    assert phases(document, "hotfix")["implementation"] == implementation | {
        "leave": [{"file": "app.json", "key": "a.version"}]
    }


def test_a_contract_has_its_own_sub_phases(tmp_path: Path) -> None:
    files = changed("phase_contracts.yaml", "subphases: [red, green, refactor]", "subphases: [red]")
    files["phase_contracts.yaml"] = files["phase_contracts.yaml"].replace(
        "{red: test, green: feat, refactor: refactor}", "{red: test}", 1
    )
    document, _ = convert(tmp_path, files)
    assert phases(document, "feature")["implementation"]["subphases"] == ["red"]
    assert phases(document, "refactor")["implementation"]["subphases"] == [
        "red",
        "green",
        "refactor",
    ]


def test_what_is_not_carried_over_is_told_once(tmp_path: Path) -> None:
    _, notes = convert(tmp_path, GOOD)
    suggested = 'say { glob = "docs/work/issue{issue}/'
    any_issue = "the file of any issue will do; if issue 85 has the directory issue85,"
    contract = "workflows.feature.implementation"
    cycle = f"{contract}.cycle_exit_requires"
    assert sorted(notes) == sorted(
        [
            "workflows.yaml: workflows.feature.default_execution_mode,"
            " workflows.hotfix.default_execution_mode: left out; it changes nothing there either",
            "workphases.yaml: phases.research.exit_requires: left out: keys of a plan; gates on"
            " files are in phase_contracts.yaml",
            "phase_contracts.yaml: merge_policy.branch_local_artifacts.0.path: left out; the state"
            " of a branch is no file of its tree here",
            "phase_contracts.yaml: workflows.feature.research.exit_requires.0.id,"
            f" {contract}.exit_requires.0.id, {contract}.exit_requires.1.id and 4 more: left out; a"
            " gate is told by what it asks for",
            f"phase_contracts.yaml: {contract}.exit_requires.1.required: left out; every gate"
            " blocks, there as well as here",
            f"phase_contracts.yaml: {cycle}.2.0.heading: left out; the check does not look at it",
            "phase_contracts.yaml: workflows.feature.research.exit_requires.0,"
            f' workflows.bug.research.exit_requires.0: {any_issue} {suggested}research*.md" }}',
            f"phase_contracts.yaml: {contract}.exit_requires.0: {any_issue}"
            f' {suggested}*suite*.md" }}',
            "git.yaml: branch_types: the number in a branch <type>/<number>-… is its issue, here as"
            " well",
            "enforcement.yaml: enforcement.1.actions.0: check_pr_status: left out; no host is asked"
            " here",
            "enforcement.yaml: enforcement.2.actions.0: said by branches.merge_phase",
            "git.yaml: issue_title_max_length: left out; no issues are made here",
        ]
    )


@pytest.mark.parametrize(
    ("file", "old", "new", "note"),
    [
        ("workflows.yaml", "workflows:", "source: x\nworkflows:", "source: unknown; left out"),
        (
            "workflows.yaml",
            "name: feature",
            "colour: red\n    name: feature",
            "workflows.feature.colour: unknown; left out",
        ),
        (
            "workflows.yaml",
            "name: feature",
            "name: Features",
            "workflows.feature.name: feature is its name here",
        ),
        (
            "workphases.yaml",
            "  ready:",
            "  Later: {}\n  ready:",
            "phases.Later: left out; no workflow has it",
        ),
        ("git.yaml", "branch_types", "tdd_phases: [red]\nbranch_types", "tdd_phases: unknown"),
        (
            "git.yaml",
            "[a-z0-9-]+$",
            "[a-z0-9-]+",
            "branch_name_pattern: the whole name has to match it here",
        ),
        (
            "phase_contracts.yaml",
            "dir: docs/work, pattern: issue*/research*.md",
            "dir: ., pattern: research*.md",
            "workflows.feature.research.exit_requires.0: research*.md may lie in any directory",
        ),
        (
            "phase_contracts.yaml",
            "pattern: issue*/research*.md",
            'pattern: "{item}.md"',
            "workflows.feature.research.exit_requires.0: {item} in it stands for the item here",
        ),
        (
            "phase_contracts.yaml",
            "    implementation:\n      exit_requires:\n",
            "    implementation:\n      cycle_exit_requires:\n        1:\n",
            "workflows.hotfix.implementation.cycle_exit_requires.1.0: left out; its phase has no",
        ),
        (
            "enforcement.yaml",
            "hotfix: [main]",
            "chore: [main]",
            "enforcement.0.actions.0.rules.chore: left out; no such type",
        ),
        (
            "enforcement.yaml",
            "timing: pre",
            "timing: post",
            "enforcement.0.actions.0: check_branch_policy: left out; nothing asks for it before",
        ),
        (
            "enforcement.yaml",
            "type: check_pr_status",
            "type: check_pr_status, message: No",
            "enforcement.1.actions.0.message: left out",
        ),
        (
            "enforcement.yaml",
            "policy: ready",
            "policy: validation",
            "enforcement.2.actions.0: validation: left out; branches are merged from ready",
        ),
    ],
)
def test_what_means_something_else_here_is_told(
    tmp_path: Path, file: str, old: str, new: str, note: str
) -> None:
    _, usual = convert(tmp_path, GOOD)
    _, notes = convert(tmp_path, changed(file, old, new))
    more = [said.partition(": ")[2] for said in notes if said not in usual]
    assert any(said.startswith(note) for said in more), more


def test_three_of_the_files_may_be_missing(tmp_path: Path) -> None:
    two = {name: GOOD[name] for name in ("workflows.yaml", "workphases.yaml")}
    document, notes = convert(tmp_path, two)
    assert document["branches"] == {
        "types": ["feature", "bug", "fix", "refactor", "docs", "hotfix", "epic"],
        "names": "[a-z0-9-]+",
        "protected": ["main", "master", "develop"],
        "default_base": "main",
        "commit_types": [
            *("feat", "fix", "docs", "style", "refactor", "test"),
            *("chore", "perf", "ci", "build", "revert"),
        ],
        "merge_phase": "ready",
    }
    for said in (
        "phase_contracts.yaml: not there: no phase has gates or cycles",
        "phase_contracts.yaml: branches are merged from ready, the last phase",
        "git.yaml: not there: what that tool takes for it is written",
        "enforcement.yaml: not there: a branch may begin at any other",
    ):
        assert said in notes


def test_without_contracts_a_rule_says_where_branches_are_merged_from(tmp_path: Path) -> None:
    files = changed("enforcement.yaml", "policy: ready", "policy: documentation")
    del files["phase_contracts.yaml"]
    document, _ = convert(tmp_path, files)
    assert document["branches"]["merge_phase"] == "documentation"


def test_a_pattern_keeps_anchors_that_say_something(tmp_path: Path) -> None:
    document, _ = convert(tmp_path, changed("git.yaml", "^[a-z0-9-]+$", "^a|b$"))
    assert document["branches"]["names"] == "^a|b$"


def test_a_directory_is_no_pattern(tmp_path: Path) -> None:
    files = changed("phase_contracts.yaml", "dir: docs/work,", 'dir: "./docs/[a]/",')
    document, _ = convert(tmp_path, files)
    (gate,) = phases(document, "feature")["research"]["leave"]
    assert gate == {"glob": "docs/[[]a]/issue*/research*.md"}


@pytest.mark.parametrize("place", [".", ".st3/config", "config"])
def test_the_files_are_found(tmp_path: Path, place: str) -> None:
    directory = write(tmp_path / place, GOOD | {"policies.yaml": ""})
    text, notes = import_workflows(tmp_path)
    assert text.startswith("[branches]\n")
    assert "policies.yaml: not read" in notes
    assert import_workflows(directory / "git.yaml") == (text, notes)


@pytest.mark.parametrize("name", ["", "nowhere", "notes.txt", "a\0b"])
def test_where_there_are_none_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ConfigError, match=r"no workflows\.yaml and") as caught:
        import_workflows(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("workflows.yaml", 'version: "1.0"\n', "", "version: is missing"),
        ("workflows.yaml", 'version: "1.0"', "version: 1", "version: expected text, got 1"),
        ("workflows.yaml", WORKFLOWS, "- 1", "expected a mapping of keys to values"),
        ("workflows.yaml", WORKFLOWS, "", "expected a mapping of keys to values"),
        ("workflows.yaml", WORKFLOWS, "[", "line 2: no YAML: "),
        ("workflows.yaml", WORKFLOWS, "version: '1'\nworkflows: {}", "workflows: expected one or"),
        (
            "workflows.yaml",
            WORKFLOWS,
            "version: '1'\nworkflows: 1",
            "workflows: expected a mapping",
        ),
        ("workflows.yaml", "  bug:\n", "  feature:\n", "line 8: feature comes twice"),
        (
            "workflows.yaml",
            "[planning, documentation]",
            "&a [*a]",
            "line 21: it is used again by an alias",
        ),
        ("workflows.yaml", "name: bug\n", "", "workflows.bug.name: is missing"),
        (
            "workflows.yaml",
            "name: bug",
            "name: ' '",
            "workflows.bug.name: expected text, got nothing",
        ),
        (
            "workflows.yaml",
            "name: bug",
            'name: "a\\0"',
            "workflows.bug.name: expected text without",
        ),
        (
            "workflows.yaml",
            "interactive",
            "slow",
            "workflows.feature.default_execution_mode: expected interactive or",
        ),
        (
            "workflows.yaml",
            "[planning, documentation]",
            "[]",
            "workflows.docs.phases: expected one or more, got none",
        ),
        (
            "workflows.yaml",
            "[planning, documentation]",
            "planning",
            "workflows.docs.phases: expected a list, got 'planning'",
        ),
        (
            "workflows.yaml",
            "[planning, documentation]",
            "[planning, ' ']",
            "workflows.docs.phases.1: expected text, got nothing but blanks",
        ),
        (
            "workflows.yaml",
            "[planning, documentation]",
            "[planning, planning]",
            "workflows.docs.phases: planning comes 2 times",
        ),
        (
            "workflows.yaml",
            "[planning, documentation]",
            "[planing, documentation]",
            "workflows.docs.phases: 'planing' is no phase of workphases.yaml",
        ),
        (
            "workflows.yaml",
            "  docs:\n",
            "  the docs:\n",
            "workflows.the docs: expected a name of up to 64 letters",
        ),
        (
            "workphases.yaml",
            "  ready:\n    terminal: true",
            "  ready: {}",
            "phases: expected exactly",
        ),
        (
            "workphases.yaml",
            "  validation:\n",
            "  validation:\n    terminal: true\n",
            "phases: expected exactly one terminal phase, got validation and ready",
        ),
        (
            "workphases.yaml",
            "terminal: true",
            "terminal: yes",
            "phases.ready.terminal: expected true",
        ),
        (
            "workphases.yaml",
            "  ready:\n    terminal: true",
            "  ready:",
            "phases.ready: has no value",
        ),
        (
            "workphases.yaml",
            "commit_type_hint: chore",
            "commit_type_hint: chores",
            "phases.coordination.commit_type_hint: 'chores' is no commit type of git.yaml",
        ),
        (
            "workphases.yaml",
            "exit_requires: [{key: findings}]",
            "exit_requires: [findings]",
            "phases.research.exit_requires.0: expected a mapping, got 'findings'",
        ),
        ("phase_contracts.yaml", "workflows:", "flows: {}\nworkflows:", "flows: unknown key"),
        (
            "phase_contracts.yaml",
            "  pr_allowed_phase: ready\n",
            "",
            "merge_policy.pr_allowed_phase: is missing",
        ),
        (
            "phase_contracts.yaml",
            "pr_allowed_phase: ready",
            "pr_allowed_phase: done",
            "merge_policy.pr_allowed_phase: 'done' is no phase of workphases.yaml",
        ),
        ("phase_contracts.yaml", "  hotfix:", "  hotfixes:", "workflows.hotfixes: no workflow of"),
        (
            "phase_contracts.yaml",
            "    coordination:",
            "    validation:",
            "workflows.epic.validation: no phase of this workflow in workflows.yaml",
        ),
        (
            "phase_contracts.yaml",
            "      cycle_based: true",
            "      cycles: true",
            "workflows.feature.implementation.cycles: unknown key",
        ),
        (
            "phase_contracts.yaml",
            "      commit_type_map: {red: test, green: feat, refactor: refactor}\n",
            "",
            "workflows.feature.implementation.commit_type_map: a phase with cycles needs one",
        ),
        (
            "phase_contracts.yaml",
            "{red: test,",
            "{rod: test,",
            "workflows.feature.implementation.commit_type_map.rod: no sub-phase of this phase",
        ),
        (
            "phase_contracts.yaml",
            "{red: test,",
            "{red: text,",
            "workflows.feature.implementation.commit_type_map.red: 'text' is no commit type",
        ),
        (
            "phase_contracts.yaml",
            "type: file_glob",
            "type: glob",
            "workflows.feature.research.exit_requires.0.type: unknown check 'glob'",
        ),
        (
            "phase_contracts.yaml",
            ", pattern: issue*/research*.md",
            "",
            "workflows.feature.research.exit_requires.0.pattern: is missing; file_glob needs it",
        ),
        (
            "phase_contracts.yaml",
            "dir: docs/work,",
            "dir: docs/work, dirs: docs,",
            "workflows.feature.research.exit_requires.0.dirs: unknown key",
        ),
        (
            "phase_contracts.yaml",
            "file: CHANGES.md",
            "file: ../CHANGES.md",
            "workflows.feature.implementation.exit_requires.1.file: expected a path inside",
        ),
        (
            "phase_contracts.yaml",
            "        1: [",
            "        one: [",
            "workflows.feature.implementation.cycle_exit_requires.one: expected the number",
        ),
        ("git.yaml", "[main, master, develop]", "[]", "protected_branches: expected one or more"),
        (
            "git.yaml",
            "[feature, bug, fix, refactor, docs, hotfix, epic]",
            "[]",
            "branch_types: expected one or more, got none",
        ),
        ("git.yaml", "^[a-z0-9-]+$", "^[a-z", "branch_name_pattern: no regular expression: "),
        ("git.yaml", "^[a-z0-9-]+$", " ", "branch_name_pattern: expected text, got nothing but"),
        (
            "git.yaml",
            "epic]",
            '"a b"]',
            "branch_types.6: expected letters, digits, ., _ and -, got",
        ),
        (
            "git.yaml",
            "revert]",
            "~x]",
            "commit_types.10: expected letters, digits, ., _ and -, got",
        ),
        ("workphases.yaml", "sync,", "Sync,", "phases.coordination.subphases.1: expected a name"),
        (
            "phase_contracts.yaml",
            "  epic:",
            "  docs: {planning: {subphases: [a b]}}\n  epic:",
            "workflows.docs.planning.subphases.0: expected a name of up to 64 lower-case letters",
        ),
        ("enforcement.yaml", "enforcement:", "rules: []\nenforcement:", "rules: unknown key"),
        (
            "enforcement.yaml",
            "timing: pre",
            "timing: pre\n    when: now",
            "enforcement.0.when: unknown",
        ),
        ("enforcement.yaml", "timing: pre", "timing: now", "enforcement.0.timing: expected pre or"),
        (
            "enforcement.yaml",
            "    tool: submit_pr\n",
            "",
            "enforcement.2: expected one of tool and tool_category, got none",
        ),
        (
            "enforcement.yaml",
            "    tool: submit_pr\n",
            "    tool: submit_pr\n    tool_category: branch_mutating\n",
            "enforcement.2: expected one of tool and tool_category, got both",
        ),
        (
            "enforcement.yaml",
            "tool_category: branch_mutating",
            "tool_category: branch_changing",
            "enforcement.1.tool_category: unknown category 'branch_changing'",
        ),
        (
            "enforcement.yaml",
            "type: check_pr_status",
            "type: check_status",
            "enforcement.1.actions.0.type: unknown action 'check_status'",
        ),
        (
            "enforcement.yaml",
            '        rules: {hotfix: [main], feature: [main, "epic/*"]}\n',
            "",
            "enforcement.0.actions.0.rules: expected one or more, got none",
        ),
        (
            "enforcement.yaml",
            "[{type: check_pr_status}]",
            "[{type: check_branch_policy, rules: {hotfix: [main]}}]",
            "enforcement.1.actions.0.rules.hotfix: enforcement.0.actions.0.rules says it, too",
        ),
        (
            "enforcement.yaml",
            ", policy: ready",
            "",
            "enforcement.2.actions.0.policy: is missing",
        ),
        (
            "enforcement.yaml",
            "policy: ready",
            "policy: redy",
            "enforcement.2.actions.0.policy: 'redy' is no phase of workphases.yaml",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_file_and_key(
    tmp_path: Path, file: str, old: str, new: str, problem: str
) -> None:
    error = refused(tmp_path, changed(file, old, new))
    assert error.message.startswith(f"{file}: {problem}")
    assert error.where == str(tmp_path / file)


@pytest.mark.parametrize("name", ["triage", "deliver", "Design", "de sign"])
def test_a_phase_needs_a_name_that_ours_may_have(tmp_path: Path, name: str) -> None:
    files = {
        file: text.replace("  design:", f"  {name}:").replace(" design,", f" {name},")
        for file, text in GOOD.items()
    }
    error = refused(tmp_path, files)
    assert error.message.startswith(f"workphases.yaml: phases.{name}: ")


def test_a_file_that_has_to_be_there_is_missed(tmp_path: Path) -> None:
    files = dict(GOOD)
    del files["workphases.yaml"]
    error = refused(tmp_path, files)
    assert error.message == "workphases.yaml: cannot be read: No such file or directory"


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    files = {
        "workflows.yaml": WORKFLOWS.replace("name: bug", "name: 1").replace("[planning,", "[plan,"),
        "workphases.yaml": PHASES.replace("terminal: true", "terminal: 1"),
        "phase_contracts.yaml": CONTRACTS.replace("  epic:", "  epics:"),
        "git.yaml": GIT.replace("^[a-z", "(^[a-z"),
        "enforcement.yaml": "enforcement: [{event_source: tool, timing: pre, tool: 5}, 7]",
    }
    error = refused(tmp_path, files)
    assert error.where == str(tmp_path)
    first, *lines = error.message.splitlines()
    assert first == "7 things are wrong; nothing was imported"
    assert [line.removeprefix("  - ") for line in lines] == [
        "workflows.yaml: workflows.bug.name: expected text, got 1",
        "workflows.yaml: workflows.docs.phases: 'plan' is no phase of workphases.yaml (did you mean"
        " planning?)",
        "workphases.yaml: phases.ready.terminal: expected true or false, got 1",
        "phase_contracts.yaml: workflows.epics: no workflow of workflows.yaml (did you mean epic?)",
        "git.yaml: branch_name_pattern: no regular expression: missing ), unterminated subpattern"
        " at position 0",
        "enforcement.yaml: enforcement.0.tool: expected text, got 5",
        "enforcement.yaml: enforcement.1: expected a mapping, got 7",
    ]


@pytest.mark.parametrize(
    "rules",
    ["[" + "7, " * 50_000 + "7]", "[" + "{event_source: tool, timing: pre}, " * 5_000 + "]"],
)
def test_of_very_many_things_that_are_wrong_some_are_told(tmp_path: Path, rules: str) -> None:
    error = refused(tmp_path, GOOD | {"enforcement.yaml": f"enforcement: {rules}"})
    first, *lines = error.message.splitlines()
    assert first == "more than 100 things are wrong; nothing was imported"
    assert len(lines) == 100


@pytest.mark.parametrize("file", sorted(GOOD))
def test_what_cannot_be_read_is_the_only_thing_told(tmp_path: Path, file: str) -> None:
    error = refused(tmp_path, GOOD | {file: "{"})
    assert error.message.startswith(f"{file}: line 2: no YAML: "), error.message


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x]\nb: [*a, *a]",
        "a: &a [*a]",
        "[" * 200_000,
        "a: {" * 100_000,
        "#" * (1 << 20) + "\n",
        "a: !!python/object:os.x {}",
        "\ufeff: [",
        'a: "\\ud800"',
        "a: 1\n---\na: 2",
    ],
)
def test_yaml_that_is_made_to_harm_is_refused(tmp_path: Path, text: str) -> None:
    assert refused(tmp_path, GOOD | {"workflows.yaml": text}).message.startswith("workflows.yaml: ")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(workflow=TEXTS, title=TEXTS, phase=TEXTS, held=TEXTS)
def test_every_text_survives(
    tmp_path: Path, workflow: str, title: str, phase: str, held: str
) -> None:
    check = {"id": "x", "type": "contains_text", "file": "a", "text": f"x{held}"}
    contract = {"cycle_based": True, "commit_type_map": {"s": "feat"}}
    files: dict[str, Any] = {
        "workflows.yaml": {
            "version": "1.0",
            "workflows": {"docs": {"name": "docs", "phases": ["a"], "description": workflow}},
        },
        "workphases.yaml": {
            "version": "1.0",
            "phases": {
                "a": {"display_name": title, "description": phase, "subphases": ["s"]},
                "b": {"terminal": True},
            },
        },
        "phase_contracts.yaml": {
            "merge_policy": {"pr_allowed_phase": "b"},
            "workflows": {"docs": {"a": {**contract, "exit_requires": [check]}}},
        },
    }
    document, _ = convert(tmp_path, {name: yaml.safe_dump(text) for name, text in files.items()})
    pipeline = document["pipelines"]["docs"]
    first, _ = pipeline["phases"]
    assert pipeline.get("description", "") == workflow
    assert first.get("prompt", "") == ": ".join(text for text in (title, phase) if text.strip())
    assert first["subphases"] == ["s"]
    assert first["commit_types"] == {"s": "feat"}
    assert first["leave"] == [{"file": "a", "contains": f"x{held}"}]
