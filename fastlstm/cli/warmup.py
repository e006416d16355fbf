"""`fastlstm warmup`."""

from __future__ import annotations

import sys
from time import perf_counter

import click

CELLS = ("LSTM", "GRU", "RNN")
DTYPES = ("float32", "float64")


@click.command()
@click.option("--cell", "cells", type=click.Choice(CELLS), multiple=True, help="Only this kind (repeat for more).")
@click.option("--dtype", "dtypes", type=click.Choice(DTYPES), multiple=True, help="Only this type (repeat for more).")
def warmup(cells: tuple[str, ...], dtypes: tuple[str, ...]) -> None:
    """Compile and cache what a first call would wait for: every layer, forward and backward.

    Numba keeps the code on disk, so this is done once per machine and version: in an image's build, or after an
    installation.
    """
    import numpy as np

    import fastlstm

    jobs = [
        (getattr(fastlstm, cell)(4, 4, dtype=dtype, **options), np.zeros((2, 3, 4), dtype))
        for dtype in dtypes or DTYPES
        for cell in cells or CELLS
        for options in ([{"nonlinearity": "tanh"}, {"nonlinearity": "relu"}] if cell == "RNN" else [{}])
    ]
    begun = perf_counter()
    with click.progressbar(jobs, label="compiling", file=sys.stderr) as bar:
        for layer, x in bar:
            output, _ = layer(x)
            layer.backward(output)
            layer.eval()(x)
    click.echo(f"{len(jobs)} layers ready after {perf_counter() - begun:.1f} s.")
