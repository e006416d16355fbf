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
CELLS = {"LSTM": fastlstm.LSTMCell, "GRU": fastlstm.GRUCell, "RNN": fastlstm.RNNCell}
PLACES = pytest.mark.parametrize("place", [np.asarray, cuda.to_device], ids=["host", "device"])


def pair(kind, **options):
    """The layer on the device and on the CPU, with the same parameters, in double precision."""
    layers = [KINDS[kind](3, 4, dtype=np.float64, seed=1, device=device, **options) for device in ("cuda", "cpu")]
    assert [layer.device for layer in layers] == ["cuda", "cpu"]
    return layers


def cells(kind, **options):
    """The cell on the device and on the CPU, as `pair`."""
    return [CELLS[kind](3, 4, dtype=np.float64, seed=1, device=device, **options) for device in ("cuda", "cpu")]


def host(value):
    if isinstance(value, fastlstm.PackedSequence):
        return value._replace(data=host(value.data))
    if isinstance(value, tuple):
        return tuple(map(host, value))
    return value.copy_to_host() if hasattr(value, "copy_to_host") else value


def assert_same(found, expected):
    if isinstance(expected, tuple):
        assert type(found) is type(expected)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif expected is None:
        assert found is None
    else:
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def assert_same_gradients(gpu, cpu):
    assert gpu.grad.keys() == cpu.grad.keys()
    for name, grad in cpu.grad.items():
        assert_same(gpu.grad[name], grad)


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
    assert_same_gradients(gpu, cpu)


@PLACES
@pytest.mark.parametrize(("kind", "lengths"), [("LSTM", [1, 3, 2]), ("GRU", [2, 1, 3]), ("RNN", [3, 2, 2])])
def test_packed_sequences_in_their_own_order(kind, lengths, place):
    """RNN: in falling order, so that there are no indices."""
    gpu, cpu = pair(kind, bidirectional=kind != "RNN")
    packed = fastlstm.pack_padded_sequence(draw(3, 3, 3), lengths, enforce_sorted=kind == "RNN")
    reset = draw(3, 3, seed=2) > 0.3
    rows = 1 if kind == "RNN" else 2
    state = (draw(rows, 3, 4, seed=3), draw(rows, 3, 4, seed=4)) if kind == "LSTM" else draw(rows, 3, 4, seed=3)
    placed = tuple(map(place, state)) if kind == "LSTM" else place(state)
    output, final = gpu(packed._replace(data=place(packed.data)), placed, reset=place(reset))
    expected, expected_final = cpu(packed, state, reset=reset)
    assert hasattr(output.data, "copy_to_host"), "the output stays on the device"
    assert_same(host(output), expected)
    assert_same(host(final), expected_final)
    above = expected._replace(data=draw(*expected.data.shape, seed=5))
    found = gpu.backward(above._replace(data=place(above.data)), placed)
    assert_same(host(found), cpu.backward(above, state))
    assert_same_gradients(gpu, cpu)


@PLACES
def test_a_projection_in_its_own_order(place):
    gpu, cpu = pair("LSTM", proj_size=2, bidirectional=True)
    packed = fastlstm.pack_padded_sequence(draw(3, 3, 3), [1, 3, 2], enforce_sorted=False)
    state = draw(2, 3, 2, seed=3), draw(2, 3, 4, seed=4)
    output, final = gpu(packed._replace(data=place(packed.data)), tuple(map(place, state)))
    expected, expected_final = cpu(packed, state)
    assert_same(host(output), expected)
    assert_same(host(final), expected_final)
    above = expected._replace(data=draw(*expected.data.shape, seed=5))
    assert_same(host(gpu.backward(above._replace(data=place(above.data)), state)), cpu.backward(above, state))
    assert_same_gradients(gpu, cpu)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.bool_])
