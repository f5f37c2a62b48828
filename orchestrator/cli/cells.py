"""How many columns of a terminal text takes, and text cut to fit. Pure."""

from __future__ import annotations

import unicodedata


def cells(text: str) -> int:
    """Return how many columns a terminal needs for printable text."""
    return sum(_cells(character) for character in text)


def cut(text: str, room: int) -> str:
    """Return as much of the text as fits into ``room`` columns, with a mark where it was cut."""
    if cells(text) <= room:
        return text
    kept, used = [], 0
    for character in text:
        used += _cells(character)
        if used > room - 1:
            break
        kept.append(character)
    return "".join(kept) + "…" if room > 0 else ""


def padded(text: str, room: int) -> str:
    """Return the text cut or filled up to exactly ``room`` columns."""
    shown = cut(text, room)
    return shown + " " * (room - cells(shown))


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
