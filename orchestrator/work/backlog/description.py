"""Free text read as a description in five parts. Pure."""

from __future__ import annotations

import re

from .item import Description

HEADERS = {
    "context": "context",
    "problem": "problem",
    "solution": "solution",
    "impact": "impact",
    "sizing rationale": "sizing_rationale",
}
"""What a part begins with, in any case and with a colon, and the field it is."""

_HEADER = re.compile(rf"({'|'.join(HEADERS)}):(.*)", re.IGNORECASE)


def parse_description(text: str) -> Description:
    """Read what somebody wrote about an item.

    A part goes from its header at the beginning of a line to the next one. A header that comes
    again replaces what its part said. What stands before the first header goes before the
    context; without any header all of it is the context.
    """
    parts: dict[str, list[str]] = {"": []}
    field = ""
    for line in text.splitlines():
        header = _HEADER.fullmatch(line.strip())
        if header is None:
            parts[field].append(line)
            continue
        field = HEADERS[header[1].lower()]
        parts[field] = [header[2]]
    said = {name: "\n".join(lines).strip() for name, lines in parts.items()}
    before = said.pop("")
    if before:
        said["context"] = f"{before}\n{said.get('context', '')}".strip()
    return Description(**said)
