"""What autograd may ask for: parts of the gradient, several backwards, checkpoints, hooks on saved tensors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from fastlstm.torch import runner as run

I, H = 3, 4
B, T = 2, 5
CLOSE = {"rtol": 1e-9, "atol": 1e-11}
CELLS = {"LSTM": "LSTMCell", "GRU": "GRUCell", "RNN": "RNNCell"}


def data() -> Tensor:
    return torch.randn(T, B, I, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def flat(result: Any) -> list[Tensor]:
    return [result] if isinstance(result, Tensor) else [tensor for part in result for tensor in flat(part)]


def loss_of(result: Any) -> Tensor:
    """One number in which every output and state counts differently."""
    parts = flat(result)
    return torch.stack([(part.pow(2) * (n + 1) + part.sin()).sum() for n, part in enumerate(parts)]).sum()


def close(mine: Any, due: Any) -> None:
    for one, other in zip(mine, due, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def test_gradient_of_the_input_only(kind: str, twins: Any, kernel_calls: Any) -> None:
    ways = []
    for module in twins(kind, I, H, 2, bidirectional=True, dtype=torch.float64):
        module.requires_grad_(False)
        x = data().requires_grad_()
        ways.append(torch.autograd.grad(loss_of(module(x)), x))
        assert all(parameter.grad is None for parameter in module.parameters())
    assert kernel_calls
    close(*ways)


def test_gradient_of_the_states_only(kind: str, twins: Any, draw_states: Any) -> None:
    ways = []
    for module in twins(kind, I, H, dtype=torch.float64):
        torch.manual_seed(0)
        states = draw_states(module, B=B)
        leaves = [state.requires_grad_() for state in flat(states)]
        module.requires_grad_(False)
        ways.append(torch.autograd.grad(loss_of(module(data(), states)), leaves))
    close(*ways)


@pytest.mark.parametrize("wanted", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])
def test_gradient_of_one_weight_only(kind: str, wanted: str, twins: Any) -> None:
    ways = []
    for module in twins(kind, I, H, dtype=torch.float64):
        module.requires_grad_(False)
        getattr(module, wanted).requires_grad_(True)
        loss_of(module(data())).backward()
        assert [name for name, p in module.named_parameters() if p.grad is not None] == [wanted]
        ways.append([getattr(module, wanted).grad])
    close(*ways)


def test_gradients_add_up(kind: str, twins: Any) -> None:
    ways = []
    for module in twins(kind, I, H, dtype=torch.float64):
        for scale in (1, 2, 3):
            loss_of(module(data() * scale)).backward()
        ways.append([parameter.grad for parameter in module.parameters()])
    close(*ways)


def test_one_module_several_times_in_one_graph(kind: str, twins: Any) -> None:
    """Its outputs and states go into itself, and the backwards come in an order of autograd's."""
    ways = []
    for module in twins(kind, H, H, dtype=torch.float64):
        x = torch.linspace(-1, 1, T * B * H, dtype=torch.float64).view(T, B, H).requires_grad_()
        first, state = module(x)
        second, state = module(first, state)
        third, _ = module(x + second, state)
        ways.append(torch.autograd.grad(loss_of((first, third)), [x, *module.parameters()]))
    close(*ways)


def test_a_cell_in_a_loop(kind: str, twins: Any) -> None:
    ways = []
    for module in twins(CELLS[kind], I, H, dtype=torch.float64):
        x, state = data().requires_grad_(), None
        for step in x:
            state = module(step, state)
        ways.append(torch.autograd.grad(loss_of(state), [x, *module.parameters()]))
    close(*ways)


def test_two_backwards_through_one_graph(kind: str, twins: Any) -> None:
    ways = []
    for module in twins(kind, I, H, 2, dropout=0.5, dtype=torch.float64):
        torch.manual_seed(0)
        x = data().requires_grad_()
        output, final = module(x)
        loss_of(output).backward(retain_graph=True)
        loss_of(final).backward()
        ways.append([x.grad, *[parameter.grad for parameter in module.parameters()]])
        with pytest.raises(RuntimeError, match="second time"):
            loss_of(output).backward()
    close(*ways)


def test_one_gradient_after_another(kind: str, twins: Any) -> None:
    ways = []
    for module in twins(kind, I, H, dtype=torch.float64):
        x = data().requires_grad_()
        output = module(x)[0]
        ways.append([torch.autograd.grad(output[t].sum(), x, retain_graph=True)[0] for t in range(T)])
    close(*ways)


