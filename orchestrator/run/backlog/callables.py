"""Looks for the function that a phase calls, without running any of the project's code."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def call_problem(call: str, root: Path) -> str:
    """Return why a function cannot be called, "" when nothing speaks against it. Blocking.

    Only running a module tells for certain what is in it; what may be there is not complained of.

    Args:
      call: ``package.module:function``.
      root: the project, for modules that are not installed.
    """
    module, _, name = call.partition(":")
    try:
        path = _find(module.split("."), root)
        if path is None:
            return f"there is no module {module}, neither installed nor in the project"
        if path.suffix != ".py":
            return ""
        names = set(_names(ast.parse(path.read_bytes())))
    except SyntaxError as error:
        return f"{module} is no Python: {error.msg} (line {error.lineno})"
    except (OSError, ValueError) as error:
        return f"{module} cannot be read: {error}"
    return "" if {name, "*", "__getattr__"} & names else f"{module} has no function {name}"


def _find(parts: list[str], root: Path) -> Path | None:
    """Return the file of a module; something without ``.py`` when it has no source."""
    first, *rest = parts
    installed = importlib.util.find_spec(first)
    if installed is None:
        places = [root / first]
    elif installed.submodule_search_locations is not None:
        places = [Path(place) for place in installed.submodule_search_locations]
        if installed.origin is None:  # a namespace, which the project may have a part of
            places.append(root / first)
    else:
        return None if rest else Path(installed.origin or "")
    for place in places:
        path = place.joinpath(*rest)
        for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
            if file.is_file():
                return file
        if path.parent.is_dir() and (compiled := next(path.parent.glob(f"{path.name}.*"), None)):
            return compiled
    return None


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield what a module may define at its top, "*" for names that another one decides."""
    ahead: list[ast.AST] = [tree]
    while ahead:
        node = ahead.pop()
        if isinstance(node, _SCOPES):
            yield node.name
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        ahead += ast.iter_child_nodes(node)
