"""What Cargo and Go modules declare: both know how to fetch and test what they hold."""

from __future__ import annotations

from .declared import Declared
from .files import ProjectFiles


def read_cargo(files: ProjectFiles, _: tuple[str, ...]) -> Declared | None:
    """Return what the root's ``Cargo.toml`` declares, if there is one."""
    manifest = files.toml("Cargo.toml")
    if manifest is None:
        return None
    includes = ("Cargo.toml",) if "workspace" in manifest else ()
    if not files.tool("cargo"):
        return Declared(includes=includes, not_used=("Cargo.toml (cargo is not installed)",))
    return Declared(setup=("cargo fetch",), verify=("cargo test",), includes=includes)


def read_go(files: ProjectFiles, _: tuple[str, ...]) -> Declared | None:
    """Return what the root's ``go.mod`` declares, if there is one."""
    if files.text("go.mod") is None:
        return None
    includes = ("go.mod",) if files.has("go.work") else ()
    if not files.tool("go"):
        return Declared(includes=includes, not_used=("go.mod (go is not installed)",))
    return Declared(setup=("go mod download",), verify=("go test ./...",), includes=includes)
