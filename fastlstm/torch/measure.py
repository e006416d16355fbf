"""The two ways to compute a call with CUDA tensors, and how they are timed and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from fastlstm_lint.contract import sizes
from torch import Tensor

from fastlstm.spec import Call
from fastlstm.torch.chooser import Way
from fastlstm.torch.module import computed

# Of the largest value: cuDNN rounds to TF32 unless it is told not to, and over many steps that grows.
TOLERANCE = 0.05


def ways(
    module: Any,
    runner: Any,
    training: bool,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None,
) -> tuple[Way, Way]:
    """Ours and torch's own: output, final states, and in training the gradients of what wants one.

    On the call's own tensors, but on leaves of their own, so that no hook sees it and no gradient is added anywhere;
    and without dropout, so that no random number is drawn.
    """
    config = runner.config
    count = len(states)
    B = int(x.shape[0 if config.batch_first else 1] if batch_sizes is None else batch_sizes[0])
    run = getattr(torch._VF, module.mode.lower())

    def ours(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        output, final = computed(runner, x, rest[:count], rest[count:], Call(batch_sizes=batch_sizes))
        return output, *final

    def theirs(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        given = rest[:count] or [x.new_zeros(sizes(shape)) for shape in config.states(B).values()]
        hx = tuple(given) if len(given) == 2 else given[0]
        form = (list(rest[count:]), config.bias, config.num_layers, 0.0, module.training, config.bidirectional)
        if batch_sizes is None:
            return tuple(run(x, hx, *form, config.batch_first))
        return tuple(run(x, batch_sizes, hx, *form))

    def way(function: Any) -> Way:
        def once() -> Sequence[Tensor]:
            tensors = [tensor.detach().requires_grad_(tensor.requires_grad) for tensor in (x, *states, *weights)]
            with _unwatched():
                results = function(*tensors)
                if training:
                    wanted = [tensor for tensor in tensors if tensor.requires_grad]
                    results += torch.autograd.grad(results[0], wanted, torch.ones_like(results[0]), allow_unused=True)
            return results

        return once

    return way(ours), way(theirs)


def seconds(way: Way) -> float:
    """How long the GPU has to do with one run, launches included."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.current_stream().synchronize()
    start.record()
    way()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000


@torch.no_grad()
def agree(ours: Sequence[Tensor | None], theirs: Sequence[Tensor | None]) -> bool:
    """Whether nothing is grossly wrong: a kernel that computes something else must not win."""
    for one, other in zip(ours, theirs, strict=True):
        if (one is None) != (other is None):
            return False
        if one is not None and other is not None:
            finite = other[other.isfinite()]
            scale = finite.abs().max().item() if finite.numel() else 0.0
            if not torch.allclose(one, other, rtol=TOLERANCE, atol=TOLERANCE * scale, equal_nan=True):
                return False
    return True


@contextmanager
def _unwatched() -> Iterator[None]:
    """Hooks on saved tensors (offloading, checkpointing) see nothing of what is tried here."""
    if torch._C._autograd._saved_tensors_hooks_get_disabled_error_message() is None:
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor):
            yield
    else:
        yield
