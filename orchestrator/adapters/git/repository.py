"""Finds the operator's repository and refuses one that cannot be worked on."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from functools import cached_property
from pathlib import Path

import attrs

from orchestrator.adapters.process import DEADLINE
from orchestrator.errors import RepositoryError

from .discover import as_operator, discover, state_dir
from .operator import OperatorConfig, read_operator
from .runner import Git, split_z, without_drivers

UNDER_WAY = {
    "MERGE_HEAD": ("a merge", "git merge --continue or --abort"),
    "rebase-merge": ("a rebase", "git rebase --continue or --abort"),
    "rebase-apply": ("a rebase or am", "git rebase --continue or --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --continue or --abort"),
    "REVERT_HEAD": ("a revert", "git revert --continue or --abort"),
    "BISECT_LOG": ("a bisect", "git bisect reset"),
}
_RAW_ATTRIBUTES = "* -text -eol -filter -diff -merge -ident -working-tree-encoding\n"


@attrs.frozen
class Identity:
    """Who commits. ``is_fallback``: git knows nobody, so it is the orchestrator itself."""

    name: str
    email: str
    is_fallback: bool = False


@attrs.frozen
class Repository:
    """A repository the operator works in.

    Attributes:
      common_dir: the git directory that all its work trees share.
      git_dir: the git directory of this checkout.
      checkout: the operator's work tree.
      head: the checked-out commit; ``branch``: its branch, None when HEAD is detached.
      object_format: ``sha1`` or ``sha256``.
      git: runs git on ``common_dir``; ``checkout_git`` on the checkout with its own index.
      operator: what the operator's own configuration says.
      mode: which kind of workspace is made: "clone", "worktree" or "in-place".
    """

    common_dir: Path
    git_dir: Path
    checkout: Path
    head: str
    branch: str | None
    object_format: str
    git: Git
    checkout_git: Git
    operator: OperatorConfig
    mode: str = "clone"

    @classmethod
    def open(cls, start: Path, *, deadline: float = DEADLINE) -> Repository:
        """Find the repository that holds ``start``. Blocking.

        Args:
          deadline: seconds that one git command may take.

        Raises:
          RepositoryError: when there is none, or it is bare, or has no commit.
        """
        executable, git_dir, common, checkout, object_format = discover(start, deadline=deadline)
        operator = read_operator(executable, checkout, deadline)
        git = Git(common, None, executable, operator.tree_settings(), deadline=deadline)
        git = without_drivers(git, operator.drivers())
        here = git._replace(git_dir=git_dir, work_tree=checkout)
        head = here.run("rev-parse", "--verify", "-q", "HEAD^{commit}", check=False)
        if head.returncode != 0:
            raise RepositoryError(
                "the repository has no commit yet",
                where=str(checkout),
                fix="commit something first: git commit --allow-empty -m Start",
            )
        ref = here.run("symbolic-ref", "-q", "HEAD", check=False).stdout.decode().strip()
        return cls(
            common_dir=common,
            git_dir=git_dir,
            checkout=checkout,
            head=head.stdout.decode().strip(),
            branch=ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None,
            object_format=object_format,
            git=git,
            checkout_git=here,
            operator=operator,
        )

    def refreshed(self) -> Repository:
        """Return the same repository as its HEAD is now. Blocking."""
        here = self.checkout_git
        ref = here.run("symbolic-ref", "-q", "HEAD", check=False).stdout.decode().strip()
        head = here.text("rev-parse", "--verify", "-q", "HEAD^{commit}")
        branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None
        return attrs.evolve(self, head=head, branch=branch)

    def require_settled(self) -> None:
        """Refuse a checkout in the middle of something.

        Raises:
          RepositoryError: when a merge, rebase or the like is in progress.
        """
        for name, (what, way_out) in UNDER_WAY.items():
            if (self.git_dir / name).exists():
                raise RepositoryError(
                    f"{what} is in progress", where=str(self.checkout), fix=f"finish it: {way_out}"
                )

    def within(self, deadline: float) -> Repository:
        """Return the same repository, each git command limited to ``deadline`` seconds."""
        return attrs.evolve(
            self,
            git=self.git._replace(deadline=deadline),
            checkout_git=self.checkout_git._replace(deadline=deadline),
        )

    def working(self, mode: str) -> Repository:
        """Return the same repository with workspaces of this kind.

        Unless they are clones, the operator's own filters are in force in his checkout: its files
        could not be told from changed ones without them, nor written.
        """
        here = self.checkout_git
        if mode != "clone":
            here = self.operator_git()._replace(git_dir=here.git_dir, work_tree=here.work_tree)
        return attrs.evolve(self, mode=mode, checkout_git=here)

    @property
    def state_dir(self) -> Path:
        """The product's directory in the repository, private to the operator; made if missing."""
        return state_dir(self.common_dir)

    def workspace_home(self) -> Path:
        """Return the directory that holds this repository's workspaces, outside the checkout."""
        state = os.environ.get("XDG_STATE_HOME", "")
        if not os.path.isabs(state):  # to be ignored then, says the XDG specification
            state = str(Path.home() / ".local" / "state")
        digest = hashlib.sha256(os.fsencode(self.common_dir)).hexdigest()[:12]
        name = re.sub(r"[^A-Za-z0-9._-]", "_", self.checkout.name) or "repository"
        return Path(state) / "orchestrator" / f"{name}-{digest}"

    def identity(self) -> Identity:
        """Return who the operator is to git, or the fallback; git is asked once."""
        return self._identity

    @cached_property
    def _identity(self) -> Identity:
        done = as_operator(
            self.git.executable, self.checkout, "-c", "user.useConfigOnly=true",
            "var", "GIT_AUTHOR_IDENT", deadline=self.git.deadline,
        )  # fmt: skip
        found = re.match(r"(.*) <(.*)> \d+ [+-]\d+$", os.fsdecode(done.stdout).strip())
        if done.returncode != 0 or found is None:
            return Identity("Orchestrator", "orchestrator@localhost", is_fallback=True)
        return Identity(found[1], found[2])

    def changes(self) -> tuple[bytes, ...]:
        """Return the uncommitted paths of the checkout, untracked ones included, sorted."""
        done = self.checkout_git.run(
            "status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames",
            "--ignore-submodules=all",
        )  # fmt: skip
        fields_before_path = {b"1": 8, b"u": 10, b"?": 1}
        paths = set()
        for record in split_z(done.stdout):
            count = fields_before_path.get(record[:1])
            if count is not None:
                paths.add(record.split(b" ", count)[count])
        return tuple(sorted(paths))

    def tracked_directories(self, name: str) -> tuple[Path, ...]:
        """Return every tracked directory with that name, as absolute paths, sorted."""
        wanted = os.fsencode(name)
        found = set()
        for path in split_z(self.checkout_git.run("ls-files", "-z").stdout):
            parts = path.split(b"/")[:-1]
            for depth, part in enumerate(parts):
                if part == wanted:
                    found.add(b"/".join(parts[: depth + 1]))
        return tuple(sorted(self.checkout / os.fsdecode(path) for path in found))

    def is_tracked(self, path: Path) -> bool:
        """Tell whether git tracks a file, or a file below a directory, of the checkout."""
        name = os.path.relpath(path, self.checkout)
        return bool(self.checkout_git.run("ls-files", "-z", "--", name).stdout)

    def operator_git(self) -> Git:
        """Return git on ``common_dir`` with the operator's own filters and credentials in force."""
        git = self.git._replace(as_operator=True, extra_config=self.operator.tree_settings())
        return without_drivers(
            git, (driver for driver in self.operator.drivers() if driver[0] != "filter")
        )

    def raw_git(self) -> Git:
        """Return git on the same objects that keeps bytes as they are: no attribute applies."""
        git = self.private_git(self.git, self.state_dir / "raw.git")
        (git.git_dir / "info" / "attributes").write_text(_RAW_ATTRIBUTES)
        return git

    def tree_git(self, git: Git, directory: Path) -> Git:
        """Return ``git`` for a work tree as sparse as the checkout; ``directory`` is private."""
        if not self.operator.is_on("core.sparsecheckout"):
            return git
        return self.private_git(git, directory / "tree.git")

    def copy_info(self, git_dir: Path) -> None:
        """Give a git directory the checkout's own ignored files, attributes and sparse patterns."""
        info = git_dir / "info"
        info.mkdir(parents=True, exist_ok=True)
        for source in (
            self.common_dir / "info" / "exclude",
            self.common_dir / "info" / "attributes",
            self.git_dir / "info" / "sparse-checkout",
        ):
            if source.is_file():
                shutil.copyfile(source, info / source.name)
            else:
                (info / source.name).unlink(missing_ok=True)

    def private_git(self, git: Git, directory: Path) -> Git:
        """Return ``git`` in a git directory of ours that has only the objects of the repository."""
        for part in ("objects", "refs"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        version = "[core]\n\trepositoryformatversion = 0\n"
        if self.object_format != "sha1":
            version = (
                "[core]\n\trepositoryformatversion = 1\n"
                f"[extensions]\n\tobjectFormat = {self.object_format}\n"
            )
        (directory / "HEAD").write_text("ref: refs/heads/none\n")
        (directory / "config").write_text(version)
        self.copy_info(directory)
        objects = {"GIT_OBJECT_DIRECTORY": str(self.common_dir / "objects")}
        return git._replace(git_dir=directory, extra_env={**git.extra_env, **objects})
