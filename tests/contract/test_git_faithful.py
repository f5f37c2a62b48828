"""Promise: a clone has what the operator's checkout has, and no way to change his repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.adapters.git import checkpoint, objects, snapshot, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from tests.gitrepo import commit_files, fingerprint, git, make_repository

pytestmark = pytest.mark.processes


def make(checkout: Path) -> tuple[Repository, Workspace]:
    """Return a repository and a workspace of it at its head."""
    repo = Repository.open(checkout)
    workspace.require_workable(repo)
    return repo, workspace.create(repo, "item", repo.head)


def names(directory: Path) -> set[str]:
    """Return the files below a directory without those of any git directory."""
    return {
        path.relative_to(directory).as_posix()
        for path in directory.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(directory).parts
    }


def test_remotes_are_there_to_fetch_from_without_their_credentials(tmp_path: Path) -> None:
    upstream = make_repository(tmp_path / "up stream")
    checkout = make_repository(tmp_path / "repo")
    git(checkout, "remote", "add", "origin", "../up stream")
    git(checkout, "remote", "add", "odd.name", "https://me:s3cret@example.invalid/x.git")
    git(checkout, "remote", "add", "token", "https://s3cret@example.invalid/x.git")
    git(checkout, "remote", "add", "ssh", "ssh://git:s3cret@example.invalid/x.git")
    git(checkout, "config", "http.https://example.invalid/.extraheader", "Basic s3cret")
    git(checkout, "fetch", "-q", "origin")
    git(checkout, "tag", "v1")
    commit_files(upstream, {"later": "x"}, "Later")
    before = fingerprint(checkout)
    _, work = make(checkout)
    config = (work.path / ".git/config").read_text()
    assert "s3cret" not in config
    assert git(work.path, "remote", "get-url", "ssh") == "ssh://git@example.invalid/x.git"
    assert git(work.path, "describe", "--tags") == "v1"
    assert git(work.path, "rev-parse", "main") == git(checkout, "rev-parse", "main")
    assert git(work.path, "rev-parse", "origin/main") == git(checkout, "rev-parse", "origin/main")
    git(work.path, "fetch", "-q", "origin")
    assert git(work.path, "log", "-1", "--format=%s", "origin/main") == "Later"
    with pytest.raises(AssertionError, match="pushing is off in this workspace"):
        git(work.path, "push", "origin", "HEAD")
    assert "orchestrator/item" not in git(upstream, "branch", "--list")
    assert fingerprint(checkout) == before


def test_the_operators_settings_decide_about_line_ends_and_ignored_files(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo", {"a.txt": "a\n", ".gitignore": "one\n"})
    excludes = Path(os.environ["HOME"]) / "my ignored"
    excludes.write_text("*.mine\n")
    git(checkout, "config", "--global", "core.excludesFile", "~/my ignored")
    git(checkout, "config", "core.autocrlf", "true")
    git(checkout, "config", "core.safecrlf", "false")
    (checkout / ".git/info/exclude").write_text("two\n")
    repo, work = make(checkout)
    assert (work.path / "a.txt").read_bytes() == b"a\r\n"
    assert git(work.path, "config", "core.autocrlf") == "true"
    for name in ("one", "two", "x.mine", "seen"):
        (work.path / name).write_text("x\n")
    assert git(work.path, "status", "--porcelain") == "?? seen"
    assert checkpoint.take(repo, work, repo.head).changed == (b"seen",)


@pytest.mark.parametrize("cone", [True, False])
def test_a_sparse_checkout_gives_a_sparse_workspace(tmp_path: Path, cone: bool) -> None:
    files = {"top": "t\n", "in/a": "a\n", "in/b": "b\n", "out/c": "c\n", "out/deep/d": "d\n"}
    checkout = make_repository(tmp_path / "repo", files)
    kind, patterns = ("--cone", ["in"]) if cone else ("--no-cone", ["/*", "!/out/", "/out/deep/"])
    git(checkout, "sparse-checkout", "set", kind, *patterns)
    before = fingerprint(checkout)
    repo, work = make(checkout)
    assert names(work.path) == names(checkout)
    assert "out/c" not in names(work.path)
    assert git(work.path, "status", "--porcelain") == ""
    assert checkpoint.take(repo, work, repo.head).changed == ()
    (work.path / "in/a").write_text("new\n")
    (work.path / "out").mkdir(exist_ok=True)
    (work.path / "out/c").write_text("written all the same\n")
    taken = checkpoint.take(repo, work, repo.head)
    assert (taken.problems, set(taken.changed)) == ((), {b"in/a", b"out/c"})
    assert objects.read_blob(repo.git, taken.tree, b"out/deep/d") == b"d\n"
    # A person adds something out of the cone: it is neither written nor taken for deleted.
    tree = objects.write_files_tree(repo.git, taken.tree, {b"out/e": b"e\n", b"in/f": b"f\n"})
    new = objects.commit(repo.git, tree, [repo.head], "More", repo.identity(), 1)
    snapshot.restore(repo, work, new)
    assert names(work.path) == names(checkout) | {"in/f", "out/c"}
    assert checkpoint.take(repo, work, new).changed == ()
    assert git(work.path, "status", "--porcelain") == ""
    assert fingerprint(checkout) == before


def nested_submodules(tmp_path: Path) -> Path:
    """Make a repository with a submodule in a submodule, and one that is not initialised."""
    allow = ("-c", "protocol.file.allow=always")
    deep = make_repository(tmp_path / "deep", {"deep.txt": "deep\n"})
    middle = make_repository(tmp_path / "middle", {"middle.txt": "middle\n"})
    git(middle, *allow, "submodule", "add", "-q", str(deep), "in ner")
    git(middle, "commit", "-qm", "Nest")
    outer = make_repository(tmp_path / "outer")
    git(outer, *allow, "submodule", "add", "-q", str(middle), "s ub")
    git(outer, *allow, "submodule", "add", "-q", str(deep), "absent")
    git(outer, "commit", "-qm", "Submodules")
    git(outer, *allow, "submodule", "update", "-q", "--init", "--recursive", "--", "s ub")
    git(outer, "submodule", "deinit", "-q", "-f", "absent")
    for source in (deep, middle):
        source.rename(source.with_name(f"{source.name}-unreachable"))
    return outer


def test_submodules_come_from_the_checkout_without_network(tmp_path: Path) -> None:
    checkout = nested_submodules(tmp_path)
    before = fingerprint(checkout)
    repo, work = make(checkout)
    assert (work.path / "s ub/middle.txt").read_text() == "middle\n"
    assert (work.path / "s ub/in ner/deep.txt").read_text() == "deep\n"
    assert os.listdir(work.path / "absent") == []
    assert git(work.path, "status", "--porcelain") == ""
    shown = [line[0] for line in git(work.path, "submodule", "status").split("\n")]
    assert sorted(shown) in ([" ", "-"], ["-", "4"]) or "-" in shown
    assert checkpoint.take(repo, work, repo.head).changed == ()
    assert checkpoint.take(repo, work, repo.head).problems == ()
    assert fingerprint(checkout) == before


def test_a_changed_submodule_fails_the_attempt_is_kept_and_put_right(tmp_path: Path) -> None:
    checkout = nested_submodules(tmp_path)
    repo, work = make(checkout)
    (work.path / "s ub/in ner/deep.txt").write_text("changed\n")
    (work.path / "s ub/new").write_text("new\n")
    git(work.path / "s ub", "add", "new")
    git(work.path / "s ub", "commit", "-qm", "Worker's own")
    (work.path / "absent/file").write_text("mine\n")
    (work.path / "a.txt").write_text("changed\n")
    taken = checkpoint.take(repo, work, repo.head)
    assert len(taken.problems) == 2
    assert any("'s ub'" in problem for problem in taken.problems)
    assert any("'absent'" in problem for problem in taken.problems)
    kept = snapshot.snapshot(repo, work, repo.head, "Attempt", repo.identity(), 1)
    assert objects.read_blob(repo.git, kept, b"s ub/in ner/deep.txt") == b"changed\n"
    assert objects.read_blob(repo.git, kept, b"absent/file") == b"mine\n"
    snapshot.restore(repo, work, repo.head)
    assert (work.path / "s ub/in ner/deep.txt").read_text() == "deep\n"
    assert names(work.path / "s ub") == names(checkout / "s ub")
    assert os.listdir(work.path / "absent") == []
    assert checkpoint.take(repo, work, repo.head).problems == ()
    assert git(work.path, "status", "--porcelain") == ""


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_submodule_that_is_gone_is_a_problem_and_comes_back(tmp_path: Path, how: str) -> None:
    checkout = nested_submodules(tmp_path)
    repo, work = make(checkout)
    git(work.path, "rm", "-rqf", "--", "s ub") if how == "removed" else None
    if how == "replaced":
        (work.path / "s ub").rename(work.path / "elsewhere")
        (work.path / "s ub").write_text("a file")
    assert checkpoint.take(repo, work, repo.head).problems
    snapshot.snapshot(repo, work, repo.head, "Attempt", repo.identity(), 1)
    snapshot.restore(repo, work, repo.head)
    assert names(work.path) == names(checkout)
    assert checkpoint.take(repo, work, repo.head) == checkpoint.Checkpoint("", (), ())


def test_a_shallow_repository_gives_a_shallow_workspace(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source")
    commit_files(source, {"b": "b"}, "Second")
    git(tmp_path, "clone", "-q", "--depth", "1", source.as_uri(), "repo")
    _, work = make(tmp_path / "repo")
    assert git(work.path, "log", "--format=%s") == "Second"
    assert git(work.path, "fsck") == ""


def test_a_sha256_repository_has_sha256_workspaces_and_snapshots(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    git(tmp_path / "repo", "init", "-q", "--object-format=sha256")
    commit_files(tmp_path / "repo", {"a": "a\n"}, "Start")
    repo, work = make(tmp_path / "repo")
    (work.path / "a").write_text("b\n")
    taken = checkpoint.take(repo, work, repo.head)
    assert (len(taken.tree), taken.changed) == (64, (b"a",))
    kept = snapshot.snapshot(repo, work, repo.head, "Attempt", repo.identity(), 1)
    assert objects.read_blob(repo.git, kept, b"a") == b"b\n"
    snapshot.restore(repo, work, repo.head)
    assert git(work.path, "status", "--porcelain") == ""


def test_odd_places_and_names_are_no_problem(tmp_path: Path) -> None:
    odd = tmp_path / '-o dd\n"p\\lace\udcff'
    checkout = make_repository(odd / "repo", {"-rf": "x", "a\nb": "y", "sp ace/-": "z"})
    raw = os.path.join(os.fsencode(checkout), b"\xff\xfe")
    Path(os.fsdecode(raw)).write_text("latin")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-qm", "Odd")
    before = fingerprint(checkout)
    repo, work = make(checkout)
    assert repo.checkout == checkout
    assert names(work.path) == names(checkout)
    assert git(work.path, "fsck") == ""
    (work.path / "a\nb").write_text("changed")
    (work.path / "-new\n").write_text("new")
    taken = checkpoint.take(repo, work, repo.head)
    assert set(taken.changed) == {b"a\nb", b"-new\n"}
    snapshot.restore(repo, work, repo.head)
    assert names(work.path) == names(checkout)
    assert fingerprint(checkout) == before
