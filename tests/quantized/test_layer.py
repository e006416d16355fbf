"""A quantized layer computes what its reference says, near what the layer computes that it was made from."""

import copy
import pickle

import numpy as np
import pytest

import fastlstm
from fastlstm.reference import Reference
from fastlstm.reference.narrow import NarrowReference
from fastlstm.spec import INFERENCE, Call

KINDS = ["LSTM", "GRU", "RNN"]


def made(kind, I, H, **options):
    return getattr(fastlstm, kind)(I, H, seed=1, **options)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def states_of(layer, B, seed=5):
    config = layer.config
    shapes = [[axis.size for axis in shape] for shape in config.states(B).values()]
    states = tuple(np.tanh(noise(*shape, seed=seed + n)) for n, shape in enumerate(shapes))
    return states if len(states) > 1 else states[0]


def exact(layer, x, states=None, **more):
    """In float64, with the weights that were rounded."""
    parameters = {name: value.astype(np.float64) for name, value in layer.state_dict().items()}
    reference = Reference(layer.config, np.dtype(np.float64))
    return reference.forward(parameters, 0, x.astype(np.float64), states, Call(False, **more))


@pytest.mark.parametrize("weights", ["int8", "float16"])
@pytest.mark.parametrize(
    ("kind", "I", "H", "B", "options"),
    [
        ("LSTM", 1, 1, 1, {}),
        ("LSTM", 7, 17, 2, {"num_layers": 2}),
        ("LSTM", 515, 33, 1, {}),
        ("LSTM", 5, 33, 50, {"proj_size": 9, "bias": False}),
        ("GRU", 7, 17, 13, {"bidirectional": True}),
        ("GRU", 5, 33, 1, {"bias": False}),
        ("RNN", 7, 17, 4, {}),
        ("RNN", 5, 33, 1, {"nonlinearity": "relu"}),
    ],
)
def test_one_step_is_the_reference_to_float_rounding(kind, I, H, B, options, weights):
    """One step, so that no h lies so near between two integers that float rounding decides."""
    layer = made(kind, I, H, **options)
    small = fastlstm.quantize(layer, weights)
    x, states = noise(1, B, I), states_of(layer, B)
    output, final = small(x, states)
    given = states if isinstance(states, tuple) else (states,)
    due, due_states, _ = NarrowReference(layer.config).forward(small.state_dict(), 0, x, given, INFERENCE)
    assert options.get("num_layers", 1) > 1 or np.abs(output - due).max() < 2e-6
    np.testing.assert_allclose(output, due, atol=2e-4)
    for one, other in zip(final if isinstance(final, tuple) else (final,), due_states, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("weights", "most"), [("int8", 0.02), ("float16", 1e-3)])
def test_sequences_are_near_float64(kind, weights, most):
    layer = made(kind, 19, 33, num_layers=2, bidirectional=True)
    small, x, states = fastlstm.quantize(layer, weights), noise(20, 9, 19), states_of(layer, 9)
    given = states if isinstance(states, tuple) else (states,)
    due = exact(layer, x, tuple(state.astype(np.float64) for state in given))[0]
    apart = np.abs(small(x, states)[0] - due).max()
    assert 0 < apart < most


def test_the_largest_weights_and_values_do_not_saturate():
    """Every weight and every h as large as can be, of one sign: the sum of all is exact."""
    H = 600
    layer = made("RNN", 4, H, nonlinearity="relu", bias=False)
    layer.weight_ih_l0 = np.zeros((H, 4))
    for sign in (1, -1):
        layer.weight_hh_l0 = np.full((H, H), sign / 8)
        h = np.full((1, 1, H), float(sign), np.float32)
        output, _ = fastlstm.quantize(layer)(noise(1, 1, 4), h)
        np.testing.assert_allclose(output, H / 8, rtol=1e-6)
    # And in words, where the sums are the largest.
    layer.weight_ih_l0 = np.full((H, 4), 0.5)
    output, _ = fastlstm.quantize(layer)(np.full((1, 1, 4), 3e30, np.float32))
    np.testing.assert_allclose(output, 6e30, rtol=1e-6)


def test_sums_of_the_most_columns_do_not_overflow():
    """So many inputs as are summed up in integers, each as large as its weight: 512 * 2047 * 2047."""
    layer = made("RNN", 512, 3, nonlinearity="relu", bias=False)
    layer.weight_ih_l0, layer.weight_hh_l0 = np.ones((3, 512)), np.zeros((3, 3))
    output, _ = fastlstm.quantize(layer)(np.full((1, 1, 512), 2.0, np.float32))
    np.testing.assert_allclose(output, 1024, rtol=1e-6)


