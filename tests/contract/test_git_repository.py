"""Which repositories are worked on, what is read from them, and that nobody's code runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.adapters.git import objects, refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.runner import Git
from orchestrator.adapters.git.workspace import require_workable
from orchestrator.adapters.process import Completed
from orchestrator.errors import (
    BranchTakenError,
    ConflictError,
    OrchestratorError,
    ProcessError,
    RepositoryError,
    UsageError,
)
from tests.gitrepo import commit_files, fingerprint, git, make_repository

pytestmark = pytest.mark.processes


def test_a_directory_below_the_checkout_finds_its_repository(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo")
    repo = Repository.open(checkout / "src")
    assert repo.checkout == checkout
    assert repo.common_dir == checkout / ".git"
    assert repo.branch == "main"
    assert repo.head == git(checkout, "rev-parse", "HEAD")
    assert repo.object_format == "sha1"


def test_a_linked_worktree_shares_the_common_directory(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo")
    git(checkout, "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "side")
    repo = Repository.open(tmp_path / "linked")
    assert (repo.checkout, repo.branch) == (tmp_path / "linked", "side")
    assert repo.common_dir == checkout / ".git"


def test_a_submodule_is_a_repository_of_its_own(tmp_path: Path) -> None:
    inner = make_repository(tmp_path / "inner")
    outer = make_repository(tmp_path / "outer")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    repo = Repository.open(outer / "sub")
    assert repo.checkout == outer / "sub"
    assert repo.changes() == ()


def test_detached_head_has_no_branch(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo")
    git(checkout, "checkout", "-q", "--detach")
    assert Repository.open(checkout).branch is None


def test_an_inherited_git_dir_does_not_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other")
    checkout = make_repository(tmp_path / "repo")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    assert Repository.open(checkout).common_dir == checkout / ".git"


def _none(path: Path) -> None:
    path.mkdir()


def _bare(path: Path) -> None:
    path.mkdir()
    git(path, "init", "-q", "--bare")


def _unborn(path: Path) -> None:
    path.mkdir()
    git(path, "init", "-q")


def _merging(path: Path) -> None:
    make_repository(path)
    git(path, "checkout", "-qb", "side")
    commit_files(path, {"a.txt": "side\n"}, "Side")
    git(path, "checkout", "-q", "main")
    commit_files(path, {"a.txt": "main\n"}, "Main")
    git(path, "merge", "side", check=False)


def _bisecting(path: Path) -> None:
    make_repository(path)
    git(path, "bisect", "start")


def _filtered(path: Path) -> None:
    make_repository(path, {".gitattributes": "*.bin filter=lfs\n", "a.bin": "pointer\n"})


def _partial(path: Path) -> None:
    make_repository(path)
    git(path, "config", "remote.origin.promisor", "true")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_none, "not a git repository"),
        (_bare, "bare"),
        (_unborn, "no commit"),
        (_merging, "merge is in progress"),
        (_bisecting, "bisect is in progress"),
        (_filtered, "filter 'lfs'"),
        (_partial, "partial clone"),
    ],
)
def test_what_cannot_be_worked_on_is_refused_with_a_way_out(
    tmp_path: Path, make: object, said: str
) -> None:
    assert callable(make)
    make(tmp_path / "repo")
    with pytest.raises(RepositoryError, match=said) as caught:
        require_workable(Repository.open(tmp_path / "repo"))
    assert caught.value.where is not None
    assert caught.value.fix is not None


def test_changes_names_every_uncommitted_path(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo", {"a": "a", "b": "b", "c c": "c"})
    (checkout / "a").write_text("changed")
    (checkout / "b").unlink()
    (checkout / "new").mkdir()
    odd = os.path.join(os.fsencode(checkout), b"new", b"\xff\n-x")
    with open(odd, "w") as file:
        file.write("odd")
    git(checkout, "mv", "c c", "d d")
    before = fingerprint(checkout)
    found = Repository.open(checkout).changes()
    assert set(found) == {b"a", b"b", b"c c", b"d d", b"new/\xff\n-x"}
    assert fingerprint(checkout) == before


def test_tracked_directories_are_found_at_any_depth(tmp_path: Path) -> None:
    checkout = make_repository(
        tmp_path / "repo", {"openspec/x": "", "pkg/openspec/changes/y": "", "openspec.txt": ""}
    )
    found = Repository.open(checkout).tracked_directories("openspec")
    assert found == (checkout / "openspec", checkout / "pkg/openspec")


def test_identity_is_the_operators(tmp_path: Path) -> None:
    identity = Repository.open(make_repository(tmp_path / "repo")).identity()
    assert (identity.name, identity.email) == ("Test Operator", "operator@example.invalid")
    assert not identity.is_fallback


def test_without_an_identity_the_orchestrator_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = make_repository(tmp_path / "repo")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    identity = Repository.open(checkout).identity()
    assert (identity.email, identity.is_fallback) == ("orchestrator@localhost", True)


def test_nothing_that_the_repository_configures_is_run(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo")
    trap = tmp_path / "trap"
    sprung = tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\ntouch {sprung}\ncat\n")
    trap.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "filter.a=b.clean",
        "filter.a=b.smudge",
        "diff.d.textconv",
        "diff.d.command",
        "merge.m.driver",
        "core.alternateRefsCommand",
    ):
        git(checkout, "config", key, str(trap))
    for hook in ("reference-transaction", "post-index-change", "post-checkout"):
        (checkout / ".git" / "hooks" / hook).write_text(trap.read_text())
        (checkout / ".git" / "hooks" / hook).chmod(0o755)
    (checkout / ".git/info/attributes").write_text("*.new filter=a=b diff=d merge=m\n")
    (checkout / "x.new").write_text("x")
    sprung.unlink(missing_ok=True)
    repo = Repository.open(checkout)
    repo.changes()
    tree = objects.write_files_tree(
        repo.git, objects.tree_of(repo.git, repo.head), {b"y.new": b"y"}
    )
    new = objects.commit(repo.git, tree, [repo.head], "New", repo.identity(), 1)
    objects.diff_text(repo.git, repo.head, new)
    refs.move_ref(repo.git, refs.base_ref("x"), new, None, "pin")
    assert not sprung.exists()


def test_a_commit_is_a_function_of_its_plan(tmp_path: Path) -> None:
    repo = Repository.open(make_repository(tmp_path / "repo"))
    tree = objects.tree_of(repo.git, repo.head)
    message = "Subject\n\nOrchestrator-Item: x\n"
    ids = {
        objects.commit(repo.git, tree, [repo.head], message, repo.identity(), 1700000000)
        for _ in range(2)
    }
    (oid,) = ids
    assert objects.parents_of(repo.git, oid) == (repo.head,)
    assert objects.is_ancestor(repo.git, repo.head, oid)
    assert not objects.is_ancestor(repo.git, oid, repo.head)


def test_files_are_put_into_a_tree_without_touching_the_checkout(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo")
    (checkout / "run.sh").write_text("#!/bin/sh\n")
    (checkout / "run.sh").chmod(0o755)
    (checkout / "link").symlink_to("run.sh")
    before = fingerprint(checkout)
    repo = Repository.open(checkout)
    files = {
        b"a.txt": None,
        b"run.sh": checkout / "run.sh",
        b"link": checkout / "link",
        b"-\n\xff": b"odd",
    }
    base = objects.tree_of(repo.git, repo.head)
    tree = objects.write_files_tree(repo.git, base, files)
    changes = {change.path: change for change in objects.diff_changes(repo.git, base, tree)}
    assert set(changes) == set(files)
    assert changes[b"run.sh"].new_mode == b"100755"
    assert changes[b"link"].new_mode == b"120000"
    assert objects.read_blob(repo.git, tree, b"-\n\xff") == b"odd"
    assert objects.read_blob(repo.git, tree, b"a.txt") is None
    assert fingerprint(checkout) == before


def test_a_ref_moves_only_from_where_it_was_expected(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo")
    first = git(checkout, "rev-parse", "HEAD")
    second = commit_files(checkout, {"a.txt": "2"}, "Second\n\nbody\n\nKey: value")
    repo = Repository.open(checkout)
    ref = refs.branch_ref("x")
    refs.move_ref(repo.git, ref, first, None, "make")
    with pytest.raises(ConflictError, match="moved meanwhile"):
        refs.move_ref(repo.git, ref, second, "1" * 40, "wrong")
    assert refs.read_refs(repo.git, ref)[ref].oid == first
    refs.move_ref(repo.git, ref, second, first, "right")
    refs.move_ref(repo.git, ref, second, first, "again")
    record = refs.read_refs(repo.git, refs.BRANCHES)[ref]
    assert (record.oid, record.subject, record.trailers) == (second, "Second", {"Key": "value"})
    assert record.body.startswith("body")
    assert len(git(checkout, "reflog", "orchestrator/x").splitlines()) == 2


def test_a_branch_named_orchestrator_is_in_the_way(tmp_path: Path) -> None:
    checkout = make_repository(tmp_path / "repo")
    git(checkout, "branch", "orchestrator")
    repo = Repository.open(checkout)
    with pytest.raises(BranchTakenError):
        refs.move_ref(repo.git, refs.branch_ref("x"), repo.head, None, "make")


def test_only_a_lock_in_our_own_namespace_is_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refs, "LOCK_PATIENCE", 0.0)
    repo = Repository.open(make_repository(tmp_path / "repo"))
    for ref in (refs.base_ref("x"), "refs/heads/theirs"):
        lock = repo.common_dir / f"{ref}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    refs.move_ref(repo.git, refs.base_ref("x"), repo.head, None, "pin")
    with pytest.raises(ProcessError):
        refs.move_ref(repo.git, "refs/heads/theirs", repo.head, None, "no")
    assert (repo.common_dir / "refs/heads/theirs.lock").exists()


def test_slugs_are_safe_and_distinct() -> None:
    assert refs.item_slug("add-greeter") == "add-greeter"
    names = ["Add Greeter", "add greeter", "../x", "-x", "", "ä" * 200, "a\nb", "x.lock"]
    slugs = [refs.item_slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    for slug in slugs:
        refs.branch_ref(slug)
        assert len(slug) <= 40


@pytest.mark.parametrize("name", ["", "a..b", "a/b", "-x", "x.lock", "a b", "a\n"])
def test_a_name_that_is_no_ref_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        refs.branch_ref(name)


def test_errors_are_of_the_one_tree() -> None:
    assert issubclass(RepositoryError, OrchestratorError)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for locks are short."""
    monkeypatch.setattr(refs, "LOCK_PATIENCE", 1.0)


