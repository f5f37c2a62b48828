"""Promise: what a person commits on the branch is gone on from, and nothing else is taken over."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from orchestrator.adapters.git import checkpoint, snapshot, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError
from orchestrator.run.records import ledger
from tests.gitrepo import commit_files, fingerprint, git, make_repository

pytestmark = pytest.mark.processes


@attrs.frozen
class Place:
    """A repository, a workspace on its branch, and a worktree where a person works on it."""

    repo: Repository
    work: workspace.Workspace
    theirs: Path

    def adopt(self, tip: str) -> str:
        return ledger.adopt_branch(self.repo, "item", self.work, tip)


@pytest.fixture(params=["clone", "worktree"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """Give an item at its base."""
    checkout = make_repository(tmp_path / "repo", {"a.txt": "a\n", "dir/b": "b\n"})
    repo = Repository.open(checkout).working(request.param)
    git(checkout, "branch", "orchestrator/item")
    work = workspace.create(repo, "item", repo.head)
    git(checkout, "worktree", "add", "-q", str(tmp_path / "theirs"), "orchestrator/item")
    return Place(repo, work, tmp_path / "theirs")


def test_several_commits_with_odd_names_and_swaps_arrive_in_the_workspace(place: Place) -> None:
    (place.theirs / "a.txt").unlink()
    commit_files(place.theirs, {"a.txt/now a directory\n": "x\n", "-new": "new\n"}, "One")
    git(place.theirs, "mv", "dir", "moved")
    git(place.theirs, "commit", "-qm", "Two")
    (place.theirs / "moved/b").chmod(0o755)
    git(place.theirs, "commit", "-qam", "Three")
    before = fingerprint(place.repo.checkout)
    tip = place.adopt(place.repo.head)
    assert tip == git(place.theirs, "rev-parse", "HEAD")
    assert git(place.work.path, "rev-parse", "HEAD") == tip
    assert git(place.work.path, "status", "--porcelain") == ""
    assert (place.work.path / "a.txt/now a directory\n").read_text() == "x\n"
    assert (place.work.path / "moved/b").stat().st_mode & 0o100
    assert not (place.work.path / "dir").exists()
    taken = checkpoint.take(place.repo, place.work, tip)
    assert (taken.changed, taken.problems) == ((), ())
    assert fingerprint(place.repo.checkout) == before


def test_a_merge_of_the_base_is_a_fast_forward_too(place: Place) -> None:
    commit_files(place.repo.checkout, {"c": "c\n"}, "On main")
    commit_files(place.theirs, {"d": "d\n"}, "Mine")
    git(place.theirs, "merge", "-q", "--no-edit", "main")
    tip = place.adopt(place.repo.head)
    assert (place.work.path / "c").exists()
    assert (place.work.path / "d").exists()
    assert place.adopt(tip) == tip


@pytest.mark.parametrize("how", ["amend", "reset", "delete"])
def test_history_that_was_rewritten_is_refused_and_nothing_is_changed(
    place: Place, how: str
) -> None:
    tip = commit_files(place.theirs, {"c": "c\n"}, "Checkpoint")
    snapshot.restore(place.repo, place.work, tip)
    match how:
        case "amend":
            git(place.theirs, "commit", "-q", "--amend", "-m", "Other")
        case "reset":
            git(place.theirs, "reset", "-q", "--hard", "HEAD~1")
        case _:
            git(place.theirs, "checkout", "-q", "--detach")
            git(place.repo.checkout, "branch", "-qD", "orchestrator/item")
    before = fingerprint(place.work.path)
    with pytest.raises(ConflictError, match=tip[:9]) as caught:
        place.adopt(tip)
    assert "git branch" in str(caught.value.fix)
    assert fingerprint(place.work.path) == before
