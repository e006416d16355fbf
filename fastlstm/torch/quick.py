"""The calls that nearly all programs make, looked at once for each kind; one like an earlier one is known at once.

A plain tensor with a batch, plain parameters, no reset. Whatever is out of the ordinary gives None, also what is wrong:
then the module's own `forward` goes through all cases and finds the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from fastlstm.engine.pool import get_num_threads
from fastlstm.engine.unpacked import MOST_SAMPLES
from fastlstm.spec import INFERENCE, TRAINING, Call
from fastlstm.torch.module import RUNNER, recurrence
from fastlstm.torch.runner import DTYPES, Runner
from fastlstm.torch.serve import surroundings, wants_gradient
from fastlstm.torch.step import advance

try:
    from torch._C._dynamo import guards
except ImportError:  # not in every torch: then every call is looked at like the first of its kind
    guards = None  # type: ignore[assignment]

_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
_OF_LAYER = itemgetter(
    "mode", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "bidirectional", "proj_size",
    "training", "dropout",
)  # fmt: skip
_OF_CELL = itemgetter("input_size", "hidden_size", "bias")

# A rollout's, a training's and a validation's calls, and some for lengths that vary.
MOST_KINDS = 6


class _Kind:
    """Calls that are alike: what was found out about the first is true of the others.

    alike: whether tensors have dtypes, shapes, strides, classes, `requires_grad` and what is around them (a transform,
    autocast, a dispatch mode) as those of the first, asked in C++: of seven tensors in a third of the time that
    Python takes for the four weights.
    """

    __slots__ = (
        "alike",
        "count",
        "dense",
        "grad",
        "own",
        "samples",
        "shape",
        "steps",
        "threads",
        "turned",
        "wants_gradient",
    )

    def __init__(self, own: Any, states: Sequence[Tensor], tensors: Sequence[Tensor]) -> None:
        unlimited: Any = dict.fromkeys(("dynamic_dims_sizes", "dynamic_dims_strides"))
        self.alike = guards.TensorGuards(*tensors, **unlimited).check if guards else _never
        self.own, self.count = own, len(states)
        self.grad, self.wants_gradient = torch.is_grad_enabled(), wants_gradient(tensors)
        self.dense = all(tensor.is_contiguous() for tensor in tensors)
        # For one step of a layer: whether this is one, B, the output's shape, whether that is not the state's, and
        # whether there is work for more than one thread.
        self.steps, self.samples, self.shape, self.turned, self.threads = False, 0, (0, 0, 0), False, False


def _never(*_: Any) -> bool:
    return False


def _known(runner: Runner, own: Any, parameters: Any, x: Any, states: Any) -> tuple[_Kind, Any] | None:
    """The kind of this call and the module's weights, where there was such a call before."""
    if forward_ad._current_level >= 0:  # a dual tensor is like another
        return None
    for kind in runner.kinds:
        if kind.count == len(states) and kind.own == own and kind.grad is torch.is_grad_enabled():
            try:
                weights = runner.weights_of(parameters)
                if kind.alike(x, *states, *weights):
                    return kind, weights
            except (KeyError, TypeError):  # a weight that something computes, or none
                return None
    return None


def _note(runner: Runner, kind: _Kind) -> _Kind:
    """Keep a kind for the next call, the newest first."""
    runner.kinds = [kind, *runner.kinds[: MOST_KINDS - 1]]
    return kind


def layer(module: Any, x: Any, hx: Any) -> tuple[Tensor, Any] | None:
    """What `_Layer.forward(x, hx)` returns, or None."""
    own = module.__dict__
    runner: Runner | None = own.get(RUNNER)
    if runner is not None and (hx is None or runner.states == 1 or type(hx) is tuple):
        states = () if hx is None else hx if runner.states == 2 else (hx,)
        known = _known(runner, _OF_LAYER(own), own["_parameters"], x, states)
        if known is not None:
            return _computed(runner, *known, x, states)
    return _first(module, x, hx)


def _computed(runner: Runner, kind: _Kind, weights: Sequence[Tensor], x: Tensor, states: Any, masks: Any = ()) -> Any:
    if kind.steps:
        return _step(runner, kind, weights, x, states)
    if kind.wants_gradient:
        output, final = recurrence(runner, x, states, weights, Call(True, masks=masks) if masks else TRAINING)
    else:
        output, final, _ = runner.forward(x, states, weights, Call(masks=masks) if masks else INFERENCE)
    return output, final if len(final) == 2 else final[0]


