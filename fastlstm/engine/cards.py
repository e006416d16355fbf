"""The kernels for a user's cell: what it has beside an LSTM's arrays, brought into the plan of a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastlstm.engine.engine import Engine, Saved
from fastlstm.engine.plan import Plan
from fastlstm.engine.weights import parts
from fastlstm.kernels.job import SLOTS
from fastlstm.spec import Stack
from fastlstm.spec.plain import BIAS, WEIGHT, plain

Arrays = Mapping[str, np.ndarray]


def reason_against(config: Stack) -> str | None:
    """Why these kernels do not serve a cell, None where they do."""
    cell = config.cell
    if any(node.op == "product" for node in cell.nodes):
        return "the step multiplies by W_hh inside, u.i(value)"
    return None


@dataclass(slots=True)
class CardSaved:
    """What a forward in training mode keeps for its backward."""

    saved: Saved
    units: np.ndarray
    inputs: StepInputs


@dataclass(slots=True)
class StepInputs:
    """Step inputs in rows: (T, B, STEPS, section), packed (N, ...), or (B, ...) where all are one for all steps."""

    rows: np.ndarray
    given: Arrays  # as the caller has them
    each_step: bool
    batch_sizes: np.ndarray | None
    batch_first: bool

    def is_static(self, value: np.ndarray) -> bool:
        """(B, H or 1), not one for each step."""
        if self.batch_sizes is None:
            return value.ndim == 2
        return len(value) != int(self.batch_sizes.sum())

    def fill(self, hidden: int) -> None:
        """Write the caller's arrays into the rows."""
        for number, value in enumerate(self.given.values()):
            target = self.rows[..., number, :hidden]
            if not self.is_static(value):
                target[...] = value.swapaxes(0, 1) if self.batch_first and value.ndim == 3 else value
            elif self.batch_sizes is None or not self.each_step:
                target[...] = value
            else:
                target[...] = np.concatenate([value[:n] for n in self.batch_sizes])

    def gradients(self, rows: np.ndarray, hidden: int) -> dict[str, np.ndarray]:
        """The gradients of the caller's arrays, from that of the rows."""
        found = {}
        for number, (name, value) in enumerate(self.given.items()):
            gradient = rows[..., number, :hidden]
            if value.shape[-1] == 1:
                gradient = gradient.sum(axis=-1, keepdims=True)
            if self.each_step and self.is_static(value):
                gradient = self._over_time(gradient, len(value))
            elif self.each_step and self.batch_first and value.ndim == 3:
                gradient = gradient.swapaxes(0, 1)
            found[name] = np.ascontiguousarray(gradient)
        return found

    def _over_time(self, gradient: np.ndarray, B: int) -> np.ndarray:
        """The sum over all steps."""
        if self.batch_sizes is None:
            return gradient.sum(axis=0)
        total, start = np.zeros((B, gradient.shape[-1]), gradient.dtype), 0
        for n in self.batch_sizes:
            total[:n] += gradient[start : start + n]
            start += n
        return total


