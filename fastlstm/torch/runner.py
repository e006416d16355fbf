"""From torch's tensors to the engine and back: memory is shared, weights are packed when their bytes have changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from fastlstm_lint.contract import Layer, sizes
from torch import Tensor

from fastlstm.engine import Engine
from fastlstm.engine.pool import POOL, get_num_threads
from fastlstm.engine.unpacked import Unpacked
from fastlstm.spec import INFERENCE, TRAINING, Call, Grads, usual
from fastlstm.torch.memory import Snapshot
from fastlstm.torch.team import join_pool

join_pool()

DTYPES: dict[torch.dtype, np.dtype[Any]] = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}


class Runner:
    """An engine and the tensors whose memory it packs from."""

    def __init__(self, config: Layer, dtype: torch.dtype, engine: Engine | None = None) -> None:
        self.config, self.dtype = config, dtype
        self.engine = Engine(config, DTYPES[dtype], POOL) if engine is None else engine
        self.names = tuple(config.parameters())
        self.parameters: dict[str, np.ndarray] = {}
        self.shapes = [sizes(shape) for shape in config.parameters().values()]
        count = config.num_layers * config.directions
        self.widths = ((count, config.output_size), (count, config.hidden_size))
        """Axis 0 and 2 of each state."""
        self.states = len(config.state_names)
        self.output_width = config.directions * config.output_size
        self.unpacked = None if config.projected else Unpacked(config, DTYPES[dtype], POOL)
        self.kinds: Sequence[Any] = ()
        """For `quick`: the kinds of calls that were looked at, the newest first."""
        self.weights_of: Callable[[Mapping[str, Any]], Sequence[Any]] = itemgetter(*self.names)
        """For `quick`: the weights, out of the module's parameters, by the names that they have there."""
        self.shared: Any = None
        """For `step`: the node of the weights in autograd's graph."""
        self._pointers: list[int] = []
        self._snapshot = Snapshot(())
        self._version = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy or a pickle starts empty: the panels belong to the tensors of this one."""
        return Runner, (self.config, self.dtype)

    def version(self, weights: Sequence[Tensor]) -> int:
        """A number that is another one when a byte of the weights is; makes `parameters` arrays of their memory.

        Compares with a copy, because nothing else tells of every change: a tensor's `_version` does not move when
        `weight.data`, a NumPy view of it or another process writes. Costs a reading of the weights and of the copy.
        """
        # By maps: a comprehension takes 0.8 us more.
        pointers = list(map(Tensor.data_ptr, weights))
        # Two threads may be here at once: what says that all is up to date, pointers and copy, is written last.
        if pointers != self._pointers or not all(map(Tensor.is_contiguous, weights)):
            dense = [weight.detach().contiguous() for weight in weights]
            self.parameters = {name: tensor.numpy() for name, tensor in zip(self.names, dense, strict=True)}
            self._version += 1
            self._snapshot = Snapshot(dense)
            # A strided weight is copied in every call: the copy does not follow what is written to the weight.
            self._pointers = pointers if pointers == list(map(Tensor.data_ptr, dense)) else []
        elif not self._snapshot.same():
            self._version += 1
            self._snapshot = self._snapshot.renewed()
        return self._version

    def forward(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        weights: Sequence[Tensor],
        call: Call,
        version: int | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...], Tensor | None]:
        """Output, final states, and in training the tensor by which `backward` finds what was kept. With
        `call.all_states` the final states are followed by those after every step, but for the first, which is the
        output. version: of the weights, where the caller has asked.

        x: (T, B, I), (B, T, I) with batch_first, or packed rows (N, I). states: (L*D, B, P or H), by length where
        packed; none for zeros. Tensors also in `call`.
        """
        if version is None:
            version = self.version(weights)
        given = tuple([array(state) for state in states]) or None
        output, final, saved, *every = self.engine.forward(self.parameters, version, array(x), given, of_arrays(call))
        if every:
            final = (*final, *every[0][1:])
        handle = None if saved is None else keep(self, saved)
        return torch.from_numpy(output), tuple([torch.from_numpy(state) for state in final]), handle

    def backward(
        self,
        x: Tensor,
        states: Sequence[Tensor],
        weights: Sequence[Tensor],
        call: Call,
        handle: Tensor,
        grads: Grads,
    ) -> tuple[Tensor | None, list[Tensor], list[Tensor]]:
        """Gradients of x (None where not wanted), states and weights.

        The first call takes what the forward kept, another repeats the forward.
        """
        kept = taken(handle)
        if kept is None:
            _, _, handle = self.forward(x, states, weights, call)  # type: ignore[assignment]
            kept = taken(handle)
            assert kept is not None
        runner, saved = kept.runner, kept.saved
        version = runner.version(weights)
        of_states = [None if grad is None else array(grad) for grad in grads.states]
        every = [None if grad is None else array(grad) for grad in grads.every] if grads.every else ()
        of_output = None if grads.output is None else array(grads.output)
        given = Grads(of_output, of_states, every, grads.wants_x)
        grad_x, grad_states, gradients = runner.engine.backward(runner.parameters, version, saved, given)
        return (
            None if grad_x is None else torch.from_numpy(grad_x),
            [torch.from_numpy(grad) for grad in grad_states[: len(states)]],
            [torch.from_numpy(gradients[name]) for name in runner.names],
        )


def of_arrays(call: Call) -> Call:
    """The call for an engine: arrays where there were tensors, and no more threads than torch has."""
    threads = min(torch.get_num_threads(), get_num_threads())
    if call is TRAINING or call is INFERENCE or call.is_usual:
        return usual(call.train, threads)
    sizes, reset = (None if tensor is None else array(tensor) for tensor in (call.batch_sizes, call.reset))
    step = None if call.step is None else {name: array(value) for name, value in call.step.items()}
    return Call(call.train, sizes, reset, list(map(array, call.masks)), step, call.all_states, threads)


class Kept(np.ndarray):
    """One number whose memory a tensor shares: what a forward kept lives as long as that tensor; its address finds it.

    Autograd, checkpointing and compiled graphs keep, drop and hand on tensors, and nothing else. A copy of the tensor,
    made by hooks that move saved tensors elsewhere, finds nothing: then the backward runs the forward again.
    """

    runner: Any
    saved: Any


_kept: WeakValueDictionary[int, Kept] = WeakValueDictionary()


def keep(runner: Any, saved: Any) -> Tensor:
    """The tensor by which `taken` finds both."""
    kept = Kept(1)
    kept.runner, kept.saved = runner, saved
    handle = torch.from_numpy(kept)
    _kept[handle.data_ptr()] = kept
    return handle


def taken(handle: Tensor) -> Kept | None:
    """What was kept, once; None where it was taken already, or `handle` is a copy."""
    return _kept.pop(handle.data_ptr(), None)


def array(tensor: Tensor) -> np.ndarray:
    """The tensor's memory, copied only where it is strided."""
    memory = tensor.detach().numpy() if tensor.requires_grad else tensor.numpy()
    return memory if memory.flags.c_contiguous else np.ascontiguousarray(memory)


_recent: OrderedDict[Any, Runner] = OrderedDict()
RECENT = 64


def recent_runner(config: Layer, weights: Sequence[Tensor]) -> Runner:
    """The runner of these weights for calls that know tensors only: registered operators in a compiled graph."""
    key = (config, weights[0].dtype, *[weight.data_ptr() for weight in weights])
    runner = _recent.get(key)
    if runner is None:
        runner = _recent[key] = Runner(config, weights[0].dtype)
        if len(_recent) > RECENT:
            _recent.popitem(last=False)
    else:
        _recent.move_to_end(key)
    return runner