@pytest.mark.parametrize(("batch_first", "lengths", "is_sorted"), [(False, [1, 3, 2], False), (True, [3, 2, 2], True)])
def test_packing_and_padding_stay_on_the_device(batch_first, lengths, is_sorted, dtype):
    x = (draw(*((3, 4) if batch_first else (4, 3)), 2) * 9).astype(dtype)
    options = {"batch_first": batch_first, "enforce_sorted": is_sorted}
    packed = fastlstm.pack_padded_sequence(cuda.to_device(x), lengths, **options)
    expected = fastlstm.pack_padded_sequence(x, lengths, **options)
    assert hasattr(packed.data, "copy_to_host")
    assert_same(host(packed), expected)
    options = {"batch_first": batch_first, "padding_value": 7, "total_length": 5}
    assert_same(host(fastlstm.pad_packed_sequence(packed, **options)),
                fastlstm.pad_packed_sequence(expected, **options))  # fmt: skip
    sequences = [x[b, :length] if batch_first else x[:length, b] for b, length in enumerate(lengths)]
    placed = [cuda.to_device(np.ascontiguousarray(sequence)) for sequence in sequences]
    assert_same(host(fastlstm.pad_sequence(placed, batch_first, 7)), fastlstm.pad_sequence(sequences, batch_first, 7))
    assert_same(host(fastlstm.pack_sequence(placed, is_sorted)), fastlstm.pack_sequence(sequences, is_sorted))


def test_sequences_of_two_places_are_refused():
    with pytest.raises(ValueError, match=r"sequences\[1\] and the first are not both on the host"):
        fastlstm.pad_sequence([draw(2, 3), cuda.to_device(draw(2, 3))])


@PLACES
@pytest.mark.parametrize("B", [None, 2])
@pytest.mark.parametrize("kind", CELLS)
def test_cells_step_and_go_back(kind, B, place):
    gpu, cpu = cells(kind)
    lead = () if B is None else (B,)
    x, count = draw(*lead, 3), 2 if kind == "LSTM" else 1
    after = expected = None
    for _ in range(2):  # from zeros, and from a state on the device
        after, expected = gpu(place(x), after), cpu(x, expected)
        assert_same(host(after), expected)
    above = tuple(draw(*lead, 4, seed=n + 6) for n in range(count))
    given, placed = (above, tuple(map(place, above))) if count == 2 else (above[0], place(above[0]))
    assert_same(host(gpu.backward(placed)), cpu.backward(given))
    assert_same_gradients(gpu, cpu)
    if kind == "LSTM":  # no gradient of h
        gpu(place(x), after), cpu(x, expected)
        assert_same(host(gpu.backward((None, placed[1]))), cpu.backward((None, given[1])))
        assert_same_gradients(gpu, cpu)


def test_a_cell_is_copied_and_keeps_its_options():
    cell = fastlstm.RNNCell(3, 4, bias=False, nonlinearity="relu", device="cuda", seed=1)
    other = fastlstm.RNNCell(3, 4, bias=False, nonlinearity="relu", seed=1)
    x = draw(2, 3).astype(np.float32)
    np.testing.assert_allclose(host(copy.deepcopy(cell)(x)), other(x), rtol=1e-5)
    assert repr(cell) == "RNNCell(3, 4, bias=False, nonlinearity=relu, device='cuda')"


@PLACES
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


PACKED = fastlstm.pack_sequence([draw(2, 3), draw(3, 3)], enforce_sorted=False)
WRONG = {
    "a wrong width": (draw(3, 2, 4), None, None),
    "a batch-first state": (draw(3, 2, 3), draw(2, 1, 4), None),
    "a wrong dtype": (draw(3, 2, 3).astype(np.float32), None, None),
    "a mask of numbers": (draw(3, 2, 3), None, draw(3, 2)),
    "a mask of one step": (draw(3, 2, 3), None, np.zeros(3, bool)),
    "packed rows of a wrong width": (PACKED._replace(data=draw(5, 2)), None, None),
    "packed rows of a wrong dtype": (PACKED._replace(data=PACKED.data.astype(np.float32)), None, None),
    "too few rows": (PACKED._replace(data=draw(4, 3)), None, None),
    "growing batch_sizes": (PACKED._replace(batch_sizes=np.array([1, 2, 2])), None, None),
    "one order without the other": (PACKED._replace(unsorted_indices=None), None, None),
    "orders as lists": (PACKED._replace(sorted_indices=[1, 0]), None, None),
    "a state for one sequence": (PACKED, draw(1, 1, 4), None),
    "a mask for three sequences": (PACKED, None, np.zeros((3, 3), bool)),
}


