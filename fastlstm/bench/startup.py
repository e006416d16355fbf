"""What a new process waits for: `python -m fastlstm.bench.startup torch` times its import and first calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from fastlstm.bench.own_cell import find
from fastlstm.bench.result import OURS, StartUp

# A small layer: the time is the compiler's and the importer's, not the arithmetic's.
SIZES = {"T": 20, "B": 4, "I": 16, "H": 32}


def measure(library: str, cold: bool = False, cell: str = "") -> StartUp:
    """Times of one new process. `cold`: with an empty folder for Numba's cache, so that everything is compiled. cell:
    "module:name" of a user's.
    """
    with TemporaryDirectory() as folder:
        environment = {**os.environ, **({"NUMBA_CACHE_DIR": folder} if cold else {})}
        begun = perf_counter()
        command = [sys.executable, "-P", "-m", "fastlstm.bench.startup", library, cell]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        whole = perf_counter() - begun
    cache = ("cold cache" if cold else "warm cache") if library.startswith(OURS) else "as installed"
    return StartUp(f"{library} {cell}".strip(), cache, process=whole, **json.loads(done.stdout.splitlines()[-1]))


def _first_calls(library: str, cell: str) -> dict[str, float]:
    """In this process: seconds of the import, the first forward, and the first forward with backward."""
    start = perf_counter()
    made = {"fastlstm": _fastlstm, "fastlstm_torch": _fastlstm_torch, "torch": _torch}[library]
    forward, train = made() if not cell else _own_cell(cell)
    imported = perf_counter()
    forward()
    ran = perf_counter()
    train()
    return {"imported": imported - start, "forward": ran - imported, "training": perf_counter() - ran}


def _fastlstm() -> Any:
    import numpy as np

    import fastlstm

    x = np.ones((SIZES["T"], SIZES["B"], SIZES["I"]), np.float32)
    layer = fastlstm.LSTM(SIZES["I"], SIZES["H"])

    def train() -> None:
        output, _ = layer(x)
        layer.backward(output)

    return lambda: layer(x), train


def _own_cell(name: str) -> Any:
    import numpy as np

    import fastlstm

    cell, H = find(name), SIZES["H"]
    I = len(cell.gates) * H if cell.input == "none" else SIZES["I"]
    x = np.ones((SIZES["T"], SIZES["B"], I), np.float32)
    step = {name: np.ones((*x.shape[:2], H), np.float32) for name in cell.step}
    layer = fastlstm.Recurrent(cell, I, H)

    def train() -> None:
        output, _ = layer(x, step=step)
        layer.backward(output)

    def forward() -> None:
        layer.eval()(x, step=step)
        layer.train()

    return forward, train


def _fastlstm_torch() -> Any:
    import fastlstm.torch

    return _module(fastlstm.torch.LSTM)


def _torch() -> Any:
    import torch

    return _module(torch.nn.LSTM)


def _module(kind: Any) -> Any:
    import torch

    x = torch.ones(SIZES["T"], SIZES["B"], SIZES["I"])
    layer = kind(SIZES["I"], SIZES["H"])

    def forward() -> None:
        with torch.inference_mode():
            layer(x)

    return forward, lambda: layer(x)[0].sum().backward()


if __name__ == "__main__":
    print(json.dumps(_first_calls(*sys.argv[1:])))
