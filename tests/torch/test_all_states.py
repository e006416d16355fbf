"""LSTM, GRU and RNN with all_states=True: the states after every step, and gradients through them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import fastlstm.torch
from fastlstm.spec import INFERENCE
from fastlstm.torch.composed import composed

T, B, I, H = 6, 3, 4, 5


def flat(value: Any) -> Tensor:
    return value.data if isinstance(value, PackedSequence) else value


def calls() -> dict[str, tuple[dict[str, Any], tuple[int, ...], bool]]:
    """Name to (options, shape of the input, packed)."""
    return {
        "dense": ({}, (T, B, I), False),
        "batch first, both directions": (
            {"batch_first": True, "num_layers": 2, "bidirectional": True},
            (B, T, I),
            False,
        ),
        "unbatched": ({}, (T, I), False),
        "packed": ({"num_layers": 2, "bidirectional": True}, (T, B, I), True),
        "projected": ({"proj_size": 3}, (T, B, I), False),
        "projected, both directions": (
            {"proj_size": 3, "batch_first": True, "num_layers": 2, "bidirectional": True},
            (B, T, I),
            False,
        ),
        "projected, packed": ({"proj_size": 3, "num_layers": 2, "bidirectional": True}, (T, B, I), True),
    }


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("form", calls())
@pytest.mark.filterwarnings("ignore:fastlstm. torch's own operators:RuntimeWarning")
def test_values_and_gradients_are_those_of_torch_s_operators(form: str, resets: bool, monkeypatch: Any) -> None:
    """By the kernels and, with their results thrown away, by `composed`; both against torch's cell step by step."""
    options, shape, is_packed = calls()[form]
    torch.manual_seed(0)
    module = fastlstm.torch.LSTM(I, H, **options, dtype=torch.float64)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    reset = torch.rand((T,) if len(shape) == 2 else (T, B)) < 0.3 if resets else None
    results = []
    for reason in (None, "tested"):
        monkeypatch.setattr(fastlstm.torch.layers.quick, "layer", lambda *_: None)
        monkeypatch.setattr(fastlstm.torch.layers, "objection", lambda tensors, reason=reason: reason)
        given = pack_padded_sequence(x, [2, 6, 4], enforce_sorted=False) if is_packed else x
        output, (h_n, c_n), (h, c) = module(given, reset=reset, all_states=True)
        assert flat(h) is flat(output)
        assert flat(c).shape[:-1] == flat(output).shape[:-1]
        loss = (flat(output).sin() * 2).sum() + (flat(c).cos() * torch.arange(flat(c).shape[-1])).sum()
        loss = loss + h_n.sum() + (c_n**2).sum()
        grads = torch.autograd.grad(loss, [x, *module.parameters()])
        results.append([*map(flat, (output, h_n, c_n, c)), *grads])
        assert bool(module.declined) == (reason is not None)
    for ours, due in zip(*results, strict=True):
        torch.testing.assert_close(ours, due, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", [{}, {"proj_size": 3, "num_layers": 2}], ids=["plain", "projected"])
def test_the_states_are_those_of_torch_s_own_layer_step_by_step(options: dict[str, int]) -> None:
    torch.manual_seed(0)
    module = fastlstm.torch.LSTM(I, H, **options, dtype=torch.float64)
    x, state, cells = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True), None, []
    for t in range(T):
        _, state = torch.nn.LSTM.forward(module, x[t : t + 1], state)
        cells.append(state[1][-1])
    _, _, every = composed(module._config(), x, (), list(module.parameters()), INFERENCE)
    _, _, (_, c) = module(x, all_states=True)
    leaves = [x, *module.parameters()]
    due, *others = (
        (one, *torch.autograd.grad((one * torch.arange(H)).cos().sum(), leaves))
        for one in (torch.stack(cells), every[1], c)
    )
    for found in others:
        torch.testing.assert_close(found, due, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ["GRU", "RNN"])
def test_one_state_s_are_the_output(kind: str) -> None:
    module = getattr(fastlstm.torch, kind)(I, H)
    output, h_n, every = module(torch.randn(T, B, I), all_states=True)
    assert len(every) == 1
    assert every[0] is output
    torch.testing.assert_close(h_n[0], output[-1])


def test_gradients_of_gradients() -> None:
    torch.manual_seed(0)
    module = fastlstm.torch.LSTM(2, 3, dtype=torch.float64)

    def call(x: Tensor) -> Tensor:
        return module(x, all_states=True)[2][1]

    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(call, x)
    assert torch.autograd.gradgradcheck(call, x)


def test_an_empty_batch_a_traced_model_and_a_wrong_word() -> None:
    module = fastlstm.torch.LSTM(I, H, proj_size=2)
    _, _, (h, c) = module(torch.randn(T, 0, I), all_states=True)
    assert (h.shape, c.shape) == ((T, 0, 2), (T, 0, H))
    with pytest.raises(TypeError, match="all_states is a int, expected bool"):
        module(torch.randn(T, B, I), all_states=1)

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = fastlstm.torch.LSTM(I, H)

        def forward(self, x: Tensor) -> Tensor:
            return self.lstm(x, all_states=True)[2][1] * 2

    model, x = Model(), torch.randn(T, B, I)
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(x), model(x))
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(model, backend="eager")(x), model(x))
