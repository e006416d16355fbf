"""`fastlstm prove` in pytest: the fixture `prove`, and `pytest --prove model.py:Model`.

Nothing is imported, run or collected unless one of them is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

SETTING = "fastlstm_prove"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--prove TARGET`, and the setting `fastlstm_prove`, a TARGET a line."""
    what = "a model, MODULE:CLASS or FILE.py:CLASS, that is run to show that no sample depends on another"
    group = parser.getgroup("fastlstm")
    group.addoption("--prove", action="append", default=[], metavar="TARGET", help=f"Also test {what}.")
    parser.addini(SETTING, type="linelist", default=[], help=f"Each line names {what}.")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test for each target that is named, before others leave out what was not selected."""
    for target in dict.fromkeys([*config.getini(SETTING), *config.getoption("--prove")]):
        items.append(ProofItem.from_parent(session, name=f"prove {target}", target=target))


class ProofItem(pytest.Item):
    """The test of one target."""

    def __init__(self, *, target: str, **given: Any) -> None:
        super().__init__(**given)
        self.target = target

    def runtest(self) -> None:
        """Run the model."""
        from fastlstm.prove import find

        before = list(sys.path)
        try:
            _prove(find(self.target))
        finally:
            sys.path[:] = before

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What `fastlstm prove` prints; a traceback where it fails itself."""
        from fastlstm.prove import TargetError

        if isinstance(excinfo.value, (AssertionError, TargetError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where the target stands, and its name."""
        return self.config.rootpath, None, self.name


@pytest.fixture
def prove() -> Callable[..., None]:
    """Fail where a sample's output depends on another sample's input.

    >>> def test_samples_are_independent(prove):
    ...     prove(Model(5, 6))  # or Model: its arguments are guessed, as `fastlstm prove` does
    ...     prove(Model, sizes=(4, 7, 5), causal=True)

    The options are those of `fastlstm prove` with an underscore: `sizes`, `dtype`, `high`, `batch_dim`, `time_dim`,
    `out_batch_dim`, `out_time_dim`, `output`, `causal`, `lookahead`, `train`, `seed`. A model that was made is judged
    with its weights, and left in the mode it was in.
    """

    def ask(model: Any, **options: Any) -> None:
        from fastlstm.prove.target import Target

        _prove(Target(getattr(model, "__name__", type(model).__name__), model, None), **options)

    return ask


def _prove(target: Any, **options: Any) -> None:
    """AssertionError with the report where the proof fails; TargetError where nothing can be said."""
    from fastlstm.prove import Question, build, seed
    from fastlstm.prove import prove as ask

    question = Question(**options)
    seed(question.seed)
    built = build(target)
    modes = _modes(built.model)
    try:
        proof = ask(built, question)
    finally:
        for module, training in modes:
            module.training = training
    if not proof.holds:
        raise AssertionError("\n".join([f"{built.call}, {proof.given}", "", *proof.lines()]))


def _modes(model: Any) -> Iterable[tuple[Any, bool]]:
    """Each module of a torch model with whether it is in training."""
    modules = getattr(model, "modules", None)
    return [(each, each.training) for each in modules()] if callable(modules) else []
