"""One process of test_distributed.py: python ddp_worker.py RANK PROCESSES FILE_STORE RESULT.npz"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import fastlstm.torch

KINDS = ("LSTM", "GRU")
T, B, V, H = 9, 8, 13, 10


class Tagger(nn.Module):
    """Tokens (T, B) to a class for every one of them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, H)
        self.layers = getattr(nn, kind)(H, H, num_layers=2, bidirectional=True)
        self.head = nn.Linear(2 * H, V)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(self.embedding(tokens))[0])


def model(kind: str) -> Tagger:
    torch.manual_seed(0)
    return Tagger(kind)


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and targets (T, B) of all processes together."""
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randint(V, (2, T, B), generator=generator))  # type: ignore[return-value]


def gradients(module: nn.Module, tokens: torch.Tensor, targets: torch.Tensor) -> dict[str, np.ndarray]:
    """Of every parameter, after one backward pass."""
    nn.functional.cross_entropy(module(tokens).flatten(0, 1), targets.flatten()).backward()
    return {name: p.grad.numpy() for name, p in module.named_parameters() if p.grad is not None}


def main(rank: int, processes: int, store: str, result: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=processes, timeout=timedelta(hours=1)
    )
    share = slice(rank * B // processes, (rank + 1) * B // processes)
    tokens, targets = batch()
    found = {}
    for kind in KINDS:
        mine = model(kind)
        fastlstm.torch.accelerate(mine)
        assert type(mine.layers).__module__.startswith("fastlstm")
        own = gradients(DistributedDataParallel(mine), tokens[:, share], targets[:, share])
        found |= {f"{kind}/{name.removeprefix('module.')}": value for name, value in own.items()}
    np.savez(result, **found)
    # Not destroy_process_group and an ordinary end: a thread of gloo's may be inside C++ when the interpreter ends, and
    # is then "terminate called without an active exception". The barrier: nobody leaves whom another still waits for.
    dist.barrier()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
