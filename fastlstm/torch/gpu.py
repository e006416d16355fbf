"""Calls with CUDA tensors: whether the kernels of `fastlstm.cuda` serve them, or torch's own, which is cuDNN."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor

from fastlstm.cuda import CudaError, why_not
from fastlstm.spec import Call
from fastlstm.torch.chooser import Chooser, Kind
from fastlstm.torch.device import DeviceRunner
from fastlstm.torch.measure import agree, seconds, ways
from fastlstm.torch.module import DEVICE_RUNNER, computed
from fastlstm.torch.serve import objection, surroundings, wants_gradient, warn_once

# A thousand calls' worth of measuring in a program whose every batch has another shape.
MOST_KINDS = 128

CHOOSER = Chooser(seconds, agree, (CudaError, torch.OutOfMemoryError), MOST_KINDS)


def on_device(tensor: Tensor) -> bool:
    """Whether a tensor is for the GPU's kernels, if anybody's."""
    return tensor.is_cuda


@cache
def unavailable() -> str | None:
    """Why no GPU serves in this process, or None where one does."""
    return why_not()


def unfit(tensors: Sequence[Tensor]) -> str | None:
    """Why a call with these tensors, the first one on a GPU, is not for the kernels; None where it is."""
    return surroundings("cuda") or objection(tensors, tensors[0].device)


def serve(
    module: Any,
    config: Layer,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    call: Call,
) -> tuple[Tensor, tuple[Tensor, ...]] | None:
    """Output and final states of a checked call, by our kernels; None where torch's own operators are to compute it.

    Warns, once for each reason, where the kernels cannot serve though they were asked for, and where a reset takes
    torch's operators one step after the other.
    """
    try:
        runner = _server(module, config, x, states, weights, call)
        if runner is not None:
            return computed(runner, x, states, weights, call._replace(masks=module._masks(config, x)))
    except CudaError as error:
        warn_once(str(error))
    return None


def _server(
    module: Any,
    config: Layer,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    call: Call,
) -> DeviceRunner | None:
    """The runner of our kernels where these serve, measured or asked for."""
    declined = _declined(module, x, call.reset is not None)
    if declined is not None:
        if call.reset is not None:  # torch's own have none: one step after the other, then
            warn_once(declined)
        return None
    lacking = unavailable()
    if lacking is not None:
        warn_once(lacking)
        return None
    runner = _runner(module, config, x)
    if module.cuda_kernels == "always" or call.reset is not None:
        return runner
    kind = _kind(module, config, x, states, weights, call.batch_sizes)
    with runner.current():
        tensors = x, states, weights, call.batch_sizes
        choice = CHOOSER.choose(kind, lambda: ways(module, runner, kind.training, *tensors))
    if choice.failed:
        warn_once(choice.reason)
    return runner if choice.is_ours else None


def _declined(module: Any, x: Tensor, must_serve: bool) -> str | None:
    """Why torch's own are to serve whatever the kernels could do."""
    way = module.cuda_kernels
    if way == "never":
        return "cuda_kernels is 'never'"
    if x.is_cuda and torch.cuda.is_current_stream_capturing():
        return "a CUDA graph is being captured, which the kernels' launches cannot join"
    if way == "measure" and not must_serve and torch.are_deterministic_algorithms_enabled():
        return "what is the faster today may not be tomorrow"
    return None


def told(module: Any) -> tuple[str, list[str]]:
    """For a report: who serves this layer on the GPU, and a line for each kind of call that was measured."""
    if isinstance(module, torch.nn.RNNCellBase):
        return "torch's own, which has a kernel for a cell", []
    way = module.cuda_kernels
    if way != "never" and unavailable():
        return "torch's own", []
    if way != "measure":
        return ("these kernels" if way == "always" else "torch's own") + f" (cuda_kernels is {way!r})", []
    known = CHOOSER.known(module._config())
    if not known:
        return "measured at the first call of each shape", []
    return "as measured", [f"{kind}: {choice}" for kind, choice in known.items()]


def _runner(module: Any, config: Layer, x: Tensor) -> DeviceRunner:
    """The module's, of its present configuration, dtype and GPU."""
    runner: DeviceRunner | None = module.__dict__.get(DEVICE_RUNNER)
    if runner is None or (runner.config, runner.dtype, runner.device) != (config, x.dtype, x.device):
        runner = module.__dict__[DEVICE_RUNNER] = DeviceRunner(config, x.dtype, x.device)
    return runner


def _kind(
    module: Any, config: Layer, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor], batch_sizes: Any
) -> Kind:
    if batch_sizes is None:
        T, B = (x.shape[1], x.shape[0]) if config.batch_first else (x.shape[0], x.shape[1])
    else:
        T, B = len(batch_sizes), int(batch_sizes[0])
    # cuDNN has no backward in evaluation mode.
    training = module.training and wants_gradient((x, *states, *weights))
    steps = 1 << (T - 1).bit_length()
    name = str(x.dtype).removeprefix("torch.")
    return Kind(config, steps, B, name, batch_sizes is not None, training, x.device.index or 0)
