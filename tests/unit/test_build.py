"""Promise: a command that would test the checkout instead of the workspace is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import ConfigError
from orchestrator.run.build import Build, require_honest
from orchestrator.settings import Check

CHECKOUT = Path("/srv/app")


def require(run: str) -> None:
    require_honest(Build(verify=(Check(run=run),)), CHECKOUT, {"PATH": ""})


@pytest.mark.parametrize(
    "run",
    ["/srv/app/test", "cd /srv/app", "cd /srv/app; x", "make -C/srv/app", "'{}'"],
)
def test_command_that_names_the_checkout_is_refused(run: str) -> None:
    with pytest.raises(ConfigError, match="names the checkout"):
        require(run.format(CHECKOUT))


@pytest.mark.parametrize("run", ["/srv/application/x", "/srv/app-data/x", "/srv/app.d"])
def test_command_that_names_a_neighbour_of_the_checkout_is_not(run: str) -> None:
    require(run)
