"""The safe edit of a file in the checkout: confined, checked, in one step; command of "file"."""

from __future__ import annotations

from typing import Literal

import attrs

from orchestrator.adapters.edited_file import edit_file as edit_one
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.threads import in_thread
from orchestrator.config import FILE_NAME, problems_of
from orchestrator.context import Context
from orchestrator.errors import OrchestratorError
from orchestrator.messages import Command
from orchestrator.plugin import Plugin
from orchestrator.run.limits import PerRun
from orchestrator.run.machine import finding
from orchestrator.run.machine.guards import naming, require_free_checkout
from orchestrator.settings import Config
from orchestrator.work.edit import Insertion, LineEdit, Replacement, Request

plugin = Plugin("file")
_DEADLINE = 90.0
# Edits of one checkout take turns anyway; more would only sit in threads and wait.
_EDITS = PerRun("edits", 4)


@attrs.frozen(kw_only=True)
class EditAnswer:
    """What an edit came to.

    Attributes:
      changed: whether the file would be different; ``written``: whether it is.
      problems: what is wrong with the file as it is, or would be.
      diff: of what was, and what is or would be.
    """

    message: str
    path: str
    changed: bool
    written: bool
    problems: tuple[str, ...]
    diff: str


@attrs.frozen(kw_only=True)
class EditFile(Command[EditAnswer]):
    """Edit one file of the checkout, or make it; what is malformed afterwards is not written.

    Give exactly one of content, line_edits, insertions and replacement. Line numbers are those of
    the file as it is now.

    Attributes:
      path: relative to the top of the checkout.
      content: all that the file is to hold.
      line_edits: ranges of lines, from 1, both ends included, each with its new text.
      insertions: texts, each with the line that it goes before.
      replacement: what is searched for, and what takes its place.
      mode: "strict" writes nothing malformed; "interactive" writes it and says what is wrong;
        "verify_only" writes nothing at all.
      show_diff: whether the answer tells what differs.
    """

    path: str
    content: str | None = None
    line_edits: tuple[LineEdit, ...] = ()
    insertions: tuple[Insertion, ...] = ()
    replacement: Replacement | None = None
    mode: Literal["strict", "interactive", "verify_only"] = "strict"
    show_diff: bool = True


@plugin.handles(EditFile, name="edit-file", deadline=_DEADLINE)
async def edit_file(command: EditFile, context: Context) -> EditAnswer:
    """Handle `EditFile`."""
    request = Request(
        content=command.content,
        line_edits=command.line_edits,
        insertions=command.insertions,
        replacement=command.replacement,
    )
    await require_free_checkout(context)
    try:
        item = (await finding.find(context, None)).item
    except OrchestratorError:
        item = None  # not every file is changed on a branch that is under the phase machine
    root, protect = context.service(Repository).checkout, context.service(Config).workspace.protect

    def edit() -> EditAnswer:
        edited = edit_one(
            root,
            command.path,
            request,
            mode=command.mode,
            protect=protect,
            named=naming(item),
            further=_configured,
        )
        what = "written" if edited.written else "not written"
        what = what if edited.changed else "unchanged"
        lines = [f"{edited.path}: {what}"]
        lines += [f"- {problem}" for problem in edited.problems]
        lines += ["", edited.diff] if command.show_diff and edited.diff else []
        return EditAnswer(
            message="\n".join(lines).rstrip(),
            path=edited.path,
            changed=edited.changed,
            written=edited.written,
            problems=edited.problems,
            diff=edited.diff if command.show_diff else "",
        )

    return await in_thread(
        edit,
        deadline=_DEADLINE - 5,
        limiter=_EDITS.limiter,
        what=f"editing {command.path}",
    )


def _configured(path: str, text: str) -> tuple[str, ...]:
    # The next engine would not open, and with it none of the tools that could mend it.
    return problems_of(text) if path == FILE_NAME else ()
