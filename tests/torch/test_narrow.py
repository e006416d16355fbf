"""`accelerate(model, weights=...)`: fewer bits where nobody wants a gradient, float32 with the reason elsewhere."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

import fastlstm
import fastlstm.torch
from fastlstm.torch.memory import PART, Snapshot


def model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.LSTM(5, 17, 2, batch_first=True)).eval()


@pytest.mark.parametrize("weights", ["int8", "float16"])
def test_a_call_is_that_of_the_quantized_layer(weights: str) -> None:
    mine, x = model(), torch.randn(3, 6, 5)
    due, _ = fastlstm.quantize(fastlstm.LSTM.from_torch(mine[0]), weights)(x.numpy())
    report = fastlstm.torch.accelerate(mine, weights=weights)
    with torch.no_grad():
        assert np.array_equal(mine(x)[0].numpy(), due)
        assert np.array_equal(mine(x[0])[0].numpy(), due[0])
        mine[0].weight_hh_l0.mul_(0.5)
        assert not np.array_equal(mine(x)[0].numpy(), due)
    assert f"replaced; {weights} weights in eval mode without gradients" in str(report)
    assert "calls in float32" not in str(report)


def test_float32_where_a_gradient_is_wanted() -> None:
    mine, x = model(), torch.randn(3, 6, 5)
    due = mine(x)[0]
    report = fastlstm.torch.accelerate(mine, weights="int8")
    for training in (False, True):
        output = mine.train(training)(x)[0]
        torch.testing.assert_close(output, due)
        output.sum().backward()
    assert mine[0].weight_ih_l0.grad is not None
    with torch.no_grad():
        mine.eval()[0].weight_ih_l1[0, 0] = torch.nan
        assert mine(x)[0].isnan().any()
    told = str(report)
    assert "1 calls in float32: a gradient is wanted: call it under torch.no_grad()" in told
    assert "1 calls in float32: the module is in training mode" in told
    assert "1 calls in float32: weight_ih_l1 holds NaN or infinity" in told


def test_copies_pickles_and_restore() -> None:
    mine, x = model(), torch.randn(3, 6, 5)
    with torch.no_grad():
        full = mine(x)[0]
        fastlstm.torch.accelerate(mine)
        fastlstm.torch.accelerate(mine, weights="int8")
        rounded = mine(x)[0]
        assert not torch.equal(rounded, full)
        assert torch.equal(copy.deepcopy(mine)(x)[0], rounded)
        assert type(pickle.loads(pickle.dumps(mine))[0]) is torch.nn.LSTM
        fastlstm.torch.restore(mine)
        assert torch.equal(mine(x)[0], full)
        with pytest.raises(ValueError, match="weights is 'int4', expected 'int8' or 'float16'"):
            fastlstm.torch.accelerate(mine, weights="int4")
        assert type(mine[0]) is torch.nn.LSTM


def test_compare_says_how_far_results_move() -> None:
    mine, x = model(), torch.randn(3, 6, 5)
    found = fastlstm.torch.compare(mine, x, weights="int8")
    assert 1e-5 < found.output_difference < 0.01
    assert found.gradient_difference is None
    told = repr(found)
    assert "ours in 8 of 8 calls; on int8 weights in 8" in told
    assert "in the results, whose largest is 0." in told


def test_a_short_call_does_not_read_all_float32_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are four times the bytes of the rounded ones. What changes them is seen all the same."""
    monkeypatch.setattr("fastlstm.torch.runner.Engine", None)  # nor is an engine made that would pack them
    mine = torch.nn.Sequential(torch.nn.LSTM(40, 48)).eval()
    x, whole, states = torch.randn(1, 1, 40), torch.randn(16, 1, 40), (torch.ones(1, 1, 48), torch.ones(1, 1, 48))
    fastlstm.torch.accelerate(mine, weights="int8")
    compared = []
    same = Snapshot.same
    monkeypatch.setattr(Snapshot, "same", lambda self: compared.append(1) or same(self))
    lstm = mine[0]
    with torch.no_grad():
        before = lstm(x, states)[0]
        for _ in range(3):
            assert torch.equal(lstm(x, states)[0], before)
        assert not compared
        changes = {
            "counted": lambda: lstm.weight_hh_l0[0, 0].mul_(-1),
            "another tensor": lambda: setattr(lstm.weight_hh_l0, "data", lstm.weight_hh_l0.data * 1.5),
            "the data": lambda: lstm.weight_ih_l0.data.mul_(0.5),
            "the data of a gate": lambda: lstm.weight_ih_l0.data[48:96].zero_(),
            "the data of a bias": lambda: lstm.bias_ih_l0.data[5].add_(1),
            "a view": lambda: lstm.weight_hh_l0.numpy().__imul__(2),
        }
        for name, change in changes.items():
            change()
            after = lstm(x, states)[0]
            assert not torch.equal(after, before), name
            before = after
        lstm.weight_hh_l0.data[70, 7] = 3.0  # one number, past all counts: seen when its part is looked at
        parts = sum(-(-weight.nbytes // PART) for weight in lstm.parameters())
        assert any(not torch.equal(lstm(x, states)[0], before) for _ in range(parts))
        compared.clear()
        lstm.weight_hh_l0.data[7, 7] = 3.0  # or by a long call
        long = mine(whole)[0]
        assert compared
        due, _ = fastlstm.quantize(fastlstm.LSTM.from_torch(lstm))(whole.numpy())
        assert np.array_equal(long.numpy(), due)
