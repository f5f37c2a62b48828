"""Promise: nothing of the operator that must not leak reaches a worker or a verify command."""

from __future__ import annotations

from pathlib import Path

from orchestrator.run.hosting.environment import (
    child_environment,
    clean_path,
    interpreters_into,
    withheld,
)
from orchestrator.text import clean, one_line


def make_environment(operator: dict[str, str], tmp_path: Path, **more: object) -> dict[str, str]:
    return child_environment(
        operator,
        checkout=tmp_path / "checkout",
        workspace=tmp_path / "workspace",
        temporary=tmp_path / "tmp",
        **more,  # type: ignore[arg-type]
    )


def test_secrets_and_loaders_are_withheld_and_named(tmp_path: Path) -> None:
    operator = {
        "HOME": "/h", "HTTPS_PROXY": "p", "GITHUB_TOKEN": "t", "AWS_REGION": "r", "GIT_DIR": "g",
        "PYTHONPATH": "x", "DB_PASSWORD": "s", "ANTHROPIC_API_KEY": "k",
    }  # fmt: skip
    given = make_environment(operator, tmp_path)
    assert given["HOME"] == "/h"
    assert given["HTTPS_PROXY"] == "p"
    assert set(withheld(operator, given)) == operator.keys() - {"HOME", "HTTPS_PROXY"}


def test_allow_list_and_credential_are_given(tmp_path: Path) -> None:
    operator = {"GITHUB_TOKEN": "t", "ANTHROPIC_API_KEY": "k", "NPM_TOKEN": "n", "GIT_DIR": "g"}
    given = make_environment(
        operator, tmp_path, allow=("GITHUB_*",), credentials=("ANTHROPIC_API_KEY",)
    )
    assert given["GITHUB_TOKEN"] == "t"
    assert given["ANTHROPIC_API_KEY"] == "k"
    assert "NPM_TOKEN" not in given
    assert "GIT_DIR" not in given


def test_what_points_into_the_checkout_is_left_out(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    given = make_environment(
        {
            "VIRTUAL_ENV": str(checkout / ".venv"),
            "DATA": f"/x:{checkout}/data",
            "PATH": f"{checkout}/.venv/bin:/usr/bin:relative:{checkout}-other/bin",
        },
        tmp_path,
    )
    assert "VIRTUAL_ENV" not in given
    assert "DATA" not in given
    assert given["PATH"] == f"/usr/bin:{checkout}-other/bin"


def test_environment_with_an_editable_install_of_the_checkout_is_left_out(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    venv = tmp_path / "venv"
    site = venv / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("home = /usr\n")
    path = f"{venv / 'bin'}:/usr/bin"
    assert clean_path(path, checkout) == (str(venv / "bin"), "/usr/bin")
    (site / "__editable__.project.pth").write_text(f"{checkout}/src\n")
    assert clean_path(path, checkout) == ("/usr/bin",)


def test_system_interpreter_with_an_editable_install_is_named(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    site = tmp_path / "usr" / "lib" / "python3.11" / "site-packages" / "p.dist-info"
    site.mkdir(parents=True)
    (site / "direct_url.json").write_text(f'{{"url": "file://{checkout}"}}')
    entry = str(tmp_path / "usr" / "bin")
    assert interpreters_into(entry, checkout) == (entry,)
    assert interpreters_into(entry, tmp_path / "elsewhere") == ()


def test_control_sequences_do_not_reach_a_terminal() -> None:
    nasty = "a\x1b]52;c;ZXZpbA==\x07b\x1b[2Jc\x9b31md\u202ee\x00f\x1b"
    assert clean(nasty) == "abcdef"
    assert one_line("x\ny\t z\r\nw") == "x y z w"
    assert one_line("long " * 100, 10) == "long long…"


def test_last_rule_wins_and_an_exclamation_mark_withholds(tmp_path: Path) -> None:
    operator = {"NPM_TOKEN": "n", "GITHUB_TOKEN": "g", "EDITOR": "vi", "PYTHONPATH": "p"}
    rules = ("*TOKEN", "!GITHUB_*", "!EDITOR", "PYTHON*")
    given = make_environment(operator, tmp_path, allow=rules)
    assert given.keys() & operator.keys() == {"NPM_TOKEN"}
    assert "PYTHONPATH" in make_environment(operator, tmp_path, allow=("PYTHONPATH",))


def test_no_pattern_gives_an_agents_credential_to_others(tmp_path: Path) -> None:
    operator = {"ANTHROPIC_API_KEY": "k", "OTHER_KEY": "o"}
    assert "ANTHROPIC_API_KEY" not in make_environment(operator, tmp_path, allow=("*_KEY",))
    assert "OTHER_KEY" in make_environment(operator, tmp_path, allow=("*_KEY",))