PENALISED: dict[str, tuple[str, dict[str, Any]]] = {
    "LSTM": ("LSTM", {"num_layers": 2, "dropout": 0.5}),
    "GRU": ("GRU", {"num_layers": 2, "dropout": 0.5, "bidirectional": True}),
    "RNN": ("RNN", {"num_layers": 2, "bias": False, "batch_first": True}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "projected": ("LSTM", {"proj_size": 2, "bidirectional": True}),
}


@pytest.mark.parametrize(("kind", "options"), PENALISED.values(), ids=PENALISED)
def test_a_gradient_penalty(kind: str, options: dict[str, Any], twins: Any) -> None:
    """create_graph=True: torch's own operators differentiate a second time."""
    ways = []
    for module in twins(kind, I, H, dtype=torch.float64, **options):
        torch.manual_seed(0)
        x = data().requires_grad_()
        (grad,) = torch.autograd.grad(loss_of(module(x)), x, create_graph=True)
        grad.pow(2).sum().backward()
        ways.append([x.grad, *[parameter.grad for parameter in module.parameters()]])
    close(*ways)


@pytest.mark.parametrize("use_reentrant", [False, True], ids=["", "reentrant"])
def test_checkpoints(kind: str, use_reentrant: bool, twins: Any, kernel_calls: Any) -> None:
    """With dropout, whose masks the second forward draws again."""
    ours, theirs = twins(kind, I, H, 2, dropout=0.5, dtype=torch.float64)
    ways = []
    for module in (ours, theirs):
        torch.manual_seed(0)
        x = data().requires_grad_()
        result = checkpoint(module, x, use_reentrant=use_reentrant)
        loss_of(result).backward()
        ways.append([*[part.detach() for part in flat(result)], x.grad, *[p.grad for p in module.parameters()]])
    close(*ways)
    assert len(kernel_calls) == 2
    assert not run._kept


def test_a_checkpoint_keeps_nothing_until_its_backward(twins: Any) -> None:
    ours, _ = twins("LSTM", I, H)
    result = checkpoint(ours, torch.randn(T, B, I, requires_grad=True), use_reentrant=False)
    assert not run._kept
    del result


HOOKS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "save_on_cpu": lambda: torch.autograd.graph.save_on_cpu(),
    "clones": lambda: torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t),
    "numpy": lambda: torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().numpy().copy(), torch.from_numpy),
    "as they are": lambda: torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
    "anomaly": torch.autograd.detect_anomaly,
}


@pytest.mark.parametrize("hooks", HOOKS.values(), ids=HOOKS)
@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled:UserWarning")
def test_saved_tensors_hooks(hooks: Callable[[], Any], kind: str, twins: Any) -> None:
    ways = []
    for module in twins(kind, I, H, 2, dropout=0.5, dtype=torch.float64):
        torch.manual_seed(0)
        x = data().requires_grad_()
        with hooks():
            loss_of(module(x)).backward()
        ways.append([x.grad, *[parameter.grad for parameter in module.parameters()]])
    close(*ways)
    assert not run._kept


def test_without_a_graph(kind: str, twins: Any) -> None:
    """Under no_grad and inference_mode nothing is kept, and results are what autograd expects there."""
    ours, theirs = twins(kind, I, H, dtype=torch.float64)
    due = flat(theirs(data()))
    for mode, is_inference in ((torch.no_grad, False), (torch.inference_mode, True)):
        with mode():
            results = flat(ours(data()))
        close(results, [tensor.detach() for tensor in due])
        assert not any(tensor.requires_grad for tensor in results)
        assert all(tensor.is_inference() is is_inference for tensor in results)
        assert not run._kept
    frozen = ours.requires_grad_(False)
    assert not frozen(data())[0].requires_grad
    assert not run._kept


def test_an_inference_tensor_as_input(kind: str, twins: Any) -> None:
    with torch.inference_mode():
        x = data()
    for module in twins(kind, I, H, dtype=torch.float64):
        with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
            module(x)
        with torch.no_grad():
            module(x)


def test_an_input_written_to_before_the_backward_is_refused(kind: str, twins: Any) -> None:
    for module in twins(kind, I, H, dtype=torch.float64):
        x = data()
        loss = loss_of(module(x))
        x.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_a_backward_in_another_thread(kind: str, twins: Any) -> None:
    ways = []
    for module in twins(kind, I, H, dtype=torch.float64):
        loss = loss_of(module(data()))
        thread = threading.Thread(target=loss.backward)
        thread.start()
        thread.join()
        ways.append([parameter.grad for parameter in module.parameters()])
    close(*ways)


def test_nothing_is_kept_of_a_graph_that_is_dropped(kind: str, twins: Any) -> None:
    ours, _ = twins(kind, I, H)
    result = ours(torch.randn(T, B, I))
    assert len(run._kept) == 1
    del result
    assert not run._kept


def test_memory_does_not_grow(twins: Any) -> None:
    """A training loop asks for no more plans than one, an interrupted one gives them back."""
    ours, _ = twins("LSTM", I, H)
    x = torch.randn(T, B, I)
    for _ in range(5):
        ours(x)[0].sum().backward()
        ours(x)
    engine = ours._runner(ours._config(), torch.float32).engine
    assert sum(map(len, engine._idle.values())) == 1


@pytest.mark.parametrize("module_kind", ["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])
def test_second_derivatives_through_a_loop(module_kind: str, twins: Any) -> None:
    """The weights stand in each step, and are reached through the state before as well: counted once for each."""
    found = []
    for module in twins(module_kind, I, H, dtype=torch.float64):
        x = data().requires_grad_()
        state, parts = None, []
        for t in range(T):
            result = module(x[t] if "Cell" in module_kind else x[t : t + 1], state)
            state = result if "Cell" in module_kind else result[1]
            parts.append(loss_of(result))
        wanted = [x, *module.parameters()]
        grads = torch.autograd.grad(torch.stack(parts).sum(), wanted, create_graph=True)
        found.append([*grads, *torch.autograd.grad(loss_of(list(grads)), wanted)])
    close(*found)
