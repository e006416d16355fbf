"""Every form that an input may have: packed, strided, unbatched, empty, projected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence

Agree = Callable[..., None]
Form = dict[str, Any]
I, H, P = 3, 5, 4
B, T = 3, 6
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def test_batches(
    kind: str, form: Form, dtype: torch.dtype, twins: Any, agree: Agree, draw_input: Any, draw_states: Any
) -> None:
    ours, theirs = twins(kind, I, H, dtype=dtype, **form)
    x = draw_input(ours)
    agree(ours, theirs, x)
    agree(ours, theirs, x, draw_states(ours))


@pytest.mark.parametrize("order", ["sorted", "unsorted", "equal lengths"])
def test_packed(kind: str, form: Form, order: str, twins: Any, agree: Agree, draw_input: Any, draw_states: Any) -> None:
    lengths = {"sorted": [6, 3, 1], "unsorted": [1, 6, 3], "equal lengths": [6, 6, 6]}[order]
    ours, theirs = twins(kind, I, H, dtype=torch.float64, **form)
    packed = pack_padded_sequence(
        draw_input(ours), torch.tensor(lengths), ours.batch_first, enforce_sorted=order == "sorted"
    )
    agree(ours, theirs, packed)
    agree(ours, theirs, packed, draw_states(ours))
    output = ours(packed)[0]
    for field in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        assert getattr(output, field) is getattr(packed, field)


def test_unbatched(kind: str, form: Form, twins: Any, agree: Agree, draw_states: Any) -> None:
    ours, theirs = twins(kind, I, H, dtype=torch.float64, **form)
    x = torch.randn(T, I, dtype=torch.float64)
    agree(ours, theirs, x)
    agree(ours, theirs, x, draw_states(ours, B=None))


def test_projection(
    form: Form, dtype: torch.dtype, twins: Any, agree: Agree, draw_input: Any, draw_states: Any
) -> None:
    ours, theirs = twins("LSTM", I, H, proj_size=P, dtype=dtype, **form)
    x = draw_input(ours)
    agree(ours, theirs, x)
    agree(ours, theirs, x, draw_states(ours))
    packed = pack_padded_sequence(x, torch.tensor([2, 6, 4]), ours.batch_first, enforce_sorted=False)
    agree(ours, theirs, packed, draw_states(ours))


def test_relu(form: Form, twins: Any, agree: Agree, draw_input: Any) -> None:
    ours, theirs = twins("RNN", I, H, nonlinearity="relu", dtype=torch.float64, **form)
    agree(ours, theirs, draw_input(ours))


def strided(shape: tuple[int, int, int]) -> dict[str, Tensor]:
    """Tensors of a shape whose memory is not in the order of their axes."""
    a, b, c = shape
    return {
        "transposed": torch.randn(b, a, c, dtype=torch.float64).transpose(0, 1),
        "features first": torch.randn(c, a, b, dtype=torch.float64).permute(1, 2, 0),
        "every second feature": torch.randn(a, b, 2 * c, dtype=torch.float64)[..., ::2],
        "a slice of the features": torch.randn(a, b, c + 3, dtype=torch.float64)[..., 1 : c + 1],
        "some of a longer batch": torch.randn(a, b + 4, c, dtype=torch.float64)[:, 2 : 2 + b],
        "expanded over the batch": torch.randn(a, 1, c, dtype=torch.float64).expand(a, b, c),
        "one number": torch.tensor(0.5, dtype=torch.float64).expand(a, b, c),
        "at an offset": torch.randn(a * b * c + 5, dtype=torch.float64)[5:].view(a, b, c),
    }


@pytest.mark.slow
@pytest.mark.parametrize("memory", strided((1, 1, 1)))
@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
def test_strided(kind: str, batch_first: bool, memory: str, twins: Any, agree: Agree) -> None:
    ours, theirs = twins(kind, I, H, 2, batch_first=batch_first, dtype=torch.float64)
    x = strided((B, T, I) if batch_first else (T, B, I))[memory]
    h, c = strided((2, B, H))[memory], strided((2, B, H))[memory]
    agree(ours, theirs, x, (h, c) if kind == "LSTM" else h)


def test_memory_at_an_odd_address(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, H)
    memory = bytearray(2 + 4 * T * B * I)
    x = torch.frombuffer(memory, dtype=torch.float32, offset=2).view(T, B, I)
    x.copy_(torch.randn(T, B, I))
    with torch.no_grad():
        torch.testing.assert_close(ours(x)[0], theirs(x.clone())[0])


def test_a_gradient_of_any_memory(kind: str, twins: Any) -> None:
    """The gradient that comes in may be expanded, transposed, strided, lazily negated or missing."""
    ours, theirs = twins(kind, I, H, 2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64)
    reductions: list[Callable[[Any], Tensor]] = [
        lambda result: result[0].sum(),
        lambda result: result[0].transpose(0, 1).contiguous().cos().sum(),
        lambda result: result[0][..., ::2].pow(2).sum(),
        lambda result: result[0][-1].sum(),
        lambda result: (result[1][0] if kind == "LSTM" else result[1])[-1].exp().sum(),
        lambda result: (result[1][1] if kind == "LSTM" else result[1])[0].exp().sum(),
        lambda result: torch.complex(result[0], result[0]).conj().imag.sum(),
    ]
    for reduction in reductions:
        ways = []
        for module in (ours, theirs):
            leaf = x.clone().requires_grad_()
            loss = reduction(module(leaf))
            ways.append(torch.autograd.grad(loss, [leaf, *module.parameters()], allow_unused=True))
        for mine, due in zip(*ways, strict=True):
            # Where no gradient comes in, torch's operators have none and the kernels have zeros.
            torch.testing.assert_close(mine, torch.zeros_like(mine) if due is None else due, **CLOSE)


def test_results_may_be_written_to_before_the_backward(kind: str, twins: Any) -> None:
    ours, theirs = twins(kind, I, H, dtype=torch.float64)
    x = torch.randn(T, B, I, dtype=torch.float64)
    ways = []
    for module in (ours, theirs):
        output, final = module(x)
        h = final[0] if kind == "LSTM" else final
        loss = (output * 2).sum() + (h * 3).sum() if module is theirs else output.mul_(2).sum() + h.mul_(3).sum()
        ways.append(torch.autograd.grad(loss, list(module.parameters())))
    for mine, due in zip(*ways, strict=True):
        torch.testing.assert_close(mine, due, **CLOSE)


@pytest.mark.parametrize("options", [{}, {"bias": False}], ids=["bias", "no bias"])
def test_cells(cell: str, options: Form, dtype: torch.dtype, twins: Any, agree: Agree) -> None:
    for more in [{}, {"nonlinearity": "relu"}] if cell == "RNNCell" else [{}]:
        ours, theirs = twins(cell, I, H, dtype=dtype, **options, **more)
        x, states = torch.randn(B, I, dtype=dtype), torch.randn(2, B, H, dtype=dtype)
        given: Any = tuple(states) if cell == "LSTMCell" else states[0]
        agree(ours, theirs, x)
        agree(ours, theirs, x, given)
        agree(ours, theirs, x[0], tuple(states[:, 0]) if cell == "LSTMCell" else states[0, 0])
        agree(ours, theirs, torch.randn(I, B, dtype=dtype).T, given)


def test_any_truth_value_is_the_bias_of_a_cell(cell: str, twins: Any, agree: Agree) -> None:
    """torch takes RNNCell(3, 5, "relu"), where the third argument is the bias."""
    for bias in ("relu", 1, 0):
        ours, theirs = twins(cell, I, H, bias, dtype=torch.float64)
        agree(ours, theirs, torch.randn(B, I, dtype=torch.float64))
        with torch.no_grad():
            torch.testing.assert_close(ours(torch.ones_like(ours.weight_ih[:1])), theirs(torch.ones(1, I).double()))


@pytest.mark.parametrize("empty", ["batch", "sequence"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
def test_empty(kind: str, empty: str, batch_first: bool, twins: Any) -> None:
    """Without a sequence the results are empty, as torch's are; without a step torch's error."""
    ours, theirs = twins(kind, I, H, 2, batch_first=batch_first)
    x = torch.randn(T, 0, I) if empty == "batch" else torch.randn(0, B, I)
    x = x.transpose(0, 1) if batch_first else x
    if empty == "batch":
        (mine, final), (due, due_final) = ours(x), theirs(x)
        assert mine.shape == due.shape
        assert [one.shape for one in final] == [one.shape for one in due_final]
    else:
        with pytest.raises(RuntimeError) as due:
            theirs(x)
        with pytest.raises(RuntimeError) as mine:
            ours(x)
        assert str(mine.value) == str(due.value)


def test_empty_batches_of_cells(cell: str, twins: Any) -> None:
    ours, theirs = twins(cell, I, H)
    mine, due = ours(torch.randn(0, I)), theirs(torch.randn(0, I))
    for one, other in zip(mine, due, strict=True):
        assert one.shape == other.shape
