"""One layer stack of one dtype, forward and backward, on packed weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any
from weakref import ref

import numpy as np
from fastlstm_lint.contract import Layer

from fastlstm.engine.code import entry, kernel, prepare
from fastlstm.engine.gradients import Gradients
from fastlstm.engine.layout import Layout, cell_name
from fastlstm.engine.plan import Plan, Sizes
from fastlstm.engine.pool import POOL, Threads, get_num_threads
from fastlstm.engine.samples import plan_of
from fastlstm.engine.steps import StepInputs
from fastlstm.engine.weights import PACKING, Weights
from fastlstm.kernels.job import SLOTS
from fastlstm.spec import Call, Grads, Stack
from fastlstm.spec.plain import plain

_OF_A_CELL = ("advance", "advance_coarse", "retreat")
"""The kernels that each cell has of its own."""

# Plans kept for reuse, by engine: a training loop needs one, a validation loop with its own sizes another.
IDLE_PLANS = 4


class Saved:
    """What a forward pass in training mode keeps for its backward pass; consumed by it, or dropped."""

    __slots__ = ("__weakref__", "inputs", "lent", "masks", "reset", "x_shape")

    def __init__(
        self, plan: Plan, returned: list[Any], x_shape: tuple[int, ...], reset: Any, masks: Any, inputs: Any
    ) -> None:
        self.x_shape, self.reset, self.masks, self.inputs = x_shape, reset, masks, inputs
        self.lent: _Lent | None = _Lent(self, returned.append)
        self.lent.plan = plan


class _Lent(ref[Saved]):
    """A plan in use, held by the `Saved` that it watches. When that is dropped, `returned` gets this, plan and all.

    A weak reference's callback, since a list's `append` is no code of Python's: in a `__del__` the interpreter looks
    for signals, and an exception of their handlers there (Ctrl-C) is printed and forgotten.
    """

    __slots__ = ("plan",)
    plan: Plan


class Engine:
    """The kernels for one configuration and dtype (float32 or float64). Trusts its input: layers check.

    Serves LSTM, GRU and RNN, and users' cells; a head of one is a task by itself.
    """

    kernels: Mapping[str, str] = {"multiply": "multiply", "multiply_state": "multiply", "advance": "advance"}
    """By a job's slot, the kernel that forward calls there."""

    def __init__(self, config: Layer, dtype: Any, pool: Threads = POOL, split: str | None = None) -> None:
        """split: forces the planner's choice, "batch", "units" or "layers"."""
        self.config, self.dtype, self._split = config, np.dtype(dtype), split
        inner = replace(config, cell=plain(config.cell)) if isinstance(config, Stack) else config
        self.layout = Layout(inner, self.dtype)
        self._cell = cell_name(inner)
        self._pool = pool
        self._weights = self._weights_of(self.layout)
        # By key: plans, and `_Lent` ones that came back. Two threads may be in `forward`; each step here is one that
        # the interpreter does whole, so there is no lock that a fork could leave taken.
        self._idle: dict[Any, list[Plan | _Lent]] = {}
        # Read by every call: a property of the configuration costs 0.3 us, an attribute 0.03.
        self._dtype_name = self.dtype.name  # NumPy makes it anew each time, in 4 us
        self._states = config.num_layers * config.directions
        self._h_width = config.output_size
        self._size = self.dtype.itemsize
        self._others = self.layout.trait("OTHERS")  # states beside h
        self._out_width = config.directions * config.output_size
        self._gradients = Gradients(config, self.layout)
        self._nothing = np.empty((0, 0, 0), self.dtype)  # stands where the entry points read and write nothing

    def _weights_of(self, layout: Layout) -> Weights:
        return Weights(layout)

    @cached_property
    def _run_forward(self) -> Any:
        return entry("run_forward")

    @cached_property
    def _run_backward(self) -> Any:
        return entry("run_backward")

    def forward(
        self,
        parameters: Mapping[str, np.ndarray],
        version: Any,
        x: np.ndarray,
        states: tuple[np.ndarray, ...] | None,
        call: Call,
    ) -> tuple[Any, ...]:
        """As `fastlstm.spec.Engine` says. All arrays are of the engine's dtype, C-contiguous, aligned and writable.

        `call.threads`: for this call and its backward; None for `get_num_threads()`.
        """
        train, threads, batch_sizes = call.train, call.threads, call.batch_sizes
        if threads is None:
            threads = get_num_threads()
        if batch_sizes is None:
            first, second, _ = x.shape
            key: Any = (first, second, train, threads)
        else:
            first, second = 1, len(x)
            key = (batch_sizes.tobytes(), train, threads)
            x = x[None]
        if self._weights.version != version:
            self._pack("pack", parameters, version, threads)
        try:
            idle = self._idle[key].pop()
            plan = idle.plan if isinstance(idle, _Lent) else idle
        except (KeyError, IndexError):
            plan = self._plan(key, first, second, train, threads, batch_sizes)

        out = np.empty((first, second, self._out_width), self.dtype)
        hn = np.empty((self._states, plan.B, self._h_width), self.dtype)
        others = self._others
        cn = np.empty((others * self._states, plan.B, self.config.hidden_size), self.dtype) if others else hn
        if states is None:
            h0, c0 = hn, cn
        else:
            h0, c0 = states[0], states[-1] if others < 2 else np.concatenate(states[1:])
        inputs = every = None
        reset, masks = call.reset, call.masks
        if call.step:
            lead = (plan.sizes.T, plan.B) if batch_sizes is None else (second,)
            inputs = StepInputs(self.layout, call.step, lead, batch_sizes)
            inputs.point(plan)
        if call.all_states:
            every = np.empty((others, first, second, self.config.directions * self.config.hidden_size), self.dtype)
        if reset is not None or masks or call.all_states or plan.extras:
            self._set_extras(plan, reset, masks, every)
        # Held to the end: the crew's memory lives as long as the call, whatever happens to the pool.
        crew = self._pool.crew(plan.threads) if plan.threads > 1 else None
        self._run_forward(
            crew.address if crew else 0, plan.forward, plan.address, plan.rows, plan.tasks, states is not None,
            0 if reset is None else reset.ctypes.data, self._size, x, h0, c0, out, hn, cn,
        )  # fmt: skip
        saved = None
        if train:
            saved = Saved(plan, self._returned(plan.key), x.shape, reset, masks, inputs)
        else:
            self._returned(plan.key).append(plan)
        final = (hn, cn) if others == 1 else (hn,) if not others else (hn, *np.split(cn, others))
        if batch_sizes is not None:
            out = out[0]
        if every is None:
            return out, final, saved
        return out, final, saved, (out, *(every if batch_sizes is None else every[:, 0]))

    def backward(
        self, parameters: Mapping[str, np.ndarray], version: Any, saved: Saved, grads: Grads
    ) -> tuple[Any, ...]:
        """As `fastlstm.spec.Engine` says; the gradient of x is not made where it is not wanted."""
        assert saved.lent is not None, "backward consumes what forward saved"
        config, plan, inputs, wants_x = self.config, saved.lent.plan, saved.inputs, grads.wants_x
        if plan.reads_transposed and self._weights.transposed_version != version:
            self._pack("pack_transposed", parameters, version, plan.sizes.threads)
        B, count = plan.B, self._states
        grad_x = np.empty(saved.x_shape, self.dtype) if wants_x else self._nothing
        grad_h0 = np.empty((count, B, self._h_width), self.dtype)
        others = self._others
        grad_c0 = np.empty((others * count, B, config.hidden_size), self.dtype) if others else grad_h0
        grad_output, grad_states = grads.output, grads.states
        of_h, *of_others = grads.every or (None,)
        if of_h is not None:
            grad_output = of_h if grad_output is None else grad_output + of_h
        grad_every = self._stacked(of_others) if of_others else None
        if grad_every is not None or plan.extras_back:
            plan.extras_back = grad_every is not None
            self._point_every(plan, "grad_every", grad_every)
        has_state = bool([state for state in grad_states if state is not None])
        given = [grad_h0, grad_c0]  # not read where there are none
        if has_state:
            zeros = [np.zeros_like(grad_h0), *np.zeros((others, count, B, config.hidden_size), self.dtype)]
            given = [
                zero if state is None else self._readable(state)
                for state, zero in zip(grad_states, zeros, strict=False)
            ]
            if others > 1:
                given = [given[0], np.concatenate(given[1:])]
        out = self._nothing if grad_output is None else self._readable(grad_output)
        if plan.d_units.size:
            plan.d_units[...] = 0
        d_rows = None if inputs is None else inputs.point_gradients(plan, config.directions)
        if not plan.backward:
            plan.backward = tuple(map(self._address, plan.kernels[1:]))
        places, memory = self._gradients.places(plan), self._gradients.memory(self.dtype)
        crew = self._pool.crew(plan.threads) if plan.threads > 1 else None
        self._run_backward(
            crew.address if crew else 0, *plan.backward, self._address("retreat"),
            plan.address, plan.rows, plan.tasks, grad_output is not None, has_state, not wants_x, self._size,
            len(places), places, self._gradients.starts, memory, out, given[0], given[-1], grad_x, grad_h0, grad_c0,
        )  # fmt: skip
        gradients = self._gradients.of(memory)
        if plan.d_units.size:
            gradients |= {
                name: value
                for name, value in self._weights.units.gradients(plan.d_units, plan.tasks).items()
                if name in gradients
            }
        if plan.sizes.batch_sizes is not None and wants_x:
            grad_x = grad_x[0]
        saved.lent = None
        self._returned(plan.key).append(plan)
        states = (grad_h0, grad_c0) if others == 1 else (grad_h0, *np.split(grad_c0, others)) if others else (grad_h0,)
        results = grad_x if wants_x else None, states, gradients
        return results if inputs is None else (*results, inputs.gradients(d_rows))

    def _readable(self, array: np.ndarray) -> np.ndarray:
        """As the entry points take it; `np.require`, which takes 3 us to say that it is, only where it is not."""
        flags = array.flags
        if flags.c_contiguous and flags.writeable and flags.aligned and array.dtype is self.dtype:
            return array
        return np.require(array, self.dtype, ["C", "W"])

    def _address(self, name: str) -> int:
        return kernel(name, self._dtype_name, self._cell if name in _OF_A_CELL else "any")

    def _pack(self, kernel: str, parameters: Mapping[str, np.ndarray], version: Any, threads: int) -> None:
        weights = self._weights
        with PACKING.lock:
            if weights.stale(kernel, version):
                prepare(kernel, self.dtype.name, self._cell)
                kept = weights.point_to(kernel, parameters)
                threads = threads if sum(array.size for array in kept) > 100_000 else 1
                crew = self._pool.crew(threads) if threads > 1 else None
                weights.mark_packed(kernel, None)
                entry("run_each")(
                    crew.address if crew else 0, self._address(kernel), weights.blocks.ctypes.data, len(weights.blocks),
                    threads,
                )  # fmt: skip
                weights.mark_packed(kernel, version)

    def _plan(self, key: Any, first: int, second: int, train: bool, threads: int, batch_sizes: Any) -> Plan:
        if batch_sizes is not None:
            T, B, lengths = len(batch_sizes), int(batch_sizes[0]), tuple(batch_sizes.tolist())
        else:
            (B, T), lengths = ((first, second) if self.config.batch_first else (second, first)), None
        sizes = Sizes(T, B, train, threads, lengths, self._split)
        addresses = {slot: self._address(name) for slot, name in self.kernels.items()}
        plan = plan_of(self.layout, self._weights, sizes, addresses, key)
        plan.forward = self._address(plan.kernels[0])
        return plan

    def _returned(self, key: Any) -> list[Plan | _Lent]:
        """Where plans of this key come back to."""
        plans = self._idle.get(key)
        if plans is None:
            plans = self._idle.setdefault(key, [])
            for other in list(self._idle)[:-IDLE_PLANS]:
                self._idle.pop(other, None)
        return plans

    def _set_extras(
        self, plan: Plan, reset: np.ndarray | None, masks: Sequence[np.ndarray], every: np.ndarray | None
    ) -> None:
        """Whether states are reset, where the dropout masks are and where every step's states go, into the blocks."""
        blocks, tasks = plan.blocks, plan.tasks
        plan.extras = reset is not None or bool(masks) or every is not None
        blocks[:, SLOTS["masked"]] = 0
        blocks[:, SLOTS["resets"]] = reset is not None
        for layer, mask in enumerate(masks):
            rows = blocks[layer * tasks : (layer + 1) * tasks]
            rows[:, SLOTS["masked"]] = 1
            rows[:, SLOTS["mask"]] = mask.ctypes.data + rows[:, SLOTS["out_offset"]] * self.dtype.itemsize
        self._point_every(plan, "every", every)

    def _point_every(self, plan: Plan, slot: str, every: np.ndarray | None) -> None:
        """Where the last layer's states beside h after every step are, or their gradients: (others, ..., D*H)."""
        rows = plan.blocks[len(plan.blocks) - plan.tasks :]
        rows[:, SLOTS[f"has_{slot}"]] = every is not None
        if every is not None and every.size:
            offsets = rows[:, SLOTS["out_offset"]] // self.layout.P * self.layout.H
            rows[:, SLOTS[slot]] = every.ctypes.data + offsets * self.dtype.itemsize
            rows[:, SLOTS["every_step"]] = every[0].size

    def _stacked(self, gradients: Sequence[np.ndarray | None]) -> np.ndarray | None:
        """The gradients of the states beside h after every step as one array; None where there are none."""
        given = [gradient for gradient in gradients if gradient is not None]
        if not given:
            return None
        return np.stack([np.zeros_like(given[0]) if g is None else g for g in gradients], dtype=self.dtype)
