"""One time step on the weights where they are: nothing is packed or compared. With a backward as far as the gates.

For callers whose weights may change unseen, on addresses alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from fastlstm_lint.contract import Layer

from fastlstm.cells import CELLS
from fastlstm.engine.code import entry, kernel
from fastlstm.engine.layout import Layout, Memory, cell_name
from fastlstm.engine.plan import SMALL_FLOPS, Sizes, flops
from fastlstm.engine.pool import Threads
from fastlstm.engine.products import Product, Products
from fastlstm.kernels.job import SLOTS, blank

# From so many samples on the packed product gains more than the comparison of the weights costs.
MOST_SAMPLES = 32

# Where samples are lanes, a step of 14 us (LSTM(64, 64), B = 8) takes as long with a second thread; one of 24 us gains.
SMALL_OF_LANES = 600_000

# Of a step below about 100 us: waking a thread for it costs more than it gives.
BRIEF_FLOPS = 2_500_000

# The gates' equations take about a tenth of the time of the products: alone they are worth a thread later.
BACK_FLOPS = 30_000_000

_WEIGHTS = [SLOTS[name] for name in ("w_ih", "w_hh", "b_ih", "b_hh")]


class _Plan:
    """The job blocks of a batch of B, a row for each layer and direction, and the memory that they work in."""

    def __init__(self, layout: Layout, B: int, threads: int, brief: int) -> None:
        config, lanes = layout.config, layout.lanes
        few = lanes >= 2 * B  # a vector of samples would be half empty
        self.kernel = kernel("step_few" if few else "step_samples", layout.dtype.name, cell_name(config))
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
            vectors = -(-B // lanes)
            thread = max(config.input_size, D * H) * lanes * vectors
            h = (H + layout.row(1)) * lanes
            z = layout.gates * h
            widths = {"xs": threads * thread, "m": threads * thread, "z": vectors * z, "u": vectors * z, "h": h}
        scratch = {name: memory.add(widths[name]) for name in ("xs", "m", "z", "u")}
        scratch |= {name: memory.add(widths["h"]) for name in ("hin", "cin", "h_end", "c_end")}
        between = [memory.add(B * D * H) for _ in range(config.num_layers - 1)]
        self.owner, base = memory.allocate()
        for row, (layer, direction, _) in enumerate(config.parts()):
            I = config.layer_input_size(layer)
            fields = {"T": 1, "B": B, "I": I, "H": H, "P": H, "blocks": count, "bias": int(config.bias), "brief": brief}
            fields |= {"x_batch": I, "out_batch": D * H, "out_offset": direction * H, "z_ld": z, "h_ld": h}
            fields |= {"scratch_thread": thread, "threads": threads, "tasks": D, "h_offset": row * B * H}
            fields |= {name: base + offset for name, offset in scratch.items()}
            if layer:
                fields["x"] = base + between[layer - 1]
            if layer < config.num_layers - 1:
                fields["out"] = base + between[layer] + direction * H * layout.dtype.itemsize
            for name, value in fields.items():
                self.blocks[row, SLOTS[name]] = value


class _BackPlan:
    """The job block of a batch of B, the memory that it works in, and zeros for what is not given."""

    def __init__(self, layout: Layout, B: int, threads: int) -> None:
        H, lanes, G = layout.config.hidden_size, layout.lanes, layout.gates
        self.kernel = kernel("step_back", layout.dtype.name, cell_name(layout.config))
        self.blocks = blank(1)
        self.address = self.blocks.ctypes.data
        memory = Memory(layout.dtype)
        thread = layout.row((4 * G + 6) * lanes)
        scratch, zeros = memory.add(threads * thread), memory.add(B * H)
        self.owner, base = memory.allocate()
        self.zeros = base + zeros
        fields = {"T": 1, "B": B, "H": H, "threads": threads, "tasks": 1}
        fields |= {"scratch": base + scratch, "scratch_thread": thread}
        for name, value in fields.items():
            self.blocks[0, SLOTS[name]] = value


# Batch sizes whose plans are kept: a decoder has a new one whenever a sequence ends.
IDLE_BATCHES = 8


P = TypeVar("P")


class _Idle(dict[tuple[int, int], list[P]]):
    """Plans that nobody uses, by what they were made for; of the sizes that came first none are kept any more.

    Two threads may be at it: `pop` and `append` of a list are single steps.
    """

    def give(self, key: tuple[int, int], plan: P) -> None:
        """Keep a plan for the next call."""
        plans = self.get(key)
        if plans is not None:
            plans.append(plan)
            return
        self[key] = [plan]
        if len(self) > IDLE_BATCHES:
            oldest, *_ = list(self)  # in one go: another thread may add one meanwhile
            self.pop(oldest, None)


class Unpacked:
    """The kernels for one configuration without a projection, and one dtype. Two threads may call it at once."""

    def __init__(self, config: Layer, dtype: np.dtype[Any], pool: Threads) -> None:
        self._layout, self._pool = Layout(config, dtype), pool
        self._directions, self._size = config.directions, dtype.itemsize
        self._count = config.num_layers * config.directions
        self._per_part = 4 if config.bias else 2
        self._flops = flops(self._layout, Sizes(1, 1, False, 1))
        self._lanes = self._layout.lanes
        self._idle = _Idle[_Plan]()
        self._idle_back = _Idle[_BackPlan]()
        self._products = Products(self._layout.dtype, pool)
        cell = CELLS[cell_name(config)]
        self.splits_gates, self.passes_state = bool(cell.SPLITS_GATES), bool(cell.PASSES_STATE)
        self.gate_rows = len(config.gates) * config.hidden_size
        self.kept_width = self.gate_rows * (1 + self.splits_gates)
        """Numbers that a step keeps of each sample for its backward."""

    @cached_property
    def _run(self) -> Any:
        return entry("run_step")

    @cached_property
    def _run_back(self) -> Any:
        return entry("run_step_back")

    def has_work_for_two(self, samples: int) -> bool:
        """Whether the products of so many samples, over all steps, are worth a second thread."""
        return self._flops * samples >= SMALL_FLOPS

    def steps_alone(self, B: int) -> bool:
        """Whether a step of B samples has too little work for a second thread."""
        return self._flops * B < (SMALL_FLOPS if self._lanes >= 2 * B else SMALL_OF_LANES)

    def multiply(self, wanted: Sequence[Product], samples: int, threads: int) -> None:
        """The products behind the gates' gradients, of so many samples, on `threads` threads."""
        self._products.run(wanted, threads, self._flops * samples < BRIEF_FLOPS)

    def step(
        self, weights: list[int], B: int, threads: int, has_state: bool, x: int, h0: int, c0: int, out: int, hn: int,
        cn: int, kept: int = 0,
    ) -> None:  # fmt: skip
        """From x and the states to output and final states; every array by its address, contiguous. Trusts its input.

        weights: in the contract's order. x: B rows of I. h0, c0, hn, cn: (L*D, B, H) each. out: B rows of D*H. kept: of
        a single layer and direction (B, kept_width), what `back` needs; 0 where no backward will follow.
        """
        if threads > 1 and self.steps_alone(B):
            threads = 1
        crew = self._pool.crew(threads) if threads > 1 else None
        key = B, threads
        try:
            plan = self._idle[key].pop()
        except (KeyError, IndexError):
            plan = _Plan(self._layout, B, threads, int(self._flops * B < BRIEF_FLOPS))
        if weights != plan.weights:
            plan.weights = weights
            for row in range(self._count):
                own = weights[row * self._per_part : (row + 1) * self._per_part]
                plan.blocks[row, _WEIGHTS[: self._per_part]] = own
        self._run(
            crew.address if crew else 0, plan.address, self._count, plan.kernel, self._directions, threads, has_state,
            self._size, x, h0, c0, out, hn, cn, kept,
        )  # fmt: skip
        self._idle.give(key, plan)

    def back(
        self, B: int, threads: int, kept: int, h0: int, c0: int, grad_hn: int, grad_cn: int, z: int, u: int,
        grad_h0: int, grad_c0: int,
    ) -> None:  # fmt: skip
        """The backward of `step` as far as the gates, of a single layer and direction; arrays as in `step`.

        h0, c0, grad_hn, grad_cn: (B, H), 0 for zeros. Writes z, the gradient of the input products (B, G*H), and u, of
        the recurrent ones where the cell splits its gates; grad_c0; and grad_h0, what reaches h0 past the gates, where
        the cell passes its state.
        """
        if self._flops * B < BACK_FLOPS:
            threads = 1
        crew = self._pool.crew(threads) if threads > 1 else None
        key = B, threads
        try:
            plan = self._idle_back[key].pop()
        except (KeyError, IndexError):
            plan = _BackPlan(self._layout, B, threads)
        zeros = plan.zeros
        self._run_back(
            crew.address if crew else 0, plan.address, plan.kernel, threads, kept, h0 or zeros, c0 or zeros,
            grad_hn or zeros, grad_cn or zeros, z, u, grad_h0, grad_c0,
        )  # fmt: skip
        self._idle_back.give(key, plan)
