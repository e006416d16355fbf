"""Resets, against torch called step by step, and against torch called for each piece between two resets."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fastlstm.spec import Call
from fastlstm.torch.composed import composed

I, H, P = 3, 5, 4
B, T = 3, 6
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def stepwise(module: Any, x: Tensor, given: Any, reset: Tensor) -> tuple[Tensor, Any]:
    """torch's own module called one step at a time, with the states multiplied by zero where `reset` says so."""
    outputs = []
    for t in range(len(x)):
        keep = (~reset[t]).to(x.dtype)[:, None]
        given = tuple(part * keep for part in given) if isinstance(given, tuple) else given * keep
        output, given = module(x[t : t + 1], given)
        outputs.append(output)
    return torch.cat(outputs), given


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("projected", [False, True], ids=["", "projected"])
def test_step_by_step(
    kind: str, layers: int, projected: bool, dtype: torch.dtype, twins: Any, draw_states: Any
) -> None:
    options = {"proj_size": P} if projected and kind == "LSTM" else {}
    ours, theirs = twins(kind, I, H, layers, dtype=dtype, **options)
    x, given = torch.randn(T, B, I, dtype=dtype), draw_states(ours)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[0, 1] = reset[3, 0] = reset[3, 1] = reset[5, 2] = True
    ways = []
    for module in (ours, theirs):
        leaf = x.clone().requires_grad_()
        leaves = [part.clone().requires_grad_() for part in (given if kind == "LSTM" else (given,))]
        first: Any = tuple(leaves) if kind == "LSTM" else leaves[0]
        result = module(leaf, first, reset=reset) if module is ours else stepwise(module, leaf, first, reset)
        parts = [result[0], *(result[1] if kind == "LSTM" else (result[1],))]
        loss = sum((part * torch.arange(part.numel(), dtype=dtype).view_as(part).cos()).sum() for part in parts)
        ways.append([*parts, *torch.autograd.grad(loss, [leaf, *leaves, *module.parameters()])])
    tolerance = CLOSE if dtype == torch.float64 else {"rtol": 1e-5, "atol": 1e-5}
    for mine, due in zip(*ways, strict=True):
        torch.testing.assert_close(mine, due, **tolerance)


def in_pieces(module: Any, x: Tensor, reset: Tensor, lengths: list[int]) -> tuple[Tensor, list[Tensor]]:
    """Output and final states by torch from zero states: each sequence cut at its resets, each piece run alone.

    x: (T, B, I). No state passes a cut in either direction, so the last state of the forward direction is the last
    piece's and that of the reverse direction the first piece's.
    """
    output = x.new_zeros(len(x), len(lengths), module.hidden_size * (2 if module.bidirectional else 1))
    final = []
    for b, length in enumerate(lengths):
        cuts = [0, *[t for t in range(1, length) if reset[t, b]], length]
        ends = []
        for first, last in pairwise(cuts):
            output[first:last, b], states = module(x[first:last, b])
            ends.append(states if isinstance(states, tuple) else (states,))
        backwards = torch.arange(len(ends[0][0])) % 2 == 1 if module.bidirectional else torch.tensor([False])
        final.append(
            [torch.where(backwards[:, None], one, other) for one, other in zip(ends[0], ends[-1], strict=True)]
        )
    return output, [torch.stack(states, 1) for states in zip(*final, strict=True)]


def by_module(module: Any, x: Any, reset: Tensor) -> tuple[Any, Any]:
    """The kernels."""
    return module(x, reset=reset)


def by_composed(module: Any, x: Any, reset: Tensor) -> tuple[Any, Any]:
    """The layers from torch's operators; a packed batch has to be sorted."""
    weights, packed = list(module.parameters()), not isinstance(x, Tensor)
    rows, batch_sizes = (x.data, x.batch_sizes) if packed else (x, None)
    output, final, _ = composed(module._config(), rows, (), weights, Call(False, batch_sizes, reset))
    return x._replace(data=output) if packed else output, final if len(final) == 2 else final[0]