def _first(module: Any, x: Any, hx: Any) -> tuple[Tensor, Any] | None:
    """The same for a call of a kind that is new."""
    own = module.__dict__
    if type(x) is not Tensor or x.dim() != 3 or x.dtype not in DTYPES or not _dense(x) or surroundings() is not None:
        return None
    runner = module._runner(module._config(), x.dtype)
    config, shape = runner.config, x.shape
    T, B = (shape[1], shape[0]) if config.batch_first else (shape[0], shape[1])
    states = _states(config, hx)
    if states is None or not T or not B or shape[2] != config.input_size:
        return None
    for state, (count, width) in zip(states, runner.widths, strict=False):
        if state.shape != (count, B, width) or state.dtype is not x.dtype or not _dense(state):
            return None
    names = own["_flat_weights_names"]
    weights = _weights(runner, own["_parameters"], names)
    if not weights:
        return None
    masks = module._masks(config, x)
    kind = _Kind(_OF_LAYER(own), states, (x, *states, *weights))
    kind.samples, kind.shape = B, (shape[0], shape[1], runner.output_width)
    kind.turned = not states or states[0].shape != kind.shape
    kind.threads = runner.unpacked is not None and not runner.unpacked.steps_alone(B)
    kind.steps = T == 1 and B <= MOST_SAMPLES and not masks and runner.unpacked is not None and not kind.wants_gradient
    if not masks:
        runner.weights_of = itemgetter(*names)
        _note(runner, kind)
    return _computed(runner, kind, weights, x, states, masks)


def cell(module: Any, x: Any, hx: Any) -> Any:
    """What `_Cell.forward(x, hx)` returns, or None."""
    own = module.__dict__
    runner: Runner | None = own.get(RUNNER)
    weights = None
    if runner is not None and (hx is None or runner.states == 1 or type(hx) is tuple):
        states = () if hx is None else hx if runner.states == 2 else (hx,)
        known = _known(runner, (*_OF_CELL(own), own.get("nonlinearity")), own["_parameters"], x, states)
        weights = None if known is None else known[1]
    if runner is None or weights is None:
        found = _first_of_cell(module, x, hx)
        if found is None:
            return None
        runner, weights, states = found
    after = advance(runner, weights, list(map(Tensor.data_ptr, weights)), x, states)
    return after if len(after) == 2 else after[0]


def _first_of_cell(module: Any, x: Any, hx: Any) -> tuple[Runner, Any, Any] | None:
    """Runner, weights and states of a cell's call of a new kind, or None."""
    if type(x) is not Tensor or x.dim() != 2 or x.dtype not in DTYPES or not _dense(x) or surroundings() is not None:
        return None
    own, config = module.__dict__, module._config()
    if config.nonlinearity not in ("tanh", "relu"):
        return None
    runner = module._runner(config, x.dtype)
    B, I = x.shape
    states = _states(config, hx)
    if states is None or not B or not I or config.input_size != I:
        return None
    for state in states:
        if state.dtype is not x.dtype or state.shape != (B, config.hidden_size) or not _dense(state):
            return None
    names = _NAMES[: len(runner.shapes)]
    weights = _weights(runner, own["_parameters"], names)
    if not weights:
        return None
    runner.weights_of = itemgetter(*names)
    _note(runner, _Kind((*_OF_CELL(own), own.get("nonlinearity")), states, (x, *states, *weights)))
    return runner, weights, states


def _step(runner: Runner, kind: _Kind, weights: Sequence[Tensor], x: Tensor, states: Any) -> tuple[Tensor, Any]:
    """One time step of all layers: each of these lines is counted, a tensor takes 1.6 us and its address 0.15."""
    if not kind.dense:
        x, states = x.contiguous(), [state.contiguous() for state in states]
    B, pair, empty = kind.samples, runner.states == 2, torch.empty_like  # takes a third less than new_empty
    c, cn, h0, c0 = None, 0, 0, 0
    if states:
        before = states[0]
        h = empty(before)
        h0, hn = before.data_ptr(), h.data_ptr()
        if pair:
            before = states[1]
            c = empty(before)
            c0, cn = before.data_ptr(), c.data_ptr()
    else:
        h, *others = [x.new_empty((count, B, width)) for count, width in runner.widths[: runner.states]]
        hn = h.data_ptr()
        if pair:
            c = others[0]
            cn = c.data_ptr()
    out = x.new_empty(kind.shape) if kind.turned else empty(h)
    assert runner.unpacked is not None
    threads = min(torch.get_num_threads(), get_num_threads()) if kind.threads else 1
    runner.unpacked.step(
        list(map(Tensor.data_ptr, weights)), B, threads, h0 != 0, x.data_ptr(), h0, c0, out.data_ptr(), hn, cn,
    )  # fmt: skip
    return out, (h, c) if pair else h


def _weights(runner: Runner, parameters: Any, names: Any) -> list[Tensor]:
    """The parameters, where each is a plain one, as the configuration says and contiguous; else none."""
    if len(names) != len(runner.shapes):
        return []
    weights = [parameters.get(name) for name in names]
    for weight, shape in zip(weights, runner.shapes, strict=True):
        if (
            type(weight) is not Parameter
            or weight.dtype is not runner.dtype
            or weight.shape != shape
            or not weight.is_contiguous()
            or not _dense(weight)
        ):
            return []
    return weights


def _states(config: Layer, hx: Any) -> tuple[Tensor, ...] | None:
    """No, one or two plain tensors."""
    if hx is None:
        return ()
    if len(config.state_names) == 1:
        return (hx,) if type(hx) is Tensor else None
    if type(hx) is not tuple or len(hx) != 2 or type(hx[0]) is not Tensor or type(hx[1]) is not Tensor:
        return None
    return hx


def _dense(tensor: Tensor) -> bool:
    return tensor.is_cpu and tensor.layout is torch.strided and not tensor.is_neg()
