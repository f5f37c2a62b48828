"""Changes on disk and the root that holds them: what is read, what is refused, and the advice."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.adapters.openspec.reader import OpenSpec
from orchestrator.adapters.openspec.root import find_roots
from orchestrator.adapters.spec_file import FILE_LIMIT
from orchestrator.errors import SpecError


@pytest.fixture
def change(tmp_path: Path) -> Path:
    """Return the directory of a small change, ``add-login``, of the root ``tmp_path``."""
    directory = tmp_path / "openspec" / "changes" / "add-login"
    (directory / "specs" / "auth").mkdir(parents=True)
    (directory / "proposal.md").write_text("## Why\n\n# Add a login\n")
    (directory / "tasks.md").write_text("## 1. Form\n- [x] 1.1 a\n- [ ] 1.2 b\n## Later\n")
    (directory / "specs" / "auth" / "spec.md").write_text("#### Scenario: S\n- WHEN w\n")
    (tmp_path / "openspec" / "changes" / "archive" / "old").mkdir(parents=True)
    return directory


def test_changes_leave_out_the_archive(tmp_path: Path, change: Path) -> None:
    (summary,) = OpenSpec(tmp_path).changes()

    assert (summary.id, summary.title, summary.done, summary.total, summary.status) == (
        "add-login",
        "Add a login",
        1,
        2,
        "in-progress",
    )


def test_a_change_is_read_whole(tmp_path: Path, change: Path) -> None:
    found = OpenSpec(tmp_path).read("add-login")

    assert (found.root, found.path, found.design) == (tmp_path, change, None)
    assert found.tasks_file == change / "tasks.md"
    assert [story.id for story in found.stories] == ["1"]
    assert [scenario.capability for scenario in found.scenarios] == ["auth"]
    assert found.warnings == ("tasks.md: section 'Later' has no tasks",)


def test_an_unknown_change_names_near_ones(tmp_path: Path, change: Path) -> None:
    with pytest.raises(SpecError) as caught:
        OpenSpec(tmp_path).read("add-logn")

    assert caught.value.fix is not None
    assert "did you mean add-login?" in caught.value.fix


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "-x", ".x", "a/b", "a\\b", "archive", "\0"]
)
def test_what_cannot_be_a_name_is_refused(tmp_path: Path, change: Path, name: str) -> None:
    with pytest.raises(SpecError):
        OpenSpec(tmp_path).read(name)


@pytest.mark.parametrize("text", [None, "", "## 1. Nothing\n"])
def test_without_tasks_a_change_is_shown_but_not_worked_on(
    tmp_path: Path, change: Path, text: str | None
) -> None:
    (change / "tasks.md").unlink()
    if text is not None:
        (change / "tasks.md").write_text(text)
    spec = OpenSpec(tmp_path)

    assert spec.read("add-login").stories == ()
    with pytest.raises(SpecError) as caught:
        spec.require_work("add-login")
    assert caught.value.where == str(change / "tasks.md")
    assert caught.value.fix


def test_bytes_that_are_no_text_are_a_warning(tmp_path: Path, change: Path) -> None:
    (change / "tasks.md").write_bytes(b"## 1. A\n- [ ] caf\xe9\n")

    found = OpenSpec(tmp_path).read("add-login")

    assert found.stories[0].tasks[0].description == "caf\N{REPLACEMENT CHARACTER}"
    assert found.warnings[0].startswith("tasks.md: line 2:")


def test_a_file_that_is_too_large_is_refused_and_the_list_survives(
    tmp_path: Path, change: Path
) -> None:
    (change / "tasks.md").write_bytes(b"-" * (FILE_LIMIT + 1))
    spec = OpenSpec(tmp_path)

    with pytest.raises(SpecError, match="larger than 4 MiB"):
        spec.read("add-login")
    assert [summary.status for summary in spec.changes()] == ["unreadable"]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Return a checkout that itself lies in a directory called ``openspec``."""
    top = tmp_path / "openspec" / "repo"
    for path in ("a/openspec", "b/openspec", "b/src", "c"):
        (top / path).mkdir(parents=True)
    return top


def test_the_nearest_root_wins(repo: Path) -> None:
    assert find_roots(repo, repo / "b" / "src", ["a/openspec"]) == repo / "b"


def test_else_the_only_one_below(repo: Path) -> None:
    assert find_roots(repo, repo, [repo / "a" / "openspec"]) == repo / "a"


def test_several_roots_are_listed(repo: Path) -> None:
    with pytest.raises(SpecError, match=r"  a\n  b$"):
        find_roots(repo, repo, ["b/openspec", "a/openspec"])


def test_a_root_outside_the_repository_is_none(repo: Path) -> None:
    with pytest.raises(SpecError, match="no openspec/ directory here"):
        find_roots(repo, repo / "c", None)
