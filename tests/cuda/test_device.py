"""The CUDA engine against the reference: on a GPU, or in Numba's simulator (NUMBA_ENABLE_CUDASIM=1).

`test_simulator.py` runs this file in the simulator; `make test-gpu` runs it on a GPU.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from fastlstm_lint.contract import Layer, sizes

from fastlstm.cuda import why_not
from fastlstm.reference import Reference

if why_not():
    pytest.skip(f"no GPU here: {why_not()}", allow_module_level=True)

from fastlstm.cuda import matrix
from fastlstm.cuda.arrays import as_device, upload
from fastlstm.cuda.engine import Engine
from fastlstm.cuda.machine import SIMULATOR
from fastlstm.cuda.shim import SIMULATED, cuda_module
from fastlstm.cuda.tile import _launches
from fastlstm.spec import INFERENCE, TRAINING, Call, Grads

# NumPy's scalars, of which the simulator makes the kernels' arithmetic, warn of infinity and NaN.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

cuda = cuda_module()
TOLERANCE = {"float32": 3e-4, "float64": 1e-9}
CELLS = [("LSTM", "tanh"), ("GRU", "tanh"), ("RNN", "tanh"), ("RNN", "relu")]
# (T, B, I, H): in the simulator a step takes 50 ms.
SIZES = [(3, 3, 2, 5)] if SIMULATED else [(3, 3, 2, 5), (9, 33, 40, 130), (33, 5, 7, 512), (20, 70, 100, 300)]
# (T, B, I, H, P)
PROJECTED = [(3, 3, 2, 5, 2)] if SIMULATED else [(3, 3, 2, 5, 2), (9, 33, 40, 130, 33), (20, 70, 100, 512, 300)]


def draw_arrays(config: Layer, dtype: str, T: int, B: int, *, packed: bool = False, seed: int = 0):
    """Parameters, x, states, batch_sizes."""
    draw = np.random.default_rng([5, seed])

    def normal(shape, scale=1.0):
        return (draw.standard_normal(shape) * scale).astype(dtype)

    scale = config.hidden_size**-0.5
    parameters = {name: normal(sizes(shape), scale) for name, shape in config.parameters().items()}
    states = tuple(normal(sizes(shape)) for shape in config.states(B).values())
    if not packed:
        return parameters, normal(sizes(config.input(T, B))), states, None
    lengths = np.sort(draw.integers(1, T + 1, B))[::-1]
    lengths[0], lengths[-1] = T, 1
    batch_sizes = (lengths[None] > np.arange(T)[:, None]).sum(1).astype(np.int64)
    return parameters, normal((int(batch_sizes.sum()), config.input_size)), states, batch_sizes


def host(value):
    return value.copy_to_host() if hasattr(value, "copy_to_host") else value


def run(engine, arrays, dtype, *, grad_output=True, grad_states=True, **keywords):
    """Every result of one forward and backward by name, on the host."""
    parameters, x, states, batch_sizes = arrays
    output, finals, saved = engine.forward(parameters, 1, x, states, Call(True, batch_sizes=batch_sizes, **keywords))
    draw = np.random.default_rng(7)
    above = draw.standard_normal(output.shape).astype(dtype) if grad_output else None
    after = tuple(draw.standard_normal(state.shape).astype(dtype) if grad_states else None for state in finals)
    grad_x, grad_initial, gradients = engine.backward(parameters, 1, saved, Grads(above, after))
    named = {"output": output, "grad_x": grad_x} | gradients
    named |= {f"final {n}": state for n, state in enumerate(finals)}
    named |= {f"grad_state {n}": state for n, state in enumerate(grad_initial)}
    return {name: np.array(host(value)) for name, value in named.items()}


def assert_agrees(config: Layer, dtype: str, T: int, B: int, *, persistent=None, packed=False, change=None, **keywords):
    """All results are the reference's. `change` may alter the engine before it runs."""
    arrays = draw_arrays(config, dtype, T, B, packed=packed)
    if not keywords.pop("has_states", True):
        arrays = (*arrays[:2], None, arrays[3])
    engine = Engine(config, dtype, persistent=persistent)
    if change:
        change(engine)
    found = run(engine, arrays, dtype, **keywords)
    truth = run(Reference(config, np.dtype(dtype)), arrays, dtype, **keywords)
    assert found.keys() == truth.keys()
    for name, expected in truth.items():
        scale = np.abs(expected).max(initial=0)
        np.testing.assert_allclose(
            found[name], expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * scale, err_msg=name
        )
    return found


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "nonlinearity"), CELLS)
@pytest.mark.parametrize(("T", "B", "I", "H"), SIZES)
def test_every_cell(kind, nonlinearity, dtype, persistent, T, B, I, H):
    assert_agrees(Layer(kind, I, H, nonlinearity=nonlinearity), dtype, T, B, persistent=persistent)


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("T", "B", "I", "H", "P"), PROJECTED)
def test_a_projection(dtype, persistent, T, B, I, H, P):
    assert_agrees(Layer("LSTM", I, H, proj_size=P), dtype, T, B, persistent=persistent)


