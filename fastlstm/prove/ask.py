"""The question that `fastlstm prove` puts to a model, and the answer as text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastlstm.testing.asserts import batch_complaint, causal_complaint
from fastlstm.testing.dependence import Dependence, dependence

from .given import FLOATS, INTEGERS, Given, array
from .sizes import FALLBACK, Input, guess_input
from .target import Built, TargetError


@dataclass(frozen=True, slots=True)
class Question:
    """What to give the model, and what to look at. None: as guessed from the model's source, or the usual."""

    sizes: tuple[int, ...] | None = None
    more: tuple[tuple[Given, ...], ...] = ()  # further inputs, which stay fixed; several parts are a tuple
    dtype: str | None = None
    high: int | None = None
    batch_dim: int | None = None
    time_dim: int | None = None
    out_batch_dim: int | None = None
    out_time_dim: int | None = None
    output: int = 0
    causal: bool = False
    lookahead: int = 0
    train: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What was seen along one axis. `complaint` is None where all is as it should be."""

    what: str
    seen: Dependence
    complaint: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """The input as it was used, in words, and one answer per axis asked for."""

    given: str
    answers: tuple[Answer, ...]

    @property
    def holds(self) -> bool:
        return all(answer.complaint is None for answer in self.answers)

    def lines(self) -> Iterator[str]:
        """The report."""
        for answer in self.answers:
            yield f"{answer.what.capitalize()}s: # output depends on input, . does not"
            yield answer.seen.matrix(answer.what)
            yield ""
            if answer.complaint is None:
                yield PASSED[answer.what]
            else:
                yield answer.complaint.replace(f"\n\n{answer.seen.matrix(answer.what)}", "").replace("\n\n", "\n")
            yield from (f"Note: {note}." for note in answer.seen.notes)


PASSED = {
    "sample": "Holds: no sample's output depends on another sample's input, for this input and these weights.",
    "step": "Holds: no step's output depends on a later step's input, for this input and these weights.",
}


def prove(built: Built, question: Question) -> Proof:
    """Run the model; raises TargetError where it fails or nothing can be said."""
    model = built.model
    if hasattr(model, "train") and hasattr(model, "eval"):
        model.train() if question.train else model.eval()
    known = guess_input(built)
    given = _input(question, known)
    is_torch = sys.modules.get("torch") is not None and not type(model).__module__.startswith("fastlstm.layers")
    x, dtype, more = _values(given, question, is_torch)
    words = f"input {tuple(x.shape)} {dtype}" + (f", {given.source}" if known is given else "")
    answers = [_ask(model, x, more, "sample", _batch_axis(question, given), question, given)]
    if question.causal:
        answers.append(_ask(model, x, more, "step", _time_axis(question, given), question, given))
    return Proof(words, tuple(answers))


def _input(question: Question, known: Input | None) -> Input:
    if question.sizes is not None:
        same_rank = known is not None and len(known.sizes) == len(question.sizes)
        if known is not None and same_rank:
            return replace(known, sizes=question.sizes, source=Input(()).source)
        return Input(question.sizes, None, None, None if known is None else known.high)
    if known is not None:
        return known
    if question.dtype in INTEGERS:
        return Input(FALLBACK[:2])
    return Input(FALLBACK)


def _batch_axis(question: Question, given: Input) -> int:
    return question.batch_dim if question.batch_dim is not None else given.batch if given.batch is not None else 0


def _time_axis(question: Question, given: Input) -> int:
    if question.time_dim is not None:
        return question.time_dim
    return given.time if given.time is not None else 1 - min(1, _batch_axis(question, given))


def _values(given: Input, question: Question, is_torch: bool) -> tuple[Any, str, tuple[Any, ...]]:
    """A random input, its type, and what else the model is given."""
    dtype = question.dtype or ("int" if given.high is not None or question.high is not None else "float32")
    rng = np.random.default_rng(question.seed)
    high = question.high or given.high
    if dtype in INTEGERS and high is None:
        raise TargetError("token ids need --high, their number")
    x = array(Given(given.sizes), dtype, high, rng, is_torch)
    usual = dtype if dtype in FLOATS else "float32"
    more = []
    for parts in question.more:
        arrays = tuple(array(part, part.dtype or usual, high, rng, is_torch) for part in parts)
        more.append(arrays if len(arrays) > 1 else arrays[0])
    return x, str(x.dtype).removeprefix("torch."), tuple(more)


def _ask(model: Any, x: Any, more: tuple[Any, ...], what: str, dim: int, question: Question, given: Input) -> Answer:
    wanted = question.out_batch_dim if what == "sample" else question.out_time_dim
    if wanted is None and dim == (given.batch if what == "sample" else given.time):
        wanted = given.out(what, question.output)
    high = question.high or given.high
    try:
        seen = dependence(
            model, x, dim=dim, out_dim=dim if wanted is None else wanted, output=question.output, args=more,
            high=high, seed=question.seed,
        )  # fmt: skip
        if what == "sample":
            return Answer(what, seen, batch_complaint(model, seen, x.shape[dim]))
        return Answer(what, seen, causal_complaint(model, seen, x.shape[dim], question.lookahead))
    except Exception as error:
        raise TargetError(_failed(x, error)) from error


def _failed(x: Any, error: Exception) -> str:
    """The model's own error, and what it means if it is a known one."""
    from fastlstm_lint.explain.reasons import explain_error

    told = explain_error(str(error))
    if isinstance(error, TypeError) and "missing" in str(error):
        told = (
            "Give an --input for each further argument as well, a tuple as 2,4,6+2,4,6. "
            "In a test, assert_batch_independent(model, x, args=...) takes any."
        )
    return f"with an input {tuple(x.shape)}: {type(error).__name__}: {error}" + (f"\n{told}" if told else "")
