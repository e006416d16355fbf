"""Recurrent: layers of a cell of one's own as a torch module: kernels on the CPU, torch's operators elsewhere."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
from fastlstm_lint.contract import sizes
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from fastlstm import errors
from fastlstm.layers.attributes import OwnAttributes
from fastlstm.layers.checks import flag, states_of
from fastlstm.layers.places import no_gpu_kernel
from fastlstm.spec import Call, Cell
from fastlstm.spec.checked import first_values, stack
from fastlstm.torch.cards import CardRunner
from fastlstm.torch.composed import composed
from fastlstm.torch.runner import DTYPES
from fastlstm.torch.serve import warn_once
from fastlstm.torch.typed import S

State = Tensor | tuple[Tensor, ...]
"""One tensor, or a tuple where the cell has several states."""


class Recurrent(OwnAttributes, nn.Module):
    """A stack of recurrent layers of a user's cell: an nn.Module with the arguments of torch.nn.LSTM.

    cell: from the decorator `fastlstm.cell`, or one of `fastlstm.cells`.
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: as torch.nn.LSTM's.
    num_heads, unit: as those of `fastlstm.Recurrent`, which also says the names and shapes of the parameters.
    device: the kernels are for the CPU; on another device torch's operators compute it step by step, and a warning says
        so once. dtype: torch.float32 or torch.float64, away from the CPU any float dtype; None for torch's default.

        rnn = fastlstm.torch.Recurrent(fastlstm.cells.PeepholeLSTM, 5, 6)
        output, (h_n, c_n) = rnn(torch.zeros(7, 3, 5))

    Gradients of first order; no double backward. A compiled model calls it outside of the graph.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        num_heads: int = 1,
        unit: Mapping[str, float | np.ndarray] | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.config = stack(cell, input_size, hidden_size, num_layers, bias, batch_first, bidirectional, num_heads)
        self._dropout = errors.dropout(dropout, self.config.num_layers)
        self._unit = first_values(self.config, unit)
        for name, shape in self.config.parameters().items():
            self.register_parameter(name, nn.Parameter(torch.empty(*sizes(shape), device=device, dtype=dtype)))
        self._runners: dict[torch.dtype, CardRunner] = {}
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters anew, uniform in -1/sqrt(H)..1/sqrt(H), and sets those that `unit` names."""
        bound = self.config.hidden_size**-0.5
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-bound, bound)
            for name, value in self._unit.items():
                for _, _, suffix in self.config.parts():
                    self.get_parameter(name + suffix).copy_(torch.as_tensor(value))

    @overload
    def forward(
        self,
        input: S,
        hx: State | None = None,
        *,
        reset: Tensor | None = None,
        step: Mapping[str, Tensor | PackedSequence] | None = None,
        all_states: Literal[False] = False,
    ) -> tuple[S, State]: ...

    @overload
    def forward(
        self,
        input: S,
        hx: State | None = None,
        *,
        reset: Tensor | None = None,
        step: Mapping[str, Tensor | PackedSequence] | None = None,
        all_states: Literal[True],
    ) -> tuple[S, State, tuple[S, ...]]: ...

    @overload
    def forward(
        self,
        input: S,
        hx: State | None = None,
        *,
        reset: Tensor | None = None,
        step: Mapping[str, Tensor | PackedSequence] | None = None,
        all_states: bool,
    ) -> tuple[S, State] | tuple[S, State, tuple[S, ...]]: ...

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: State | None = None,
        *,
        reset: Tensor | None = None,
        step: Mapping[str, Tensor | PackedSequence] | None = None,
        all_states: bool = False,
    ) -> tuple[Any, ...]:
        """`output, hx_n = rnn(input, hx)`; with `all_states`, `output, hx_n, states = rnn(...)`.

        Tensors in the shapes of the arrays of `fastlstm.Recurrent`; input is (T, B, I), (B, T, I) with batch_first,
        (T, I) unbatched, or a PackedSequence. Step inputs of a PackedSequence are PackedSequences, or (B, H).
        """
        all_states = flag("all_states", all_states)
        given = _Given(self)
        x = given.sequence("input", input)
        T, B = given.sizes(x)
        states = [] if hx is None else [
            given.state(name, value, T, B)
            for name, value in zip(self.config.state_names, states_of("hx", hx, self.config), strict=True)
        ]  # fmt: skip
        mask = None if reset is None else given.mask(reset, T, B)
        sizes = None if given.packed is None else given.packed.batch_sizes
        call = Call(False, sizes, mask, self._masks(x), given.steps(step, T, B), all_states)
        if x.is_cpu:
            output, final, every = self._runner(x.dtype)(x, states, list(self.parameters()), call)
        else:
            warn_once(f"the tensors are on {x.device.type}, {no_gpu_kernel(self.config)}")
            output, final, every = composed(self.config, x, states, list(self.parameters()), call)
        final, output = tuple(map(given.outer_state, final)), given.outer(output)
        results = output, final if len(final) > 1 else final[0]
        return (*results, (output, *map(given.outer, every[1:]))) if all_states else results

    if TYPE_CHECKING:
        __call__ = forward

    def _masks(self, x: Tensor) -> list[Tensor]:
        """Dropout between layers: one mask like the output of every layer but the last."""
        if not (self.training and self.dropout):
            return []
        ones = x.new_ones(*x.shape[:-1], self.config.directions * self.config.hidden_size)
        return [nn.functional.dropout(ones, self.dropout) for _ in range(self.config.num_layers - 1)]

    def _runner(self, dtype: torch.dtype) -> CardRunner:
        """The kernels for a dtype."""
        if dtype not in self._runners:
            self._runners[dtype] = CardRunner(self.config, dtype)
        return self._runners[dtype]

    def extra_repr(self) -> str:
        config = self.config
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "bidirectional": False, "num_heads": 1}
        changed = [f"{n}={getattr(config, n)}" for n, usual in defaults.items() if getattr(config, n) != usual]
        changed += [f"dropout={self.dropout}"] if self.dropout else []
        return ", ".join([config.kind, str(config.input_size), str(config.hidden_size), *changed])

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_runners": {}}

    def __deepcopy__(self, memo: dict[int, Any]) -> Recurrent:
        twin = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__getstate__().items()})
        return twin


@dataclass
class _Given:
    """What a call is given, checked, as the kernels take it, and the form in which it was."""

    module: Recurrent
    packed: PackedSequence | None = None
    unbatched: bool = False

    def checked(self, name: str, value: Any) -> Tensor:
        if not isinstance(value, Tensor):
            errors.refuse_type(name, value, "tensor")
        layer = next(self.module.parameters(), value)
        if value.device != layer.device:
            raise ValueError(f"{name} is on {value.device}, expected {layer.device} as the layer")
        if value.is_cpu and layer.dtype not in DTYPES:
            raise ValueError(
                f"{name} is {value.dtype} and the layer {layer.dtype}, expected float32 or float64 on a CPU"
            )
        if value.dtype != layer.dtype:
            raise ValueError(f"{name} is {value.dtype}, expected {layer.dtype} as the layer")
        return value

    def sequence(self, name: str, value: Any) -> Tensor:
        """x for the engine."""
        config = self.module.config
        if isinstance(value, PackedSequence):
            self.packed = value
            x = self.checked(name, value.data)
            if x.ndim != 2 or x.shape[1] != config.input_size:
                errors.refuse_shape(name, tuple(x.shape), f"(N, I) = (N, {config.input_size})")
        else:
            x = self.checked(name, value)
            _, B = errors.check_input(config, tuple(x.shape), name)
            self.unbatched = B is None
            x = self._batched(x)
        return x

    def _batched(self, x: Tensor) -> Tensor:
        return x.unsqueeze(0 if self.module.config.batch_first else 1) if self.unbatched else x

    def sizes(self, x: Tensor) -> tuple[int, int | None]:
        if self.packed is not None:
            return len(self.packed.batch_sizes), int(self.packed.batch_sizes[0])
        T, B = x.shape[1::-1] if self.module.config.batch_first else x.shape[:2]
        return T, None if self.unbatched else B

    def state(self, name: str, value: Any, T: int, B: int | None) -> Tensor:
        value = self.checked(f"{name}_0", value)
        errors.check_state(self.module.config, name, tuple(value.shape), T, B, f"{name}_0")
        if self.packed is not None and self.packed.sorted_indices is not None:
            return value.index_select(1, self.packed.sorted_indices)
        return value.unsqueeze(1) if self.unbatched else value

    def mask(self, reset: Any, T: int, B: int | None) -> Tensor:
        if not isinstance(reset, Tensor) or reset.dtype != torch.bool:
            errors.refuse_type("reset", reset, "tensor of bool")
        errors.check_reset(tuple(reset.shape), T, B)
        if self.packed is not None and self.packed.sorted_indices is not None:
            reset = reset.index_select(1, self.packed.sorted_indices)
        return reset.unsqueeze(1) if self.unbatched else reset

    def steps(self, step: Any, T: int, B: int | None) -> dict[str, Tensor]:
        """The step inputs for the engine, in the cell's order."""
        config = self.module.config
        given = {} if step is None else dict(step)
        if set(given) != set(config.cell.step):
            due = ", ".join(config.cell.step) or "nothing"
            raise ValueError(f"step has {', '.join(map(str, given)) or 'nothing'}, expected {due}")
        found = {}
        for name in config.cell.step:
            value = given[name]
            if isinstance(value, PackedSequence):
                found[name] = self.checked(f"step[{name!r}]", value.data)
                continue
            value = self.checked(f"step[{name!r}]", value)
            lead = tuple(value.shape[:-1])
            one = () if B is None else (B,)
            each = (T,) if B is None else (B, T) if config.batch_first else (T, B)
            leads = (one, each) if self.packed is None else (one,)
            if value.shape[-1:] not in ((1,), (config.hidden_size,)) or lead not in leads:
                H = config.hidden_size
                due = f"{(*each, H)}, laid out as input, with H or 1 features, or {(*one, H)}"
                errors.refuse_shape(f"step[{name!r}]", tuple(value.shape), due)
            if lead == one:
                value = value if B is not None else value.unsqueeze(0)
                if self.packed is not None and self.packed.sorted_indices is not None:
                    value = value.index_select(0, self.packed.sorted_indices)
            else:
                value = self._batched(value)
            found[name] = value
        return found

    def outer(self, value: Tensor) -> Any:
        if self.packed is not None:
            return self.packed._replace(data=value)
        return value.squeeze(0 if self.module.config.batch_first else 1) if self.unbatched else value

    def outer_state(self, value: Tensor) -> Tensor:
        if self.packed is not None and self.packed.unsorted_indices is not None:
            return value.index_select(1, self.packed.unsorted_indices)
        return value.squeeze(1) if self.unbatched else value
