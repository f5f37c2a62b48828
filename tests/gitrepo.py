"""Repositories for tests, and the fingerprint of everything in one that belongs to its user."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

OURS = ("refs/orchestrator/", "refs/heads/orchestrator/")


def git(directory: Path, *args: str, check: bool = True) -> str:
    """Run the operator's git in ``directory`` and return its output."""
    done = subprocess.run(
        ["git", "-C", str(directory), *args],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_repository(directory: Path, files: dict[str, str] | None = None) -> Path:
    """Make a repository with one commit and return its path."""
    directory.mkdir(parents=True)
    git(directory, "init", "-q", "-b", "main")
    commit_files(directory, files or {"a.txt": "a\n", "src/b.txt": "b\n"}, "Start")
    return directory


def commit_files(directory: Path, files: dict[str, str], message: str) -> str:
    """Write and commit files; return the commit."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    git(directory, "add", "-f", "--", *files)
    git(directory, "commit", "-qm", message)
    return git(directory, "rev-parse", "HEAD")


def fingerprint(directory: Path) -> dict[str, object]:
    """Return all that is the user's: files, index, HEAD, refs, stash, reflogs, configuration."""
    git_dir = Path(git(directory, "rev-parse", "--absolute-git-dir"))
    found: dict[str, object] = {}
    for parent, directories, names in os.walk(os.fsencode(directory)):
        directories[:] = [name for name in directories if name != b".git"]
        for entry in names:
            place = os.path.join(parent, entry)
            status = os.lstat(place)
            content = b""
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(place)
            elif stat.S_ISREG(status.st_mode):
                content = Path(os.fsdecode(place)).read_bytes()
            found[f"file {place!r}"] = (content, status.st_mtime_ns, status.st_mode)
    for name in ("index", "HEAD", "config", "info/exclude", "ORIG_HEAD"):
        path = git_dir / name
        found[name] = path.read_bytes() if path.exists() else None
    for log in sorted((git_dir / "logs").rglob("*")):
        name = str(log.relative_to(git_dir / "logs"))
        if log.is_file() and not name.startswith(OURS):
            found[f"log {name}"] = log.read_bytes()
    refs = git(directory, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    found["refs"] = [line for line in refs if not line.startswith(OURS)]
    return found
