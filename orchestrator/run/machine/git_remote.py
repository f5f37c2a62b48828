"""Brings branches from remotes and to them, for the git commands."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git.checkout import remote
from orchestrator.adapters.git.checkout.paths import shown_name
from orchestrator.context import Context
from orchestrator.plugin import Plugin
from orchestrator.run.machine import finding
from orchestrator.run.machine.git_answers import CheckedOut, Done
from orchestrator.run.machine.git_commands import FetchRemote, PullBranch, PushBranch
from orchestrator.run.machine.guards import require_free_checkout
from orchestrator.run.machine.own_git import apart, patient_git
from orchestrator.run.machine.whereabouts import checked_out
from orchestrator.settings import Config

plugin = Plugin("git")
_CHANGE = 900.0


def _lane(_: object) -> str:
    return "remote"


@plugin.handles(FetchRemote, name="fetch-remote", deadline=_CHANGE, lane=_lane)
async def fetch_remote(command: FetchRemote, context: Context) -> Done:
    """Handle `FetchRemote`."""
    fetched = await apart(context).run(
        remote.fetch, patient_git(context), command.remote, prune=command.prune
    )
    changed = ", ".join(map(shown_name, fetched.changed)) or "nothing is new"
    return Done(message=f"fetched from {fetched.remote}: {changed}")


@plugin.handles(PullBranch, name="pull-branch", deadline=_CHANGE, lane=lambda _: "checkout")
async def pull_branch(command: PullBranch, context: Context) -> CheckedOut:
    """Handle `PullBranch`."""
    await require_free_checkout(context)
    pulled = await apart(context).run(
        remote.pull,
        patient_git(context),
        rebase=command.how == "rebase",
        merge=command.how == "merge",
    )
    way = "was up to date" if pulled.before == pulled.head else f"now at {pulled.head[:9]}"
    answer = await checked_out(context, pulled.branch, pulled.head, command.by, created=False)
    return attrs.evolve(
        answer, message=f"{pulled.branch} {way}, as {pulled.upstream}\n{answer.message}"
    )


@plugin.handles(PushBranch, name="push-branch", deadline=_CHANGE, lane=_lane)
async def push_branch(command: PushBranch, context: Context) -> Done:
    """Handle `PushBranch`."""
    branch = command.branch or await finding.current_branch(context)
    context.service(Config).branches.check_unprotected(branch, "it is not pushed from here")
    pushed = await apart(context).run(remote.push, patient_git(context), branch, command.remote)
    what = "is new there" if pushed.is_new else "was brought up to date there"
    what = what if pushed.is_changed else "was up to date there"
    return Done(
        message=f"{pushed.branch} {what}: {pushed.remote} has {pushed.head[:9]}",
        branch=pushed.branch,
        commit=pushed.head,
    )
