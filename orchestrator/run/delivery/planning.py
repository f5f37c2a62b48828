"""Works out what a delivery would bring, and where, before anything is changed. Blocking."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git import merging, objects, refs, workspace
from orchestrator.adapters.git.delivery import holds_target
from orchestrator.adapters.git.merging import MergePlan
from orchestrator.adapters.git.own_commit import OwnSettings, own_settings
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError, UsageError
from orchestrator.run.hosting.claim import claim_workspace
from orchestrator.run.records import ledger
from orchestrator.work.records import RunRecord
from orchestrator.work.states import RunState

from .items import require_run, short


@attrs.frozen(kw_only=True)
class Ready:
    """A delivery that was worked out.

    Attributes:
      tip: the branch's commit that it brings.
      base: the name of what it goes on top of, such as ``main@9c1e2d7``.
      verified: whether exactly that tree was checked before, or nothing is new.
      stories: one line each, of what the branch's checkpoints did.
      own: what his own git does when he commits; None when it is not asked to.
    """

    run: RunRecord
    how: str
    tip: str
    plan: MergePlan
    base: str
    verified: bool
    stories: tuple[str, ...]
    own: OwnSettings | None


def plan_delivery(repo: Repository, item: str, how: str, *, terminal: bool) -> Ready:
    """Work out the delivery of a finished item by "merge", "squash" or "apply".

    Args:
      terminal: whether the operator's git could ask him something.

    Raises:
      UsageError: when the item is not done, or there is nowhere to deliver it to.
      ConflictError: when the changes cannot be combined; nothing is changed.
    """
    repo.require_settled()
    run, tip = require_run(repo, item)
    _require_done(run)
    if not objects.is_ancestor(repo.git, run.start, tip):
        raise ConflictError(
            f"branch orchestrator/{item} was rewritten: it does not hold what its run began with",
            where=refs.branch_ref(item),
            fix=f"bring it back, or merge it by hand; see orc recover {item}",
        )
    message = f"Merge {item} (orchestrator/{item})"
    own = None
    if how == "apply":
        plan = merging.apply_plan(repo, tip, message)
        base = f"{repo.branch or 'HEAD'}@{plan.old[:7]}"
    else:
        _require_target(repo, run, how)
        if how == "squash":
            own = _require_own_commit(repo, run, terminal=terminal)
        plan = merging.merge_plan(repo, tip, run.target, message)
        base = f"{short(run.target)}@{plan.old[:7]}"
    branch = refs.branch_ref(item)
    trailers = refs.read_refs(repo.git, branch)[branch].trailers
    checked = trailers.get("Orchestrator-Verified") == "yes" and plan.new == tip
    return Ready(
        run=run,
        how=how,
        tip=tip,
        plan=plan,
        base=base,
        verified=checked or plan.new == plan.old,
        stories=_stories(repo, run, tip),
        own=own,
    )


def _require_done(run: RunRecord) -> None:
    # A run that a delivery blocked names no story.
    held = run.state is RunState.BLOCKED and not run.story
    if run.state not in (RunState.DONE, RunState.DELIVERED) and not held:
        raise UsageError(
            f"{run.item} is {'interrupted' if run.state is RunState.OPEN else run.state.value}, "
            "not done",
            fix=f"continue it first: orc run {run.item}; or give it up: "
            f"orc finish {run.item} --discard",
        )


def _require_target(repo: Repository, run: RunRecord, how: str) -> None:
    if not run.target:
        raise UsageError(
            f"{run.item} started from a detached HEAD: there is no branch to {how} it into",
            fix=f"orc finish {run.item} --apply, or git merge orchestrator/{run.item} "
            "where you want it",
        )
    if ledger.tips(repo, run.target)[run.target] is None:
        raise ConflictError(
            f"branch {short(run.target)} is gone",
            where=run.target,
            fix=f"git branch {short(run.target)} {run.base[:12]} brings it back to where the run "
            f"began; or orc finish {run.item} --apply",
        )


def _require_own_commit(repo: Repository, run: RunRecord, *, terminal: bool) -> OwnSettings:
    """Refuse a squash that the operator's own git could not make here."""
    target = short(run.target)
    if not holds_target(repo, run.target):
        raise UsageError(
            f"{target} is not checked out, and a squash is your own git commit on it",
            where=str(repo.checkout),
            fix=f"git switch {target}, then finish again; --merge needs no checkout",
        )
    return require_signing(repo, terminal=terminal)


def require_signing(repo: Repository, *, terminal: bool) -> OwnSettings:
    """Return what the operator's git does when he commits, if it can be done here.

    Raises:
      UsageError: when it would sign, and nobody could be asked for the key.
    """
    own = own_settings(repo)
    if own.signs and not terminal:
        raise UsageError(
            "commit.gpgSign is set, and there is no terminal to ask you for the key",
            where=str(repo.checkout),
            fix="squash it in a terminal: orc finish ITEM --squash",
        )
    return own


def _stories(repo: Repository, run: RunRecord, tip: str) -> tuple[str, ...]:
    listed = repo.git.run(
        "log", "-z", "--reverse", "--no-merges", "--format=%s", "--end-of-options",
        f"{run.start}..{tip}",
    ).stdout  # fmt: skip
    subjects = [line.decode(errors="replace") for line in listed.split(b"\0") if line]
    return tuple(subject.removeprefix(f"{run.item}: ") for subject in subjects)


def prepare_merge(repo: Repository, item: str, commit: str) -> workspace.Workspace:
    """Make the workspace in which a merge is verified; one that a killed `finish` left goes.

    Raises:
      BusyError: when processes of a killed `finish` do not leave it.
    """
    if repo.mode == "in-place":  # the checkout is no place to try a merge in
        repo = repo.working("worktree")
    name = merge_workspace(item)
    with claim_workspace(workspace.place_of(repo, name)):
        left = workspace.open_existing(repo, name)
        if left is not None:
            workspace.remove(repo, left)
        return workspace.create(repo, name, commit)


def merge_workspace(item: str) -> str:
    """Return what the workspace of a merged tree is called."""
    return f"{item}.merge"
