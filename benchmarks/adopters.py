"""Modules of other libraries that `fastlstm.torch.accelerate` replaces: equal to the originals, and how much faster.

    python benchmarks/adopters.py                 # what is installed of tirex-ts, xlstm and neuralhydrology
    python benchmarks/adopters.py tirex --check   # values and gradients only

Weights are random: nothing is downloaded. Two ways are timed by turns in one process; the figure is the median of their
ratios. tirex-ts's torch backend computes in bfloat16: its values are compared in float32, by a call of its own loop
with float32 tensors, and it is timed both ways.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

import fastlstm.torch

Call = Callable[[], Any]
ONLY: list[str] = []
HEAD = f"{'what':<46} {'theirs':>10} {'ours':>10} {'ratio':>7}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="all that are installed, if none is given")
    parser.add_argument("--check", action="store_true", help="compare values and gradients, time nothing")
    parser.add_argument("--only", default="", help="time the lines that hold this text, and check nothing")
    given = parser.parse_args()
    ONLY.append(given.only)
    for name in given.names or LIBRARIES:
        if find_spec(name) is None:
            print(f"{name} is not installed")
            continue
        torch.manual_seed(0)
        check, timed = LIBRARIES[name]
        if not given.only:
            check()
        if not given.check:
            print(HEAD)
            timed()


def agree(what: str, ours: Call, theirs: Call, leaves: list[Tensor]) -> None:
    """Print the largest difference of values and of gradients, each beside the largest of theirs."""
    found = []
    for way in (theirs, ours):
        values = [value for value in way() if value.is_floating_point()]
        loss = sum((value * torch.arange(value.shape[-1]).to(value).cos()).sum() for value in values)
        grads = torch.autograd.grad(loss, leaves, allow_unused=True)
        found.append((values, [torch.zeros(()) if grad is None else grad for grad in grads]))
    for kind, due, got in zip(("values", "gradients"), *found, strict=True):
        worst = max((a - b).abs().max().item() for a, b in zip(due, got, strict=True))
        most = max(a.abs().max().item() for a in due)
        print(f"{what}: {kind} differ by {worst:.2g} at most, where the largest is {most:.3g}")
        assert worst <= 1e-4 * max(most, 1), "that is more than rounding"


def compare(what: str, theirs: Call, ours: Call, seconds: float = 6.0) -> None:
    """Print the time of both, by turns."""
    if not all(text in what for text in ONLY):
        return
    ours(), ours(), theirs()
    pairs = []
    end = time.perf_counter() + seconds
    while len(pairs) < 2 or (time.perf_counter() < end and len(pairs) < 200):
        times = []
        for way in (theirs, ours):
            start = time.perf_counter()
            way()
            times.append(time.perf_counter() - start)
        pairs.append(times)
    a, b = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(x / y for x, y in pairs)
    print(f"{what:<46} {a * 1e3:>7.2f} ms {b * 1e3:>7.2f} ms {ratio:>7.1f}")


def fill(module: nn.Module) -> nn.Module:
    """Random parameters of a usual size."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            width = parameter.shape[-1] if parameter.dim() > 1 else 64
            parameter.normal_(0, width**-0.5)
            if "norm" in name:
                parameter.abs_()
    return module


# tirex-ts

E, N, S = 512, 4, 64


def tirex_cell() -> Any:
    from tirex.models.slstm.cell import sLSTMBlockConfig, sLSTMCell

    return fill(sLSTMCell(sLSTMBlockConfig(E, N), "torch"))


