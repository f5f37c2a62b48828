"""Words of people and agents made fit for a line, a page or a prompt. Pure."""

from __future__ import annotations

import re

LINE = 200
PAGE = 8_000

# Not the characters that shape scripts or emoji: what a terminal acts on, or reorders text by.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def clean(text: str) -> str:
    """Return the text without control characters; line breaks and tabs stay."""
    return _ODD.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str, limit: int = LINE) -> str:
    """Return the text as one line of at most ``limit`` characters, the cut marked."""
    line = " ".join(clean(text[: limit * 8]).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def page(text: str, limit: int = PAGE) -> str:
    """Return the text cleaned and cut to ``limit`` characters, the cut marked."""
    text = clean(text).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def quoted(text: str, limit: int = PAGE) -> str:
    """Return the text with every line marked as somebody else's words."""
    return "\n".join(f"> {line}".rstrip() for line in page(text, limit).split("\n"))


def is_plain_line(text: str) -> bool:
    """Whether the text is one line without control characters."""
    return "\n" not in text and clean(text) == text
