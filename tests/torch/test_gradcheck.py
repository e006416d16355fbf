"""First and second derivatives of the modules against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

I, H = 3, 4
B = 2


def flat(result: Any) -> list[Tensor]:
    if isinstance(result, PackedSequence):
        return [result.data]
    return [result] if isinstance(result, Tensor) else [tensor for part in result for tensor in flat(part)]


def leaves(kind: str, module: Any, packed: bool, reset: bool) -> tuple[Callable[..., Any], tuple[Tensor, ...]]:
    """A function of x, the states and the parameters, for gradcheck, and these."""
    torch.manual_seed(0)
    x = torch.randn(3, B, I, dtype=torch.float64)
    given: Any = pack_padded_sequence(x, torch.tensor([1, 3]), enforce_sorted=False) if packed else x
    mask = torch.tensor([[False, True], [True, False], [False, False]]) if reset else None
    count = module.num_layers * (2 if module.bidirectional else 1)
    widths = [module.proj_size or H, H] if kind == "LSTM" else [H]
    states = [torch.randn(count, B, width, dtype=torch.float64) for width in widths]
    names = [name for name, _ in module.named_parameters()]

    def function(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        states, weights = rest[: len(widths)], dict(zip(names, rest[len(widths) :], strict=True))
        call = given._replace(data=x) if packed else x
        hx = states if kind == "LSTM" else states[0]
        options = {} if mask is None else {"reset": mask}
        return tuple(flat(torch.func.functional_call(module, weights, (call, hx), options)))

    inputs = (given.data if packed else x, *states, *[p.detach() for p in module.parameters()])
    return function, tuple(tensor.clone().requires_grad_() for tensor in inputs)


CHECKED: dict[str, dict[str, Any]] = {
    "plain": {},
    "stacked both ways, packed": {"num_layers": 2, "bidirectional": True, "packed": True},
    "reset": {"reset": True},
    "both ways, packed, reset": {"bidirectional": True, "packed": True, "reset": True},
    "projected": {"proj_size": 2},
}


@pytest.mark.parametrize("case", CHECKED.values(), ids=CHECKED)
def test_gradcheck(kind: str, case: dict[str, Any], twins: Any, kernel_calls: Any) -> None:
    """Against finite differences; fast mode compares along random directions."""
    options = {name: value for name, value in case.items() if name not in ("packed", "reset")}
    if kind != "LSTM":
        options.pop("proj_size", None)
    ours, _ = twins(kind, I, H, dtype=torch.float64, **options)
    function, inputs = leaves(kind, ours, case.get("packed", False), case.get("reset", False))
    assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
    assert kernel_calls
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


def test_gradcheck_of_cells(kind: str, twins: Any) -> None:
    ours, _ = twins(f"{kind}Cell", I, H, dtype=torch.float64)
    x = torch.randn(B, I, dtype=torch.float64, requires_grad=True)
    states = torch.randn(len(ours._config().state_names), B, H, dtype=torch.float64, requires_grad=True)

    def function(x: Tensor, states: Tensor, *_: Tensor) -> tuple[Tensor, ...]:
        return tuple(flat(ours(x, tuple(states) if kind == "LSTM" else states[0])))

    assert torch.autograd.gradcheck(function, (x, states, *ours.parameters()), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, (x, states, *ours.parameters()), fast_mode=True)
