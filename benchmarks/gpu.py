"""The CUDA kernels beside cuDNN (through torch), float32 without TF32 on both sides: `make bench-gpu`.

For each B and H: microseconds per time step of the forward pass and of forward and backward, the ratio of cuDNN's time
to ours (above 1 is faster than cuDNN), the largest difference of the outputs, and our forward's share of the limit.
The limit of a step is the barrier of its blocks, measured here, plus whichever is slower of the product's loads from
shared memory (128 B per clock and multiprocessor) and its instructions (128 lanes of them). `planned` is the time that
the launch was chosen by. Each B and H has a process of its own: all compile beside each other, then they are timed one
after the other, with nothing else running.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from statistics import median
from typing import Any

import numpy as np
from fastlstm_lint.contract import Layer

from fastlstm.cuda import why_not
from fastlstm.spec import INFERENCE, TRAINING, Grads

ROUNDS, WARMUP, MEETINGS = 7, 3, 1000
HEAD = "   B     H | forward us/step   cuDNN  ratio   limit  share planned | training us/step   cuDNN  ratio | error"
LINE = (
    "{B:>4}{H:>6} | {forward:>15.2f}{cudnn_forward:>8.2f}{forward_ratio:>7.2f}{limit:>8.2f}{share:>7.0%}{planned:>8.2f}"
    " | {training:>16.2f}{cudnn_training:>8.2f}{training_ratio:>7.2f} | {error:.1e}"
)


def main() -> None:
    """Prints the table, or the reason where there is no GPU or no torch for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", default="LSTM", choices=["LSTM", "GRU", "RNN"])
    parser.add_argument("--steps", type=int, default=512, metavar="T")
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 4, 16, 64], metavar="B")
    parser.add_argument("--hidden", type=int, nargs="*", default=[128, 256, 512, 1024], metavar="H")
    parser.add_argument("--json", metavar="FILE", help="write the rows there too")
    options = parser.parse_args()
    reason = why_not() or _no_torch()
    if reason:
        print(f"skipped: {reason}")
        return
    sizes = list(product(options.batch, options.hidden))
    beside = get_context("spawn")
    shared = beside.Barrier(len(sizes)), beside.Lock()
    rows = []
    print(HEAD)
    with ProcessPoolExecutor(len(sizes), beside, _together, shared) as pool:
        for row in [pool.submit(measure, options.kind, options.steps, B, H) for B, H in sizes]:
            rows.append(row.result())
            print(LINE.format(**rows[-1]), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"device": _device(), "kind": options.kind, "T": options.steps, "rows": rows}, file, indent=1)


def _together(compiled: Any, alone: Any) -> None:
    """What the processes share: a barrier for when all have compiled, and a lock for the one that measures."""
    _shared.update(compiled=compiled, alone=alone)


_shared: dict[str, Any] = {}


def measure(kind: str, T: int, B: int, H: int) -> dict[str, Any]:
    """Times in microseconds per step, I = H, weights and input of unit scale. For a process of `main`'s."""
    try:
        finish = prepare(kind, T, B, H)
    finally:
        _shared["compiled"].wait()
    with _shared["alone"]:
        return finish()


def prepare(kind: str, T: int, B: int, H: int) -> Callable[[], dict[str, Any]]:
    """Compiles and runs everything once, and returns what measures it."""
    import torch

    from fastlstm.cuda.engine import Engine

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(H, H, device="cuda")
    x = torch.randn(T, B, H, device="cuda", requires_grad=True)
    grad = torch.randn(T, B, H, device="cuda")
    parameters = {name: value.detach() for name, value in module.named_parameters()}
    plain = x.detach()
    engine = Engine(Layer(kind, H, H), "float32")

    def ours() -> Any:
        return engine.forward(parameters, 1, plain, None, INFERENCE)[0]

    def ours_training() -> None:
        _, _, saved = engine.forward(parameters, 1, plain, None, TRAINING)
        engine.backward(parameters, 1, saved, Grads(grad))

    def theirs() -> Any:
        with torch.no_grad():
            return module(plain)[0]

    def theirs_training() -> None:
        module.zero_grad()
        x.grad = None
        module(x)[0].backward(grad)

    error = (torch.as_tensor(ours(), device="cuda") - theirs()).abs().max().item()
    ours_training()
    theirs_training()
    launch = engine.launch("forward", B)
    meet = meeting(launch)
    meet()

    def finish() -> dict[str, Any]:
        times = _by_turns({
            "forward": ours, "cudnn_forward": theirs, "training": ours_training, "cudnn_training": theirs_training,
        })  # fmt: skip
        per_step = {name: time / T for name, time in times.items()}
        ratios = {f"{name}_ratio": per_step[f"cudnn_{name}"] / per_step[name] for name in ("forward", "training")}
        barrier = _by_turns({"meet": meet})["meet"] / MEETINGS
        least = barrier + _us(-(-launch.share // launch.tile.samples) * launch.tile.product_clocks(H, 4))
        found = {"barrier": barrier, "limit": least, "share": least / per_step["forward"],
                 "planned": barrier + _us(launch.clocks)}  # fmt: skip
        return {"B": B, "H": H, "error": error, "launch": launch.reason} | found | per_step | ratios

    return finish


def _us(clocks: float) -> float:
    from fastlstm.cuda.shim import cuda_module

    return clocks / (cuda_module().get_current_device().CLOCK_RATE / 1000)


def meeting(launch: Any) -> Callable[[], None]:
    """Runs MEETINGS barriers among the launch's blocks."""
    from fastlstm.cuda.block import wait
    from fastlstm.cuda.shim import cuda_module
    from fastlstm.cuda.streams import configured

    cuda = cuda_module()

    @cuda.jit
    def meet(arrived: Any, blocks: int, times: int) -> None:
        group = cuda.blockIdx.x // blocks
        cuda.cg.this_grid().sync()
        for turn in range(times):
            wait(arrived, group, (turn + 1) * blocks)

    def run() -> None:
        arrived = cuda.to_device(np.zeros(launch.groups, np.int32))
        configured(meet, launch.blocks * launch.groups, launch.tile.threads)(arrived, launch.blocks, MEETINGS)

    return run


def _by_turns(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median microseconds of each, all in turn so that a change of clock meets all of them."""
    import torch

    found: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(WARMUP + ROUNDS):
        for name, call in calls.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            start.record()
            call()
            end.record()
            torch.cuda.synchronize()
            if turn >= WARMUP:
                found[name].append(1000 * start.elapsed_time(end))
    return {name: median(times) for name, times in found.items()}


def _no_torch() -> str | None:
    try:
        import torch
    except ImportError:
        return "torch is not installed, and cuDNN is measured through it"
    return None if torch.cuda.is_available() else "this torch has no CUDA"


def _device() -> str:
    from fastlstm.cuda import device_name

    return device_name()


if __name__ == "__main__":
    main()
