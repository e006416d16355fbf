"""What the modules have in common: their weights, and the runner that packs them."""

from __future__ import annotations

import copy
import copyreg
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any, ClassVar

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor

from fastlstm.spec import INFERENCE, Call
from fastlstm.torch.operators import Served, apply
from fastlstm.torch.runner import DTYPES, Runner
from fastlstm.torch.serve import wants_gradient

RUNNER, DEVICE_RUNNER = "_fastlstm_runner", "_fastlstm_device_runner"
"""The engines of a module in its `__dict__`: on the CPU, and on a GPU."""

_CUDA_KERNELS = "_fastlstm_cuda_kernels"
_DECLINED = "_fastlstm_declined"
NARROW = "_fastlstm_narrow"
"""Where weights are to be rounded: a `narrow.Narrow`."""
_NOT_COPIED = (RUNNER, DEVICE_RUNNER, _DECLINED)
CUDA_KERNELS = ("never", "measure", "always")
"""The first is the default: a first call compiles for seconds, and up to H = 128 cuDNN is the faster (docs/cuda.md)."""


class Accelerated(torch.nn.Module):
    """Comes before one of torch's recurrent classes, which keeps everything but `forward`.

    The runners lie in the instance's `__dict__` and are left out of copies and pickles, which hold what torch's do. A
    copy is of this class again, and so is what multiprocessing sends to a worker. What is pickled otherwise, by
    torch.save(model) above all, is an instance of torch's class, to be loaded where this library is not.
    """

    original: ClassVar[type[torch.nn.Module]]
    """torch's class: what `restore` makes of the module."""

    blank: ClassVar[tuple[Any, ...]]
    """Arguments of `original` for an instance without memory, which a pickle then gives its state."""

    @property
    def cuda_kernels(self) -> str:
        """Whether this library's kernels compute calls with CUDA tensors: "never", "always" or "measure" (at the first
        call of each shape, and then the faster: they, or torch's own). ValueError for anything else."""
        return str(self.__dict__.get(_CUDA_KERNELS, CUDA_KERNELS[0]))

    @cuda_kernels.setter
    def cuda_kernels(self, way: str) -> None:
        self.__dict__[_CUDA_KERNELS] = checked(way)

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())
        for name in _NOT_COPIED:
            state.pop(name, None)
        return state

    @property
    def was_called(self) -> bool:
        """Whether it has computed anything as one of ours, or torch's own operators in its place."""
        return not self.__dict__.keys().isdisjoint((RUNNER, DEVICE_RUNNER, _DECLINED))

    @property
    def declined(self) -> dict[str, int]:
        """How many calls torch's own operators computed, by the reason why."""
        return dict(self.__dict__.get(_DECLINED, {}))

    def _decline(self, reason: str | None) -> None:
        """Count a call that torch's own operators computed."""
        counts = self.__dict__.setdefault(_DECLINED, {})
        word = reason or "there was nothing to compute"
        counts[word] = counts.get(word, 0) + 1

    def __copy__(self) -> Any:
        return self._made_with(Accelerated.__getstate__(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if "parametrizations" not in self._modules:
            return self._made_with(copy.deepcopy(self.__getstate__(), memo))
        # As torch copies such a module: its `__getstate__` refuses, and a layer's would compute the weights.
        memo[id(self)] = made = self.__class__.__new__(self.__class__)
        made.__dict__ = copy.deepcopy({k: v for k, v in self.__dict__.items() if k not in _NOT_COPIED}, memo)
        return made

    def _made_with(self, state: Any) -> Any:
        """Another instance of the same class."""
        made = self.__class__.__new__(self.__class__)
        made.__setstate__(state)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        if "blank" not in vars(type(self)):  # a class of the user's: its own affair
            return super().__reduce_ex__(protocol)
        state = self.__getstate__()
        for name in (_CUDA_KERNELS, NARROW):
            state.pop(name, None)
        # The class is called, not only made: nothing else is allowed by torch.load's `weights_only` besides an object's
        # own class. On the meta device it draws no random numbers.
        return self.original, self.blank, state

    def __prepare_scriptable__(self) -> torch.nn.Module:
        """torch.jit.script compiles torch's own forward."""
        plain: torch.nn.Module = copy.copy(self)
        plain.__class__ = self.original
        forget(plain)
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


def _for_a_worker(module: Accelerated) -> Any:
    return copyreg.__newobj__, (type(module),), module.__getstate__()  # type: ignore[attr-defined]


def send_as_they_are(*classes: type[Accelerated]) -> None:
    """Workers of multiprocessing, such as a DataLoader's, get instances of these classes."""
    for cls in classes:
        ForkingPickler.register(cls, _for_a_worker)


def checked(way: str) -> str:
    """A word for `cuda_kernels`. ValueError for another."""
    if way not in CUDA_KERNELS:
        raise ValueError(f"cuda_kernels is {way!r}, expected {', '.join(map(repr, CUDA_KERNELS))}")
    return way


def forget(module: torch.nn.Module) -> None:
    """Take from a module what torch's own classes do not have."""
    for name in (RUNNER, DEVICE_RUNNER, _CUDA_KERNELS, _DECLINED, NARROW):
        module.__dict__.pop(name, None)


def recurrence(
    runner: Served, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor], call: Call
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What `computed` gives, as a node of autograd's graph; `call.train` is True."""
    output, *final = apply(runner, call, len(states), x, *states, *weights)
    return output, tuple(final)


def computed(
    runner: Served, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor], call: Call
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output and final states of a checked eager call, known to autograd where a gradient is wanted; with
    `call.all_states` behind them those after every step, but for the output. `call.train` is False.
    """
    if wants_gradient((x, *states, *weights)):
        return recurrence(runner, x, states, weights, call._replace(train=True))
    return runner.forward(x, states, weights, call)[:2]


def trace(
    config: Layer, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor], call: Call = INFERENCE
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The same as a registered operator in a graph that torch.compile makes."""
    from fastlstm.torch.graphs import forward_operator, spell  # 14 ms that only compiled graphs want

    train = wants_gradient((x, *states, *weights))
    output, hn, cn, _ = forward_operator(
        spell(config), x, list(states), list(weights), call.batch_sizes, call.reset, list(call.masks), train
    )
    return output, (hn, cn)[: len(config.state_names)]


def traceable(tensors: Sequence[Tensor]) -> bool:
    """A compiled graph may hold the registered operator. What is exported must run where this library is not."""
    return (
        not torch.compiler.is_exporting()
        and not torch.is_autocast_enabled("cpu")
        and all(tensor.device.type == "cpu" and tensor.dtype in DTYPES for tensor in tensors)
    )
