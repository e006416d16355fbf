"""Recurrent: layers of a cell of one's own as a torch module, on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

from fastlstm import errors
from fastlstm.contract import sizes
from fastlstm.layers.checks import flag, states_of
from fastlstm.layers.places import PLACES
from fastlstm.layers.user_cell import first_values, stack
from fastlstm.spec import Cell
from fastlstm.torch.memory import Snapshot

DTYPES: dict[torch.dtype, np.dtype[Any]] = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}


class Recurrent(nn.Module):
    """A stack of recurrent layers of a user's cell: an nn.Module with the arguments of torch.nn.LSTM.

    cell: from the decorator `fastlstm.cell`, or one of `fastlstm.cells`.
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional: as torch.nn.LSTM's.
    num_heads, unit: as those of `fastlstm.Recurrent`, which also says the names and shapes of the parameters.
    device: the CPU. dtype: torch.float32 or torch.float64; None for torch's default.

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
        self.dropout = float(dropout)
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout is {dropout}, expected 0 to 1")
        self._unit = first_values(self.config, unit)
        for name, shape in self.config.parameters().items():
            self.register_parameter(name, nn.Parameter(torch.empty(*sizes(shape), device=device, dtype=dtype)))
        self._engines: dict[torch.dtype, _Weights] = {}
        self.reset_parameters()

    @property
    def cell(self) -> Cell:
        """The cell."""
        return self.config.cell

    def reset_parameters(self) -> None:
        """Draws all parameters anew, uniform in -1/sqrt(H)..1/sqrt(H), and sets those that `unit` names."""
        bound = self.config.hidden_size**-0.5
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-bound, bound)
            for name, value in self._unit.items():
                for suffix in self.config.suffixes():
                    self.get_parameter(f"{name}_{suffix}").copy_(torch.as_tensor(value))

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        *,
        reset: Tensor | None = None,
        step: Mapping[str, Tensor] | None = None,
        all_states: bool = False,
    ) -> tuple[Any, ...]:
        """`output, hx_n = rnn(input, hx)`; with `all_states`, `output, hx_n, states = rnn(...)`.

        Tensors in the shapes of the arrays of `fastlstm.Recurrent`; input is (T, B, I), (B, T, I) with batch_first,
        (T, I) unbatched, or a PackedSequence. Step inputs of a PackedSequence are PackedSequences, or (B, H).
        """
        all_states = flag("all_states", all_states)
        call = _Call(self, all_states)
        x = call.sequence("input", input)
        T, B = call.sizes(x)
        states = [] if hx is None else [
            call.state(name, value, T, B)
            for name, value in zip(self.config.state_names, states_of("hx", hx, self.config), strict=True)
        ]  # fmt: skip
        if reset is not None:
            call.reset = call.mask(reset, T, B)
        steps = call.steps(step, T, B)
        if self.training and self.dropout and self.config.num_layers > 1:
            shape = (*x.shape[:-1], self.config.directions * self.config.hidden_size)
            call.masks = [
                nn.functional.dropout(x.new_ones(shape), self.dropout).numpy()
                for _ in range(self.config.num_layers - 1)
            ]
        weights = list(self.parameters())
        call.counts = (len(states), len(steps))
        tensors = [x, *states, *steps.values(), *weights]
        call.train = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
        output, *others = _Function.apply(call, *tensors)
        count = len(self.config.state_names)
        final = [call.outer_state(value) for value in others[:count]]
        output = call.outer(output)
        results = output, tuple(final) if count > 1 else final[0]
        return (*results, (output, *map(call.outer, others[count:]))) if all_states else results

    def weights_of(self, dtype: torch.dtype) -> _Weights:
        """The engine for a dtype, and the parameters that it has packed."""
        if dtype not in self._engines:
            self._engines[dtype] = _Weights(self.config, DTYPES[dtype])
        return self._engines[dtype]

    def extra_repr(self) -> str:
        config = self.config
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "bidirectional": False, "num_heads": 1}
        changed = [f"{n}={getattr(config, n)}" for n, usual in defaults.items() if getattr(config, n) != usual]
        changed += [f"dropout={self.dropout}"] if self.dropout else []
        return ", ".join([config.kind, str(config.input_size), str(config.hidden_size), *changed])

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_engines": {}}

    def __deepcopy__(self, memo: dict[int, Any]) -> Recurrent:
        twin = self.__class__.__new__(self.__class__)
        memo[id(self)] = twin
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__getstate__().items()})
        return twin


