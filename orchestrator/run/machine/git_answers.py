"""What the git commands answer; each says it in words, too. Names as they can be shown."""

from __future__ import annotations

import attrs

from orchestrator.run.machine.answers import BranchState, CommitAnswer


@attrs.frozen(kw_only=True)
class Done:
    """Something that was done. ``kept``: the ref that holds what it took away, "" for nothing."""

    message: str
    branch: str = ""
    commit: str = ""
    kept: str = ""


@attrs.frozen(kw_only=True)
class TextAnswer:
    """A text."""

    message: str


@attrs.frozen(kw_only=True)
class StatusAnswer:
    """What is checked out, and what is not committed; ``under_way``: "a merge" or the like."""

    message: str
    branch: str
    commit: str
    upstream: str
    ahead: int
    behind: int
    clean: bool
    staged: tuple[str, ...]
    changed: tuple[str, ...]
    untracked: tuple[str, ...]
    conflicted: tuple[str, ...]
    under_way: str


@attrs.frozen(kw_only=True)
class BranchAnswer:
    """A branch; ``phase``: where it is in its workflow, "" when it has none."""

    name: str
    commit: str
    subject: str
    current: bool
    upstream: str
    phase: str
    item: str


@attrs.frozen(kw_only=True)
class BranchesAnswer:
    """The branches."""

    message: str
    branches: tuple[BranchAnswer, ...]


@attrs.frozen(kw_only=True)
class CheckedOut:
    """What is checked out now. ``state``: where it is in its workflow, None when it has none."""

    message: str
    branch: str
    commit: str
    base: str
    created: bool
    state: BranchState | None


@attrs.frozen(kw_only=True)
class CommitMade:
    """A commit; ``files``: what it changed."""

    message: str
    commit: str
    subject: str
    files: tuple[str, ...]
    state: BranchState


@attrs.frozen(kw_only=True)
class LogAnswer:
    """Commits, newest first."""

    message: str
    commits: tuple[CommitAnswer, ...]
