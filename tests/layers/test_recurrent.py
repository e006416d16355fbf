"""What a recurrent layer does beside computing torch's numbers: reset, dropout, odd arrays, NaN, copies, the tape."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import fastlstm

T, B, I, H = 7, 4, 3, 5
KINDS = ["LSTM", "GRU", "RNN"]


def normal(*shape: int, dtype: type = np.float64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def states_of(layer: Any, B: int, seed: int = 1) -> Any:
    rows = layer.config.num_layers * layer.config.directions
    h, c = normal(2, rows, B, layer.config.hidden_size, dtype=layer.dtype.type, seed=seed)
    return (h, c) if layer.config.kind == "LSTM" else h


def flat(value: Any) -> list[np.ndarray]:
    """All arrays in a result, whatever its form."""
    if isinstance(value, fastlstm.PackedSequence):
        return [value.data]
    return [array for item in value for array in flat(item)] if isinstance(value, tuple) else [value]


def assert_same(found: Any, expected: Any, **tolerance: float) -> None:
    for one, other in zip(flat(found), flat(expected), strict=True):
        np.testing.assert_allclose(one, other, **(tolerance or {"rtol": 1e-12, "atol": 1e-12}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("batch_first", [False, True])
def test_reset_is_torch_called_step_by_step_with_the_state_masked(
    kind: str, num_layers: int, batch_first: bool
) -> None:
    layer = getattr(fastlstm, kind)(I, H, num_layers, dtype=np.float64, seed=1, batch_first=batch_first)
    net = getattr(torch.nn, kind)(I, H, num_layers, dtype=torch.float64)
    net.load_state_dict({name: torch.tensor(value) for name, value in layer.state_dict().items()})
    x, state, reset = normal(T, B, I), states_of(layer, B), np.random.default_rng(2).random((T, B)) < 0.3
    reset[0, 0] = reset[3] = True

    x_torch = torch.tensor(x, requires_grad=True)
    initial = [torch.tensor(array, requires_grad=True) for array in flat(state)]
    now, steps = list(initial), []
    for t in range(T):
        now = [array * torch.tensor(~reset[t])[:, None] for array in now]
        step, after = net(x_torch[t : t + 1], tuple(now) if kind == "LSTM" else now[0])
        now = list(after) if kind == "LSTM" else [after]
        steps.append(step)

    def by_batch(array: np.ndarray) -> np.ndarray:
        return array.swapaxes(0, 1) if batch_first else array

    output, final = layer(np.ascontiguousarray(by_batch(x)), state, reset=reset)
    assert_same((by_batch(output), final), (torch.cat(steps).detach().numpy(), *[a.detach().numpy() for a in now]))

    torch.autograd.backward([torch.cat(steps), *now], [torch.cat(steps).detach(), *[array.detach() for array in now]])
    grad_x, grad_state = layer.backward(output, final)
    assert_same((by_batch(grad_x), grad_state), (x_torch.grad.numpy(), *[array.grad.numpy() for array in initial]))
    for name, parameter in net.named_parameters():
        assert_same(layer.grad[name], parameter.grad.numpy())


@pytest.mark.parametrize("kind", KINDS)
def test_reset_cuts_packed_sequences_in_their_own_order_and_both_directions(kind: str) -> None:
    layer = getattr(fastlstm, kind)(I, H, bidirectional=True, dtype=np.float64, seed=1).eval()
    x, lengths, cut = normal(T, 3, I), [4, 7, 5], [2, 5, 3]
    reset = np.zeros((T, 3), bool)
    reset[cut, [0, 1, 2]] = True
    output, _ = layer(fastlstm.pack_padded_sequence(x, lengths, enforce_sorted=False), reset=reset)
    padded, _ = fastlstm.pad_packed_sequence(output)
    for b in range(3):
        before, _ = layer(x[: cut[b], b])
        after, _ = layer(x[cut[b] : lengths[b], b])
        assert_same(padded[: lengths[b], b], np.concatenate([before, after]))
    assert_same(layer(x[:, 0], reset=reset[:, 0])[0], layer(x[:, :1], reset=reset[:, :1])[0][:, 0])


def test_reset_at_a_state_of_nan_starts_anew() -> None:
    lstm = fastlstm.LSTM(I, H, dtype=np.float64)
    x, nan = normal(T, B, I), np.full((1, B, H), np.nan)
    reset = np.zeros((T, B), bool)
    reset[0] = True
    assert_same(lstm(x, (nan, nan), reset=reset), lstm(x))
    assert np.isnan(lstm(x, (nan, nan))[0]).all()


def test_dropout_acts_between_layers_in_training_only() -> None:
    lstm = fastlstm.LSTM(I, H, 2, dropout=0.5, dtype=np.float64, seed=1)
    plain = fastlstm.LSTM(I, H, 2, dtype=np.float64)
    plain.load_state_dict(lstm.state_dict())
    x = normal(T, B, I)
    assert not np.allclose(lstm(x)[0], plain(x)[0])
    h_n = lstm(x)[1][0]
    assert_same(h_n[0], plain(x)[1][0][0])  # layer 0 itself is whole
    assert_same(lstm.eval()(x), plain(x))


def test_dropout_keeps_the_mean_of_what_the_second_layer_reads() -> None:
    rnn = fastlstm.RNN(I, 64, 2, nonlinearity="relu", dropout=0.3, dtype=np.float64, seed=1)
    first = fastlstm.RNN(I, 64, nonlinearity="relu", dtype=np.float64)
    first.load_state_dict({name: value for name, value in rnn.state_dict().items() if name.endswith("_l0")})
    identity = {"weight_ih_l1": np.eye(64), "weight_hh_l1": np.zeros((64, 64)), "bias_ih_l1": 0, "bias_hh_l1": 0}
    for name, value in identity.items():
        setattr(rnn, name, np.broadcast_to(np.float64(value), getattr(rnn, name).shape))
    x = normal(50, 20, I)
    whole, dropped = first(x)[0], rnn(x)[0]
    kept = dropped[whole > 0] != 0
    assert abs(kept.mean() - 0.7) < 0.01
    assert_same(dropped[dropped != 0], whole[dropped != 0] / 0.7)


@pytest.mark.parametrize("form", ["dense", "unbatched", "packed"])
def test_the_gradient_of_dropout_is_that_of_the_mask_drawn(form: str) -> None:
    x: Any = normal(T, B, I) if form == "dense" else normal(T, I)
    if form == "packed":
        x = fastlstm.pack_padded_sequence(normal(T, B, I), [7, 5, 5, 1])
    direction, step = normal(*flat(x)[0].shape, seed=3), 1e-6

    def loss(shift: float) -> tuple[float, Any]:
        lstm = fastlstm.LSTM(I, H, 3, dropout=0.4, dtype=np.float64, seed=1)  # the same masks every time
        moved = x._replace(data=x.data + shift * direction) if form == "packed" else x + shift * direction
        output = lstm(moved)[0]
        ones = output._replace(data=np.ones_like(output.data)) if form == "packed" else np.ones_like(output)
        return float(flat(output)[0].sum()), lstm.backward(ones)[0]

    found = np.vdot(flat(loss(0.0)[1])[0], direction)
    assert found == pytest.approx((loss(step)[0] - loss(-step)[0]) / (2 * step), rel=1e-6)


def test_everything_dropped_leaves_zeros() -> None:
    lstm = fastlstm.LSTM(I, H, 2, dropout=1.0, seed=1)
    second = fastlstm.LSTM(H, H, seed=1)
    second.load_state_dict({name[:-1] + "0": value for name, value in lstm.state_dict().items() if name.endswith("1")})
    assert_same(lstm(normal(T, B, I, dtype=np.float32))[0], second(np.zeros((T, B, H), np.float32))[0], atol=1e-6)


def as_read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def as_misaligned(x: np.ndarray) -> np.ndarray:
    buffer = bytearray(x.nbytes + 1)
    moved = np.frombuffer(buffer, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    assert not moved.flags.aligned
    return moved


LAYOUTS = {
    "read-only": as_read_only,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "Fortran-ordered": np.asfortranarray,
    "transposed": lambda x: x.swapaxes(0, 1).copy().swapaxes(0, 1),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "misaligned": as_misaligned,
    "a subclass": lambda x: x.view(np.recarray),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_array_is_read_right_however_it_lies(layout: str, dtype: type) -> None:
    lay = LAYOUTS[layout]
    lstm = fastlstm.LSTM(I, H, 2, dtype=dtype)
    x, (h, c), reset = normal(T, B, I, dtype=dtype), states_of(lstm, B), np.zeros((T, B), bool)
    reset[3, 1] = True
    expected = lstm(x, (h, c), reset=reset)
    expected_grads = lstm.backward(expected[0], (h, c))
    found = lstm(lay(x), (lay(h), lay(c)), reset=np.asfortranarray(reset))
    found_grads = lstm.backward(lay(expected[0]), (lay(h), lay(c)))
    assert_same((found, found_grads), (expected, expected_grads), rtol=0)
    cell = fastlstm.GRUCell(I, H, dtype=dtype)
    assert_same(cell(lay(x[0]), lay(h[0])), cell(x[0], h[0]), rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_flow_through_as_in_torch(kind: str, value: float) -> None:
    layer = getattr(fastlstm, kind)(I, H, dtype=np.float64, seed=1)
    net = getattr(torch.nn, kind)(I, H, dtype=torch.float64)
    net.load_state_dict({name: torch.tensor(array) for name, array in layer.state_dict().items()})
    x = normal(T, B, I)
    x[2, 1, 0] = value
    output, final = layer(x)
    truth, final_truth = net(torch.tensor(x))
    assert_same(output, truth.detach().numpy())
    assert_same(
        final, tuple(a.detach().numpy() for a in final_truth) if kind == "LSTM" else final_truth.detach().numpy()
    )
    others = [0, 2, 3]
    assert np.isfinite(output[:, others]).all()
    grad_x, _ = layer.backward(np.ones_like(output))
    assert np.isfinite(grad_x[:, others]).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_an_empty_batch_gives_empty_results_and_zero_gradients(kind: str, batch_first: bool) -> None:
    layer = getattr(fastlstm, kind)(I, H, 2, bidirectional=True, batch_first=batch_first)
    x = np.zeros((0, T, I) if batch_first else (T, 0, I), np.float32)
    output, final = layer(x)
    assert output.shape == ((0, T, 2 * H) if batch_first else (T, 0, 2 * H))
    assert all(state.shape == (4, 0, H) for state in flat(final))
    grad_x, _ = layer.backward(output, final)
    assert grad_x.shape == x.shape
    assert all(not grad.any() for grad in layer.grad.values())


@pytest.mark.parametrize("kind", KINDS)
def test_results_belong_to_the_caller(kind: str) -> None:
    """A later call writes into no array that an earlier one gave, nor into the arguments."""
    layer = getattr(fastlstm, kind)(I, H)
    x, state = normal(T, B, I, dtype=np.float32), states_of(layer, B)
    given = [array.copy() for array in (x, *flat(state))]
    first = layer(x, state)
    first_grads = layer.backward(first[0], state)
    kept = [array.copy() for array in flat((first, first_grads))]
    second = layer(x + 1, state)
    layer.backward(second[0], state)
    assert_same(tuple(flat((first, first_grads))), tuple(kept), rtol=0)
    assert_same((x, *flat(state)), tuple(given), rtol=0)
    assert all(array.flags.writeable for array in kept)


def test_one_state_array_may_serve_as_h_and_c() -> None:
    lstm, zeros = fastlstm.LSTM(I, H), np.zeros((1, B, H), np.float32)
    x = normal(T, B, I, dtype=np.float32)
    assert_same(lstm(x, (zeros, zeros)), lstm(x), rtol=0)
    assert not zeros.any()


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_add_up_until_zero_grad(kind: str) -> None:
    layer = getattr(fastlstm, kind)(I, H, dtype=np.float64)
    assert layer.grad == {}
    for _ in range(2):
        output, _ = layer(normal(T, B, I))
        layer.backward(output)
    twice = {name: grad.copy() for name, grad in layer.grad.items()}
    layer.zero_grad()
    assert layer.grad == {}
    output, _ = layer(normal(T, B, I))
    layer.backward(output)
    for name, grad in layer.grad.items():
        assert_same(twice[name], 2 * grad)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tape_goes_back_through_an_earlier_forward(kind: str) -> None:
    layer = getattr(fastlstm, kind)(I, H, dtype=np.float64)
    x = normal(T, B, I)
    output, _ = layer(x)
    whole = layer.backward(output)
    whole_grads = dict(layer.grad)
    layer.zero_grad()

    first, between = layer(x[:3])
    tape = layer.tape
    second, _ = layer(x[3:], between)
    late, grad_between = layer.backward(second)
    early, grad_initial = layer.backward(first, grad_between, tape=tape)
    assert_same((np.concatenate([early, late]), grad_initial), whole)
    for name, grad in layer.grad.items():
        assert_same(grad, whole_grads[name])
    with pytest.raises(RuntimeError, match="backward was called already"):
        layer.backward(first, tape=tape)


@pytest.mark.parametrize(
    "clone", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))], ids=["copy", "pickle"]
)
@pytest.mark.parametrize(
    "layer",
    [
        fastlstm.LSTM(I, H, 2, dropout=0.5, seed=1),
        fastlstm.GRU(I, H, batch_first=True, bidirectional=True),
        fastlstm.RNN(I, H, nonlinearity="relu", dtype=np.float64),
        fastlstm.LSTMCell(I, H),
        fastlstm.Linear(I, H),
    ],
    ids=repr,
)
def test_a_copy_computes_the_same_and_is_its_own(layer: Any, clone: Any) -> None:
    x = normal(B, I) if "Cell" in repr(layer) else normal(T, B, I)
    x = x.astype(layer.dtype)
    layer(x)
    twin = clone(layer)
    assert repr(twin) == repr(layer)
    assert twin.tape is None
    assert_same(twin(x), layer(x), rtol=0)  # the same random numbers, too
    name = next(iter(layer.state_dict()))
    before = getattr(layer, name).copy()
    setattr(twin, name, np.zeros_like(before))
    assert_same(getattr(layer, name), before, rtol=0)
    assert not np.allclose(flat(twin(x))[0], flat(layer(x))[0])


def test_a_layer_says_how_it_was_built() -> None:
    assert (
        repr(fastlstm.LSTM(3, 4, 2, batch_first=True, dropout=0.5))
        == "LSTM(3, 4, num_layers=2, batch_first=True, dropout=0.5)"
    )
    assert repr(fastlstm.RNN(3, 4, nonlinearity="relu")) == "RNN(3, 4, nonlinearity=relu)"
    assert repr(fastlstm.RNNCell(3, 4, False, "relu")) == "RNNCell(3, 4, bias=False, nonlinearity=relu)"