def test_a_projected_stack_of_both_directions_with_reset_and_dropout():
    config = Layer("LSTM", 3, 5, 2, bidirectional=True, batch_first=True, proj_size=2)
    reset = np.array([[0, 1], [1, 0], [1, 1]], bool)
    mask = ((np.random.default_rng(1).random((2, 3, 4)) < 0.6) / 0.6).astype("float64")
    assert_agrees(config, "float64", 3, 2, reset=reset, masks=[mask])


@pytest.mark.parametrize("persistent", [True, False])
def test_projected_packed_sequences_of_both_directions_with_reset(persistent):
    reset = np.random.default_rng(2).random((4, 3)) < 0.4
    reset[0, 0] = True
    config = Layer("LSTM", 3, 5, bidirectional=True, bias=False, proj_size=3)
    assert_agrees(config, "float64", 4, 3, packed=True, reset=reset, persistent=persistent)


@pytest.mark.parametrize(("grad_output", "grad_states"), [(True, False), (False, True)])
def test_a_gradient_that_is_not_given_is_zero_with_a_projection(grad_output, grad_states):
    config = Layer("LSTM", 3, 4, proj_size=2)
    assert_agrees(config, "float64", 2, 2, grad_output=grad_output, grad_states=grad_states, has_states=False)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_stacks_of_both_directions_with_reset_and_dropout(kind, batch_first):
    config = Layer(kind, 3, 4, 2, bidirectional=True, batch_first=batch_first)
    draw = np.random.default_rng(1)
    lead = (2, 4) if batch_first else (4, 2)
    reset = np.array([[0, 1], [1, 0], [0, 0], [1, 1]], bool)
    mask = ((draw.random((*lead, 8)) < 0.6) / 0.6).astype("float64")
    assert_agrees(config, "float64", 4, 2, reset=reset, masks=[mask])


@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_packed_sequences_of_both_directions_with_reset(kind, persistent):
    reset = np.random.default_rng(2).random((5, 4)) < 0.4
    reset[0, 0] = True
    config = Layer(kind, 3, 4, bidirectional=True)
    assert_agrees(config, "float64", 5, 4, packed=True, reset=reset, persistent=persistent)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_without_bias_and_initial_states(kind):
    assert_agrees(Layer(kind, 3, 4, bias=False), "float64", 3, 2, has_states=False)


@pytest.mark.parametrize(("grad_output", "grad_states"), [(True, False), (False, True)])
def test_a_gradient_that_is_not_given_is_zero(grad_output, grad_states):
    assert_agrees(Layer("LSTM", 3, 4), "float64", 3, 2, grad_output=grad_output, grad_states=grad_states)


@pytest.mark.parametrize(("kind", "persistent"), list(product(["LSTM", "GRU"], [True, False])))
def test_weights_that_do_not_fit_are_read_in_stages(kind, persistent):
    """Little shared memory, few threads on a GPU too: several stages of depth, and weights read again in each step."""

    def starve(engine):
        engine._machine = replace(SIMULATOR, shared_bytes=5200 if persistent else 1000)
        for name, K in (("forward", 13), ("backward", 13 * engine._cell.GATES)):
            cut = engine.launch(name, 2).tile
            assert not cut.resident, cut
            assert cut.depth < K, cut
            assert cut.buffers == 2, cut

    assert_agrees(Layer(kind, 3, 13), "float64", 2, 2, persistent=persistent, change=starve)


