"""A wrong call raises what torch raises, with torch's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

I, H = 3, 5
B, T = 3, 6

WRONG: dict[str, Callable[[], tuple[Any, ...]]] = {
    "nothing": tuple,
    "a list": lambda: ([1.0],),
    "one axis": lambda: (torch.randn(I),),
    "four axes": lambda: (torch.randn(1, T, B, I),),
    "features": lambda: (torch.randn(T, B, I + 1),),
    "integers": lambda: (torch.ones(T, B, I, dtype=torch.long),),
    "another dtype": lambda: (torch.randn(T, B, I, dtype=torch.float64),),
    "batch of the state": lambda: (torch.randn(T, B, I), torch.randn(1, B + 1, H)),
    "batch-first state": lambda: (torch.randn(T, B, I), torch.randn(B, 1, H)),
    "unbatched state": lambda: (torch.randn(T, B, I), torch.randn(1, H)),
    "batched state": lambda: (torch.randn(T, I), torch.randn(1, B, H)),
    "dtype of the state": lambda: (torch.randn(T, B, I), torch.randn(1, B, H, dtype=torch.float64)),
    "three states": lambda: (torch.randn(T, B, I), (torch.randn(1, B, H),) * 3),
    "None among the states": lambda: (torch.randn(T, B, I), (torch.randn(1, B, H), None)),
    "an int as the state": lambda: (torch.randn(T, B, I), 3),
    "a state on the meta device": lambda: (torch.randn(T, B, I), torch.randn(1, B, H, device="meta")),
}

CELL_WRONG: dict[str, Callable[[], tuple[Any, ...]]] = {
    "three axes": lambda: (torch.randn(T, B, I),),
    "features": lambda: (torch.randn(B, I + 1),),
    "another dtype": lambda: (torch.randn(B, I, dtype=torch.float64),),
    "batch of the state": lambda: (torch.randn(B, I), torch.randn(B + 1, H)),
    "features of the state": lambda: (torch.randn(B, I), torch.randn(B, H + 1)),
    "unbatched state": lambda: (torch.randn(B, I), torch.randn(H)),
    "three states": lambda: (torch.randn(B, I), (torch.randn(B, H),) * 3),
    "an int as the state": lambda: (torch.randn(B, I), 3),
}


def check(ours: torch.nn.Module, theirs: torch.nn.Module, args: tuple[Any, ...]) -> None:
    if "LSTM" in type(theirs).__name__ and len(args) == 2 and isinstance(args[1], Tensor):
        args = (args[0], (args[1], args[1]))
    with pytest.raises(Exception) as due:  # noqa: PT011 - which one is the question
        theirs(*args)
    with pytest.raises(due.type) as mine:
        ours(*args)
    assert str(mine.value).partition(".forward() missing")[1:] == str(due.value).partition(".forward() missing")[1:]
    assert str(mine.value) == str(due.value) or "missing" in str(due.value)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_layers(kind: str, wrong: Callable[[], tuple[Any, ...]], twins: Any) -> None:
    check(*twins(kind, I, H), wrong())


@pytest.mark.parametrize("wrong", CELL_WRONG.values(), ids=CELL_WRONG)
def test_cells(cell: str, wrong: Callable[[], tuple[Any, ...]], twins: Any) -> None:
    check(*twins(cell, I, H), wrong())


def test_states_in_one_tensor_are_refused(twins: Any) -> None:
    """(2, L, B, H) for the pair of an LSTM's states: torch takes a tuple or a list only."""
    for kind, args in (
        ("LSTM", (torch.randn(T, B, I), torch.randn(2, 1, B, H))),
        ("LSTMCell", (torch.randn(B, I), torch.randn(2, B, H))),
    ):
        ours, theirs = twins(kind, I, H)
        for module in (ours, theirs):
            with pytest.raises(TypeError):
                module(*args)
        pair = (args[0], list(args[1]))
        assert torch.allclose(ours(*pair)[0], theirs(*pair)[0], atol=1e-6)
