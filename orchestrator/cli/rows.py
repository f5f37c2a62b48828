"""A page of labels, each with its text beside it, wrapped to the terminal."""

from __future__ import annotations

import textwrap

from .output import width

INDENT = 10
"""Columns that labels take."""

_NARROWEST = 20


def print_row(label: str, text: str) -> None:
    """Print a label and its text; each of its lines is wrapped, blank ones stay."""
    number = 0
    for line in text.splitlines() or [""]:
        for part in textwrap.wrap(line, max(_NARROWEST, width() - INDENT)) or [""]:
            print(f"{'' if number else label:<{INDENT}}{part}".rstrip())
            number += 1