def stale(repo: Repository, lock: str, text: str = "", *, noted: bool, age: float = 0.0) -> Path:
    """Leave a lock on the item's branch, as a killed git does, with or without our note."""
    ref = refs.branch_ref("item")
    with pytest.raises(KeyboardInterrupt), refs._claim(repo.git, ref, repo.head):
        raise KeyboardInterrupt
    (note,) = (repo.git_dir / "orchestrator" / "moves").iterdir()
    path = repo.git_dir / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    at = note.stat().st_mtime_ns - int(age * 1e9)
    os.utime(path, ns=(at, at))
    if not noted:
        note.unlink()
    return path


@pytest.mark.parametrize("lock", ["refs/heads/orchestrator/item.lock", "packed-refs.lock"])
def test_lock_that_our_killed_git_left_is_moved_aside(
    tmp_path: Path, impatient: None, lock: str
) -> None:
    repo = Repository.open(make_repository(tmp_path / "repo"))
    path = stale(repo, lock, noted=True)
    refs.clear_stale_locks(repo.git)
    assert not path.exists()
    assert len(list((repo.git_dir / "orchestrator" / "quarantine").iterdir())) == 1
    refs.move_ref(repo.git, refs.branch_ref("item"), repo.head, None, "move")
    refs.delete_ref(repo.git, refs.branch_ref("item"), repo.head)
    assert not list((repo.git_dir / "orchestrator" / "moves").iterdir())