@pytest.mark.parametrize("persistent", [True, False])
def test_weights_of_a_projection_that_do_not_fit_are_read_in_stages(persistent):
    """Both products' weights, several stages of depth each."""

    def starve(engine):
        engine._machine = replace(SIMULATOR, shared_bytes=8000 if persistent else 2000)
        for name, depths in (("forward", (9, 13)), ("backward", (13 * 4, 9))):
            pair = engine._pair(name, 2)
            for each, K in zip((pair.launch.tile, pair.second), depths, strict=True):
                assert not each.resident, each
                assert each.depth < K, each

    assert_agrees(Layer("LSTM", 3, 13, proj_size=9), "float64", 1, 2, persistent=persistent, change=starve)


def test_an_array_with_an_added_axis_is_contiguous_on_the_device():
    """NumPy gives the axis a stride of zero, with which Numba takes an array for a strided one."""
    for added in (np.arange(6.0).reshape(2, 3)[None], np.arange(6.0)[:, None]):
        there = upload(added)
        assert there.strides == np.empty(added.shape).strides
        np.testing.assert_array_equal(host(there), added)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_inputs_in_stages_beside_weights_that_stay(kind):
    def in_stages(engine):
        cell, H, chosen = engine._cell, engine.config.hidden_size, {}
        for name, gates, K in (("forward", cell.GATES, H), ("backward", 1, cell.GATES * H)):
            found = _launches(engine._machine, gates, H, K, 2, 1, 8, True)
            chosen[name] = next(one for one in found if one.tile.resident and one.tile.depth < K / 2)
        engine.launch = lambda name, B: chosen[name]

    assert_agrees(Layer(kind, 3, 13), "float64", 2, 2, change=in_stages)


def test_units_and_samples_shared_among_blocks():
    """More units than a block of a step has, more samples than a tile, neither a multiple."""

    def check(engine):
        engine._machine = SIMULATOR
        for launch in (engine.launch("forward", 10), engine.launch("backward", 10)):
            assert launch.blocks > 1, launch
            assert launch.blocks * launch.tile.units > 17, launch
            assert launch.groups > 1, launch
            assert launch.groups * launch.share > 10, launch

    assert_agrees(Layer("LSTM", 2, 17), "float64", 2, 10, persistent=False, change=check)


def test_the_outputs_of_a_projection_shared_among_blocks():
    """More units and outputs than a block has, more samples than a tile, none a multiple; blocks without outputs."""

    def check(engine):
        engine._machine = SIMULATOR
        there, back = engine._pair("forward", 10), engine._pair("backward", 10)
        for pair, cells, outputs in ((there, there.launch.tile, there.second), (back, back.second, back.launch.tile)):
            blocks = pair.launch.blocks
            assert blocks * cells.units > 17 > (blocks - 1) * cells.units, pair
            assert blocks * outputs.units > 3 > outputs.units, pair
            assert pair.launch.groups * pair.launch.share > 10, pair
        assert (there.launch.blocks - 1) * there.second.units > 3, there

    assert_agrees(Layer("LSTM", 2, 17, proj_size=3), "float64", 1, 10, persistent=False, change=check)


@pytest.mark.parametrize(("kind", "proj_size"), [("LSTM", 0), ("GRU", 0), ("LSTM", 3)])
def test_training_and_inference_give_the_same_bits(kind, proj_size):
    config = Layer(kind, 3, 5, bidirectional=True, proj_size=proj_size)
    parameters, x, states, batch_sizes = draw_arrays(config, "float32", 4, 3, packed=True)
    reset = np.random.default_rng(3).random((4, 3)) < 0.4
    engine = Engine(config, "float32")
    results = [
        engine.forward(parameters, 1, x, states, Call(train, batch_sizes=batch_sizes, reset=reset))
        for train in (True, False)
    ]
    assert results[1][2] is None
    for trained, inferred in zip((results[0][0], *results[0][1]), (results[1][0], *results[1][1]), strict=True):
        np.testing.assert_array_equal(host(inferred), host(trained))


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_sample(poison):
    config = Layer("LSTM", 3, 5)
    arrays = draw_arrays(config, "float32", 4, 3)
    dirty = arrays[1].copy()
    dirty[1, 1, 0] = poison
    found, truth = (
        run(engine, (arrays[0], dirty, *arrays[2:]), "float32")
        for engine in (Engine(config, "float32"), Reference(config, np.dtype("float32")))
    )
    clean = run(Engine(config, "float32"), arrays, "float32")
    for name in ("output", "grad_x"):
        np.testing.assert_array_equal(np.isnan(found[name]), np.isnan(truth[name]), err_msg=name)
        np.testing.assert_array_equal(found[name][:, [0, 2]], clean[name][:, [0, 2]])


