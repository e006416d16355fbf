"""Between torch.nn's recurrent modules and the layers on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.utils.parametrize import is_parametrized

from fastlstm import layers
from fastlstm.errors import refuse_type
from fastlstm.layers.module import Module

_STACK = ("num_layers", "bias", "batch_first", "dropout", "bidirectional")
OPTIONS = {
    "LSTM": (*_STACK, "proj_size"),
    "GRU": _STACK,
    "RNN": (*_STACK, "nonlinearity"),
    "LSTMCell": ("bias",),
    "GRUCell": ("bias",),
    "RNNCell": ("bias", "nonlinearity"),
}
"""For each class what its constructor takes after the sizes: the same names on both sides."""

DTYPES: dict[torch.dtype, np.dtype] = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}

# The modules whose forward computes what the layers compute.
FORWARDS = ("torch.nn.modules.rnn", "fastlstm.torch")


def read(cls: type[Module], module: Any) -> Any:
    """A layer of class `cls` with the configuration and a copy of the weights of `module`."""
    name = _name(cls)
    if not isinstance(module, getattr(torch.nn, name)):
        other = next((kind for kind in OPTIONS if isinstance(module, getattr(torch.nn, kind))), None)
        inside = isinstance(module, torch.nn.Module) and any(
            isinstance(part, getattr(torch.nn, name)) for part in module.modules()
        )
        hint = f"fastlstm.{other}.from_torch takes it" if other else "pass the layer inside it" if inside else ""
        refuse_type("module", module, f"torch.nn.{name}", hint)
    if not type(module).forward.__module__.startswith(FORWARDS):
        refuse_type("module", module, f"torch.nn.{name}", "its class has a forward of its own, which is not known here")
    options = {option: getattr(module, option) for option in OPTIONS[name]}
    layer = cls(module.input_size, module.hidden_size, **options, dtype=_dtype(module))  # type: ignore[call-arg]
    layer.load_state_dict({parameter: _weight(module, parameter) for parameter in layer.state_dict()})
    return layer.train(module.training)


def write(layer: Any) -> torch.nn.Module:
    """A torch.nn module with the configuration and a copy of the weights of `layer`."""
    name, config = _name(type(layer)), layer.config
    options = {option: layer.dropout if option == "dropout" else getattr(config, option) for option in OPTIONS[name]}
    dtype = next(theirs for theirs, ours in DTYPES.items() if ours == layer.dtype)
    module = getattr(torch.nn, name)(config.input_size, config.hidden_size, **options, dtype=dtype)
    module.load_state_dict({parameter: torch.from_numpy(value) for parameter, value in layer.state_dict().items()})
    return module.train(layer.training)


def _name(cls: type) -> str:
    """The public name of a layer's class, or of the one that it derives from."""
    return next(name for name in OPTIONS if issubclass(cls, getattr(layers, name)))


def _dtype(module: torch.nn.Module) -> np.dtype:
    found = {parameter.dtype for parameter in module.parameters()}
    if len(found) > 1:
        raise ValueError(f"the parameters are {' and '.join(sorted(map(str, found)))}, expected one dtype")
    (dtype,) = found
    if dtype not in DTYPES:
        raise ValueError(f"the parameters are {dtype}, expected torch.float32 or torch.float64: pass module.float()")
    return DTYPES[dtype]


def _weight(module: torch.nn.Module, name: str) -> torch.Tensor:
    """A weight as the next forward will have it."""
    weight = getattr(module, name)
    if not isinstance(weight, torch.nn.Parameter) and not is_parametrized(module, name):
        # weight_norm and pruning of the older kind: the tensor is renewed in a hook, and out of date until then
        raise TypeError(
            f"{name} is not a parameter: something computes it before each forward. Make it one first, with "
            "torch.nn.utils.remove_weight_norm, torch.nn.utils.prune.remove or what else put it there"
        )
    if weight.is_meta:
        raise ValueError(f"{name} is on the meta device, where weights have no values")
    return weight