@pytest.mark.slow
@pytest.mark.parametrize("way", [by_module, by_composed])
@pytest.mark.parametrize("packed", [None, "sorted", "unsorted"], ids=["batch", "packed", "packed unsorted"])
def test_in_pieces(
    way: Callable[..., tuple[Any, Any]], packed: str | None, kind: str, form: dict[str, Any], twins: Any
) -> None:
    ours, theirs = twins(kind, I, H, dtype=torch.float64, **form)
    if way is by_composed and packed == "unsorted":
        lengths = [6, 6, 2]
    else:
        lengths = {"sorted": [6, 4, 1], "unsorted": [1, 6, 4], None: [6, 6, 6]}[packed]
    x = torch.randn(T, B, I, dtype=torch.float64)
    reset = torch.rand(T, B) < 0.4
    reset[2, 0] = reset[0, 1] = reset[5, 2] = True
    ways = []
    for module in (ours, theirs):
        leaf = x.clone().requires_grad_()
        given: Any = leaf.transpose(0, 1) if ours.batch_first else leaf
        if module is theirs:
            theirs.batch_first = False
            output, final = in_pieces(module, leaf, reset, lengths)
        else:
            if packed:
                given = pack_padded_sequence(
                    given, torch.tensor(lengths), ours.batch_first, enforce_sorted=packed == "sorted"
                )
            output, final = way(module, given, reset)
            if packed:
                output = pad_packed_sequence(output)[0]
            elif ours.batch_first:
                output = output.transpose(0, 1)
            final = final if kind == "LSTM" else (final,)
        parts = [output, *final]
        loss = sum((part * torch.arange(part.numel()).view_as(part).cos()).sum() for part in parts)
        ways.append([*parts, *torch.autograd.grad(loss, [leaf, *module.parameters()])])
    for mine, due in zip(*ways, strict=True):
        torch.testing.assert_close(mine, due, **CLOSE)


def test_unbatched(kind: str, form: dict[str, Any], twins: Any, draw_states: Any) -> None:
    ours, _ = twins(kind, I, H, dtype=torch.float64, **form)
    x, states = torch.randn(T, I, dtype=torch.float64), draw_states(ours, B=None)
    reset = torch.tensor([False, False, True, False, True, False])
    axis = 0 if ours.batch_first else 1
    batch_states = tuple(part[:, None] for part in states) if kind == "LSTM" else states[:, None]
    alone, final = ours(x, states, reset=reset)
    batch, batch_final = ours(x.unsqueeze(axis), batch_states, reset=reset[:, None])
    assert torch.equal(alone, batch.squeeze(axis))
    for one, other in zip(final, batch_final, strict=True):
        assert torch.equal(one.reshape(-1), other.reshape(-1))


def test_a_state_that_is_not_a_number_ends(kind: str, twins: Any) -> None:
    ours, _ = twins(kind, I, H)
    x = torch.randn(T, B, I, requires_grad=True)
    given = torch.full((1, B, H), float("nan"))
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[0] = True
    output, _ = ours(x, (given, given) if kind == "LSTM" else given, reset=reset)
    torch.testing.assert_close(output, ours(x)[0])
    (grad,) = torch.autograd.grad(output.sum(), x)
    assert grad.isfinite().all()


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "list": ([True], TypeError, "reset is a list, expected torch.Tensor"),
    "float": (torch.zeros(T, B), ValueError, "reset is torch.float32, expected torch.bool"),
    "batch first": (torch.zeros(B, T, dtype=torch.bool), ValueError, "never batch-first"),
    "features": (torch.zeros(T, B, H, dtype=torch.bool), ValueError, "no feature axis"),
}


@pytest.mark.parametrize(("reset", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong(reset: Any, error: type[Exception], message: str, twins: Any) -> None:
    ours, _ = twins("LSTM", I, H)
    with pytest.raises(error, match=message):
        ours(torch.randn(T, B, I), reset=reset)


def test_of_nothing(twins: Any) -> None:
    ours, _ = twins("LSTM", I, H)
    with pytest.raises(ValueError, match="an empty batch has no state to reset"):
        ours(torch.randn(T, 0, I), reset=torch.zeros(T, 0, dtype=torch.bool))
