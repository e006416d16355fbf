"""What stands beside a line is what torch has there: every program of the rules is run and watched."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import lint_programs as programs
import pytest
import torch
from fastlstm_lint.rules import load_rules
from fastlstm_lint.rules.base import HEADER, Right, Rule
from fastlstm_lint.shapes.lines import Bound, read_program
from fastlstm_lint.shapes.words import TupleWords, Words
from torch.nn.utils.rnn import PackedSequence

UNBATCHED = "FL212"
"""Its right program gives a layer a sequence without a batch axis; beside its line one is assumed."""

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")


def agrees(words: Words, value: Any, letters: dict[str, int]) -> bool:
    """Whether a value is what the words say: rank, numbers, and the same size for the same letter in one call."""
    if isinstance(words, TupleWords):
        return len(value) == len(words.items) and all(
            agrees(w, v, letters) for w, v in zip(words.items, value, strict=True)
        )
    if isinstance(value, PackedSequence):
        return words.packed
    if words.packed or not isinstance(value, torch.Tensor) or value.dim() != len(words.axes):
        return False
    for axis, size in zip(words.axes, value.shape, strict=True):
        if axis.size.isdigit() and int(axis.size) != size:
            return False
        if axis.size in ("B", "T") and letters.setdefault(axis.size, size) != size:
            return False
    return True


class Watch:
    """Compares every name that a line binds, right after the line has run."""

    def __init__(self, source: str) -> None:
        self.bound: dict[int, list[Bound]] = {}
        for line in read_program(source).lines:
            self.bound[line.first] = self.bound.get(line.first, []) + [b for b in line.bound if b.end is not None]
        self.compared = 0
        self.wrong: list[str] = []
        self._rows: dict[FrameType, int] = {}
        self._letters: dict[FrameType, dict[str, int]] = {}

    def __call__(self, frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
        if frame.f_code.co_filename != "case.py":
            return None
        row = self._rows.pop(frame, None)
        if row is not None and event in ("line", "return"):
            for bound in self.bound.get(row, ()):
                self._compare(frame, row, bound)
        if event != "exception":  # a line that raised has bound nothing
            self._rows[frame] = frame.f_lineno
        return self

    def _compare(self, frame: FrameType, row: int, bound: Bound) -> None:
        owner, _, attribute = bound.name.rpartition(".")
        value = getattr(frame.f_locals.get(owner), attribute, None) if owner else frame.f_locals.get(bound.name)
        if bound.words is None or value is None:
            return
        self.compared += 1
        if not agrees(bound.words, value, self._letters.setdefault(frame, {})):
            self.wrong.append(f"line {row}: {bound.name} is {getattr(value, 'shape', value)}, not {bound.words}")


def watched(source: str, given: str, run: str | None = None) -> Watch:
    """What is told of `source`, compared with what happens when it, or `run`, is run."""
    watch = Watch(source)
    x, _ = programs.make_input(given)
    model = programs.build(run or source)
    sys.settrace(watch)
    try:
        programs.run(model, x)
    finally:
        sys.settrace(None)
    return watch


CASES = [
    pytest.param(rule, HEADER + case.code, case.input, id=f"{rule.code}-{i}")
    for rule in load_rules()
    for i, case in enumerate([Right(rule.right, rule.example_input), *rule.valid])
]


@pytest.mark.parametrize(("rule", "source", "given"), CASES)
def test_the_shapes_beside_the_lines_of_a_program_are_those_it_has_when_it_runs(
    rule: Rule, source: str, given: str
) -> None:
    watch = watched(source, given)
    assert rule.code == UNBATCHED or watch.wrong == []


def test_the_comparison_covers_many_names_and_sees_a_wrong_one() -> None:
    sources = [(str(case.values[1]), str(case.values[2])) for case in CASES]
    assert sum(watched(source, given).compared for source, given in sources) > 200
    source = HEADER + "\nclass Model(nn.Module):\n    def forward(self, x):\n        y = x.sum(0)\n        return y\n"
    other = source.replace("x.sum(0)", "torch.zeros(4, 5)")
    assert watched(other, "B=4 T=7 I=5", run=other).wrong == []
    assert watched(other, "B=4 T=7 I=5", run=source).wrong == ["line 7: y is torch.Size([7, 5]), not (4 ?, 5 ?)"]
