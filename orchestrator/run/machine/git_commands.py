"""Git in the operator's checkout, with the guards of the phase machine: commands of plugin "git".

``by`` says who asks, "" for nobody in particular. Every answer has a ``message`` in words.
"""

from __future__ import annotations

from typing import Literal

import attrs

from orchestrator.messages import Command
from orchestrator.run.machine.git_answers import (
    BranchesAnswer,
    CheckedOut,
    CommitMade,
    Done,
    LogAnswer,
    StatusAnswer,
    TextAnswer,
)

_AT_LEAST_ONE = [attrs.validators.ge(1), attrs.validators.le(1000)]


@attrs.frozen(kw_only=True)
class ShowStatus(Command[StatusAnswer]):
    """Say what is checked out, and what is not committed."""


@attrs.frozen(kw_only=True)
class ListBranches(Command[BranchesAnswer]):
    """List the branches, with where each is in its workflow.

    Attributes:
      remote: also what is known of the remotes' branches.
    """

    remote: bool = False


@attrs.frozen(kw_only=True)
class CreateBranch(Command[Done]):
    """Make a branch and check it out; its name and its base have to be as the project wants them.

    Attributes:
      branch: its name, such as feature/12-login.
      base: branch to start from; the configured one, or the one checked out, when left out.
      keep_changes: take along what is not committed; else there may be nothing.
    """

    branch: str
    base: str | None = None
    keep_changes: bool = False


@attrs.frozen(kw_only=True)
class CheckoutBranch(Command[CheckedOut]):
    """Check a branch out; its state is put back, or begun, when it is missing."""

    branch: str
    by: str = ""


@attrs.frozen(kw_only=True)
class CommitChanges(Command[CommitMade]):
    """Commit, with the phase of the branch as the scope of the message.

    Attributes:
      message: what was done; its first line becomes the rest of the commit's first line.
      files: what to commit; everything that changed when left out.
      subphase: the part of the phase that it is about, as the phase has them.
      commit_type: what the message begins with, such as fix; as the phase says when left out.
      phase, cycle: where the branch is meant to be: it is an error when it is elsewhere.
    """

    message: str
    files: tuple[str, ...] | None = None
    subphase: str = ""
    commit_type: str = ""
    phase: str | None = None
    cycle: int | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class StageFiles(Command[StatusAnswer]):
    """Put files into the index, to be committed next.

    Attributes:
      files: everything that changed when left out.
    """

    files: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class UnstageFiles(Command[StatusAnswer]):
    """Take files out of the index; they stay as they are.

    Attributes:
      files: everything that is staged when left out.
    """

    files: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class RestoreFiles(Command[Done]):
    """Make files what a commit has; what they were is kept at a ref that the answer names.

    Attributes:
      source: a branch, tag or commit.
    """

    files: tuple[str, ...] = attrs.field(validator=attrs.validators.min_len(1))
    source: str = "HEAD"


@attrs.frozen(kw_only=True)
class ShowDiff(Command[TextAnswer]):
    """Show what differs.

    Attributes:
      against: a branch: what the checked-out one has since it left that; what is not committed when
        left out.
      staged: only what is in the index.
      stat: only which files, and how much.
      files: only these.
    """

    against: str | None = None
    staged: bool = False
    stat: bool = False
    files: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ShowLog(Command[LogAnswer]):
    """List commits, newest first.

    Attributes:
      start: a branch, tag or commit.
      limit: how many.
      files: only commits that touch these.
    """

    start: str = "HEAD"
    limit: int = attrs.field(default=20, validator=_AT_LEAST_ONE)
    files: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class FetchRemote(Command[Done]):
    """Take over what a remote has, without touching the checkout.

    Attributes:
      prune: forget branches that it has no more.
    """

    remote: str = "origin"
    prune: bool = False


@attrs.frozen(kw_only=True)
class PullBranch(Command[CheckedOut]):
    """Bring the checked-out branch up to what it follows; only forwards unless told how else.

    Attributes:
      how: "rebase" or "merge" says what to do with commits of both sides.
    """

    how: Literal["forward", "rebase", "merge"] = "forward"
    by: str = ""


@attrs.frozen(kw_only=True)
class PushBranch(Command[Done]):
    """Give a remote a branch; never by force, and never a protected one.

    Attributes:
      branch: the checked-out one when left out.
    """

    branch: str | None = None
    remote: str = "origin"


@attrs.frozen(kw_only=True)
class MergeBranch(Command[Done]):
    """Merge a branch into the checked-out one; one under the phase machine has to be ready.

    A conflict changes nothing. The item of a branch that was merged is done.

    Attributes:
      message: of the merge.
    """

    branch: str
    message: str | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class DeleteBranch(Command[Done]):
    """Delete a branch that is merged; never a protected one.

    Attributes:
      force: also when it is not merged, or under way; its commits are kept at a ref then, and its
        item is closed.
    """

    branch: str
    force: bool = False
    by: str = ""


@attrs.frozen(kw_only=True)
class StashChanges(Command[Done]):
    """Put what is not committed aside, bring it back, or list what is aside.

    Attributes:
      include_untracked: also what git does not know.
    """

    action: Literal["push", "pop", "list"]
    message: str | None = None
    include_untracked: bool = False