class _Weights:
    """An engine and the parameters it packs from; their bytes are compared, as `Runner.version` does."""

    def __init__(self, config: Any, dtype: np.dtype) -> None:
        self.engine = PLACES["cpu"].engine(config, dtype)
        self.names = tuple(config.parameters())
        self.version = 0
        self.arrays: dict[str, np.ndarray] = {}
        self._snapshot: Snapshot | None = None
        self._pointers: list[int] = []

    def update(self, weights: Sequence[Tensor]) -> None:
        """Make `arrays` those of `weights`, and `version` another number where a byte has changed."""
        dense = [weight.detach().contiguous() for weight in weights]
        pointers = [weight.data_ptr() for weight in dense]
        if self._snapshot is None or pointers != self._pointers or not self._snapshot.same():
            self.arrays = {name: array(tensor) for name, tensor in zip(self.names, dense, strict=True)}
            self._pointers, self._snapshot = pointers, Snapshot(dense)
            self.version += 1


def array(tensor: Tensor) -> np.ndarray:
    """The memory of a tensor, C-contiguous, aligned and writable; a copy where it is not."""
    return np.require(tensor.detach().contiguous().numpy(), requirements=("C", "A", "W"))


@dataclass
class _Call:
    """One call: its form, and what is not differentiated."""

    module: Recurrent
    all_states: bool
    packed: PackedSequence | None = None
    unbatched: bool = False
    dtype: torch.dtype = torch.float32
    batch_sizes: np.ndarray | None = None
    reset: np.ndarray | None = None
    masks: list[np.ndarray] | None = None
    counts: tuple[int, int] = (0, 0)  # of states given, of step inputs
    step_names: list[str] = field(default_factory=list)
    train: bool = False

    def checked(self, name: str, value: Any) -> Tensor:
        if not isinstance(value, Tensor):
            errors.refuse_type(name, value, "tensor")
        expected = next(self.module.parameters(), None)
        dtype = value.dtype if expected is None else expected.dtype
        if value.device.type != "cpu" or (expected is not None and expected.device.type != "cpu"):
            raise ValueError(f"{name} or the layer is on {value.device}; fastlstm.torch.Recurrent computes on the CPU")
        if value.dtype != dtype or dtype not in DTYPES:
            due = dtype if dtype in DTYPES else torch.float32
            raise ValueError(f"{name} is {value.dtype}, expected {due} as the layer; float32 and float64 are computed")
        return value

    def sequence(self, name: str, value: Any) -> Tensor:
        """x for the engine."""
        config = self.module.config
        if isinstance(value, PackedSequence):
            self.packed = value
            x = self.checked(name, value.data)
            self.batch_sizes = np.require(value.batch_sizes.numpy(), np.int64, ("C", "A", "W"))
            if x.ndim != 2 or x.shape[1] != config.input_size:
                errors.refuse_shape(name, tuple(x.shape), f"(N, I) = (N, {config.input_size})")
        else:
            x = self.checked(name, value)
            _, B = errors.check_input(config, tuple(x.shape), name)
            self.unbatched = B is None
            x = self._batched(x)
        self.dtype = x.dtype
        return x

    def _batched(self, x: Tensor) -> Tensor:
        return x.unsqueeze(0 if self.module.config.batch_first else 1) if self.unbatched else x

    def sizes(self, x: Tensor) -> tuple[int, int | None]:
        if self.batch_sizes is not None:
            return len(self.batch_sizes), int(self.batch_sizes[0])
        T, B = x.shape[1::-1] if self.module.config.batch_first else x.shape[:2]
        return T, None if self.unbatched else B

    def state(self, name: str, value: Any, T: int, B: int | None) -> Tensor:
        value = self.checked(f"{name}_0", value)
        errors.check_state(self.module.config, name, tuple(value.shape), T, B, f"{name}_0")
        if self.packed is not None and self.packed.sorted_indices is not None:
            return value.index_select(1, self.packed.sorted_indices)
        return value.unsqueeze(1) if self.unbatched else value

    def mask(self, reset: Any, T: int, B: int | None) -> np.ndarray:
        if not isinstance(reset, Tensor) or reset.dtype != torch.bool:
            errors.refuse_type("reset", reset, "tensor of bool")
        errors.check_reset(tuple(reset.shape), T, B)
        if self.packed is not None and self.packed.sorted_indices is not None:
            reset = reset.index_select(1, self.packed.sorted_indices)
        return array(reset.unsqueeze(1) if self.unbatched else reset)

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
        self.step_names = list(found)
        return found

    def outer(self, value: Tensor) -> Any:
        if self.packed is not None:
            return self.packed._replace(data=value)
        return value.squeeze(0 if self.module.config.batch_first else 1) if self.unbatched else value

    def outer_state(self, value: Tensor) -> Tensor:
        if self.packed is not None and self.packed.unsorted_indices is not None:
            return value.index_select(1, self.packed.unsorted_indices)
        return value.squeeze(1) if self.unbatched else value

    def run(self, tensors: Sequence[Tensor], train: bool) -> tuple[Any, ...]:
        """The engine's results for x, states, step inputs and weights."""
        x, states, steps, weights = self.split(tensors)
        held = self.module.weights_of(self.dtype)
        held.update(weights)
        return held.engine.forward(
            held.arrays,
            held.version,
            array(x),
            tuple(map(array, states)) or None,
            train=train,
            batch_sizes=self.batch_sizes,
            reset=self.reset,
            masks=self.masks,
            step={name: array(value) for name, value in zip(self.step_names, steps, strict=True)},
            all_states=self.all_states,
        )

    def split(self, tensors: Sequence[Any]) -> tuple[Any, Sequence[Any], Sequence[Any], Sequence[Any]]:
        states, steps = self.counts
        rest = tensors[1:]
        return tensors[0], rest[:states], rest[states : states + steps], rest[states + steps :]


