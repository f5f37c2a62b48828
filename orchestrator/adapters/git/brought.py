"""What set-up brings into a workspace: files that are nobody's work and stay out of every tree."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.adapters.process import raise_if_cancelled
from orchestrator.errors import ConfigError

from .place import Workspace
from .repository import Repository
from .runner import split_z
from .scan import ignored_options

_MOST = 2_000
"""Files that are listed by name; of more, whole directories are."""


def note(repo: Repository, workspace: Workspace) -> tuple[bytes, ...]:
    """Remember what is untracked and not ignored now; return its paths. Blocking.

    From now on no checkpoint, snapshot or restoration sees these paths, unless a commit has them.
    To be called before any worker has been in the workspace.
    """
    found = _untracked(repo, workspace)
    if len(found) > _MOST:
        found = _untracked(repo, workspace, "--directory", "--no-empty-directory")
    if found:
        known = workspace.brought.read_bytes() if workspace.brought.exists() else b""
        fresh = workspace.brought.with_name(f"{workspace.brought.name}.tmp")
        fresh.write_bytes(known + b"".join(_pattern(path) + b"\n" for path in found))
        os.replace(fresh, workspace.brought)
    return found


def copy_in(repo: Repository, workspace: Workspace, names: Iterable[str]) -> None:
    """Copy files and directories of the checkout that git does not track. Blocking.

    What the workspace's commit has stays as it is there. Links inside directories are copied as
    links. Cancellation leaves what is copied so far.

    Raises:
      ConfigError: when one is missing or would land outside the workspace.
    """
    require_copies(repo.checkout, names)
    if workspace.path.resolve() == repo.checkout.resolve():
        return
    git = workspace.kind.git(repo, workspace)
    tracked = set(split_z(git.run("ls-files", "-z", index=workspace.index).stdout))
    home = workspace.path.resolve()
    for name in names:
        for source in _files(repo.checkout / name):
            raise_if_cancelled()
            path = os.path.relpath(source, repo.checkout)
            target = workspace.path / path
            if os.fsencode(path) in tracked:
                continue
            if not target.parent.resolve().is_relative_to(home):
                raise ConfigError(
                    f"workspace.copy: {path} would lie outside the workspace",
                    fix="a link of the repository leads out of it; take the path off the list",
                )
            target.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(target):
                target.unlink()
            shutil.copy2(source, target, follow_symlinks=source == repo.checkout / name)


def require_copies(checkout: Path, names: Iterable[str]) -> None:
    """Check that what is to be copied is there.

    Raises:
      ConfigError: naming the key and what is missing.
    """
    for name in names:
        if not (checkout / name).exists():
            raise ConfigError(
                f"workspace.copy: there is no {name}",
                where=str(checkout),
                fix="make it, or take it off the list",
            )


def _untracked(repo: Repository, workspace: Workspace, *options: str) -> tuple[bytes, ...]:
    git = workspace.kind.git(repo, workspace)
    listed = git.run(
        "ls-files", "-z", "--others", *options, *ignored_options(workspace.brought),
        index=workspace.index,
    )  # fmt: skip
    return split_z(listed.stdout)


def _pattern(path: bytes) -> bytes:
    """Return the pattern of ignored files that matches exactly this path."""
    escaped = re.sub(rb"([*?\[\\ ])", rb"\\\1", path)
    # A pattern is a line of its own: no other way to write these.
    return b"/" + re.sub(rb"[\r\n]", b"?", escaped)


def _files(place: Path) -> Iterator[Path]:
    """Yield a file, or the files and links below a directory."""
    if not place.is_dir():
        yield place
        return
    for parent, directories, names in os.walk(place):
        below = Path(parent)
        links = [name for name in directories if (below / name).is_symlink()]
        for name in (*names, *links):
            mode = (below / name).lstat().st_mode
            if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                yield below / name
