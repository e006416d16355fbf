"""Parameters: torch's names, read-only views, assignment, state_dict, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import fastlstm
from fastlstm import LSTM, RNN, GRUCell, Linear


def x(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "proj_size": 3}, {"bias": False}])
def test_names_order_and_shapes_are_torchs(options: dict) -> None:
    found = LSTM(5, 6, **options).state_dict()
    expected = torch.nn.LSTM(5, 6, **options).state_dict()
    assert [(name, value.shape) for name, value in found.items()] == [(n, tuple(v.shape)) for n, v in expected.items()]


@pytest.mark.parametrize("build", [LSTM, fastlstm.GRU, RNN, fastlstm.LSTMCell, GRUCell, fastlstm.RNNCell])
def test_the_first_values_fill_torchs_range_and_follow_the_seed(build: type) -> None:
    layer = build(30, 100, seed=7)
    for value in layer.state_dict().values():
        assert value.dtype == np.float32
        assert abs(value.mean()) < 0.02
        assert 0.095 < np.abs(value).max() <= 0.1  # 1 / sqrt(100)
        np.testing.assert_allclose(value.std(), 0.1 / 3**0.5, rtol=0.1)
    twin, other = build(30, 100, seed=7).state_dict(), build(30, 100, seed=8).state_dict()
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(twin[name], value)
        assert not np.array_equal(other[name], value)


def test_a_parameter_is_read_as_a_view_that_follows_and_cannot_be_written() -> None:
    lstm = LSTM(3, 4)
    view = lstm.weight_ih_l0
    assert not view.flags.writeable
    lstm.weight_ih_l0 = np.ones((16, 3))
    assert (view == 1).all()
    assert "weight_ih_l0" in dir(lstm)


def test_assigning_copies_and_the_next_call_sees_it() -> None:
    lstm = LSTM(3, 4, bias=False).eval()
    lstm(x(2, 1, 3))
    zeros = np.zeros((16, 3), np.float32)
    lstm.weight_ih_l0 = zeros
    zeros[:] = 9
    np.testing.assert_array_equal(lstm(x(2, 1, 3))[0], 0)


def test_every_way_to_change_a_parameter_is_seen_by_the_next_call() -> None:
    lstm = LSTM(3, 4, seed=1)
    outputs = [lstm(x(2, 1, 3))[0]]
    lstm.bias_hh_l0 = lstm.bias_hh_l0 + 1
    outputs.append(lstm(x(2, 1, 3))[0])
    lstm.load_state_dict(LSTM(3, 4, seed=2).state_dict())
    outputs.append(lstm(x(2, 1, 3))[0])
    lstm.backward(outputs[-1])
    fastlstm.SGD(lstm, lr=1.0).step()
    outputs.append(lstm(x(2, 1, 3))[0])
    for k, output in enumerate(outputs):
        assert not any(np.allclose(output, other) for other in outputs[:k])


def test_state_dict_is_a_copy() -> None:
    lstm = LSTM(3, 4)
    best = lstm.state_dict()
    lstm.weight_ih_l0 = np.zeros((16, 3))
    assert best["weight_ih_l0"].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_torchs_state_dict_loads_from_any_float_dtype(dtype: torch.dtype) -> None:
    net = torch.nn.LSTM(3, 4, 2).to(dtype)
    lstm = LSTM(3, 4, 2)
    lstm.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(lstm.weight_hh_l1, net.weight_hh_l1.detach().float().numpy())


def test_torch_loads_ours() -> None:
    lstm = LSTM(3, 4, 2, seed=1)
    net = torch.nn.LSTM(3, 4, 2)
    net.load_state_dict({name: torch.from_numpy(value) for name, value in lstm.state_dict().items()})
    np.testing.assert_allclose(lstm(x(5, 2, 3))[0], net(torch.from_numpy(x(5, 2, 3)))[0].detach(), rtol=1e-4, atol=1e-6)


def test_a_refused_state_dict_changes_nothing() -> None:
    lstm = LSTM(3, 4)
    before = lstm.state_dict()
    bad = {name: value + 1 for name, value in before.items()}
    bad["bias_hh_l0"] = bad["bias_hh_l0"][:3]
    with pytest.raises(ValueError, match=r"bias_hh_l0 has shape \(3,\), expected \(16,\)"):
        lstm.load_state_dict(bad)
    for name, value in lstm.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_several_modules_share_a_file_by_prefix(tmp_path: Path, suffix: str) -> None:
    lstm, head = LSTM(3, 4, 2, dtype=np.float64), Linear(4, 2)
    path = tmp_path / f"model{suffix}"
    fastlstm.save(lstm.state_dict("lstm.") | head.state_dict("head."), path)
    state = fastlstm.load(str(path))
    other, other_head = LSTM(3, 4, 2, dtype=np.float64), Linear(4, 2)
    other.load_state_dict(state, "lstm.")
    other_head.load_state_dict(state, prefix="head.")
    for one, two in ((lstm, other), (head, other_head)):
        for name, value in one.state_dict().items():
            assert two.state_dict()[name].dtype == value.dtype
            np.testing.assert_array_equal(two.state_dict()[name], value)


def test_torchs_safetensors_file_loads(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    net = torch.nn.GRU(3, 4)
    save_file(net.state_dict(), tmp_path / "gru.safetensors")
    gru = fastlstm.GRU(3, 4)
    gru.load_state_dict(fastlstm.load(tmp_path / "gru.safetensors"))
    np.testing.assert_array_equal(gru.bias_hh_l0, net.bias_hh_l0.detach())


def test_no_file_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, weight=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="nothing is unpickled"):
        fastlstm.load(path)


def test_layers_and_their_files_need_no_torch(python, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code = f"""
import sys, numpy as np, fastlstm
lstm = fastlstm.LSTM(3, 4)
output, state = lstm(np.zeros((2, 1, 3), np.float32))
lstm.backward(output)
fastlstm.save(lstm.state_dict(), {str(tmp_path / "a.safetensors")!r})
lstm.load_state_dict(fastlstm.load({str(tmp_path / "a.safetensors")!r}))
assert "torch" not in sys.modules
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