@pytest.mark.parametrize(
    ("text", "noted", "age"), [("", False, 0.0), ("", True, 5.0), ("something else\n", True, 0.0)]
)
def test_lock_that_is_not_provably_ours_stays(
    tmp_path: Path, impatient: None, text: str, noted: bool, age: float
) -> None:
    repo = Repository.open(make_repository(tmp_path / "repo"))
    path = stale(repo, "refs/heads/orchestrator/item.lock", text, noted=noted, age=age)
    refs.clear_stale_locks(repo.git)
    assert path.read_text() == text
    with pytest.raises(ProcessError) as caught:
        refs.move_ref(repo.git, refs.branch_ref("item"), repo.head, None, "move")
    assert str(path) in (caught.value.fix or "")


def test_git_that_is_killed_while_it_moves_a_ref_leaves_its_note(
    tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = Repository.open(make_repository(tmp_path / "repo"))
    ref = refs.branch_ref("item")
    run = Git.run

    def killed(git: Git, *args: str, **named: object) -> Completed:
        if args[0] == "update-ref":
            lock = repo.git_dir / f"{ref}.lock"
            lock.parent.mkdir(parents=True)
            lock.touch()
            return Completed(-9, b"", b"")
        return run(git, *args, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Git, "run", killed)
        with pytest.raises(ProcessError):
            refs.move_ref(repo.git, ref, repo.head, None, "move")
    refs.move_ref(repo.git, ref, repo.head, None, "move")
    assert git(repo.checkout, "rev-parse", ref) == repo.head
