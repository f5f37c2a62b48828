"""Promises of heavy imports: garbage is collected again, but not in what was imported."""

from __future__ import annotations

import gc

import pytest

from orchestrator.mcp.loading import heavy_imports


@pytest.mark.parametrize("error", [None, ImportError])
def test_garbage_is_collected_again(error: type[Exception] | None) -> None:
    frozen = gc.get_freeze_count()
    try:
        with heavy_imports():
            assert not gc.isenabled()
            if error is not None:
                raise error
    except ImportError:
        assert error is ImportError
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
