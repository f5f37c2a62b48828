"""Writes the files of a commit into a new directory, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

from .runner import Git, split_z


def export_tree(git: Git, commit: str, directory: Path) -> int:
    """Write every file and link of ``commit`` below ``directory``; returns how many.

    Raises:
      FileExistsError: when the directory exists already.
    """
    directory.mkdir(parents=True)
    root = os.fsencode(directory)
    count = 0
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit).stdout
    for entry in split_z(listed):
        meta, path = entry.split(b"\t", 1)
        mode, kind, oid = meta.split()
        if kind != b"blob":
            continue
        target = os.path.join(root, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        data = git.run("cat-file", "blob", oid).stdout
        if mode == b"120000":
            os.symlink(data, target)
        else:
            with open(target, "xb") as file:
                file.write(data)
            os.chmod(target, 0o755 if mode == b"100755" else 0o644)
        count += 1
    return count
