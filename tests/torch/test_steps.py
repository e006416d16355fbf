"""One step without a backward, as policies and decoders run it: a kernel of its own for small batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

I = 7
BATCHES = (1, 2, 3, 7, 8, 9, 16, 31, 32, 33, 40)
WIDTHS = (1, 5, 8, 16, 33, 70)


TOLERANCE = {
    torch.float32: {"rtol": 1.3e-6, "atol": 1e-5},
    torch.float64: {"rtol": 1e-10, "atol": 1e-12},
}


def close(mine: Any, due: Any) -> None:
    torch.testing.assert_close(mine, due, **TOLERANCE[(mine[0] if isinstance(mine, tuple) else mine).dtype])


@pytest.mark.slow
@pytest.mark.parametrize("H", WIDTHS)
@torch.no_grad()
def test_layers(kind: str, H: int, dtype: torch.dtype, form: dict[str, Any], twins: Any, kernel_calls: Any) -> None:
    ours, theirs = twins(kind, I, H, dtype=dtype, **form)
    count = ours.num_layers * (2 if ours.bidirectional else 1)
    for B in BATCHES:
        x = torch.randn((B, 1, I) if ours.batch_first else (1, B, I), dtype=dtype)
        h, c = torch.randn(2, count, B, H, dtype=dtype)
        given = (h, c) if kind == "LSTM" else h
        close(ours(x), theirs(x))
        close(ours(x, given), theirs(x, given))
    assert len(kernel_calls) == 2 * len(BATCHES)


@pytest.mark.slow
@pytest.mark.parametrize("H", WIDTHS)
@pytest.mark.parametrize("bias", [True, False], ids=["", "no bias"])
@torch.no_grad()
def test_cells(cell: str, H: int, bias: bool, dtype: torch.dtype, twins: Any, kernel_calls: Any) -> None:
    ours, theirs = twins(cell, I, H, bias, dtype=dtype)
    for B in BATCHES:
        x, states = torch.randn(B, I, dtype=dtype), torch.randn(2, B, H, dtype=dtype)
        given = (states[0], states[1]) if cell == "LSTMCell" else states[0]
        close(ours(x), theirs(x))
        close(ours(x, given), theirs(x, given))
        close(ours(x[0], (states[0, 0], states[1, 0]) if cell == "LSTMCell" else states[0, 0]),
              theirs(x[0], (states[0, 0], states[1, 0]) if cell == "LSTMCell" else states[0, 0]))  # fmt: skip
    assert len(kernel_calls) == 3 * len(BATCHES)


@torch.no_grad()
def test_many_steps_with_states_carried(kind: str, twins: Any) -> None:
    for module_kind in (kind, f"{kind}Cell"):
        ours, theirs = twins(module_kind, I, 20, dtype=torch.float64)
        mine = due = None
        for _ in range(50):
            x = torch.randn(4, I, dtype=torch.float64)
            if module_kind == kind:
                (output, mine), (other, due) = ours(x[None], mine), theirs(x[None], due)
                close(output, other)
            else:
                mine, due = ours(x, mine), theirs(x, due)
            close(mine, due)


@torch.no_grad()
def test_an_edit_of_any_weight_is_seen_in_the_next_step(kind: str, twins: Any) -> None:
    for module_kind in (kind, f"{kind}Cell"):
        ours, theirs = twins(module_kind, I, 20, dtype=torch.float64)
        x = torch.randn(*(() if "Cell" in module_kind else (1,)), 4, I, dtype=torch.float64)
        for name in ours.state_dict():
            close(ours(x), theirs(x))
            for module in (ours, theirs):
                getattr(module, name).data[0] += 0.5
        close(ours(x), theirs(x))
        for module in (ours, theirs):
            name = next(iter(module.state_dict()))
            getattr(module, name).data = getattr(module, name).data.clone().T.contiguous().T * 2
        close(ours(x), theirs(x))


def at_an_odd_address(shape: tuple[int, ...]) -> Tensor:
    size = torch.Size(shape).numel()
    tensor = torch.frombuffer(bytearray(2 + 4 * size), dtype=torch.float32, offset=2).view(shape)
    return tensor.copy_(torch.randn(shape))


def strided() -> dict[str, Tensor]:
    """(1, 4, I) in memory of many kinds."""
    return {
        "transposed": torch.randn(4, 1, I).transpose(0, 1),
        "features first": torch.randn(I, 1, 4).permute(1, 2, 0),
        "every second": torch.randn(1, 4, 2 * I)[..., ::2],
        "every second sample": torch.randn(1, 8, I)[:, ::2],
        "expanded": torch.randn(1, 1, I).expand(1, 4, I),
        "odd strides of axes of one": torch.randn(50).as_strided((1, 4, I), (99, I, 1)),
        "odd address": at_an_odd_address((1, 4, I)),
    }


@pytest.mark.parametrize("memory", strided())
@torch.no_grad()
def test_memory(memory: str, kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, I)
    x, h, c = (strided()[memory] for _ in range(3))
    given = (h, c) if kind == "LSTM" else h
    due = theirs(x.clone(), (h.clone(), c.clone()) if kind == "LSTM" else h.clone())
    close(ours(x, given), due)
    ours, theirs = twins(f"{kind}Cell", I, I)
    due = theirs(x[0].clone(), (h[0].clone(), c[0].clone()) if kind == "LSTM" else h[0].clone())
    close(ours(x[0], (h[0], c[0]) if kind == "LSTM" else h[0]), due)


@torch.no_grad()
def test_inputs_are_left_as_they_are_and_results_are_new(kind: str, twins: Any) -> None:
    ours, _ = twins(kind, I, I)
    x, h, c = (torch.randn(1, 4, I) for _ in range(3))
    copies = [tensor.clone() for tensor in (x, h, c)]
    given = (h, c) if kind == "LSTM" else h
    first, second = ours(x, given), ours(x, given)
    assert all(torch.equal(one, other) for one, other in zip((x, h, c), copies, strict=True))
    pointers = {tensor.data_ptr() for tensor in (x, h, c)}
    for output, final in (first, second):
        for tensor in (output, *(final if kind == "LSTM" else (final,))):
            assert tensor.data_ptr() not in pointers
            pointers.add(tensor.data_ptr())


@torch.no_grad()
def test_numbers_that_are_none(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, 9)
    for number in (float("nan"), float("inf"), -float("inf"), 1e30, 0.0):
        x = torch.randn(1, 5, I)
        x[0, 2, 3] = number
        torch.testing.assert_close(ours(x), theirs(x), equal_nan=True, rtol=1.3e-6, atol=1e-5)


@torch.no_grad()
def test_reset(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, 9, 2)
    x, reset = torch.randn(1, 5, I), torch.tensor([[True, False, True, False, False]])
    h, c = torch.randn(2, 2, 5, 9)
    keep = (~reset[0]).float()[:, None]
    mine = ours(x, (h, c) if kind == "LSTM" else h, reset=reset)
    close(mine, theirs(x, (h * keep, c * keep) if kind == "LSTM" else h * keep))
