"""What branches may be called and start from, and which are protected. Pure."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from orchestrator.errors import UsageError
from orchestrator.work.backlog.text import one_line

TYPES = ("feature", "bug", "fix", "refactor", "docs", "hotfix", "epic")
PROTECTED = ("main", "master", "develop")
COMMIT_TYPES = (
    "feat", "fix", "docs", "style", "refactor", "test", "chore", "perf", "ci", "build", "revert",
)  # fmt: skip
NAMES = "[a-z0-9][a-z0-9-]*"

_ISSUE = re.compile(r"(\d+)-")
_ISSUE_NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._#-]{0,63}")


def check_issue(text: str) -> None:
    """Refuse an issue whose name would mean more than a name in a path or a command.

    Raises:
      UsageError: says what issues look like.
    """
    if not _ISSUE_NAMED.fullmatch(text):
        raise UsageError(
            f'"{one_line(text, 80)}" is no name of an issue',
            where="issue",
            fix="such as 12 or PROJ-12: up to 64 letters, digits, . _ # -, a letter or digit first",
        )


@attrs.frozen(kw_only=True)
class Branches:
    """The rules for branches that are brought through phases by hand.

    Attributes:
      preset: "standard" adds ready-made workflows; "" does not.
      types: what such a branch begins with, before a slash.
      names: expression for what comes after the slash, all of it.
      protected: branches that nothing is committed to, and that are neither pushed nor deleted.
      default_base: where new branches start from, "" for the branch that is checked out.
      bases: by type, the branches that one may start from, as shell patterns; others: any.
      commit_types: what commit messages may begin with.
      title_max: the most characters of a commit's first line, 0 for any number.
      merge_phase: the phase in which a branch may be merged, "" for the last one of its workflow.
    """

    preset: str = ""
    types: tuple[str, ...] = TYPES
    names: str = NAMES
    protected: tuple[str, ...] = PROTECTED
    default_base: str = ""
    bases: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    commit_types: tuple[str, ...] = COMMIT_TYPES
    title_max: int = 0
    merge_phase: str = ""

    def type_of(self, branch: str) -> str:
        """Return what a branch begins with, "" when that is none of the types."""
        kind, slash, _ = branch.partition("/")
        return kind if slash and kind in self.types else ""

    def issue_of(self, branch: str) -> str:
        """Return the number in a name such as ``feature/12-login``, "" when there is none."""
        found = _ISSUE.match(branch.partition("/")[2]) if self.type_of(branch) else None
        return found[1] if found else ""

    def check_name(self, branch: str) -> None:
        """Refuse a name that no new branch may have.

        Raises:
          UsageError: says what names look like.
        """
        kind, slash, rest = branch.partition("/")
        shown = one_line(branch, 80)
        if not slash or kind not in self.types:
            near = difflib.get_close_matches(kind, self.types, n=1)
            hint = f"did you mean {near[0]}/{rest or kind}?" if near else ""
            some = f"{self.types[0]}/{branch}" if not slash else ""
            raise UsageError(
                f'"{shown}" does not begin with a type of branch: {", ".join(self.types)}',
                where="branch",
                fix=hint
                or (f"such as {one_line(some, 80)}" if some else "begin it with one of them"),
            )
        if not re.fullmatch(self.names, rest):
            raise UsageError(
                f'"{shown}": after the slash, a name has to match {self.names}',
                where="branch",
                fix=f"such as {kind}/12-short-name",
            )

    def check_base(self, branch: str, base: str) -> None:
        """Refuse a base that a branch of this type may not start from.

        Raises:
          UsageError: names those it may start from.
        """
        allowed = self.bases.get(self.type_of(branch))
        if allowed is not None and not any(fnmatch.fnmatchcase(base, each) for each in allowed):
            raise UsageError(
                f"a {self.type_of(branch)} branch may not start from {one_line(base, 80)}",
                where="base",
                fix=f"start it from {' or '.join(allowed)}",
            )

    def check_unprotected(self, branch: str, what: str) -> None:
        """Refuse to do something to a protected branch.

        Raises:
          UsageError: names the branch.
        """
        if branch in self.protected:
            raise UsageError(
                f"{branch} is protected: {what}",
                where="branches.protected",
                fix="work on a branch of its own: orc git start feature/12-short-name",
            )
