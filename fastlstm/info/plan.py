"""What the planner decides about a call, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from fastlstm_lint.contract import Layer

from fastlstm.engine.layout import Layout
from fastlstm.engine.plan import BRIEF_FLOPS, Plan, Sizes, flops
from fastlstm.engine.weights import Weights
from fastlstm.kernels.cards import reason_against
from fastlstm.kernels.job import SLOTS
from fastlstm.kernels.machine import host
from fastlstm.spec import Stack
from fastlstm.spec.plain import plain

SPLITS = {
    "batch": "each thread has samples or directions of its own",
    "units": "all threads do every step together, each some of the hidden units",
    "layers": "each thread has whole layers, which follow each other through time",
}


def plan_lines(
    config: Layer, T: int, B: int, threads: int, dtype: np.dtype, train: bool
) -> Iterator[tuple[str, list[str]]]:
    """(title, lines) on how a call of these sizes is run: nothing is compiled or run for it."""
    if isinstance(config, Stack):
        reason = reason_against(config.cell)
        yield "cell", list(_cell(config, reason))
        if reason is not None:
            return
        config = _one_head(config)
    layout = Layout(config, dtype)
    sizes = Sizes(T, B, train, threads)
    plan = Plan(layout, Weights(layout), sizes, {})
    yield "call", [f"T={T} B={B} I={config.input_size}, {dtype}, {'training' if train else 'inference'}"]
    work = flops(layout, sizes)
    lines = [f"{_number(work)}flop forward" + (f", {_number(2 * work)}flop backward" if train else "")]
    if work < BRIEF_FLOPS:
        lines.append(
            f"below {_number(BRIEF_FLOPS)}flop: done by the threads that are awake, sleepers are not waited for"
        )
    yield "work", lines
    yield "split", [f"{plan.split}: {SPLITS[plan.split]}", f"because: {plan.reason}"]
    yield "threads", [f"{plan.threads} of {threads}" + (f", {plan.slices} slices of the batch" * (plan.slices > 1))]
    yield "product", list(_product(layout, plan))
    yield "weights", list(_weights(layout))
    yield "memory", list(_memory(layout, plan))


def _cell(config: Stack, reason: str | None) -> Iterator[str]:
    """What a user's cell is, and who serves it."""
    cell = config.cell
    yield f"{cell.name}: gates {' '.join(cell.gates)}, states {' '.join(cell.states)}"
    if reason is not None:
        yield f"no kernels: {reason}; NumPy computes it step by step"
    elif config.num_heads > 1:
        yield f"{config.num_heads} heads, one after another, each a layer by itself,"
        yield f"of {config.hidden_size // config.num_heads} units; what follows is of one head of the first layer"


def _one_head(config: Stack) -> Stack:
    """A stack whose plan is that of one head, or of the whole where there are no heads."""
    cell, H = plain(config.cell), config.hidden_size // config.num_heads
    if config.num_heads == 1:
        return replace(config, cell=cell)
    I = len(cell.gates) * H if cell.input == "none" else config.input_size
    return replace(config, cell=cell, num_layers=1, num_heads=1, hidden_size=H, input_size=I)


def _product(layout: Layout, plan: Plan) -> Iterator[str]:
    machine, block = host(), plan.blocks[0]
    rows = int(block[SLOTS["B"]])
    tiles = -(-rows // machine.tile_rows)
    least, more = divmod(rows, max(tiles, 1))
    each = f"{least}" + (f" or {least + 1}" if more else "")
    yield f"tiles of up to {machine.tile_rows} rows, {machine.tile_vectors} vectors of {layout.lanes} ({machine.name})"
    yield f"{_count(rows, 'row')} in a step" + (f": {tiles} tiles of {each}" if tiles > 1 else ": one tile")
    steps = int(block[SLOTS["chunk"]])
    yield f"input products of {_count(steps, 'time step')} at once, {_bytes(steps * rows * _row(layout))} of gates"


def _weights(layout: Layout) -> Iterator[str]:
    config, size = layout.config, layout.dtype.itemsize
    count = sum(int(np.prod([axis.size for axis in shape])) for shape in config.parameters().values())
    yield f"{_bytes(count * size)}, packed once, again when a parameter changes"
    recurrent = layout.gate_rows * config.output_size * size
    yield f"{_bytes(recurrent)} recurrent, read in every step of a layer and direction"


def _memory(layout: Layout, plan: Plan) -> Iterator[str]:
    yield f"{_bytes(plan.owner.nbytes)} of work space, kept for the next call of this size"
    if plan.sizes.train:
        for layer in range(min(layout.config.num_layers, 2)):
            names = plan.storage_names()
            widths = plan.widths(layer)
            total = sum(widths[name] for name in names) * layout.dtype.itemsize
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
