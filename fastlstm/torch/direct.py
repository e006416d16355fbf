"""One time step without a backward, on the weights where they are: nothing is packed, kept or compared."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numba import types
from torch import Tensor

from fastlstm.contract import Layer
from fastlstm.engine.launch import ENTRY
from fastlstm.engine.layout import Layout, Memory, cell_name
from fastlstm.engine.plan import SMALL_FLOPS
from fastlstm.engine.pool import POOL
from fastlstm.engine.weights import parts
from fastlstm.kernels.jit import compile_kernel, job_type
from fastlstm.kernels.job import SLOTS, blank
from fastlstm.torch.direct_kernel import step_direct

# From so many samples on the packed product gains more than the comparison of the weights costs.
MOST_SAMPLES = 32

_WEIGHTS = [SLOTS[name] for name in ("w_ih", "w_hh", "b_ih", "b_hh")]


class _Plan:
    """The job blocks of a batch of B, a row for each layer and direction, and the memory that they work in."""

    def __init__(self, layout: Layout, B: int) -> None:
        config, lanes = layout.config, layout.lanes
        D, H = config.directions, config.hidden_size
        count = -(-H // lanes)
        self.blocks, self.pointers = blank(config.num_layers * D), [0]
        memory = Memory(layout.dtype)
        z, h = (layout.row(width * lanes) for width in (layout.gates * count, count))
        scratch = [memory.add(B * width) for width in (z, z, h, h, h, h)]
        between = [memory.add(B * D * H) for _ in range(config.num_layers - 1)]
        self.owner, base = memory.allocate()
        for row, (layer, direction, _) in enumerate(parts(config)):
            I = config.layer_input_size(layer)
            fields = {"T": 1, "B": B, "I": I, "H": H, "P": H, "blocks": count, "bias": int(config.bias), "brief": 1}
            fields |= {"x_batch": I, "out_batch": D * H, "out_offset": direction * H, "z_ld": z, "h_ld": h}
            fields |= {"h_offset": row * B * H, "c_offset": row * B * H}
            for name, offset in zip(("z", "u", "hin", "cin", "h_end", "c_end"), scratch, strict=True):
                fields[name] = base + offset
            if layer:
                fields["x"] = base + between[layer - 1]
            if layer < config.num_layers - 1:
                fields["out"] = base + between[layer] + direction * H * layout.dtype.itemsize
            for name, value in fields.items():
                self.blocks[row, SLOTS[name]] = value


class Direct:
    """The kernel for one configuration and dtype. Two threads may call it at once."""

    def __init__(self, config: Layer, dtype: np.dtype) -> None:
        self._layout = Layout(config, dtype)
        self._count = config.num_layers * config.directions
        self._per_part = 4 if config.bias else 2
        self._flops = 2 * sum(
            len(config.gates) * config.hidden_size * (config.layer_input_size(layer) + config.hidden_size)
            for layer, _, _ in parts(config)
        )
        self._idle: dict[int, list[_Plan]] = {}

    @cached_property
    def _kernel(self) -> int:
        job = job_type(cell_name(self._layout.config), self._layout.dtype)
        return compile_kernel(step_direct, (job, types.int64))

    @cached_property
    def _run(self) -> Any:
        return ENTRY.run_forward(self._layout.dtype.name)

    def step(
        self,
        weights: Sequence[Tensor],
        x: np.ndarray,
        states: Sequence[np.ndarray],
        reset: np.ndarray | None,
        threads: int,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Output and final states of one step. Trusts its input.

        x: (1, B, I), or (B, 1, I) with batch_first. states: (L*D, B, H) each, none for zeros. reset: (1, B) bool or
        None. weights: contiguous, in the contract's order.
        """
        config, dtype = self._layout.config, self._layout.dtype
        first, second, _ = x.shape
        B, H = first * second, config.hidden_size
        idle = self._idle.setdefault(B, [])
        try:
            plan = idle.pop()
        except IndexError:
            plan = _Plan(self._layout, B)
        pointers = [weight.data_ptr() for weight in weights]
        if pointers != plan.pointers:
            plan.pointers = pointers
            for row in range(self._count):
                own = pointers[row * self._per_part : (row + 1) * self._per_part]
                plan.blocks[row, _WEIGHTS[: self._per_part]] = own
        blocks = plan.blocks
        if reset is not None or blocks[0, SLOTS["resets"]]:
            blocks[:, SLOTS["resets"]] = reset is not None
        out = np.empty((first, second, config.directions * H), dtype)
        hn = np.empty((self._count, B, H), dtype)
        cn = np.empty((self._count, B, H), dtype) if config.kind == "LSTM" else hn
        h0, c0 = (states[0], states[-1]) if states else (hn, cn)
        if self._flops * B < SMALL_FLOPS:
            threads = 1
        elif threads > 1:
            POOL.start(threads)
        self._run(
            POOL.control, self._kernel, blocks, config.directions, threads, len(states) > 0,
            0 if reset is None else reset.ctypes.data, x, h0, c0, out, hn, cn,
        )  # fmt: skip
        idle.append(plan)
        return out, (hn, cn) if config.kind == "LSTM" else (hn,)
