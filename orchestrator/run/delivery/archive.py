"""Archives a delivered change with OpenSpec's own CLI, in a workspace of the merged tree."""

from __future__ import annotations

import glob
import os
import shlex
import shutil
from pathlib import Path

from orchestrator.adapters.git import checkpoint, merging, objects, snapshot
from orchestrator.adapters.git.merging import MergePlan
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.errors import ConflictError, UsageError
from orchestrator.run.records import ledger
from orchestrator.settings import Check
from orchestrator.work.records import DeliveryRecord, RunRecord

from .planning import Ready

CLI = "openspec"


def archive_check(change: str) -> Check:
    """Return the command that archives a change without asking anything.

    Raises:
      UsageError: when the CLI is not installed.
    """
    if shutil.which(CLI) is None:
        raise UsageError(
            f"--archive needs {CLI} on the PATH",
            fix="npm install -g @fission-ai/openspec, or finish without --archive",
        )
    return Check(run=f"{CLI} archive {shlex.quote(change)} --json --yes")


def is_archived(place: Workspace, run: RunRecord) -> bool:
    """Whether the change lies in the archive of this workspace, and nowhere else."""
    changes = _changes(place, run)
    archived = any((changes / "archive").glob(f"*-{glob.escape(run.change)}"))
    return archived and not (changes / run.change).exists()


def require_change(place: Workspace, run: RunRecord) -> None:
    """Refuse to archive what is no OpenSpec change.

    Raises:
      UsageError: when the item is of another kind.
    """
    if not (_changes(place, run) / run.change).is_dir():
        raise UsageError(
            f"{run.change} is not an OpenSpec change: there is nothing to archive",
            fix="finish without --archive",
        )


def require_archived(repo: Repository, record: DeliveryRecord) -> None:
    """Refuse to archive what was delivered without.

    Raises:
      UsageError: when the change still lies where it was.
    """
    run = ledger.read_run(repo, record.item)
    assert run is not None  # it was delivered
    place = os.fsencode(os.path.normpath(f"{run.root}/openspec/changes/{run.change}"))
    if objects.entries_at(repo.git, record.commit, [place]):
        raise UsageError(
            f"{record.item} was delivered without: {run.reason}",
            fix=f"{CLI} archive {run.change}, or orc undo {record.item} and finish again",
        )


def _changes(place: Workspace, run: RunRecord) -> Path:
    return place.path / run.root / "openspec" / "changes"


def add_archived(repo: Repository, ready: Ready, place: Workspace) -> MergePlan:
    """Return the plan with what archiving changed as one more commit. Blocking.

    Raises:
      ConflictError: when the CLI did something else than moving the change to the archive and
        merging its specs.
    """
    run = ready.run
    taken = checkpoint.take(repo, place, ready.plan.new)
    below = os.fsencode(os.path.normpath(os.path.join(run.root, "openspec"))) + b"/"
    stray = [path for path in taken.changed if not path.startswith(below)]
    problems = [*taken.problems, *(f"it changed {os.fsdecode(path)}" for path in stray)]
    if not is_archived(place, run):
        problems.append(f"{run.change} is not in the archive afterwards")
    if problems:
        raise ConflictError(
            f"archiving {run.change} went wrong: {'; '.join(problems)}",
            where=str(Path(run.root) / "openspec" / "changes" / run.change),
            fix="nothing was delivered; archive it by hand later, and finish without --archive",
        )
    if not taken.changed:
        return ready.plan
    message = f"Archive {run.change}\n\nOrchestrator-Item: {run.item}\n"
    plan = merging.on_top(repo, ready.plan, taken.tree, message)
    snapshot.restore(repo, place, plan.new)
    return plan
