"""fastlstm.torch.Recurrent is fastlstm.Recurrent on tensors, with torch's gradients."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import fastlstm
import fastlstm.torch
from fastlstm import cells
from fastlstm.engine import Engine
from fastlstm.reference import Reference
from fastlstm.spec import Call
from fastlstm.torch.cards import CardRunner
from fastlstm.torch.composed import composed

T, B, I, H = 5, 3, 4, 6


@fastlstm.cell(gates="a", states="h v", step="dt drive", unit="w")
def driven(m, gate, state, step, unit):
    v = m.exp(-step.dt * step.dt) * state.v + m.tanh(gate.a + step.drive)
    return m.tanh(v * unit.w), v


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng([seed, *shape]).normal(size=shape))


def pair(**options):
    """The torch module and the layer on arrays with the same parameters."""
    torch.manual_seed(0)
    module = fastlstm.torch.Recurrent(driven, I, H, **options, dtype=torch.float64)
    layer = fastlstm.Recurrent(driven, I, H, **options, dtype=np.float64)
    layer.load_state_dict(module.state_dict())
    return module, layer


FORMS = ["dense", "batch first, layers", "unbatched", "packed"]


@pytest.mark.parametrize("form", FORMS)
def test_values_and_gradients_are_those_of_the_layer_on_arrays(form: str) -> None:
    options = {"num_layers": 2, "bidirectional": True} if form != "dense" else {}
    module, layer = pair(**options, batch_first=form == "batch first, layers")
    lead = {"dense": (T, B), "batch first, layers": (B, T), "unbatched": (T,), "packed": (T, B)}[form]
    x, dt, drive = draw(*lead, I), draw(*lead, H, seed=1), draw(*lead[1:], H) if form == "dense" else draw(*lead, 1)
    count = 4 if options else 1
    states = (
        draw(count, *(() if form == "unbatched" else (B,)), H),
        draw(count, *(() if form == "unbatched" else (B,)), H),
    )
    reset = torch.tensor(np.random.default_rng(2).random((T,) if form == "unbatched" else (T, B)) < 0.3)
    leaves = [x, dt, drive, *states]
    for leaf in leaves:
        leaf.requires_grad_()

    def there(value: torch.Tensor):
        return pack_padded_sequence(value, [3, 5, 2], enforce_sorted=False) if form == "packed" else value

    def on_arrays(value):
        if isinstance(value, PackedSequence):
            return fastlstm.PackedSequence(value.data.detach().numpy(), value.batch_sizes.numpy(),
                                           value.sorted_indices.numpy(), value.unsorted_indices.numpy())  # fmt: skip
        return value.detach().numpy()

    step = {"drive": there(drive), "dt": there(dt)}
    output, final, every = module(there(x), states, reset=reset, step=step, all_states=True)
    due = layer(
        on_arrays(there(x)), tuple(map(on_arrays, states)), reset=reset.numpy(),
        step={name: on_arrays(value) for name, value in step.items()}, all_states=True,
    )  # fmt: skip

    def flat(value) -> torch.Tensor:
        return value.data if isinstance(value, PackedSequence) else value

    for one, other in zip((output, *final, *every), (due[0], *due[1], *due[2]), strict=True):
        other = other.data if isinstance(other, fastlstm.PackedSequence) else other
        np.testing.assert_allclose(flat(one).detach(), other, rtol=1e-12)
    grads = [torch.randn_like(flat(value)) for value in (output, *final, every[1])]
    loss = sum((flat(v) * g).sum() for v, g in zip((output, *final, every[1]), grads, strict=True))
    loss.backward()

    def like(value, grad: torch.Tensor):
        return value._replace(data=grad.numpy()) if isinstance(value, fastlstm.PackedSequence) else grad.numpy()

    grad_x, grad_state, grad_step = layer.backward(
        like(due[0], grads[0]), tuple(g.numpy() for g in grads[1:3]), grad_all_states=(None, like(due[2][1], grads[3]))
    )
    for name, parameter in module.named_parameters():
        np.testing.assert_allclose(parameter.grad, layer.grad[name], rtol=1e-9, atol=1e-12, err_msg=name)
    for leaf, value in ((x, grad_x), (states[0], grad_state[0]), (states[1], grad_state[1]), (dt, grad_step["dt"]),
                        (drive, grad_step["drive"])):  # fmt: skip
        if isinstance(value, fastlstm.PackedSequence):
            value, _ = fastlstm.pad_packed_sequence(value)
        np.testing.assert_allclose(leaf.grad, value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("cell", ["PeepholeLSTM", "LayerNormGRU", "minLSTM", "ResetBeforeGRU"])
def test_torch_finds_the_gradients_right(cell: str) -> None:
    torch.manual_seed(1)
    module = fastlstm.torch.Recurrent(getattr(cells, cell), 2, 3, bidirectional=True, dtype=torch.float64)
    names = list(dict(module.named_parameters()))

    def call(x: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        output, _ = torch.func.functional_call(module, dict(zip(names, weights, strict=True)), (x,))
        return output

    weights = [parameter.detach().clone().requires_grad_() for parameter in module.parameters()]
    assert torch.autograd.gradcheck(call, (draw(3, 2, 2).requires_grad_(), *weights))


def test_a_retained_graph_goes_back_twice() -> None:
    module, _ = pair()
    x, step = draw(T, B, I).requires_grad_(), {"dt": draw(T, B, H), "drive": draw(B, H)}
    output, _ = module(x, step=step)
    first = torch.autograd.grad(output.sum(), x, retain_graph=True)[0]
    torch.testing.assert_close(torch.autograd.grad(output.sum(), x)[0], first)


def test_a_step_of_an_optimiser_is_seen_and_a_changed_weight_refused() -> None:
    module, _ = pair()
    x, step = draw(T, B, I), {"dt": draw(T, B, H), "drive": draw(B, H)}
    before, _ = module(x, step=step)
    with torch.no_grad():
        module.weight_ih_l0.data.mul_(2)
    after, _ = module(x, step=step)
    assert not torch.equal(before, after)
    with torch.no_grad():
        module.weight_ih_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        after.sum().backward()


def test_copies_pickles_and_state_dicts() -> None:
    module, _ = pair(num_layers=2)
    x, step = draw(T, B, I), {"dt": draw(T, B, H), "drive": draw(B, H)}
    due = module(x, step=step)[0]
    other = fastlstm.torch.Recurrent(driven, I, H, 2, dtype=torch.float64)
    other.load_state_dict(module.state_dict())
    for twin in (other, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(twin(x, step=step)[0], due, rtol=0, atol=0)
    assert repr(module) == "Recurrent(driven, 4, 6, num_layers=2)"
    with torch.no_grad():
        assert not module(x, step=step)[0].requires_grad


def test_dropout_is_torchs_random_numbers_and_absent_in_evaluation() -> None:
    module = fastlstm.torch.Recurrent(cells.minGRU, I, H, 2, dropout=0.5)
    x = draw(T, B, I).float()
    torch.manual_seed(3)
    first = module(x)[0]
    torch.manual_seed(3)
    assert torch.equal(module(x)[0], first)
    assert not torch.equal(module(x)[0], first)
    module.eval()
    assert torch.equal(module(x)[0], module(x)[0])


def test_a_wrong_dropout_is_told_as_that_of_the_layer_on_arrays() -> None:
    for cls in (fastlstm.torch.Recurrent, fastlstm.Recurrent):
        with pytest.raises(ValueError, match=r"dropout is 1\.5, expected 0 to 1"):
            cls(cells.minGRU, I, H, 2, dropout=1.5)
        with pytest.raises(TypeError, match="dropout is a bool, expected float"):
            cls(cells.minGRU, I, H, 2, dropout=True)
        with pytest.warns(UserWarning, match="does nothing here.*num_layers is 1") as told:
            cls(cells.minGRU, I, H, dropout=0.5)
        assert told[0].filename == __file__


def test_first_values_of_unit_parameters() -> None:
    module = fastlstm.torch.Recurrent(cells.PeepholeLSTM, I, H, bidirectional=True, unit={"p_i": 0.5})
    assert (module.p_i_l0_reverse == 0.5).all()
    assert 0 < module.p_o_l0.abs().max() <= H**-0.5


def test_a_model_with_it_may_be_compiled() -> None:
    module = fastlstm.torch.Recurrent(cells.minGRU, I, H)
    compiled = torch.compile(lambda x: module(x * 2)[0] + 1, backend="eager")
    x = draw(T, B, I).float()
    with torch.no_grad():  # torch's tracer warns of .grad of what a call outside of the graph gives
        torch.testing.assert_close(compiled(x), module(x * 2)[0] + 1)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda m, x, s: m(x.float(), step=s), ValueError, "input is torch.float32, expected torch.float64"),
        (lambda m, x, s: m(x.numpy(), step=s), TypeError, "input is a numpy.ndarray, expected tensor"),
        (lambda m, x, s: m(x, x, step=s), TypeError, r"hx is a torch.Tensor, expected tuple \(h, v\)"),
        (lambda m, x, s: m(x), ValueError, "step has nothing, expected dt, drive"),
        (lambda m, x, s: m(x, step=s | {"dt": x}), ValueError, r"step\['dt'\] has shape \(5, 3, 4\)"),
        (lambda m, x, s: m(x[..., :2], step=s), ValueError, "input has shape"),
        (lambda m, x, s: m(x, step=s, reset=x > 0), ValueError, "reset has shape"),
        (lambda m, x, s: m(x.to("meta"), step=s), ValueError, "input is on meta, expected cpu as the layer"),
        (lambda m, x, s: m.half()(x.half(), step=s), ValueError, "expected float32 or float64 on a CPU"),
    ],
)
def test_a_wrong_call_is_told(wrong, error, message) -> None:
    module, _ = pair()
    with pytest.raises(error, match=message):
        wrong(module, draw(T, B, I), {"dt": draw(T, B, H), "drive": draw(B, H)})


def test_no_more_threads_than_torch_has(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int | None] = []
    forward = Engine.forward

    def watched(*arguments):
        taken.append(arguments[-1].threads)
        return forward(*arguments)

    monkeypatch.setattr(Engine, "forward", watched)
    module, _ = pair()
    before = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            module(draw(T, B, I), step={"dt": draw(T, B, 1), "drive": draw(T, B, 1)})
    finally:
        torch.set_num_threads(before)
    assert taken == [1, min(2, fastlstm.get_num_threads())]


@pytest.mark.parametrize("form", ["dense", "batch first, for all steps", "packed"])
@pytest.mark.parametrize("cell", [driven, *(getattr(cells, name) for name in ("sLSTM", "GRUD", "IndRNN", "LIF"))])
def test_torch_s_operators_compute_what_the_kernels_compute(cell, form: str) -> None:
    """What is done on a GPU, here on the CPU: heads, a diagonal, products inside the step, a slope of one's own."""
    torch.manual_seed(0)
    heads = {"num_heads": 3} if cell.recurrent == "heads" else {}
    options = {"num_layers": 2, "bidirectional": True, "batch_first": form.startswith("batch")}
    module = fastlstm.torch.Recurrent(cell, I, H, **options, **heads, dtype=torch.float64)
    packed = pack_padded_sequence(draw(T, B, I), [5, 3, 2]) if form == "packed" else None
    x = draw(B, T, I) if packed is None else packed.data
    if form == "dense":
        x = draw(T, B, I)
    lead = (B,) if "all steps" in form else x.shape[:-1]
    step = {name: draw(*lead, H, seed=n) for n, name in enumerate(cell.step)}
    states = [draw(4, B, H, seed=n).abs() + 0.3 for n in range(len(cell.states))]
    reset = torch.tensor(np.random.default_rng(2).random((T, B)) < 0.3)
    masks = [torch.nn.functional.dropout(x.new_ones(*x.shape[:-1], 2 * H), 0.4)]
    weights, found = list(module.parameters()), []
    leaves = [x, *states, *step.values()]
    for leaf in leaves:
        leaf.requires_grad_()
    sizes = None if packed is None else packed.batch_sizes
    runner = CardRunner(module.config, torch.float64)
    runner.engine = Reference(module.config, np.dtype(float))
    call = Call(False, sizes, reset, masks, step, all_states=True)
    for results in (runner(x, states, weights, call), composed(module.config, x, states, weights, call)):
        values = [results[0], *results[1], *results[2]]
        loss = sum((value * torch.arange(value.shape[-1])).cos().sum() for value in values)
        grads = torch.autograd.grad(loss, [*leaves, *weights], allow_unused=True, materialize_grads=True)
        found.append([*values, *grads])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_away_from_the_cpu_torch_s_operators_serve_and_say_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the meta device, which has shapes and no numbers, and is as far from the kernels as a GPU."""
    monkeypatch.setattr(fastlstm.torch.serve, "_warned", set())
    module = fastlstm.torch.Recurrent(driven, I, H, 2, bidirectional=True, dropout=0.5, device="meta", dtype=torch.half)
    x = torch.empty(T, B, I, device="meta", dtype=torch.half)
    step = {"dt": x.new_empty(T, B, H), "drive": x.new_empty(B, 1)}
    with pytest.warns(RuntimeWarning, match="are on meta, the kernels for GPUs have LSTM, GRU and RNN, and driven is"):
        output, (h_n, v_n), states = module(x, step=step, all_states=True)
    module(x, step=step)  # no second warning, which would be an error here
    assert (output.shape, h_n.shape, v_n.shape) == ((T, B, 2 * H), (4, B, H), (4, B, H))
    assert [value.shape for value in states] == [output.shape] * 2
    output.sum().backward()
    assert module.w_l0.grad.shape == (H,)


def test_a_layer_on_arrays_says_why_a_gpu_does_not_compute_it() -> None:
    with pytest.raises(
        ValueError, match="device is 'cuda', but the kernels for GPUs have LSTM, GRU and RNN, and JANET"
    ):
        fastlstm.Recurrent(cells.JANET, I, H, device="cuda")
    with pytest.raises(ValueError, match="device is 'gpu', expected 'cpu' or 'cuda'"):
        fastlstm.Recurrent(cells.JANET, I, H, device="gpu")