def in_float32(cell: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """tirex's own loop without its conversions: output (B, N, S, h) and states."""
    from tirex.models.slstm.cell import sLSTMCellTorch

    B, steps = x.shape[:2]
    bias = cell._bias_.reshape(N, 4, -1).permute(1, 0, 2).reshape(-1)
    rows = x.view(B, steps, 4, N, -1).permute(1, 0, 2, 3, 4).reshape(steps, B, -1)
    zeros = x.new_zeros(4, B, E)
    output, state = sLSTMCellTorch.slstm_forward(rows, zeros, cell._recurrent_kernel_, bias)
    return output.view(steps, B, N, -1).permute(1, 2, 0, 3), state


def check_tirex() -> None:
    cell = tirex_cell()
    report = fastlstm.torch.accelerate(cell)
    print(report)
    x = torch.randn(3, S, 4 * E, requires_grad=True)
    leaves = [x, *cell.parameters()]
    agree("tirex sLSTM in float32", lambda: cell(x, None), lambda: in_float32(cell, x), leaves)
    fastlstm.torch.restore(cell)
    with torch.no_grad():
        shipped, _ = cell(x, None)
        exact, _ = in_float32(copy.deepcopy(cell).double(), x.double())
        fastlstm.torch.accelerate(cell)
        ours, _ = cell(x, None)
    print(f"from float64: as shipped {(shipped - exact).abs().max():.2g}, ours {(ours - exact).abs().max():.2g}")


def time_tirex() -> None:
    ours, theirs = tirex_cell(), tirex_cell()
    fastlstm.torch.accelerate(ours)
    for B in (1, 64):
        x = torch.randn(B, S, 4 * E)

        def call(x: Tensor = x) -> Any:
            return ours(x, None)

        with torch.inference_mode():
            compare(f"sLSTM S={S} B={B}, its loop in float32", lambda x=x: in_float32(theirs, x), call)
            compare(f"sLSTM S={S} B={B}, as shipped in bfloat16", lambda x=x: theirs(x, None), call)
    for B in (1, 64):
        model, twin = tirex_model(), tirex_model()
        fastlstm.torch.accelerate(twin)
        x = torch.randn(B, S, 64)
        with torch.inference_mode():
            compare(f"TiRex, 12 blocks, S={S} B={B}, as shipped", lambda x=x, m=model: m._forward_model(x),
                    lambda x=x, m=twin: m._forward_model(x))  # fmt: skip
            with float32_loops():
                compare(f"TiRex, 12 blocks, S={S} B={B}, in float32", lambda x=x, m=model: m._forward_model(x),
                        lambda x=x, m=twin: m._forward_model(x))  # fmt: skip


def tirex_model() -> Any:
    from tirex.models.tirex import TiRexZero

    blocks = {"num_blocks": 12, "embedding_dim": E, "num_heads": N}
    config = {
        "input_patch_size": 32, "output_patch_size": 32, "quantiles": [0.1, 0.5, 0.9], "input_ff_dim": 2048,
        "block_kwargs": blocks,
    }  # fmt: skip
    return fill(TiRexZero("torch", config, train_ctx_len=2048)).eval()


@contextmanager
def float32_loops() -> Iterator[None]:
    """tirex's cell without its conversion to bfloat16."""
    from tirex.models.slstm.cell import sLSTMCell

    shipped = sLSTMCell.forward
    sLSTMCell.forward = lambda self, input, state=None: in_float32(self, input)
    try:
        yield
    finally:
        sLSTMCell.forward = shipped


# xlstm


def xlstm_cell(**options: Any) -> Any:
    from xlstm.blocks.slstm.cell import sLSTMCell, sLSTMCellConfig

    return fill(sLSTMCell(sLSTMCellConfig(hidden_size=E, num_heads=N, backend="vanilla", **options)))


def check_xlstm() -> None:
    for options in ({}, {"function": "lstm"}, {"input_shape": "SBGNH", "output_shape": "SBH"}):
        ours, theirs = xlstm_cell(**options), xlstm_cell(**options)
        theirs.load_state_dict(ours.state_dict())
        print(fastlstm.torch.accelerate(ours))
        x = torch.randn(3, 3, 4 * E, requires_grad=True)
        names = list(dict(ours.named_parameters()))
        with torch.no_grad():
            for name in names:
                getattr(theirs, name).copy_(getattr(ours, name))
        shared = dict(ours.named_parameters())
        agree(
            f"xlstm {options}",
            lambda x=x, m=ours: m(x),
            lambda x=x, m=theirs, shared=shared: torch.func.functional_call(m, shared, (x,)),
            [x, *shared.values()],
        )


def time_xlstm() -> None:
    ours, theirs = xlstm_cell(), xlstm_cell()
    fastlstm.torch.accelerate(ours)
    for B in (1, 64):
        x = torch.randn(B, S, 4 * E)
        with torch.inference_mode():
            compare(f"sLSTMCell_vanilla S={S} B={B}", lambda x=x: theirs(x), lambda x=x: ours(x))


# neuralhydrology

T, B, I, STATIC, H = 365, 256, 5, 27, 64


def hydrology_model(name: str) -> Any:
    from pathlib import Path

    from neuralhydrology.modelzoo.customlstm import CustomLSTM
    from neuralhydrology.modelzoo.ealstm import EALSTM
    from neuralhydrology.utils.config import Config

    config = Config({
        "model": name, "hidden_size": H, "output_dropout": 0.0, "initial_forget_bias": 3.0, "head": "regression",
        "dynamic_inputs": [f"d{n}" for n in range(I)], "static_attributes": [f"s{n}" for n in range(STATIC)],
        "target_variables": ["q"], "output_activation": "linear", "predict_last_n": 1, "use_basin_id_encoding": False,
        "seq_length": T, "run_dir": str(Path()),
    })  # fmt: skip
    return {"ealstm": EALSTM, "customlstm": CustomLSTM}[name](config)


def hydrology_data(B: int, T: int) -> dict[str, Any]:
    """As version 1.13 reads it: (B, T, 1) by name."""
    return {"x_d": {f"d{n}": torch.randn(B, T, 1) for n in range(I)}, "x_s": torch.randn(B, STATIC)}


def check_hydrology() -> None:
    for name in ("ealstm", "customlstm"):
        ours = hydrology_model(name)
        theirs = copy.deepcopy(ours)
        print(fastlstm.torch.accelerate(ours))
        data = hydrology_data(7, 40)
        shared = dict(ours.named_parameters())
        agree(
            name,
            lambda data=data, m=ours: m(data).values(),
            lambda data=data, m=theirs, shared=shared: torch.func.functional_call(m, shared, (data,)).values(),
            list(shared.values()),
        )


def time_hydrology() -> None:
    for name in ("ealstm", "customlstm"):
        ours = hydrology_model(name)
        theirs = copy.deepcopy(ours)
        fastlstm.torch.accelerate(ours)
        data = hydrology_data(B, T)

        def train(model: nn.Module, data: dict[str, Any] = data) -> None:
            model.zero_grad()
            model(data)["y_hat"][:, -1].square().mean().backward()

        compare(f"{name} training T={T} B={B} H={H}", lambda m=theirs: train(m), lambda m=ours: train(m), 20)
        samples = hydrology_samples()
        compare(f"{name} an epoch of 3 batches", lambda m=theirs, s=samples: epoch(m, s),
                lambda m=ours, s=samples: epoch(m, s), 20)  # fmt: skip


def hydrology_samples() -> list[Any]:
    """Dynamic and static inputs and the discharge of three batches of B, each by itself, as a data set has them."""
    return [({name: value[0] for name, value in hydrology_data(1, T)["x_d"].items()}, torch.randn(STATIC),
             torch.randn(1)) for _ in range(3 * B)]  # fmt: skip


def epoch(model: nn.Module, samples: list[Any]) -> None:
    """What a training script does with three batches of B: loading, forward, loss, backward, clipping, Adam."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for dynamic, static, due in torch.utils.data.DataLoader(samples, B, shuffle=True):
        optimizer.zero_grad()
        found = model({"x_d": dynamic, "x_s": static})["y_hat"][:, -1]
        torch.nn.functional.mse_loss(found, due).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


LIBRARIES: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
    "tirex": (check_tirex, time_tirex),
    "xlstm": (check_xlstm, time_xlstm),
    "neuralhydrology": (check_hydrology, time_hydrology),
}

if __name__ == "__main__":
    main()
