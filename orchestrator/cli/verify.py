"""`verify`: set-up and verification in a fresh workspace, and what came of them."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import attrs
import trio

from orchestrator.errors import StoppedError
from orchestrator.guardian.reaper import become_subreaper
from orchestrator.run.verification import Subject, Verified, find_subject, verify_subject
from orchestrator.text import duration

from .output import Quiet, coloured, print_json
from .render import PlainLines


def verify(arguments: argparse.Namespace) -> int:
    """Verify HEAD or an item's branch; exit 0 when everything passed, 1 when not."""
    subject = find_subject(
        Path(arguments.directory),
        Path(arguments.config) if arguments.config else None,
        arguments.item,
        {
            "execution": {"verify": arguments.verify},
            "workspace": {"setup": arguments.setup},
        },
    )
    become_subreaper()
    try:
        found = run_verification(subject, quiet=arguments.json)
    except StoppedError:
        return 130
    if arguments.json:
        print_json(_document(subject, found))
        return 0 if found.passed else 1
    if not found.passed:
        print((*found.setup, *found.verify)[-1].output, file=sys.stderr)
    word = coloured(
        "ok" if found.passed else "FAILED", "green" if found.passed else "red", sys.stdout
    )
    print(f"{word} {verification_line(subject, found)}")
    return 0 if found.passed else 1


def run_verification(subject: Subject, *, quiet: bool) -> Verified:
    """Verify, telling on stderr what runs unless ``quiet``."""
    lines = PlainLines(Quiet(None if quiet else sys.stderr))
    return trio.run(partial(verify_subject, subject, sinks={"person": lines}, signals=True))


def verification_line(subject: Subject, found: Verified) -> str:
    """Return what was verified and how that ended, on one line."""
    where = f"{subject.name}@{subject.commit[:7]}"
    if not found.passed:
        part = "verify" if found.verify else "setup"
        last = (*found.setup, *found.verify)[-1]
        return f"{where}: {part} fails: {last.command} ({last.reason})"
    setup, verify = (sum(r.seconds for r in part) for part in (found.setup, found.verify))
    return passed_line(where, subject, setup, verify)


def passed_line(where: str, subject: Subject, setup: float, verify: float) -> str:
    """Return how long each part took, as "main@9c1e2d7: setup 41s, verify 63s, both pass"."""
    parts = []
    if subject.build.setup:
        parts.append(f"setup {duration(setup)}")
    if subject.build.verify:
        parts.append(f"verify {duration(verify)}")
    verdict = "both pass" if len(parts) > 1 else "passes"
    missing = "" if subject.build.verify else " (no verify command)"
    return f"{where}: {', '.join(parts)}, {verdict}{missing}"


def _document(subject: Subject, found: Verified) -> dict[str, object]:
    return {
        "name": subject.name,
        "commit": subject.commit,
        "passed": found.passed,
        "setup": [attrs.asdict(result) for result in found.setup],
        "verify": [attrs.asdict(result) for result in found.verify],
    }
