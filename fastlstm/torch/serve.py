"""Whether the kernels can serve a call, and the one warning for every reason why not."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.nn import Parameter

from fastlstm.torch.runner import DTYPES

_INSIDE = tuple(os.path.dirname(file) + os.sep for file in (__file__, torch.__file__))
_warned: set[str] = set()


def warn_once(reason: str) -> None:
    """Tell, once per process and reason, that torch computes instead of the kernels."""
    if reason not in _warned:
        _warned.add(reason)
        text = f"fastlstm: torch's own operators compute this layer: {reason}"
        warnings.warn(text, RuntimeWarning, stacklevel=_calling_line())


def _calling_line() -> int:
    """The `stacklevel`, for `warn_once`, of the line that is neither torch's nor ours: where the user called."""
    level, frame = 2, sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    return level


def surroundings(device_type: str = "cpu") -> str | None:
    """Why nothing can be served at present: something watches or changes torch's operators. None where nothing does."""
    if torch._C._are_functorch_transforms_active():
        return "a transform of torch.func, such as vmap or grad, is active"
    if torch._C._is_tracing():
        return "torch.jit.trace records torch's operators only"
    if torch._C._len_torch_dispatch_stack():
        return "a TorchDispatchMode, such as FakeTensorMode, is active"
    if torch.is_autocast_enabled(device_type):
        return "autocast is on, and the kernels compute in float32 and float64 only"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation is on, and the kernels know the reverse mode only"
    return None


def objection(tensors: Sequence[Tensor], device: torch.device | None = None) -> str | None:
    """Why these tensors, input, states and weights, are not for the kernels, the CPU's where `device` is None.

    None where they are.
    """
    for tensor in tensors:
        if type(tensor) is not Tensor and type(tensor) is not Parameter:
            return f"a tensor is a {type(tensor).__name__}"
        if device is not None:
            if tensor.device != device:
                return f"a tensor is on {tensor.device}, the input on {device}"
        elif not tensor.is_cpu:
            return f"the tensors are on {tensor.device.type}, the kernels are for the CPU and NVIDIA GPUs"
        if tensor.dtype not in DTYPES:
            return f"the tensors are {tensor.dtype}, the kernels compute in float32 and float64"
        if tensor.layout is not torch.strided or tensor.is_neg():
            return "a tensor is sparse or lazily negated"
    return None


def wants_gradient(tensors: Sequence[Tensor]) -> bool:
    """A backward may follow."""
    if torch.is_grad_enabled():
        for tensor in tensors:
            if tensor.requires_grad:
                return True
    return False