class CardEngine(Engine):
    """The kernels for layers of one user's cell and dtype, with the interface of `fastlstm.reference.Reference`."""

    config: Stack

    def __init__(self, config: Stack, dtype: Any) -> None:
        self._outer = config
        super().__init__(replace(config, cell=plain(config.cell)), dtype)
        self._units_version: Any = None
        self._units = np.empty(0)

    def forward(  # type: ignore[override]
        self,
        parameters: Arrays,
        version: Any,
        x: np.ndarray,
        states: tuple[np.ndarray, ...] | None,
        *,
        train: bool,
        batch_sizes: np.ndarray | None = None,
        reset: np.ndarray | None = None,
        masks: Sequence[np.ndarray] | None = None,
        step: Arrays | None = None,
        all_states: bool = False,
        split: str | None = None,
        threads: int | None = None,
    ) -> tuple[Any, ...]:
        """As `Reference.forward`; `split` and `threads` as Engine's."""
        units, inputs = self._unit_rows(parameters, version), self._step_inputs(step or {}, x, batch_sizes)
        output, final, saved, *every = super().forward(
            parameters, version, x, states, train=train, batch_sizes=batch_sizes, reset=reset, masks=masks, split=split,
            threads=threads, prepare=lambda plan: self._point(plan, units, inputs), all_states=all_states,
        )  # fmt: skip
        return output, final, None if saved is None else CardSaved(saved, units, inputs), *every

    def backward(  # type: ignore[override]
        self,
        parameters: Arrays,
        version: Any,
        saved: CardSaved,
        grad_output: np.ndarray | None,
        grad_states: tuple[np.ndarray | None, ...] | None,
        grad_all_states: tuple[np.ndarray | None, ...] | None = None,
    ) -> tuple[Any, ...]:
        """As `Reference.backward`. Consumes `saved`."""
        inputs, directions = saved.inputs, self.config.directions
        d_rows = np.zeros((directions, *inputs.rows.shape), self.dtype)  # one each: they may run at once
        d_units: np.ndarray | None = None
        tasks = 0

        def prepare(plan: Plan) -> None:
            nonlocal d_units, tasks
            self._point(plan, saved.units, inputs)
            blocks, size, tasks = plan.blocks, self.dtype.itemsize, plan.tasks
            d_units = np.zeros((len(blocks), *saved.units.shape[1:]), self.dtype)
            blocks[:, SLOTS["d_units"]] = d_units.ctypes.data + np.arange(len(blocks)) * d_units[0].nbytes
            shift = blocks[:, SLOTS["reset_offset"]] * blocks[:, SLOTS["es_batch"]] * size
            blocks[:, SLOTS["d_es"]] = d_rows.ctypes.data + blocks[:, SLOTS["direction"]] * d_rows[0].nbytes + shift

        grad_x, grad_initial, grads = super().backward(
            parameters, version, saved.saved, grad_output, grad_states, grad_all_states, prepare
        )
        assert d_units is not None
        results = grad_x, grad_initial, self._gradients(parameters, grads, d_units, tasks)
        if not self._outer.cell.step:
            return results
        return *results, inputs.gradients(d_rows.sum(axis=0), self.config.hidden_size)

    def _point(self, plan: Plan, units: np.ndarray, inputs: StepInputs) -> None:
        """The addresses of unit parameters and step inputs into the blocks."""
        blocks, size, D = plan.blocks, self.dtype.itemsize, self.config.directions
        rows = np.arange(len(blocks))
        part = rows // plan.tasks * D + blocks[:, SLOTS["direction"]]
        blocks[:, SLOTS["units"]] = units.ctypes.data + part * units[0].nbytes
        width = self.layout.trait("STEPS") * self.layout.section
        step = 0 if not inputs.each_step else width if inputs.batch_sizes is not None else plan.B * width
        blocks[:, SLOTS["es_step"]], blocks[:, SLOTS["es_batch"]] = step, width
        blocks[:, SLOTS["es"]] = inputs.rows.ctypes.data + blocks[:, SLOTS["reset_offset"]] * width * size

    def _unit_rows(self, parameters: Arrays, version: Any) -> np.ndarray:
        """(L*D, UNITS, section): every unit parameter, and those of a diagonal product, padded with zeros."""
        if self._units_version == version and self._units.size:
            return self._units
        H, G = self.config.hidden_size, len(self.config.gates)
        names = self.config.cell.unit
        units = np.zeros((len(parts(self.config)), max(len(names), 1), self.layout.section), self.dtype)
        for part, (_, _, suffix) in enumerate(parts(self.config)):
            for number, name in enumerate(names):
                source, dot, gate = name.partition(".")
                if source + suffix in parameters:
                    value = parameters[source + suffix]
                    units[part, number, :H] = value.reshape(G, H)[self.config.gates.index(gate)] if dot else value
        self._units, self._units_version = units, version
        return units

    def _gradients(
        self, parameters: Arrays, grads: dict[str, np.ndarray], d_units: np.ndarray, tasks: int
    ) -> dict[str, np.ndarray]:
        """The gradients by the caller's names and in their order: of units summed over the tasks."""
        config, H, D = self.config, self.config.hidden_size, self.config.directions
        found = {name: grads[name] for name in parameters if name in grads}
        for layer, direction, suffix in parts(config):
            of_part = d_units[layer * tasks : (layer + 1) * tasks][direction::D].sum(axis=0)[:, :H]
            place = {name: of_part[number] for number, name in enumerate(config.cell.unit)}
            for name in self._outer.cell.unit:
                found[name + suffix] = place[name].copy()
            for prefix in (WEIGHT, BIAS):
                name = prefix[:-1] + suffix
                if self._outer.cell.recurrent == "diagonal" and name in parameters:
                    found[name] = np.concatenate([place[prefix + gate] for gate in config.gates])
        return {name: found[name] for name in parameters}

    def _step_inputs(self, step: Arrays, x: np.ndarray, batch_sizes: np.ndarray | None) -> StepInputs:
        batch_first = self.config.batch_first
        T, B = (x.shape[1::-1] if batch_first else x.shape[:2]) if batch_sizes is None else (0, int(batch_sizes[0]))
        inputs = StepInputs(np.empty(0), step, True, batch_sizes, batch_first)
        inputs.each_step = not all(inputs.is_static(value) for value in step.values())
        lead = (B,) if not inputs.each_step else (T, B) if batch_sizes is None else (len(x),)
        width = self.layout.section
        inputs.rows = np.zeros((*lead, len(step), width) if step else (1,), self.dtype)
        inputs.fill(self.config.hidden_size)
        return inputs