@pytest.mark.parametrize(("kind", "most"), [("LSTM", 0.003), ("GRU", 0.005), ("RNN", 0.0125)])
def test_weights_of_x_have_more_than_eight_bits(kind, most):
    """With 8 outputs would be 0.0042, 0.0067 and 0.015 from float64, where weights are as torch initialises them."""
    layer, x = made(kind, 288, 288), noise(20, 2, 288)
    assert np.abs(fastlstm.quantize(layer)(x)[0] - exact(layer, x)[0]).max() < most


@pytest.mark.parametrize(("kind", "B"), [("LSTM", 5), ("GRU", 1), ("RNN", 9)])
def test_an_h_to_begin_with_may_be_larger_than_a_layers(kind, B):
    """Of such a row, and of no other, what rounding has left is rounded too: within 6e-5, else 0.0026 to 0.009."""
    layer = made(kind, 3, 600)
    layer.weight_hh_l0 = np.sign(layer.weight_hh_l0) / 64  # nothing is rounded but h
    small, x = fastlstm.quantize(layer), noise(1, B, 3)
    states = tuple(np.array(state) for state in np.atleast_1d(states_of(layer, B)).reshape(-1, 1, B, 600))
    states[0][:, ::2] *= 3
    given = states if len(states) > 1 else states[0]
    output = small(x, given)[0]
    due = NarrowReference(layer.config).forward(small.state_dict(), 0, x, states, INFERENCE)[0]
    np.testing.assert_allclose(output, due, atol=2e-6)
    wide, usual = (np.abs(output - exact(layer, x, tuple(s.astype(float) for s in states))[0])[:, n::2] for n in (0, 1))
    assert wide.max() < 6e-5
    assert B == 1 or usual.max() > wide.max()


@pytest.mark.parametrize("split", ["threads", "one"])
def test_threads_and_batches_change_nothing(split):
    layer = fastlstm.quantize(made("LSTM", 33, 65))
    x, h = noise(40, 7, 33), noise(1, 7, 65)
    h[:, ::2] *= 3
    states = h, noise(1, 7, 65)
    whole = layer(x, states)[0]
    count = fastlstm.get_num_threads()
    try:
        fastlstm.set_num_threads(1 if split == "one" else 3)
        again = layer(x, states)[0]
        each = [(x[:, b : b + 1].copy(), tuple(s[:, b : b + 1].copy() for s in states)) for b in range(7)]
        alone = np.concatenate([layer(*one)[0] for one in each], axis=1)
    finally:
        fastlstm.set_num_threads(count)
    assert np.array_equal(whole, again)
    assert np.array_equal(whole, alone)


def test_every_form_of_call():
    layer = fastlstm.quantize(made("LSTM", 5, 17, bidirectional=True))
    x = noise(6, 3, 5)
    output, (h, c) = layer(x)
    first = fastlstm.quantize(made("LSTM", 5, 17, bidirectional=True, batch_first=True))
    turned, _ = first(np.ascontiguousarray(x.swapaxes(0, 1)))
    assert np.array_equal(turned.swapaxes(0, 1), output)
    assert np.array_equal(layer(x[:, 0])[0], output[:, 0])
    again, _, states = layer(x, all_states=True)
    assert np.array_equal(again, output)
    assert states[1].shape == output.shape
    packed = fastlstm.pack_padded_sequence(x, np.array([6, 2, 4]), enforce_sorted=False)
    padded, lengths = fastlstm.pad_packed_sequence(layer(packed)[0])
    assert list(lengths) == [6, 2, 4]
    assert np.array_equal(padded[:2, 1], layer(x[:2, 1])[0])
    reset = np.zeros((6, 3), bool)
    reset[3] = True
    cut, _ = layer(x, (h, c), reset=reset)
    assert np.array_equal(cut[3:, :, :17], layer(x[3:])[0][:, :, :17])
    assert layer(x[:, :0])[0].shape == (6, 0, 34)


def test_not_a_number_stays_in_its_row():
    layer = fastlstm.quantize(made("LSTM", 5, 17))
    x = noise(4, 3, 5)
    fine = layer(x)[0]
    for value in (np.nan, np.inf):
        x[1, 1, 2] = value
        output = layer(x)[0]
        assert np.isnan(output[1:, 1]).all()
        assert np.array_equal(output[:, [0, 2]], fine[:, [0, 2]])
    tiny = np.full((1, 1, 5), 1e-38, np.float32)
    assert np.array_equal(layer(tiny)[0], layer(np.zeros_like(tiny))[0])


def test_cells_of_the_shelf():
    """The second multiplies within its step, where rows of W_hh that meet one value stand together."""
    x = noise(6, 3, 5)
    for cell in (fastlstm.cells.PeepholeLSTM, fastlstm.cells.ResetBeforeGRU):
        layer = fastlstm.Recurrent(cell, 5, 17, seed=1)
        apart = np.abs(fastlstm.quantize(layer)(x)[0] - exact(layer, x)[0]).max()
        assert 0 < apart < 0.01
    with pytest.raises(ValueError, match="IndRNN is not quantized: its recurrent product is 'diagonal'"):
        fastlstm.quantize(fastlstm.Recurrent(fastlstm.cells.IndRNN, 5, 17))
    with pytest.raises(ValueError, match="step is given, but LSTM has no step inputs"):
        fastlstm.quantize(made("LSTM", 5, 6))(x, step={"dt": x})


