"""What the planner decides about a call, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from fastlstm_lint.contract import Layer, rounded

from fastlstm.engine.layout import Layout
from fastlstm.engine.plan import BRIEF_FLOPS, Plan, Sizes, flops
from fastlstm.engine.samples import SamplePlan, plan_of
from fastlstm.engine.weights import Weights
from fastlstm.kernels.cards import reason_against
from fastlstm.kernels.job import SLOTS
from fastlstm.kernels.machine import host
from fastlstm.quantized.layer import reason_to_keep
from fastlstm.quantized.weights import Panels
from fastlstm.spec import Stack
from fastlstm.spec.plain import plain

SPLITS = {
    "batch": "each thread has samples, directions or heads of its own",
    "units": "all threads do every step together, each some of the hidden units",
    "samples": "each thread has samples of its own, and registers hold one unit of several samples",
    "layers": "each thread has whole layers, which follow each other through time",
}

_INSTRUCTIONS = {
    "pairs": ("by pmaddwd", "by pmaddubsw and pmaddwd"),
    "dot": ("by vpdpwssd", "by vpdpbusd"),
    "sdot": ("by smlal", "by sdot"),
    "": ("without an instruction for them", "likewise"),
}
"""What multiplies integers, by `Machine.narrow`."""


def plan_lines(
    config: Layer, T: int, B: int, threads: int, dtype: np.dtype, train: bool, weights: str | None = None
) -> Iterator[tuple[str, list[str]]]:
    """(title, lines) on how a call of these sizes is run: nothing is compiled or run for it. weights: "int8" or
    "float16" of a quantized layer.
    """
    if isinstance(config, Stack):
        reason = reason_against(config.cell)
        yield "cell", list(_cell(config, reason))
        if weights is not None:
            reason = reason_to_keep(config.cell)
        if reason is not None:
            if weights is not None:
                yield "weights", [f"not quantized: {reason}"]
            return
        config = replace(config, cell=plain(config.cell))
    layout = Layout(config, dtype)
    sizes = Sizes(T, B, train, threads)
    panels = Weights(layout) if weights is None else Panels(layout, weights)
    plan = plan_of(layout, panels, sizes, {})
    yield "call", [f"T={T} B={B} I={config.input_size}, {dtype}, {'training' if train else 'inference'}"]
    work = flops(layout, sizes)
    lines = [f"{_number(work)}flop forward" + (f", {_number(2 * work)}flop backward" if train else "")]
    if panels.pace > 1:
        lines.append(f"{panels.pace:g} multiply-adds of integers in the time of one in {dtype}")
    if plan.work < BRIEF_FLOPS:
        lines.append(
            f"below {_number(BRIEF_FLOPS * panels.pace)}flop: done by the threads that are awake, sleepers are not "
            "waited for"
        )
    yield "work", lines
    yield "split", [f"{plan.split}: {SPLITS[plan.split]}", f"because: {plan.reason}"]
    yield "threads", [f"{plan.threads} of {threads}" + (f", {plan.slices} slices of the batch" * (plan.slices > 1))]
    yield "product", list(_product(layout, plan))
    yield "weights", list(_weights(layout, panels, weights))
    yield "memory", list(_memory(layout, plan))


def _cell(config: Stack, reason: str | None) -> Iterator[str]:
    """What a user's cell is, and who serves it."""
    cell = config.cell
    yield f"{cell.name}: gates {' '.join(cell.gates)}, states {' '.join(cell.states)}"
    if reason is not None:
        yield f"no kernels: {reason}; NumPy computes it step by step"
    elif config.num_heads > 1:
        yield f"{config.num_heads} heads of {config.hidden_size // config.num_heads} units, each a task by itself"


def _product(layout: Layout, plan: Plan) -> Iterator[str]:
    machine, block = host(), plan.blocks[0]
    if isinstance(plan, SamplePlan):
        groups = _count(int(block[SLOTS["B"]]), "such group")
        yield f"a register holds one unit of {layout.lanes} samples ({machine.name}); weights are broadcast"
        yield f"{groups} of samples in a slice, which stays in the first-level cache through all of time"
        return
    rows = int(block[SLOTS["B"]])
    tiles = -(-rows // machine.tile_rows)
    least, more = divmod(rows, max(tiles, 1))
    each = f"{least}" + (f" or {least + 1}" if more else "")
    yield f"tiles of up to {machine.tile_rows} rows, {machine.tile_vectors} vectors of {layout.lanes} ({machine.name})"
    yield f"{_count(rows, 'row')} in a step" + (f": {tiles} tiles of {each}" if tiles > 1 else ": one tile")
    steps = int(block[SLOTS["chunk"]])
    yield f"input products of {_count(steps, 'time step')} at once, {_bytes(steps * rows * _row(layout))} of gates"


def _weights(layout: Layout, panels: Weights, weights: str | None) -> Iterator[str]:
    config, total = layout.config, 0
    for name, shape in config.parameters().items():
        dtype = rounded(name, weights) if weights else str(layout.dtype)
        rows, *columns = (axis.size for axis in shape)
        total += rows * (int(np.prod(columns)) * np.dtype(dtype).itemsize + 4 * dtype.startswith("int"))
    yield f"{_bytes(total)}, packed once, again when a parameter changes"
    where = "layer, direction and head" if layout.heads > 1 else "layer and direction"
    yield f"{_bytes(panels.recurrent_bytes)} recurrent, read in every step of a {where}"
    if weights == "int8":
        words, in_bytes = _INSTRUCTIONS[host().narrow]
        yield f"W_ih in words of 16 bits, {words}; W_hh in bytes, {in_bytes}"
    elif weights == "float16":
        yield "numbers of 16 bits, made wider as they are read; arithmetic in float32"


def _memory(layout: Layout, plan: Plan) -> Iterator[str]:
    yield f"{_bytes(plan.owner.nbytes)} of work space, kept for the next call of this size"
    if plan.sizes.train:
        for layer in range(min(layout.config.num_layers, 2)):
            names = plan.storage_names()
            widths = plan.widths(layer)
            total = sum(widths[name] for name in names) * layout.dtype.itemsize // plan.samples_in_row
            place = "the first layer" if layer == 0 else "each other layer"
            yield f"{_bytes(total)} stored per token, direction and {place}: {', '.join(names)}"


def _row(layout: Layout) -> int:
    return layout.row(layout.gate_rows) * layout.dtype.itemsize


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _number(value: float) -> str:
    """Three digits and an SI prefix."""
    for prefix in ("", "k", "M", "G"):
        if value < 1000:
            return f"{value:.3g} {prefix}"
        value /= 1000
    return f"{value:.4g} T"


def _bytes(count: int) -> str:
    return f"{count} B" if count < 1024 else f"{count / 1024:.3g} KB" if count < 1 << 20 else f"{count / 2**20:.3g} MB"
