"""The bridge's operators agree with torch.nn in values and gradients, and see every change of the weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from fastlstm_lint.contract import Layer
from torch import Tensor

from fastlstm.spec import INFERENCE, TRAINING
from fastlstm.torch import runner as run
from fastlstm.torch.composed import composed
from fastlstm.torch.graphs import forward_operator, read, spell
from fastlstm.torch.operators import Recurrence

KINDS = ("LSTM", "GRU", "RNN")
FORMS = {
    "plain": {},
    "stacked both ways": {"num_layers": 2, "bidirectional": True},
    "batch first, no bias": {"batch_first": True, "bias": False},
}


def case(kind: str, form: dict[str, object], dtype: torch.dtype = torch.float64):  # type: ignore[no-untyped-def]
    """A torch layer, its configuration, x and initial states; all of them want gradients."""
    torch.manual_seed(0)
    config = Layer(kind, 3, 5, **form)  # type: ignore[arg-type]
    module = getattr(torch.nn, kind)(3, 5, dtype=dtype, **form)
    shape = (2, 4, 3) if config.batch_first else (4, 2, 3)
    x = torch.randn(shape, dtype=dtype, requires_grad=True)
    count = config.num_layers * config.directions
    states = [torch.randn(count, 2, 5, dtype=dtype, requires_grad=True) for _ in config.state_names]
    return config, module, x, states


def by_torch(module: torch.nn.RNNBase, x: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
    output, final = module(x, tuple(states) if len(states) == 2 else states[0])
    return (output, *(final if isinstance(final, tuple) else (final,)))


def eager(config: Layer, module: torch.nn.RNNBase, x: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
    weights = list(module.parameters())
    runner = run.Runner(config, x.dtype)
    return Recurrence.apply(runner, TRAINING, len(states), x, *states, *weights)  # type: ignore[no-any-return]


def registered(config: Layer, module: torch.nn.RNNBase, x: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
    found = forward_operator(spell(config), x, states, list(module.parameters()), None, None, [], True)
    return found[: 1 + len(states)]


def stepwise(config: Layer, module: torch.nn.RNNBase, x: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
    output, final, _ = composed(config, x, states, list(module.parameters()), INFERENCE)
    return (output, *final)


WAYS = {"eager": eager, "registered": registered, "stepwise": stepwise}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_values_and_gradients_are_torchs(way: Callable[..., tuple[Tensor, ...]], kind: str, form: dict) -> None:  # type: ignore[type-arg]
    config, module, x, states = case(kind, form)
    ours, theirs = way(config, module, x, states), by_torch(module, x, states)
    for mine, due in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.detach(), due.detach(), atol=1e-12)
    inputs = [x, *states, *module.parameters()]
    grads = [torch.randn_like(due) for due in theirs]
    for mine, due in zip(
        torch.autograd.grad(ours, inputs, grads), torch.autograd.grad(theirs, inputs, grads), strict=True
    ):
        np.testing.assert_allclose(mine, due, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_backward_and_a_second_derivative_are_right(kind: str) -> None:
    config, module, x, states = case(kind, {})
    ours = eager(config, module, x, states)
    first = torch.autograd.grad(ours[0].sum(), x, retain_graph=True)[0]
    again = torch.autograd.grad(ours[0].sum(), x, retain_graph=True)[0]
    assert torch.equal(first, again)
    second = torch.autograd.grad(torch.autograd.grad(ours[0].sum(), x, create_graph=True)[0].pow(2).sum(), x)[0]
    theirs = stepwise(config, module, x, states)
    due = torch.autograd.grad(torch.autograd.grad(theirs[0].sum(), x, create_graph=True)[0].pow(2).sum(), x)[0]
    np.testing.assert_allclose(second, due, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_opcheck(kind: str) -> None:
    config, module, x, states = case(kind, {})
    weights = list(module.parameters())
    torch.library.opcheck(forward_operator, (spell(config), x, states, weights, None, None, [], True))


@pytest.mark.slow
def test_opcheck_with_resets_and_masks(kind: str, form: dict, twins, draw_input) -> None:  # type: ignore[no-untyped-def, type-arg]
    options = form | ({"dropout": 0.5} if "num_layers" in form else {})
    ours, _ = twins(kind, 3, 5, dtype=torch.float64, **options)
    weights = [parameter.detach().requires_grad_() for parameter in ours.parameters()]
    x = draw_input(ours).requires_grad_()
    reset = torch.rand(x.shape[1::-1] if ours.batch_first else x.shape[:2]) < 0.3
    masks = list(ours._masks(ours._config(), x))
    assert len(masks) == ours.num_layers - 1
    torch.library.opcheck(forward_operator, (spell(ours._config()), x, [], weights, None, reset, masks, True))


@pytest.mark.slow
def test_opcheck_of_packed_rows(kind: str, form: dict, twins, draw_states) -> None:  # type: ignore[no-untyped-def, type-arg]
    ours, _ = twins(kind, 3, 5, dtype=torch.float64, **form)
    weights = [parameter.detach().requires_grad_() for parameter in ours.parameters()]
    states = draw_states(ours)
    states = [state.requires_grad_() for state in (states if kind == "LSTM" else (states,))]
    x, batch_sizes = torch.randn(6, 3, dtype=torch.float64, requires_grad=True), torch.tensor([3, 2, 1])
    torch.library.opcheck(forward_operator, (spell(ours._config()), x, states, weights, batch_sizes, None, [], True))


def test_every_way_of_writing_a_weight_is_seen() -> None:
    config, module, x, states = case("LSTM", {})
    runner = run.Runner(config, x.dtype)

    def write_data() -> None:
        module.weight_hh_l0.data.neg_()

    def write_numpy() -> None:
        module.bias_hh_l0.detach().numpy()[0] += 1

    def write_no_grad() -> None:
        with torch.no_grad():
            module.weight_ih_l0.mul_(2)

    def replace_data() -> None:
        module.weight_hh_l0.data = module.weight_hh_l0.data.clone() + 1

    for write in (lambda: None, write_data, write_numpy, write_no_grad, replace_data):
        write()
        output = runner.forward(x, states, list(module.parameters()), INFERENCE)[0]
        np.testing.assert_allclose(output, by_torch(module, x, states)[0].detach(), atol=1e-12)


def test_nothing_is_kept_when_backward_never_runs() -> None:
    config, module, x, states = case("LSTM", {})
    before = len(run._kept)
    ours = eager(config, module, x, states)
    assert len(run._kept) == before + 1
    del ours
    assert len(run._kept) == before


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_configuration_survives_its_spelling(form: dict) -> None:  # type: ignore[type-arg]
    config = Layer("RNN", 3, 5, nonlinearity="relu", **form)
    assert read(spell(config)) == config
