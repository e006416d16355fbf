"""The calls that nearly all programs make, with each check made once: the way through `forward` in 5 us instead of 50.

A plain tensor with a batch, plain parameters, no reset. Whatever is out of the ordinary gives None, also what is wrong:
then the module's own `forward` goes through all cases and finds the words.
"""

from __future__ import annotations

from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
import torch
from fastlstm_lint.contract import Layer
from torch import Tensor
from torch.nn import Parameter

from fastlstm.engine.pool import get_num_threads
from fastlstm.engine.unpacked import MOST_SAMPLES
from fastlstm.torch.module import RUNNER, call
from fastlstm.torch.runner import DTYPES, Runner
from fastlstm.torch.serve import surroundings, wants_gradient
from fastlstm.torch.step import advance

_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_CELL_WEIGHTS = (itemgetter(*_NAMES[:2]), itemgetter(*_NAMES))  # without and with bias
_FACTS = attrgetter("dtype", "shape", "is_cpu", "layout", "__class__")


def layer(module: Any, x: Any, hx: Any) -> tuple[Tensor, Any] | None:
    """What `_Layer.forward(x, hx)` returns, or None."""
    own = module.__dict__
    if type(x) is not Tensor or x.dim() != 3 or x.dtype not in DTYPES or not _dense(x) or surroundings() is not None:
        return None
    key = (
        own["mode"], own["input_size"], own["hidden_size"], own["num_layers"],
        own["bias"], own["batch_first"], own["bidirectional"], own["proj_size"],
    )  # fmt: skip
    runner: Runner | None = own.get(RUNNER)
    if runner is None or runner.key != key or runner.dtype is not x.dtype:
        runner = module._runner(module._config(), x.dtype)
        runner.key = key
    config, shape = runner.config, x.shape
    T, B = (shape[1], shape[0]) if config.batch_first else (shape[0], shape[1])
    states = _states(config, hx)
    if states is None or not T or not B or shape[2] != config.input_size:
        return None
    for state, (count, width) in zip(states, runner.widths, strict=False):
        if state.shape != (count, B, width) or state.dtype is not x.dtype or not _dense(state):
            return None
    weights, pointers = _weights(runner, own["_parameters"], own["_flat_weights_names"])
    if not pointers:
        return None
    masks = module._masks(config, x)
    may_step = T == 1 and B <= MOST_SAMPLES and not masks and runner.unpacked is not None
    if may_step and not wants_gradient((x, *states, *weights)):
        output, final = _step(runner, pointers, (shape[0], shape[1], runner.output_width), x, states)
    else:
        output, final = call(runner, x, states, weights, masks=masks)
    return output, final if len(final) == 2 else final[0]


def cell(module: Any, x: Any, hx: Any) -> Any:
    """What `_Cell.forward(x, hx)` returns, or None."""
    if type(x) is not Tensor or x.dim() != 2 or x.dtype not in DTYPES or surroundings() is not None:
        return None
    own = module.__dict__
    key = (own["input_size"], own["hidden_size"], own["bias"], own.get("nonlinearity"))
    runner: Runner | None = own.get(RUNNER)
    if runner is None or runner.key != key or runner.dtype is not x.dtype:
        config = module._config()
        if config.nonlinearity not in ("tanh", "relu"):
            return None
        runner = module._runner(config, x.dtype)
        runner.key, runner.facts = key, []
    config, (B, I) = runner.config, x.shape
    states = _states(config, hx)
    if states is None or not B or not I or config.input_size != I or not _dense(x):
        return None
    expected = (x.dtype, (B, config.hidden_size), True, torch.strided, Tensor)
    for state in states:
        if _FACTS(state) != expected or state.is_neg():
            return None
    try:
        weights = _CELL_WEIGHTS[bool(config.bias)](own["_parameters"])
        facts = list(map(_FACTS, weights))
    except (KeyError, AttributeError):  # a weight that something computes, or None
        return None
    # One comparison with what was found right before, for all weights.
    if facts != runner.facts or False in map(Tensor.is_contiguous, weights) or True in map(Tensor.is_neg, weights):
        if not _weights(runner, own["_parameters"], _NAMES[: len(weights)])[1]:
            return None
        runner.facts = facts
    after = advance(runner, weights, list(map(Tensor.data_ptr, weights)), x, states)
    return after if len(after) == 2 else after[0]


def _step(runner: Runner, pointers: list[int], shape: tuple[int, int, int], x: Tensor, states: Any) -> Any:
    if not x.is_contiguous():
        x = x.contiguous()
    for state in states:
        if not state.is_contiguous():
            states = [state.contiguous() for state in states]
            break
    assert runner.unpacked is not None
    dtype, B = DTYPES[x.dtype], shape[0] * shape[1]
    out = torch.from_numpy(np.empty(shape, dtype))
    final = [torch.from_numpy(np.empty((count, B, width), dtype)) for count, width in runner.widths[: runner.states]]
    h0, c0 = (states[0], states[-1]) if states else (out, out)
    runner.unpacked.step(
        pointers, B, min(torch.get_num_threads(), get_num_threads()), bool(states), x.data_ptr(), h0.data_ptr(),
        c0.data_ptr(), out.data_ptr(), final[0].data_ptr(), final[-1].data_ptr(),
    )  # fmt: skip
    return out, tuple(final)


def _weights(runner: Runner, parameters: Any, names: Any) -> tuple[list[Tensor], list[int]]:
    """The parameters and their addresses, where each is a plain one, as the configuration says and contiguous."""
    weights: list[Tensor] = []
    pointers: list[int] = []
    if len(names) != len(runner.shapes):
        return weights, pointers
    dtype = runner.dtype
    for name, shape in zip(names, runner.shapes, strict=True):
        weight = parameters.get(name)
        if (
            type(weight) is not Parameter
            or weight.dtype is not dtype
            or weight.shape != shape
            or not weight.is_contiguous()
            or not _dense(weight)
        ):
            return weights, []
        weights.append(weight)
        pointers.append(weight.data_ptr())
    return weights, pointers


def _states(config: Layer, hx: Any) -> tuple[Tensor, ...] | None:
    """No, one or two plain tensors."""
    if hx is None:
        return ()
    if config.kind != "LSTM":
        return (hx,) if type(hx) is Tensor else None
    if type(hx) is not tuple or len(hx) != 2 or type(hx[0]) is not Tensor or type(hx[1]) is not Tensor:
        return None
    return hx


def _dense(tensor: Tensor) -> bool:
    return tensor.is_cpu and tensor.layout is torch.strided and not tensor.is_neg()
