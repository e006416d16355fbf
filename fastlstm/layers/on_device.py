"""The call of a layer with device="cuda": arrays on the GPU in and out, parameters and their gradients on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import errors
from ..contract import Layer
from .packing import PackedSequence

if TYPE_CHECKING:
    from .recurrent import Recurrent, Tape

Arrays = tuple[Any, ...]


def engine(config: Layer, dtype: np.dtype) -> Any:
    """The CUDA engine. CudaError where no GPU serves, ValueError for a layer that it does not do."""
    from ..cuda.engine import Engine

    return Engine(config, dtype)


def forward(layer: Recurrent, x: Any, states: Arrays | None, reset: Any) -> tuple[Any, Arrays, Any, tuple[int, ...]]:
    """Output, final states, what `backward` needs, and the output's shape, of a call in any form.

    Arrays have `__cuda_array_interface__` or DLPack and are used in place, or are NumPy's and copied; results are on
    the device. TypeError for a PackedSequence: pad it, or cut its sequences with `reset`.
    """
    from ..cuda.arrays import as_device

    config, dtype = layer.config, layer.dtype
    if isinstance(x, PackedSequence):
        errors.refuse_type("x", x, "dense batch with device='cuda'", "pad_packed_sequence gives one")
    x = as_device("x", x, dtype)
    T, B = errors.check_input(config, tuple(x.shape))
    if states is not None:
        given = zip(config.state_names, states, strict=True)
        states = tuple(_state(layer, value, name, T, B, f"{name}_0") for name, value in given)
    if reset is not None:
        reset = as_device("reset", reset, np.dtype(bool))
        errors.check_reset(tuple(reset.shape), T, B)
        reset = reset.reshape(T, 1 if B is None else B)
    batched = x if B is not None else x.reshape(*_batch_of_one(config, T, config.input_size))
    masks = layer._masks(tuple(batched.shape)[:-1]) if layer.training and layer.dropout else None
    output, final, saved = layer._engine.forward(
        layer._parameters, layer._version, batched, states, train=layer.training, reset=reset, masks=masks
    )
    if B is None:
        output = output.reshape(T, config.directions * config.output_size)
        final = tuple(state.reshape(state.shape[0], state.shape[2]) for state in final)
    return output, final, saved, tuple(output.shape)


def backward(layer: Recurrent, grad_output: Any, grad_states: Arrays, tape: Tape) -> tuple[Any, Arrays, dict[str, Any]]:
    """Gradients of x and of the initial states on the device, those of the parameters on the host."""
    from ..cuda.arrays import as_device

    config, shape = layer.config, tape.output_shape
    unbatched = len(shape) == 2
    batch_axis = 0 if config.batch_first else 1
    T, B = (shape[0], None) if unbatched else (shape[1 - batch_axis], shape[batch_axis])
    if grad_output is not None:
        grad_output = as_device("grad_output", grad_output, layer.dtype)
        errors.check_grad_output(tuple(grad_output.shape), shape, "grad_output")
        if unbatched:
            grad_output = grad_output.reshape(*_batch_of_one(config, T, shape[-1]))
    given = zip(config.state_names, grad_states, strict=True)
    states = tuple(
        None if value is None else _state(layer, value, name, T, B, f"grad_{name}_n") for name, value in given
    )
    grad_x, grad_initial, gradients = layer._engine.backward(
        layer._parameters, layer._version, tape.saved, grad_output, states
    )
    if unbatched:
        grad_x = grad_x.reshape(T, config.input_size)
        grad_initial = tuple(state.reshape(state.shape[0], state.shape[2]) for state in grad_initial)
    return grad_x, grad_initial, {name: value.copy_to_host() for name, value in gradients.items()}


def _state(layer: Recurrent, value: Any, state: str, T: int, B: int | None, name: str) -> Any:
    """A state as the engine takes it, (L*D, B, H)."""
    from ..cuda.arrays import as_device

    value = as_device(name, value, layer.dtype)
    errors.check_state(layer.config, state, tuple(value.shape), T, B, name)
    return value if B is not None else value.reshape(value.shape[0], 1, value.shape[1])


def _batch_of_one(config: Layer, T: int, width: int) -> tuple[int, int, int]:
    return (1, T, width) if config.batch_first else (T, 1, width)
