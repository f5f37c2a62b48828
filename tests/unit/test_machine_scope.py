"""Promises of scopes and branch rules: what is written is read, and what is wrong is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.work.backlog.pipeline import Phase
from orchestrator.work.machine.policy import Branches
from orchestrator.work.machine.scope import Scope, decode, encode, message

PHASES = (
    Phase(name="research"),
    Phase(name="implementation", cycles=True),
    Phase(name="pre-review"),
)
PHASE = Phase(
    name="implementation",
    subphases=("red", "green", "c1"),
    commit_type="feat",
    commit_types={"red": "test"},
)
SUBPHASES = st.sampled_from(("", "red", "green", "deep-dive", "a_b"))


@given(st.sampled_from(PHASES), SUBPHASES, st.integers(0, 20), st.sampled_from(("", "!")))
def test_a_scope_that_is_written_is_read(
    phase: Phase, subphase: str, cycle: int, breaking: str
) -> None:
    scope = Scope(phase=phase.name, subphase=subphase, cycle=cycle if phase.cycles else 0)
    assert decode(f"feat({encode(scope)}){breaking}: text", PHASES) == scope


@pytest.mark.parametrize(
    ("subject", "scope"),
    [
        ("docs(P_RESEARCH): x", Scope(phase="research")),
        ("Test(p_implementation_sp_red): x", Scope(phase="implementation", subphase="red")),
        (
            "feat(P_IMPLEMENTATION_SP_C2_GREEN): x",
            Scope(phase="implementation", subphase="green", cycle=2),
        ),
        ("feat(P_IMPLEMENTATION_SP_C3): x", Scope(phase="implementation", cycle=3)),
        ("docs(P_RESEARCH_SP_C1): x", Scope(phase="research", subphase="c1")),
        ("docs(P_UNKNOWN): x", None),
        (" docs(P_RESEARCH): x", None),
        ("docs2(P_RESEARCH): x", None),
        ("docs(P_RESEARCH) x", None),
        ("docs(a)(P_RESEARCH): x", None),
        ("Merge docs(P_RESEARCH): x", None),
        ("", None),
    ],
)
def test_only_the_beginning_of_a_subject_tells_a_phase(subject: str, scope: Scope | None) -> None:
    assert decode(subject, PHASES) == scope


@given(st.text())
def test_no_subject_is_too_odd_to_be_looked_at(subject: str) -> None:
    decode(subject, PHASES)


def test_a_message_has_the_type_of_its_part_then_of_its_phase_then_chore() -> None:
    red = Scope(phase="implementation", subphase="red", cycle=2)
    assert message(Branches(), PHASE, red, "Fail first\n\nwhy") == (
        "test(P_IMPLEMENTATION_SP_C2_RED): Fail first\n\nwhy"
    )
    green = Scope(phase="implementation", subphase="green")
    assert message(Branches(), PHASE, green, "x").startswith("feat(")
    bare = Phase(name="ready")
    assert message(Branches(), bare, Scope(phase="ready"), "x") == "chore(P_READY): x"
    assert message(Branches(), bare, Scope(phase="ready"), "x", "FIX") == "fix(P_READY): x"


@pytest.mark.parametrize(
    ("subphase", "text", "kind", "where"),
    [
        ("blue", "x", "", "subphase"),
        ("", " \n", "", "message"),
        ("", "x", "wip", "commit_type"),
        ("", "x" * 80, "", "message"),
    ],
)
def test_a_wrong_commit_is_named_by_its_field(
    subphase: str, text: str, kind: str, where: str
) -> None:
    scope = Scope(phase="implementation", subphase=subphase)
    with pytest.raises(UsageError) as wrong:
        message(Branches(title_max=72), PHASE, scope, text, kind)
    assert wrong.value.where == where
    assert wrong.value.fix


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("login", "does not begin with a type"),
        ("featur/login", "did you mean feature/login"),
        ("feature/Login", "has to match"),
        ("feature/", "has to match"),
        ("feature/a/b", "has to match"),
        ("feature/12-login\n", "has to match"),
    ],
)
def test_a_wrong_name_of_a_branch_is_told_with_a_right_one(name: str, says: str) -> None:
    with pytest.raises(UsageError) as wrong:
        Branches().check_name(name)
    assert says in f"{wrong.value.message} {wrong.value.fix}"


def test_a_branch_starts_from_what_its_type_allows() -> None:
    branches = Branches(bases={"hotfix": ("main",), "feature": ("main", "epic/*")})
    branches.check_base("feature/1-a", "epic/9-big")
    branches.check_base("docs/1-a", "anything")
    with pytest.raises(UsageError, match="hotfix branch may not start from epic/9") as wrong:
        branches.check_base("hotfix/1-a", "epic/9")
    assert wrong.value.fix == "start it from main"


@pytest.mark.parametrize(
    ("branch", "issue"),
    [
        ("feature/12-login", "12"),
        ("feature/12", ""),
        ("main", ""),
        ("other/12-x", ""),
        ("bug/007-x-8", "007"),
    ],
)
def test_the_number_of_an_issue_is_read_from_the_name(branch: str, issue: str) -> None:
    assert Branches().issue_of(branch) == issue
