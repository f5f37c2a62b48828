"""Reads YAML as plain values that JSON could hold, with the lines of a list's entries. Late import.

Times stay texts: as values they would lose their nanoseconds. Only what YAML 1.2 calls null, true
and false is that; ``yes``, ``on`` and the like are texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from orchestrator.work.backlog.text import one_line

from .files import to_text, wrong_line

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUTH = re.compile(r"true|True|TRUE|false|False|FALSE")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_DEEPEST = 50
_LIST, _MAP = "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(data: bytes, name: str) -> yaml.Node | None:
    """Return the document of a YAML file, None when there is nothing in it.

    Raises:
      BacklogFileError: when it is no YAML, more than one document, nested too deeply, or has
        aliases or types that YAML alone has; names the line.
    """
    text = to_text(data, name)
    try:
        loader = _Loader(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise wrong_line(name, line, f"no YAML: {one_line(str(error.problem))}") from None
    except yaml.YAMLError as error:
        raise wrong_line(name, 1, f"no YAML: {one_line(str(error))}") from None
    except RecursionError:
        raise wrong_line(name, 1, "it is nested too deeply") from None
    if node is None or (isinstance(node, yaml.ScalarNode) and _scalar(node) is None):
        return None
    _check(node, name)
    return node


def fields(node: yaml.Node, name: str) -> dict[str, yaml.Node] | None:
    """Return what a mapping holds by its keys; None for anything else.

    Raises:
      BacklogFileError: when a key comes twice; names the line.
    """
    if not isinstance(node, yaml.MappingNode):
        return None
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        text = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
        if not isinstance(key, yaml.ScalarNode) or text in found:
            raise wrong_line(name, line_of(key), f"{text or 'a key'} comes twice, or is no text")
        found[text] = value
    return found


def entries(node: yaml.Node) -> Iterator[yaml.Node] | None:
    """Return the entries of a list; None for anything else."""
    return iter(node.value) if isinstance(node, yaml.SequenceNode) else None


def line_of(node: yaml.Node) -> int:
    """Return the line that a value begins on, from 1."""
    return int(node.start_mark.line) + 1


def plain(node: yaml.Node, name: str) -> Any:
    """Return a value.

    Raises:
      BacklogFileError: when a key comes twice; names the line.
    """
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    held = fields(node, name)
    if held is not None:
        return {key: plain(value, name) for key, value in held.items()}
    return [plain(entry, name) for entry in entries(node) or ()]


def _check(top: yaml.Node, name: str) -> None:
    """Refuse what could not be walked through: few bytes of aliases can say a world of values."""
    seen: set[int] = set()
    ahead = [(top, 0)]
    while ahead:
        node, depth = ahead.pop()
        if id(node) in seen:
            raise wrong_line(name, line_of(node), "it is used again by an alias; write it out")
        seen.add(id(node))
        if depth > _DEEPEST:
            raise wrong_line(name, line_of(node), "it is nested too deeply")
        if not isinstance(node, yaml.ScalarNode) and node.tag not in (_LIST, _MAP):
            raise wrong_line(name, line_of(node), f"a value of the type {one_line(node.tag)}")
        if isinstance(node, yaml.SequenceNode):
            ahead += [(entry, depth + 1) for entry in node.value]
        elif isinstance(node, yaml.MappingNode):
            ahead += [(part, depth + 1) for pair in node.value for part in pair]


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    # With quotes, or as a block, it is a text whatever it looks like.
    if node.style:
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUTH.fullmatch(text):
        return text.lower() == "true"
    return int(text) if _WHOLE.fullmatch(text) else text
