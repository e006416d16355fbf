"""`fastlstm warmup`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from time import perf_counter
from typing import Any

import click

CELLS = ("LSTM", "GRU", "RNN")
DTYPES = ("float32", "float64")


@click.command()
@click.option("--cell", "cells", type=click.Choice(CELLS), multiple=True, help="Only this kind (repeat for more).")
@click.option("--dtype", "dtypes", type=click.Choice(DTYPES), multiple=True, help="Only this type (repeat for more).")
def warmup(cells: tuple[str, ...], dtypes: tuple[str, ...]) -> None:
    """Compile and cache what a first call would wait for: every layer, forward and backward.

    Where torch is installed, also the single steps of its modules, which read torch's weights as they are. Numba keeps
    the code on disk, so this is done once per machine and version: in an image's build, or after an installation.
    """
    import numpy as np

    import fastlstm
    from fastlstm.engine.pool import POOL

    jobs = [
        (getattr(fastlstm, cell)(4, 4, dtype=dtype, **options), np.zeros((2, 3, 4), dtype))
        for dtype in dtypes or DTYPES
        for cell in cells or CELLS
        for options in ([{"nonlinearity": "tanh"}, {"nonlinearity": "relu"}] if cell == "RNN" else [{}])
    ]
    begun = perf_counter()
    POOL.crew(2)
    with click.progressbar(jobs, label="compiling", file=sys.stderr) as bar:
        for layer, x in bar:
            output, _ = layer(x)
            layer.backward(output)
            layer.eval()(x)
            if find_spec("torch"):
                _one_step(layer)
    click.echo(f"{len(jobs)} layers ready after {perf_counter() - begun:.1f} s.")


def _one_step(layer: Any) -> None:
    """The step of fastlstm.torch, of one sample and of many, and its backward."""
    import numpy as np

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
