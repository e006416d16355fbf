"""What the modules have in common: their weights, and the runner that packs them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from fastlstm.contract import Layer
from fastlstm.torch.operators import Recurrence, forward_operator, spell
from fastlstm.torch.runner import DTYPES, Runner
from fastlstm.torch.runner import forward as run_forward
from fastlstm.torch.serve import wants_gradient

RUNNER = "_fastlstm_runner"


class Accelerated(torch.nn.Module):
    """Comes before one of torch's recurrent classes, which keeps everything but `forward`.

    The runner lies in the instance's `__dict__` and is left out of copies and pickles, which hold what torch's do.
    """

    original: ClassVar[type[torch.nn.Module]]
    """torch's class: what `restore` makes of the module."""

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())
        state.pop(RUNNER, None)
        return state

    def __prepare_scriptable__(self) -> torch.nn.Module:
        """torch.jit.script compiles torch's own forward."""
        plain: torch.nn.Module = copy.copy(self)
        plain.__class__ = self.original
        return plain

    def _present(self, names: Sequence[str]) -> list[Any]:
        """The weights of these names. One that is not a parameter (weight_norm, pruning) is an attribute, or None."""
        parameters = self.__dict__["_parameters"]
        return [parameters[name] if name in parameters else getattr(self, name, None) for name in names]

    def _runner(self, config: Layer, dtype: torch.dtype) -> Runner:
        """The runner of the present configuration; `lstm.batch_first = True` after the constructor makes another."""
        runner: Runner | None = self.__dict__.get(RUNNER)
        if runner is None or runner.dtype is not dtype or runner.config != config:
            runner = self.__dict__[RUNNER] = Runner(config, dtype)
        return runner


def call(
    runner: Runner,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None = None,
    reset: Tensor | None = None,
    masks: Sequence[Tensor] = (),
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output and final states of a checked eager call, known to autograd where a gradient is wanted."""
    if wants_gradient((x, *states, *weights)):
        output, *final = Recurrence.apply(runner, batch_sizes, reset, tuple(masks), len(states), x, *states, *weights)
        return output, tuple(final)
    return run_forward(runner, x, states, weights, batch_sizes, reset, masks)[:2]


def trace(
    config: Layer,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None = None,
    reset: Tensor | None = None,
    masks: Sequence[Tensor] = (),
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same as a registered operator in a graph that torch.compile makes."""
    train = wants_gradient((x, *states, *weights))
    output, hn, cn, _ = forward_operator(
        spell(config), x, list(states), list(weights), batch_sizes, reset, list(masks), train
    )
    return output, (hn, cn) if config.kind == "LSTM" else (hn,)


def traceable(tensors: Sequence[Tensor]) -> bool:
    """A compiled graph may hold the registered operator. What is exported must run where this library is not."""
    return (
        not torch.compiler.is_exporting()
        and not torch.is_autocast_enabled("cpu")
        and all(tensor.device.type == "cpu" and tensor.dtype in DTYPES for tensor in tensors)
    )
