"""Workloads: the shipped ones are sound, and their arithmetic is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fastlstm.bench.workload import Workload, load, problem

SMALL = Workload("small", "LSTM", "train", T=7, B=3, I=5, H=6, L=2, D=2)


def test_every_shipped_workload_is_named_and_sourced() -> None:
    found = load()
    assert len(found) == 35
    assert all(row.source for row in found.values())
    assert {row.mode for row in found.values()} == {
        "infer",
        "train",
        "packed",
        "reset",
        "cells",
        "cells-train",
        "model",
    }
    assert {row.cell for row in found.values()} == {"LSTM", "GRU", "RNN"}


def test_flop_of_a_forward_step_is_two_per_weight() -> None:
    one = Workload("one", "LSTM", "infer", T=1, B=1, I=128, H=128)
    assert one.flop == 2 * 4 * 128 * (128 + 128)
    assert replace(one, cell="GRU").flop == one.flop * 3 // 4
    assert replace(one, T=10, B=3).flop == 30 * one.flop
    assert replace(one, mode="train").flop == 3 * one.flop
    layers = replace(one, L=2, D=2)
    assert layers.flop == 2 * 4 * 128 * 2 * ((128 + 128) + (256 + 128))
    assert layers.recurrent_bytes == 4 * 4 * 128 * 128 * 4


def test_flop_of_a_model_has_the_linear_too() -> None:
    one = Workload("one", "LSTM", "model", T=10, B=3, I=128, H=128, V=50)
    layers = Workload("one", "LSTM", "train", T=10, B=3, I=128, H=128)
    assert one.flop == layers.flop + 3 * 2 * 128 * 50 * 30
    assert replace(one, D=2).flop == replace(layers, D=2).flop + 3 * 2 * 256 * 50 * 30


def test_a_packed_batch_counts_its_valid_tokens_only() -> None:
    packed = replace(SMALL, mode="packed", T=60, B=32)
    lengths = packed.lengths()
    assert lengths.max() == 60
    assert lengths.min() >= 8
    assert list(lengths) == sorted(lengths, reverse=True)
    assert packed.tokens == lengths.sum() < 60 * 32
    assert packed.flop * 60 * 32 == replace(packed, mode="train").flop * packed.tokens


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "SRU"}, "cell 'SRU' is none of LSTM, GRU, RNN"),
        ({"mode": "sleep"}, "mode 'sleep' is none of infer, train, packed, reset, cells"),
        ({"V": 9}, "V=9, expected a vocabulary in mode model and 0 elsewhere"),
        ({"mode": "model"}, "V=0, expected a vocabulary in mode model"),
        ({"mode": "cells"}, "L=2, D=2, expected 1 and 1: a cell is one layer"),
        ({"T": 0}, "T=0 is out of range"),
        ({"D": 3}, "D=3 is out of range"),
        ({"mode": "reset"}, "an episode has one direction"),
    ],
)
def test_an_impossible_workload_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_a_problem_is_the_same_in_every_process() -> None:
    first, second = problem(SMALL), problem(SMALL)
    assert first.x.tobytes() == second.x.tobytes()
    assert all(first.parameters[name].tobytes() == second.parameters[name].tobytes() for name in first.parameters)
    assert problem(SMALL, seed=1).x.tobytes() != first.x.tobytes()


def test_a_problem_has_the_contracts_shapes() -> None:
    given = problem(SMALL)
    assert given.x.shape == (7, 3, 5)
    assert given.grad.shape == (7, 3, 12)
    assert [state.shape for state in given.states] == [(4, 3, 6), (4, 3, 6)]
    assert given.reset.shape == (7, 3)
    assert all(array.dtype == np.float32 for array in (given.x, given.grad, *given.states, *given.parameters.values()))
    assert given.model is None
    bound = 6**-0.5
    assert all(-bound <= value.min() < 0 < value.max() <= bound for value in given.parameters.values())


def test_a_model_s_problem_has_tokens_and_the_other_weights() -> None:
    model = problem(replace(SMALL, mode="model", V=9)).model
    assert model is not None
    assert [model.embedding.shape, model.weight.shape, model.bias.shape] == [(9, 5), (9, 12), (9,)]
    for tokens in (model.tokens, model.targets):
        assert tokens.shape == (7, 3)
        assert set(tokens.flat) <= set(range(9))
    assert not np.array_equal(model.tokens, model.targets)


def test_packed_rows_are_numbered_by_time_then_sample() -> None:
    given = replace(problem(SMALL), lengths=np.array([7, 2, 1]))
    steps, samples = given.rows
    assert list(steps) == [0, 0, 0, 1, 1, 2, 3, 4, 5, 6]
    assert list(samples) == [0, 1, 2, 0, 1, 0, 0, 0, 0, 0]
    assert list(given.batch_sizes) == [3, 2, 1, 1, 1, 1, 1]