def told(call, *arguments, **keywords):
    """The error's class and words."""
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        call(*arguments, **keywords)
    return type(caught.value), str(caught.value)


def on_device(value):
    if isinstance(value, fastlstm.PackedSequence):
        return value._replace(data=on_device(value.data))
    return cuda.to_device(value) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("slip", WRONG)
def test_wrong_calls_are_diagnosed_as_on_the_cpu(slip):
    x, state, reset = WRONG[slip]
    gpu, cpu = pair("GRU")
    expected = told(cpu, x, state, reset=reset)
    assert told(gpu, x, state, reset=reset) == expected
    assert told(gpu, on_device(x), on_device(state), reset=on_device(reset)) == expected


def test_wrong_backwards_are_diagnosed_as_on_the_cpu():
    layers = pair("GRU")
    packed = on_device(PACKED), PACKED
    assert told(layers[0].backward, draw(3, 2, 4)) == told(layers[1].backward, draw(3, 2, 4))
    for layer, given in zip(layers, packed, strict=True):
        layer(given)
    other = fastlstm.pack_sequence([draw(3, 4), draw(1, 4)])
    for wrong in (draw(5, 4), other, PACKED):
        assert told(layers[0].backward, wrong) == told(layers[1].backward, wrong)
    both = [told(layer.backward, given, draw(1, 3, 4)) for layer, given in zip(layers, packed, strict=True)]
    assert both[0] == both[1]


@pytest.mark.parametrize(("x", "state"), [(draw(2, 4), None), (draw(2, 3), draw(4)), (draw(1, 2, 3), None)])
def test_wrong_steps_are_diagnosed_as_on_the_cpu(x, state):
    gpu, cpu = cells("GRU")
    assert told(gpu, on_device(x), on_device(state)) == told(cpu, x, state)
    gpu(draw(2, 3)), cpu(draw(2, 3))
    assert told(gpu.backward, on_device(draw(4))) == told(cpu.backward, draw(4))


def test_arrays_of_other_kinds_are_refused():
    gpu, _ = pair("GRU")
    with pytest.raises(TypeError, match="x is a list, expected array on the GPU"):
        gpu([[1.0]])
    with pytest.raises(TypeError, match=r"x.data is a list, expected array on the GPU"):
        gpu(PACKED._replace(data=[1.0]))
    with pytest.raises(TypeError, match="MaskedArray, expected numpy array: fill it first"):
        gpu(np.ma.masked_array(draw(3, 2, 3)))
    with pytest.raises(ValueError, match="device is 'gpu', expected 'cpu' or 'cuda'"):
        fastlstm.LSTM(3, 4, device="gpu")
    with pytest.raises(ValueError, match="device is 'gpu', expected 'cpu' or 'cuda'"):
        fastlstm.LSTMCell(3, 4, device="gpu")


def test_big_endian_arrays_are_read_as_on_the_cpu():
    gpu, cpu = pair("RNN")
    x = draw(2, 1, 3)
    assert_same(host(gpu(x.astype(">f8"))), cpu(x))


def test_a_copy_runs_too():
    gpu, _ = pair("RNN")
    x = draw(3, 2, 3)
    assert_same(host(copy.deepcopy(gpu)(x)), host(gpu(x)))
    assert repr(gpu) == "RNN(3, 4, device='cuda')"
