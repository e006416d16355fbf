"""The engine of `fastlstm.cuda` for one layer, on the GPU where its tensors are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from typing import Any

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor

from fastlstm.cuda import CudaError
from fastlstm.cuda.shim import worded
from fastlstm.spec import Call, Grads
from fastlstm.torch.runner import DTYPES, keep, taken

# A GPU's bytes cannot be compared with a copy at no cost, so weights are read anew in each forward: G*H*H numbers.
_versions = count()


class DeviceRunner:
    """What `Runner` is on the CPU, for one GPU. CudaError where the GPU, its driver or its memory fail."""

    def __init__(self, config: Layer, dtype: torch.dtype, device: torch.device) -> None:
        self.config, self.dtype, self.device = config, dtype, device
        self.names = tuple(config.parameters())
        from fastlstm.cuda import Engine  # loads CUDA, which programs for the CPU do not need

        with self.current(), _refusing():
            self.engine = Engine(config, DTYPES[dtype])

    def forward(
        self, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor], call: Call
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
        """As `Runner.forward`, all on the device but `call.batch_sizes`."""
        with self.current(), _refusing():
            version = next(_versions)
            given = tuple([_given(state) for state in states]) or None
            output, final, saved = self.engine.forward(
                self._named(weights),
                version,
                _given(x),
                given,
                Call(
                    call.train,
                    None if call.batch_sizes is None else call.batch_sizes.numpy(),
                    None if call.reset is None else _given(call.reset),
                    list(map(_given, call.masks)),
                ),
            )
            handle = None if saved is None else keep(self, (version, saved))
            return _made(output), tuple([_made(state) for state in final]), handle

    def backward(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        weights: Sequence[Tensor],
        call: Call,
        handle: Tensor,
        grads: Grads,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
        """As `Runner.backward`."""
        kept = taken(handle)
        if kept is None:
            _, _, handle = self.forward(x, states, weights, call)  # type: ignore[assignment]
            kept = taken(handle)
            assert kept is not None
        version, saved = kept.saved
        with self.current(), _refusing():
            of_output = None if grads.output is None else _given(grads.output)
            of_states = [None if grad is None else _given(grad) for grad in grads.states]
            grad_x, grad_states, gradients = self.engine.backward(
                self._named(weights), version, saved, Grads(of_output, of_states, wants_x=grads.wants_x)
            )
            of_x = None if grad_x is None else _made(grad_x)
            return of_x, [_made(grad) for grad in grad_states], [_made(gradients[name]) for name in self.names]

    def _named(self, weights: Sequence[Tensor]) -> dict[str, Any]:
        return {name: _given(weight) for name, weight in zip(self.names, weights, strict=True)}

    def current(self) -> AbstractContextManager[Any]:
        """Numba and the matrix library take torch's current device."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()


@contextmanager
def _refusing() -> Iterator[None]:
    """What the engine does not do at these sizes is no error of the program: torch's operators can."""
    with worded():
        try:
            yield
        except ValueError as error:
            raise CudaError(str(error)) from error


def _given(tensor: Tensor) -> Any:
    """What the engine takes: the tensor's memory, copied only where it is strided. NumPy's for the simulator."""
    dense = tensor.detach().contiguous()
    return dense if dense.is_cuda else dense.numpy()


def _made(array: Any) -> Tensor:
    """The engine's array as a tensor of torch's allocator, so that `record_stream` knows it."""
    owner = getattr(getattr(array, "gpu_data", None), "owner", None)
    if isinstance(owner, Tensor):
        if owner.shape == array.shape:
            return owner
        strides = owner.view(array.shape).stride()  # a view itself may not be changed in place as a function's result
        return owner.new_empty(0).set_(owner.untyped_storage(), 0, array.shape, strides)
    return torch.from_numpy(array.copy_to_host())
