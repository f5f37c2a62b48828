"""Turns the checks of a phase contract into gates. Pure."""

from __future__ import annotations

import glob
import posixpath
import re
from collections.abc import Iterator, Mapping

from orchestrator.work.backlog.gate import PLACEHOLDERS
from orchestrator.work.backlog.text import one_line

from .findings import Findings, Problem
from .spelling import Value, spelled
from .table import nearest
from .values import CONTRACTS, Check

TYPES = {
    "file_exists": ("file",),
    "file_glob": ("dir", "pattern"),
    "contains_text": ("file", "text"),
    "absent_text": ("file", "text"),
    "key_path": ("file", "path"),
}
"""What each type of check has to say."""

_OURS = {
    "file_exists": ("file",),
    "contains_text": ("file", "contains"),
    "absent_text": ("file", "lacks"),
    "key_path": ("file", "key"),
}
"""What our gates call it."""

_PATHS = ("file", "dir", "pattern")

_OF_ANY_ISSUE = re.compile(r"(?<![^/])(issue[-_]?)\*(?![^/])")


def check_problems(check: Check) -> Iterator[Problem]:
    """Yield what is wrong with a check."""
    wanted = TYPES.get(check.type)
    if wanted is None:
        text = f"unknown check {one_line(repr(check.type), 60)}"
        yield Problem(CONTRACTS, f"{check.at}.type", text, nearest(check.type, TYPES))
        return
    for name in wanted:
        if not check.fields.get(name, "").strip():
            yield Problem(CONTRACTS, f"{check.at}.{name}", f"is missing; {check.type} needs it")
    for name in wanted:
        path = check.fields.get(name, "")
        if name in _PATHS and (path.startswith(("/", "~", "-")) or ".." in path.split("/")):
            text = f"expected a path inside the project, got {one_line(repr(path), 60)}"
            yield Problem(CONTRACTS, f"{check.at}.{name}", text)


def gate(check: Check, findings: Findings) -> Mapping[str, Value]:
    """Return a sound check as a gate; keeps what has to be told of it."""
    wanted = TYPES[check.type]
    for name in check.fields:
        if name not in wanted:
            findings.note(
                CONTRACTS, f"{check.at}.{name}", "left out; the check does not look at it"
            )
    said = [check.fields[name] for name in wanted]
    for name in PLACEHOLDERS:
        if any(f"{{{name}}}" in text for text in said):
            findings.note(CONTRACTS, check.at, f"{{{name}}} in it stands for the {name} here")
    if check.type == "file_glob":
        return {"glob": _glob(check, findings)}
    return dict(zip(_OURS[check.type], said, strict=True))


def _glob(check: Check, findings: Findings) -> str:
    directory, pattern = posixpath.normpath(check.fields["dir"]), check.fields["pattern"]
    whole = pattern if directory == "." else f"{glob.escape(directory)}/{pattern}"
    if "/" not in whole:
        findings.note(CONTRACTS, check.at, f"{whole} may lie in any directory here")
    if any_issue := _OF_ANY_ISSUE.search(whole):
        start, name, end = whole[: any_issue.start()], any_issue[1], whole[any_issue.end() :]
        better = spelled({"glob": f"{start}{name}{{issue}}{end}"})
        text = (
            f"the file of any issue will do; if issue 85 has the directory {name}85, say {better}"
        )
        findings.note(CONTRACTS, check.at, text)
    return whole
