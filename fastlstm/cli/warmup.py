"""`fastlstm warmup`."""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from fastlstm.cli.bench import CellName

CELLS = ("LSTM", "GRU", "RNN")
DTYPES = ("float32", "float64")


@click.command()
@click.option("--cell", "cells", type=CellName(), multiple=True, metavar="CELL", help="Only this: LSTM, GRU, RNN, or "
              "module:name of a cell of your own, such as fastlstm.cells:PeepholeLSTM (repeat for more).")  # fmt: skip
@click.option("--dtype", "dtypes", type=click.Choice(DTYPES), multiple=True, help="Only this type (repeat for more).")
@click.option("--weights", "weights", type=click.Choice(["int8", "float16"]), multiple=True, help="Also the kernels "
              "of such layers as fastlstm.quantize makes of float32 ones (repeat for both).")  # fmt: skip
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Fill this folder, for "
              "all users to read; FASTLSTM_CACHE=DIR makes a process look there.")  # fmt: skip
def warmup(cells: tuple[str, ...], dtypes: tuple[str, ...], weights: tuple[str, ...], into: Path | None) -> None:
    """Compile and keep what a first call would wait for: every layer, forward and backward.

    Where torch is installed, also the single steps of its modules, which read torch's weights as they are. Done once
    per machine and version: in an image's build, or after an installation. What is damaged is replaced.
    """
    from fastlstm.engine.code import STORE

    begun = perf_counter()
    try:
        with STORE.filling(into) if into else nullcontext():
            count = _run(cells, dtypes, weights)
    except OSError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{count} layers ready after {perf_counter() - begun:.1f} s.")


def _run(cells: tuple[str, ...], dtypes: tuple[str, ...], weights: tuple[str, ...]) -> int:
    """Call every layer once; how many there are."""
    import numpy as np

    from fastlstm import Recurrent, quantize
    from fastlstm.engine.pool import POOL

    jobs = [layer for dtype in dtypes or DTYPES for cell in cells or CELLS for layer in _layers(cell, dtype)]
    POOL.crew(2)
    with click.progressbar(jobs, label="compiling", file=sys.stderr) as bar:
        for layer in bar:
            x = np.zeros((2, 3, layer.input_size), layer.dtype)
            step = dict.fromkeys(layer.cell.step, x[..., :1]) if isinstance(layer, Recurrent) else {}
            more: dict[str, Any] = {"step": step} if step else {}
            output, *_ = layer(x, **more)
            layer.backward(output)
            layer.eval()(x, **more)
            for bits in weights if layer.dtype == np.float32 else ():
                with suppress(ValueError):  # a cell that is not quantized
                    quantize(layer, bits)(x, **more)
            if find_spec("torch") and not isinstance(layer, Recurrent):
                _one_step(layer)
    return len(jobs)


def _layers(cell: str, dtype: str) -> list[Any]:
    """The smallest layers that need all kernels of a cell."""
    import fastlstm
    from fastlstm.bench.own_cell import find, is_own

    if is_own(cell):
        own = find(cell)
        heads = 2 if own.recurrent == "heads" else 1
        size = 4 * len(own.gates) if own.input == "none" else 4
        return [fastlstm.Recurrent(own, size, 4, num_heads=heads, dtype=dtype)]
    kinds = [{"nonlinearity": "tanh"}, {"nonlinearity": "relu"}] if cell == "RNN" else [{}]
    return [getattr(fastlstm, cell)(4, 4, dtype=dtype, **options) for options in kinds]


def _one_step(layer: Any) -> None:
    """The step of fastlstm.torch, of one sample and of many, and its backward."""
    import numpy as np

    from fastlstm.engine.code import kernel
    from fastlstm.engine.pool import POOL
    from fastlstm.engine.unpacked import MOST_SAMPLES, Unpacked

    weights = list(layer.state_dict().values())
    step = Unpacked(layer.config, layer.dtype, POOL)
    for B in (1, MOST_SAMPLES):
        # x, h0, c0, out, hn, cn: all are (B, 4)
        given = [np.zeros((B, 4), layer.dtype) for _ in range(6)]
        step.step([value.ctypes.data for value in weights], B, 1, True, *[array.ctypes.data for array in given])
        # kept, h0, c0, grad_hn, grad_cn, z, u, grad_h0, grad_c0: none is wider than two sets of gates
        arrays = [np.zeros((B, 2 * step.gate_rows), layer.dtype) for _ in range(9)]
        step.back(B, 1, *[array.ctypes.data for array in arrays])
    kernel("products", layer.dtype.name)