class _Function(torch.autograd.Function):
    """(call, x, states, step inputs, weights) -> output, final states, with all_states those beside the output."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        output, final, saved, *every = call.run(tensors, call.train)
        ctx.call, ctx.saved = call, saved
        ctx.set_materialize_grads(False)
        if call.train:
            ctx.save_for_backward(*tensors)
        others = every[0][1:] if every else ()
        return tuple(map(torch.from_numpy, (output, *final, *others)))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor | None, *grads: Tensor | None) -> tuple[Any, ...]:
        call, tensors = ctx.call, ctx.saved_tensors
        saved, ctx.saved = ctx.saved, None
        if saved is None:  # a second backward through a retained graph
            saved = call.run(tensors, True)[2]
        arrays = [None if grad is None else array(grad) for grad in grads]
        count = len(call.module.config.state_names)
        every = (None, *arrays[count:]) if call.all_states else None
        held = call.module.weights_of(call.dtype)
        held.update(call.split(tensors)[3])
        d_output = None if grad_output is None else array(grad_output)
        d_x, d_states, d_weights, *d_step = held.engine.backward(
            held.arrays, held.version, saved, d_output, tuple(arrays[:count]), every
        )
        states, _ = call.counts
        found = [d_x, *d_states[:states], *(d_step[0].values() if d_step else ()), *d_weights.values()]
        return None, *map(torch.from_numpy, found)
