"""What a new process waits for: `python -m fastlstm.bench.startup torch` times its import and first calls.

A library is asked in whole processes, from the start of Python to its end: such as only infer, and such as train.
"""

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


ROUNDS = 5


def measure(library: str, cold: bool = False, cell: str = "", rounds: int = 1) -> StartUp:
    """Times of new processes, the best of each kind. `cold`: with no place where compiled code is kept, so that all of
    it is compiled. cell: "module:name" of a user's.
    """
    cache = ("nothing kept" if cold else "code kept") if library.startswith(OURS) else "as installed"
    if not cold:
        for task in ("inference", "training"):  # what these leave, compiled code and Python's bytecode, later ones find
            _run(library, cold, cell, task)
    runs = [_run(library, cold, cell, task) for _ in range(rounds) for task in ("inference", "training")]
    inferring, training = (min(runs[kind::2], key=lambda run: run[0]) for kind in (0, 1))
    name = f"{library} {cell}".strip()
    return StartUp(name, cache, process=training[0], inference=inferring[0], **(training[1] | inferring[1]))


def _run(library: str, cold: bool, cell: str, task: str) -> tuple[float, dict[str, float]]:
    """Seconds of a whole process, and of its parts."""
    with TemporaryDirectory() as folder:
        nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA", "FASTLSTM_CACHE"), folder)
        command = [sys.executable, "-P", "-m", "fastlstm.bench.startup", library, cell, task]
        environment = os.environ | (nowhere if cold else {})
        # An installed package has its bytecode beside it; without, a start is 0.2 s longer.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        begun = perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        whole = perf_counter() - begun
    if done.returncode:
        raise RuntimeError(done.stderr)
    return whole, json.loads(done.stdout.splitlines()[-1])


def _first_call(library: str, cell: str, task: str) -> dict[str, float]:
    """In this process: seconds of the import, and of the first forward, or the first forward with backward."""
    start = perf_counter()
    made = {"fastlstm": _fastlstm, "fastlstm_torch": _fastlstm_torch, "torch": _torch}[library]
    forward, train = made() if not cell else _own_cell(cell)
    imported = perf_counter()
    infers = task == "inference"
    (forward if infers else train)()
    return {"imported": imported - start, "forward" if infers else "training": perf_counter() - imported}


def _fastlstm() -> Any:
    import numpy as np

    import fastlstm

    x = np.ones((SIZES["T"], SIZES["B"], SIZES["I"]), np.float32)
    layer = fastlstm.LSTM(SIZES["I"], SIZES["H"])

    def train() -> None:
        output, _ = layer(x)
        layer.backward(output)

    return lambda: layer.eval()(x), train


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

    return lambda: layer.eval()(x, step=step), train


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
    print(json.dumps(_first_call(*sys.argv[1:])))