def test_wrong_arguments_are_told():
    layer = made("LSTM", 5, 6)
    with pytest.raises(ValueError, match="weights is 'int4', expected 'int8' or 'float16'"):
        fastlstm.quantize(layer, "int4")
    with pytest.raises(ValueError, match="layer is float64"):
        fastlstm.quantize(made("LSTM", 5, 6, dtype=np.float64))
    with pytest.raises(TypeError, match=r"layer is a .*Linear, expected LSTM, GRU, RNN or Recurrent"):
        fastlstm.quantize(fastlstm.Linear(3, 4))
    with pytest.raises(TypeError, match="one step does what a cell does"):
        fastlstm.quantize(fastlstm.LSTMCell(3, 4))
    with pytest.raises(TypeError, match="quantized already"):
        fastlstm.quantize(fastlstm.quantize(layer))
    small = fastlstm.quantize(layer)
    with pytest.raises(RuntimeError, match="for inference"):
        small.train()
    with pytest.raises(RuntimeError, match="for inference"):
        small.backward(None)
    with pytest.raises(ValueError, match=r"x has shape \(4, 3, 4\)"):
        small(noise(4, 3, 4))
    with pytest.raises(TypeError, match=r"state is a numpy.ndarray, expected tuple \(h, c\)"):
        small(noise(4, 3, 5), noise(1, 3, 6))
    layer.weight_hh_l0 = np.full((24, 6), 1e5)
    with pytest.raises(ValueError, match=r"weight_hh_l0 holds 1e\+05, and float16 ends at 65504"):
        fastlstm.quantize(layer, "float16")
    layer.weight_hh_l0 = np.full((24, 6), np.nan)
    with pytest.raises(ValueError, match="weight_hh_l0 holds NaN or infinity"):
        fastlstm.quantize(layer)


@pytest.mark.parametrize("weights", ["int8", "float16"])
@pytest.mark.parametrize("suffix", [".safetensors", ".npz"])
def test_saved_and_loaded(weights, suffix, tmp_path):
    layer = fastlstm.quantize(made("GRU", 5, 17, num_layers=2), weights)
    x = noise(6, 3, 5)
    output = layer(x)[0]
    fastlstm.save(layer.state_dict("encoder."), tmp_path / f"layer{suffix}")
    other = fastlstm.quantize(fastlstm.GRU(5, 17, 2, seed=9), weights)
    assert not np.array_equal(other(x)[0], output)
    other.load_state_dict(fastlstm.load(tmp_path / f"layer{suffix}"), "encoder.")
    assert np.array_equal(other(x)[0], output)
    assert layer.weight_hh_l1.dtype == np.dtype(weights)
    assert layer.weight_ih_l1.dtype == np.dtype("int16" if weights == "int8" else weights)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert np.array_equal(again(x)[0], output)
        assert repr(again) == f"quantize(GRU(5, 17, num_layers=2), weights={weights!r})"


def test_a_state_that_could_saturate_is_refused():
    """What a file says is not believed: of W_hh beyond 64 a sum of the kernel might saturate."""
    layer = fastlstm.quantize(made("LSTM", 5, 6))
    state = layer.state_dict()
    state["weight_hh_l0"][0, 0] = 65
    with pytest.raises(ValueError, match="weight_hh_l0 holds 65, expected integers within 64"):
        layer.load_state_dict(state)
    state["weight_hh_l0"][0, 0], state["weight_ih_l0"][0, 0] = 64, -32768
    with pytest.raises(ValueError, match="weight_ih_l0 holds 32768, expected integers within 2047"):
        layer.load_state_dict(state)
    state["weight_ih_l0"][0, 0] = -2047
    state["weight_hh_l0"] = state["weight_hh_l0"].astype(np.float32)
    with pytest.raises(ValueError, match="weight_hh_l0 is float32, expected int8"):
        layer.load_state_dict(state)
    with pytest.raises(KeyError, match="missing weight_ih_l0_scale"):
        layer.load_state_dict(made("LSTM", 5, 6).state_dict())


def test_dequantized_weights_are_within_half_a_step():
    layer = made("LSTM", 5, 6)
    small = fastlstm.quantize(layer)
    again, before = small.dequantized(), layer.state_dict()
    assert again.keys() == before.keys()
    for name in before:
        step = small.state_dict()[f"{name}_scale"][:, None] if "weight" in name else 0.0
        assert (np.abs(again[name] - before[name]) <= 0.5001 * step).all()
