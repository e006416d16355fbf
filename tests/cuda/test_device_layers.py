"""`fastlstm.LSTM(..., device="cuda")` beside the same layer on the CPU; run where `test_device.py` runs."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import fastlstm
from fastlstm.cuda import why_not

if why_not():
    pytest.skip(f"no GPU here: {why_not()}", allow_module_level=True)

from fastlstm.cuda.shim import cuda_module

cuda = cuda_module()
KINDS = {"LSTM": fastlstm.LSTM, "GRU": fastlstm.GRU, "RNN": fastlstm.RNN}


def pair(kind, **options):
    """The layer on the device and on the CPU, with the same parameters, in double precision."""
    layers = [KINDS[kind](3, 4, dtype=np.float64, seed=1, device=device, **options) for device in ("cuda", "cpu")]
    assert [layer.device for layer in layers] == ["cuda", "cpu"]
    return layers


def host(value):
    if isinstance(value, tuple):
        return tuple(map(host, value))
    return value.copy_to_host() if hasattr(value, "copy_to_host") else value


def assert_same(found, expected):
    if isinstance(expected, tuple):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "batch_first"), [((3, 2, 3), False), ((2, 3, 3), True), ((3, 3), False)])
def test_device_arrays_in_and_out(kind, shape, batch_first):
    gpu, cpu = pair(kind, batch_first=batch_first)
    x, reset = draw(*shape), np.array([[0, 1], [1, 0], [0, 0]], bool)
    if len(shape) == 2:
        reset = np.ascontiguousarray(reset[:, 0])
    output, state = gpu(cuda.to_device(x), reset=cuda.to_device(reset))
    expected, expected_state = cpu(x, reset=reset)
    assert hasattr(output, "copy_to_host"), "the output stays on the device"
    assert_same(host(output), expected)
    assert_same(host(state), expected_state)
    again = gpu(cuda.to_device(x), state)
    assert_same(host(again), cpu(x, expected_state))
    above = draw(*expected.shape, seed=1)
    assert_same(host(gpu.backward(cuda.to_device(above), again[1])), cpu.backward(above, host(again[1])))
    assert gpu.grad.keys() == cpu.grad.keys()
    for name, grad in cpu.grad.items():
        assert_same(gpu.grad[name], grad)


@pytest.mark.parametrize("place", [np.asarray, cuda.to_device], ids=["host", "device"])
def test_host_arrays_are_copied_and_dropout_is_drawn_alike(place):
    gpu, cpu = pair("LSTM", num_layers=2, dropout=0.5)
    x = draw(3, 2, 3)
    output, state = gpu(place(x))
    expected, expected_state = cpu(x)
    assert_same(host(output), expected)
    assert_same(host(state), expected_state)
    assert_same(host(gpu.backward(draw(3, 2, 4), None)), cpu.backward(draw(3, 2, 4), None))


def test_an_optimiser_moves_both_alike():
    layers = pair("GRU")
    x, target = draw(3, 2, 3), draw(3, 2, 4, seed=3)
    losses = []
    for layer in layers:
        optimiser, found = fastlstm.SGD([layer], lr=0.5), []
        for _ in range(3):
            layer.zero_grad()
            output, _ = layer(x)
            loss, grad = fastlstm.mse_loss(host(output), target)
            found.append(loss)
            layer.backward(grad)
            optimiser.step()
        losses.append(found)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-9)
    assert losses[0][0] > losses[0][-1]


@pytest.mark.parametrize(
    ("x", "state", "told"),
    [
        (draw(3, 2, 4), None, r"x has shape \(3, 2, 4\)"),
        (draw(3, 2, 3), draw(2, 1, 4), "never batch-first"),
        (draw(3, 2, 3).astype(np.float32), None, "x is float32, expected float64"),
    ],
)
def test_wrong_calls_are_diagnosed(x, state, told):
    gpu, _ = pair("GRU")
    with pytest.raises(ValueError, match=told):
        gpu(cuda.to_device(x), None if state is None else cuda.to_device(state))


def test_what_is_not_done_is_refused():
    gpu, _ = pair("GRU")
    packed = fastlstm.pack_sequence([draw(3, 3), draw(2, 3)])
    with pytest.raises(TypeError, match="pad_packed_sequence gives one"):
        gpu(packed)
    with pytest.raises(ValueError, match="proj_size is not supported on the GPU"):
        fastlstm.LSTM(3, 4, proj_size=2, device="cuda")
    with pytest.raises(ValueError, match="device is 'gpu', expected 'cpu' or 'cuda'"):
        fastlstm.LSTM(3, 4, device="gpu")


def test_a_copy_runs_too():
    gpu, _ = pair("RNN")
    x = draw(3, 2, 3)
    assert_same(host(copy.deepcopy(gpu)(x)), host(gpu(x)))
    assert repr(gpu) == "RNN(3, 4, device='cuda')"
