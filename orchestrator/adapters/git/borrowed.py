"""Keeps a checkout exactly as it is at a ref while it is borrowed, and gives it back.

Kept are the exact bytes, modes and times of tracked and untracked files and of single ignored
files (`.env`, a database) up to 10 MiB each; the index; HEAD; and what lies in the git directory
for this checkout: configuration, hooks, ignored files. Directories that are ignored as a whole
(`node_modules`, `.venv`, build output) are not kept: they stay as the work leaves them.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from . import objects, refs
from .place import Workspace, clear, delete_tree, move_to_trash
from .repository import UNDER_WAY, Repository
from .runner import Git, join_z, split_z
from .scan import GITLINK, mode_of, stage

LARGEST_IGNORED = 10 << 20
"""Bytes of the largest ignored file that is kept."""

_OF_CHECKOUT = ("index", "ORIG_HEAD", "FETCH_HEAD", "COMMIT_EDITMSG", "info/sparse-checkout")
_OF_REPOSITORY = ("config", "config.worktree", "info/exclude", "info/attributes")
_LEFT_BY_GIT = (*UNDER_WAY, "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE", "SQUASH_MSG", "REBASE_HEAD")
_LOCKS = ("index.lock", "HEAD.lock")


def keep(repo: Repository, item: str) -> tuple[bytes, ...]:
    """Keep the checkout at a ref, for ``item``; returns its untracked paths. Blocking.

    The checkout is only read. One that is kept already stays kept as it was.
    """
    note(repo).write_text(item)
    untracked = tuple(path for path in _listed(repo, "--others", "--exclude-standard"))
    ref = refs.borrowed_ref(item)
    if _record(repo, item) is not None:
        return untracked
    raw = repo.raw_git().at(repo.checkout)
    root = os.fsencode(repo.checkout)
    paths = [
        path for path in (*_tracked(repo), *untracked, *_ignored(repo)) if _is_kept(root, path)
    ]
    with objects.private_index(raw) as index:
        stage(raw, index, paths, ())
        files = raw.text("write-tree", index=index)
    manifest = {os.fsdecode(path): _stamp(root, path) for path in paths}
    said = {
        "item": item,
        "checkout": str(repo.checkout),
        "head": repo.head,
        "branch": repo.branch,
        "log": _size(repo.git_dir / "logs" / "HEAD"),
        "refs": _users_refs(repo),
        "not_kept": [os.fsdecode(path) for path in set(untracked).difference(paths)],
    }
    with objects.private_index(raw) as index, objects.private_index(raw) as copy:
        raw.run("read-tree", "--prefix=files/", files, index=index)
        if (repo.git_dir / "index").is_file():
            shutil.copy2(repo.git_dir / "index", copy)
            staged = repo.checkout_git.text("write-tree", index=copy)
            raw.run("read-tree", "--prefix=staged/", staged, index=index)
        entries = [_blob(raw, json.dumps(manifest).encode(), b"manifest")]
        for name, place in _git_files(repo):
            entries.append(_blob(raw, place.read_bytes(), b"git/" + os.fsencode(name)))
        objects.put_entries(raw, index, entries)
        tree = raw.text("write-tree", index=index)
    message = f"Checkout kept while {item} works in it\n\n{json.dumps(said)}\n"
    commit = objects.commit(repo.git, tree, [repo.head], message, repo.identity(), int(time.time()))
    refs.move_ref(repo.git, ref, commit, None, f"keep the checkout for {item}")
    return untracked


def give_back(repo: Repository, workspace: Workspace) -> tuple[str, ...]:
    """Make the checkout what it was when it was kept; returns what a person should know. Blocking.

    What lies in the way is moved to the workspace's trash. After a crash at any point the next
    call finishes the work; without a record there is nothing to do.
    """
    found = _record(repo, workspace.item)
    warnings: list[str] = []
    if found is not None:
        commit, said = found
        manifest = json.loads(objects.read_blob(repo.git, commit, b"manifest") or b"{}")
        _clear_locks(repo)
        _give_back_files(repo, workspace, commit, manifest)
        _give_back_git(repo, workspace, commit)
        _clear_new(repo, workspace, {*manifest, *said["not_kept"]})
        warnings += _give_back_head(repo, said)
        refs.delete_ref(repo.git, refs.borrowed_ref(workspace.item), commit)
    (workspace.directory / "marker.json").unlink(missing_ok=True)
    note(repo).unlink(missing_ok=True)
    return tuple(warnings)


def lender(repo: Repository, item: str) -> Repository:
    """Return the repository as seen from the checkout that ``item`` borrowed."""
    found = _record(repo, item)
    if found is None or Path(found[1]["checkout"]) == repo.checkout:
        return repo
    return Repository.open(Path(found[1]["checkout"])).working(repo.mode)


def note(repo: Repository) -> Path:
    """Return the file that names the item a checkout is borrowed for; there is none otherwise."""
    return repo.state_dir / "borrowed"


def leave(repo: Repository, workspace: Workspace, commit: str) -> None:
    """Bring HEAD, detached, and the index of the borrowed checkout to ``commit``."""
    _clear_locks(repo)
    for name in _LEFT_BY_GIT:
        _delete(repo.git_dir / name)
    repo.checkout_git.run("update-ref", "--no-deref", "HEAD", commit)
    fresh = repo.git_dir / "index.orchestrator"
    shutil.copy2(workspace.index, fresh)
    os.replace(fresh, repo.git_dir / "index")


def _give_back_files(
    repo: Repository, workspace: Workspace, commit: str, manifest: dict[str, list[int]]
) -> None:
    root = os.fsencode(repo.checkout)
    kept = {os.fsencode(name): stamp for name, stamp in manifest.items()}
    for path in _listed(repo, "--cached", index=workspace.index):
        if path not in kept:
            clear(workspace, root, path)
    changed = [path for path, stamp in kept.items() if _stamp(root, path) != stamp]
    for path in changed:
        clear(workspace, root, path)
    raw = repo.raw_git().at(repo.checkout)
    with objects.private_index(raw) as index:
        raw.run("read-tree", f"{commit}:files", index=index)
        raw.run("checkout-index", "-q", "-f", "-z", "--stdin",
                index=index, stdin=join_z(changed))  # fmt: skip
    for path in changed:
        mode, times = kept[path][0], (kept[path][1], kept[path][1])
        place = os.path.join(root, path)
        if stat.S_ISREG(mode):
            os.chmod(place, stat.S_IMODE(mode))
        os.utime(place, ns=times, follow_symlinks=False)


def _give_back_git(repo: Repository, workspace: Workspace, commit: str) -> None:
    """Put back what the git directory held for the checkout, and take away what is new."""
    listed = repo.git.run("ls-tree", "-r", "-z", "--full-tree", commit, "git/").stdout
    kept = {}
    for entry in split_z(listed):
        header, path = entry.split(b"\t", 1)
        kept[os.fsdecode(path).removeprefix("git/")] = header.split()[2].decode()
    now = dict(_git_files(repo))
    for name in now.keys() - kept.keys():
        move_to_trash(workspace, os.fsencode(now[name]))
    for name, oid in kept.items():
        place = _git_place(repo, name)
        content = objects.blob(repo.git, oid) or b""
        if name not in now or now[name].read_bytes() != content:
            place.parent.mkdir(parents=True, exist_ok=True)
            fresh = place.with_name(f"{place.name}.orchestrator")
            fresh.write_bytes(content)
            if name.startswith("hooks/"):
                fresh.chmod(0o755)
            elif place.exists():
                shutil.copymode(place, fresh)
            os.replace(fresh, place)
    for name in _LEFT_BY_GIT:
        _delete(repo.git_dir / name)


def _clear_new(repo: Repository, workspace: Workspace, before: set[str]) -> None:
    """Move away what was not there before; what git ignores stays."""
    root = os.fsencode(repo.checkout)
    for path in _listed(repo, "--others", "--exclude-standard"):
        if os.fsdecode(path) not in before:
            clear(workspace, root, path.rstrip(b"/"))


def _give_back_head(repo: Repository, said: dict[str, Any]) -> Iterator[str]:
    git, branch, head = repo.checkout_git, said["branch"], said["head"]
    ref = f"refs/heads/{branch}"
    now = git.run("rev-parse", "--verify", "-q", ref, check=False).stdout.decode().strip()
    git.run("update-ref", "--no-deref", "HEAD", head)
    if branch is not None and now == head:
        git.run("symbolic-ref", "HEAD", ref)
    elif branch is not None:
        yield f"{branch} moved while the checkout was borrowed: HEAD is left detached at {head[:9]}"
    log = repo.git_dir / "logs" / "HEAD"
    if _size(log) > said["log"]:
        os.truncate(log, said["log"])
    before, after = said["refs"], _users_refs(repo)
    moved = sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )
    for name in moved:
        was = before.get(name)
        how = f"git update-ref {name} {was}" if was else f"git update-ref -d {name}"
        yield f"{name} changed while the checkout was borrowed; to take that back: {how}"


_KEPT = (stat.S_IFREG, stat.S_IFLNK)


def _record(repo: Repository, item: str) -> tuple[str, dict[str, Any]] | None:
    ref = refs.borrowed_ref(item)
    found = refs.read_refs(repo.git, ref).get(ref)
    return None if found is None else (found.oid, json.loads(found.body))


def _listed(repo: Repository, *options: str, index: Path | None = None) -> tuple[bytes, ...]:
    return split_z(repo.checkout_git.run("ls-files", "-z", *options, index=index).stdout)


def _tracked(repo: Repository) -> Iterator[bytes]:
    for entry in _listed(repo, "--stage"):
        header, path = entry.split(b"\t", 1)
        if not header.startswith(GITLINK):
            yield path


def _ignored(repo: Repository) -> Iterator[bytes]:
    """Yield ignored files that lie in no directory that is ignored as a whole."""
    root = os.fsencode(repo.checkout)
    for path in _listed(repo, "--others", "--ignored", "--exclude-standard", "--directory"):
        if not path.endswith(b"/") and _size(os.path.join(root, path)) <= LARGEST_IGNORED:
            yield path


def _is_kept(root: bytes, path: bytes) -> bool:
    mode = mode_of(root, path)
    return (
        mode is not None
        and stat.S_IFMT(mode) in _KEPT
        and (stat.S_ISLNK(mode) or os.access(os.path.join(root, path), os.R_OK))
    )


def _stamp(root: bytes, path: bytes) -> list[int] | None:
    """Return what tells a file that was touched from one that was not: mode and time first."""
    if mode_of(root, path) is None:
        return None
    found = os.lstat(os.path.join(root, path))
    return [found.st_mode, found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns]


def _git_files(repo: Repository) -> Iterable[tuple[str, Path]]:
    for name in (*_OF_CHECKOUT, *_OF_REPOSITORY):
        if _git_place(repo, name).is_file():
            yield name, _git_place(repo, name)
    hooks = repo.common_dir / "hooks"
    for path in sorted(hooks.iterdir()) if hooks.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            yield f"hooks/{path.name}", path


def _git_place(repo: Repository, name: str) -> Path:
    return (repo.git_dir if name in _OF_CHECKOUT else repo.common_dir) / name


def _users_refs(repo: Repository) -> dict[str, str]:
    listed = repo.git.text("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    pairs = (line.split(" ") for line in listed)
    return {name: oid for name, oid in pairs if not name.startswith(refs.OURS)}


def _blob(raw: Git, content: bytes, path: bytes) -> bytes:
    oid = raw.run("hash-object", "-w", "--no-filters", "--stdin", stdin=content).stdout.strip()
    return b"100644 " + oid + b"\t" + path


def _clear_locks(repo: Repository) -> None:
    """Move aside what a killed git of a worker left locked: nothing else works in the checkout."""
    aside = repo.state_dir / "quarantine"
    for name in _LOCKS:
        lock = repo.git_dir / name
        if lock.exists():
            aside.mkdir(mode=0o700, exist_ok=True)
            os.rename(lock, aside / f"{time.time_ns()}-{name}.left")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        delete_tree(path)
    else:
        path.unlink(missing_ok=True)


def _size(path: Path | bytes) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