def test_a_reset_forgets_what_is_not_finite():
    config = Layer("GRU", 3, 5)
    parameters, x, states, _ = draw_arrays(config, "float32", 3, 2)
    states[0][0, 0, 0] = np.nan
    reset = np.array([[True, False], [False, False], [False, False]])
    output = host(Engine(config, "float32").forward(parameters, 1, x, states, Call(False, reset=reset))[0])
    assert np.isfinite(output).all()


def test_changed_parameters_are_read_again_only_with_a_new_version():
    config = Layer("LSTM", 3, 4)
    parameters, x, _, _ = draw_arrays(config, "float32", 2, 1)
    engine = Engine(config, "float32")
    first = host(engine.forward(parameters, 1, x, None, INFERENCE)[0])
    parameters["weight_hh_l0"] *= -1
    np.testing.assert_array_equal(host(engine.forward(parameters, 1, x, None, INFERENCE)[0]), first)
    assert not np.array_equal(host(engine.forward(parameters, 2, x, None, INFERENCE)[0]), first)


def test_an_empty_batch():
    config = Layer("LSTM", 3, 4, bidirectional=True)
    found = run(Engine(config, "float32"), draw_arrays(config, "float32", 2, 0), "float32")
    assert found["output"].shape == (2, 0, 8)
    assert found["final 0"].shape == (2, 0, 4)
    assert not found["weight_hh_l0"].any()


def test_device_arrays_are_used_in_place():
    config = Layer("RNN", 2, 3)
    parameters, x, _, _ = draw_arrays(config, "float32", 2, 2)
    on_device = cuda.to_device(x)
    saved = Engine(config, "float32").forward(parameters, 1, on_device, None, TRAINING)[2]
    x[...] = 5
    on_device.copy_to_device(x)
    np.testing.assert_array_equal(host(saved.layers[0].rows), x.reshape(4, 2))


@pytest.mark.parametrize(("ta", "tb", "add"), list(product([False, True], repeat=3)))
def test_the_product_of_our_own(ta, tb, add):
    draw = np.random.default_rng(4)
    a, b, out = draw.standard_normal((5, 6)), draw.standard_normal((6, 7)), draw.standard_normal((5, 7))
    expected = a @ b + out if add else a @ b
    result = cuda.to_device(out)
    left, right = (cuda.to_device(np.ascontiguousarray(m.T if turned else m)) for m, turned in ((a, ta), (b, tb)))
    matrix.Own().multiply(left, right, result, ta=ta, tb=tb, add=add)
    np.testing.assert_allclose(host(result), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("value", "error", "told"),
    [
        ([1.0], TypeError, "x is a list"),
        (np.zeros((2, 2, 2), np.float64), ValueError, "x is float64, expected float32"),
    ],
)
def test_wrong_arrays_are_refused(value, error, told):
    config = Layer("RNN", 2, 3)
    with pytest.raises(error, match=told):
        Engine(config, "float32").forward(draw_arrays(config, "float32", 2, 2)[0], 1, value, None, INFERENCE)


def test_arrays_of_other_places_are_refused():
    class OnGpu7:
        __cuda_array_interface__ = None
        device = SimpleNamespace(index=7)

    with pytest.raises(ValueError, match="x is on GPU 7, expected 0, the current one"):
        as_device("x", OnGpu7(), np.float32)
    with pytest.raises(TypeError, match=r"x is a torch.Tensor, expected array on the GPU"):
        as_device("x", pytest.importorskip("torch").zeros(2), np.float32)
