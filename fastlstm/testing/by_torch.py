"""Dependence in torch modules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from .trial import CHANGE_NOISE, GRADIENT_NOISE, TRIALS, Trial, pick, replacement

Answer = tuple[ndarray | None, float, str]


class TorchRunner:
    """A torch module, or any function of a tensor."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        with torch.no_grad():
            self.base = self._run(trial.x)
        if not torch.isfinite(self.base).all():
            axes = [i for i in range(self.base.dim()) if i != trial.out_dim % self.base.dim()]
            bad = (~torch.isfinite(self.base)).any(dim=axes) if axes else ~torch.isfinite(self.base)
            raise ValueError(f"the output has NaN or infinity in entry {int(bad.nonzero()[0])}; choose another input")

    def outputs(self) -> int:
        return int(self.base.shape[self.trial.out_dim])

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        """The output for an input, with the same random numbers every time, and the buffers put back."""
        with _unchanged(self.trial.model, x, self.trial.seed):
            return self._call(x)

    def _call(self, x: torch.Tensor) -> torch.Tensor:
        trial = self.trial
        return pick(trial.model(x, *trial.args, **trial.kwargs), trial, torch.is_tensor)

    def gradient(self, outputs: tuple[int, ...], inputs: tuple[int, ...]) -> Answer:
        trial = self.trial
        if not trial.x.is_floating_point():
            return None, 0.0, f"an input of type {_name(trial.x.dtype)} has no gradient: substitution only"
        leaf = trial.x.detach().clone().requires_grad_()
        # The buffers are put back after the backward, which may need them as the forward left them.
        with torch.enable_grad(), _unchanged(trial.model, leaf, trial.seed):
            out = self._call(leaf.clone())  # a model may work in place
            if not out.requires_grad or out.is_complex():
                return None, 0.0, "the output has no gradient by the input: substitution only"
            # A plain sum can cancel: that of a softmax is 1 whatever goes in.
            generator = torch.Generator().manual_seed(trial.seed)
            mixed = out * torch.randn(out.shape, generator=generator).to(out)
            rows = []
            for i in outputs:
                try:
                    (grad,) = torch.autograd.grad(
                        mixed.select(trial.out_dim, i).sum(), leaf, retain_graph=True, allow_unused=True
                    )
                except RuntimeError as error:  # cuDNN's recurrent layers in evaluation mode, custom operators
                    return None, 0.0, f"no gradient could be taken ({str(error).splitlines()[0]}): substitution only"
                grad = torch.zeros_like(leaf) if grad is None else grad
                by_entry = grad.detach().movedim(trial.dim, 0).flatten(1).abs()
                rows.append(by_entry.amax(1) if by_entry.shape[1] else by_entry.new_zeros(len(by_entry)))
        if not rows:
            return np.zeros((0, len(inputs))), 0.0, ""
        table = torch.stack(rows).double().cpu().numpy()[:, list(inputs)]
        largest = float(np.nanmax(table, initial=0.0))
        return table, GRADIENT_NOISE * _epsilon(leaf, out) * largest, ""

    def change(self, outputs: tuple[int, ...], inputs: tuple[int, ...]) -> Answer:
        trial, base = self.trial, self.base
        noise = 0.0
        if base.is_floating_point() or base.is_complex():
            noise = CHANGE_NOISE * _epsilon(trial.x, base) * float(base.abs().max() if base.numel() else 0.0)
        table = np.zeros((len(outputs), len(inputs)))
        rng = np.random.default_rng(trial.seed)
        with torch.no_grad():
            if float(_distance(self._run(trial.x), base).max() if base.numel() else 0.0) > noise:
                return None, 0.0, "the model gives other results for the same input again: no substitution"
            for column, j in enumerate(inputs):
                for _ in range(TRIALS):
                    changed = self._run(self._replaced(j, rng))
                    if changed.shape != base.shape:
                        raise ValueError(
                            f"the output's shape is {tuple(base.shape)}, and {tuple(changed.shape)} for other values"
                        )
                    distance = _distance(changed, base).movedim(trial.out_dim, 0).flatten(1)
                    moved = distance.amax(1).cpu().numpy() if distance.shape[1] else np.zeros(len(distance))
                    table[:, column] = np.maximum(table[:, column], np.nan_to_num(moved, nan=np.inf)[list(outputs)])
        return table, noise, ""

    def _replaced(self, entry: int, rng: np.random.Generator) -> torch.Tensor:
        x = self.trial.x.detach()
        plain = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
        return torch.from_numpy(replacement(plain.cpu().numpy(), self.trial.dim, entry, self.trial.high, rng)).to(x)


@contextmanager
def _unchanged(model: Any, x: torch.Tensor, seed: int) -> Iterator[None]:
    """Run with random numbers from `seed`; torch's own and the buffers (BatchNorm's statistics) are put back."""
    buffers = dict(model.named_buffers()) if isinstance(model, torch.nn.Module) else {}
    saved = {name: buffer.detach().clone() for name, buffer in buffers.items()}
    with torch.random.fork_rng(devices=[x.device] if x.device.type == "cuda" else []):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, buffer in buffers.items():
                    buffer.copy_(saved[name])


def _distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Element by element; for what is not a float, 1 where they differ."""
    if a.shape != b.shape:
        return torch.full(b.shape, float("inf"))
    return (a - b).abs().double() if a.is_floating_point() or a.is_complex() else (a != b).double()


def _epsilon(*tensors: torch.Tensor) -> float:
    floats = [tensor for tensor in tensors if tensor.is_floating_point() or tensor.is_complex()]
    return max((torch.finfo(tensor.dtype).eps for tensor in floats), default=0.0)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
