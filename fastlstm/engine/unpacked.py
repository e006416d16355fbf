"""One time step without a backward, on the weights where they are: nothing is packed, kept or compared.

For callers whose weights may change unseen, on addresses alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import numpy as np
from numba import njit, types

from fastlstm.contract import Layer
from fastlstm.engine import launch
from fastlstm.engine.layout import Layout, Memory, cell_name
from fastlstm.engine.plan import SMALL_FLOPS, Sizes, flops
from fastlstm.engine.pool import Threads
from fastlstm.engine.weights import parts
from fastlstm.kernels.jit import OPTIONS, compile_kernel, digest, job_type
from fastlstm.kernels.job import SLOTS, blank
from fastlstm.kernels.unpacked_few import step_few
from fastlstm.kernels.unpacked_samples import step_samples

# From so many samples on the packed product gains more than the comparison of the weights costs.
MOST_SAMPLES = 32

# Of a step below about 100 us: waking a thread for it costs more than it gives.
BRIEF_FLOPS = 2_500_000

_HAS_STATE, _STATE_OFFSET, _OUT_OFFSET = SLOTS["has_state"], SLOTS["h_offset"], SLOTS["out_offset"]
_X, _OUT, _H0, _C0, _HN, _CN = (SLOTS[name] for name in ("x", "out", "h0", "c0", "hn", "cn"))
_WEIGHTS = [SLOTS[name] for name in ("w_ih", "w_hh", "b_ih", "b_hh")]


class _Plan:
    """The job blocks of a batch of B, a row for each layer and direction, and the memory that they work in."""

    def __init__(self, layout: Layout, B: int, threads: int, brief: int) -> None:
        config, lanes = layout.config, layout.lanes
        few = lanes >= 2 * B  # a vector of samples would be half empty
        self.kernel = _address(step_few if few else step_samples, cell_name(config), layout.dtype.name)
        D, H = config.directions, config.hidden_size
        count = -(-H // lanes)
        self.blocks, self.weights = blank(config.num_layers * D), [0]
        self.address = self.blocks.ctypes.data
        memory = Memory(layout.dtype)
        if few:
            z, h = (layout.row(width * lanes) for width in (layout.gates * count, count))
            widths = {"xs": z, "m": z, "z": B * z, "u": B * z, "h": B * h}
            thread = 0
        else:
            thread = max(config.input_size, D * H) * lanes
            h = (H + layout.row(1)) * lanes
            z = layout.gates * h
            widths = {"xs": threads * thread, "m": threads * thread, "z": z, "u": z, "h": h}
        scratch = {name: memory.add(widths[name]) for name in ("xs", "m", "z", "u")}
        scratch |= {name: memory.add(widths["h"]) for name in ("hin", "cin", "h_end", "c_end")}
        between = [memory.add(B * D * H) for _ in range(config.num_layers - 1)]
        self.owner, base = memory.allocate()
        for row, (layer, direction, _) in enumerate(parts(config)):
            I = config.layer_input_size(layer)
            fields = {"T": 1, "B": B, "I": I, "H": H, "P": H, "blocks": count, "bias": int(config.bias), "brief": brief}
            fields |= {"x_batch": I, "out_batch": D * H, "out_offset": direction * H, "z_ld": z, "h_ld": h}
            fields |= {"scratch_thread": thread, "h_offset": row * B * H}
            fields |= {name: base + offset for name, offset in scratch.items()}
            if layer:
                fields["x"] = base + between[layer - 1]
            if layer < config.num_layers - 1:
                fields["out"] = base + between[layer] + direction * H * layout.dtype.itemsize
            for name, value in fields.items():
                self.blocks[row, SLOTS[name]] = value


@cache
def _address(kernel: Callable[..., None], cell: str, dtype: str) -> int:
    return compile_kernel(kernel, (job_type(cell, np.dtype(dtype)), types.int64))


@cache
def _entry(size: int) -> Any:
    """The compiled function that Python calls, for numbers of `size` bytes.

    As the engine's, but it takes addresses: an array costs 0.5 us to take from a tensor and as much to hand over.
    """
    key = digest()

    @njit(types.void(*[types.int64] * 13), cache=True, no_cfunc_wrapper=True, **OPTIONS)
    def run_step(control, blocks, rows, kernel, tasks, threads, has_state, x, h0, c0, out, hn, cn):
        _ = key
        for i in range(rows):
            block = launch.block_at(blocks, i)
            block[_HAS_STATE] = has_state
            block[_H0] = h0 + block[_STATE_OFFSET] * size
            block[_C0] = c0 + block[_STATE_OFFSET] * size
            block[_HN] = hn + block[_STATE_OFFSET] * size
            block[_CN] = cn + block[_STATE_OFFSET] * size
            if i < tasks:
                block[_X] = x
            if i >= rows - tasks:
                block[_OUT] = out + block[_OUT_OFFSET] * size
        for first in range(0, rows, tasks):
            launch.run_tasks(control, kernel, blocks, first, tasks, threads)

    return launch.direct(run_step)


class Unpacked:
    """The kernels for one configuration without a projection, and one dtype. Two threads may call it at once."""

    def __init__(self, config: Layer, dtype: np.dtype[Any], pool: Threads) -> None:
        self._layout, self._pool = Layout(config, dtype), pool
        self._directions = config.directions
        self._count = config.num_layers * config.directions
        self._per_part = 4 if config.bias else 2
        self._flops = flops(self._layout, Sizes(1, 1, False, 1))
        self._idle: dict[tuple[int, int], list[_Plan]] = {}

    @cached_property
    def _run(self) -> Any:
        return _entry(self._layout.dtype.itemsize)

    def step(
        self, weights: list[int], B: int, threads: int, has_state: bool, x: int, h0: int, c0: int, out: int, hn: int,
        cn: int,
    ) -> None:  # fmt: skip
        """From x and the states to output and final states; every array by its address, contiguous. Trusts its input.

        weights: in the contract's order. x: B rows of I. h0, c0, hn, cn: (L*D, B, H) each. out: B rows of D*H.
        """
        if self._flops * B < SMALL_FLOPS:
            threads = 1
        elif threads > 1:
            self._pool.start(threads)
        idle = self._idle.get((B, threads))
        if idle is None:
            idle = self._idle.setdefault((B, threads), [])
        try:
            plan = idle.pop()
        except IndexError:
            plan = _Plan(self._layout, B, threads, int(self._flops * B < BRIEF_FLOPS))
        if weights != plan.weights:
            plan.weights = weights
            for row in range(self._count):
                own = weights[row * self._per_part : (row + 1) * self._per_part]
                plan.blocks[row, _WEIGHTS[: self._per_part]] = own
        self._run(
            self._pool.address, plan.address, len(plan.blocks), plan.kernel, self._directions, threads, has_state,
            x, h0, c0, out, hn, cn,
        )  # fmt: skip
        idle.append(plan)
