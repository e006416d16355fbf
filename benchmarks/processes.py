"""Data-parallel training with P processes of N threads each on one machine: tokens per second of all together.

    python benchmarks/processes.py --processes 2 --threads 1 [--plain]

The model is that of PyTorch's word_language_model without its large vocabulary: two LSTM layers of 200, T = 35, and a
batch of 40 that is divided among the processes. DistributedDataParallel averages the gradients over gloo.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import fastlstm.torch

T, B, V, H, L = 35, 40, 200, 200, 2
WARM_SECONDS = 2.0


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, H)
        self.lstm = nn.LSTM(H, H, L)
        self.head = nn.Linear(H, V)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.embedding(tokens))[0])


def train(rank: int, processes: int, threads: int, plain: bool, seconds: float, folder: str) -> None:
    torch.set_num_threads(threads)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=processes)
    model = Words()
    if not plain:
        fastlstm.torch.accelerate(model)
    parallel = DistributedDataParallel(model) if processes > 1 else model
    optimizer = torch.optim.Adam(parallel.parameters())
    tokens = torch.randint(V, (T, B // processes))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(parallel(tokens).flatten(0, 1), tokens.flatten()).backward()
        optimizer.step()

    def count(seconds: float) -> float:
        """Steps per second; all processes stop after the same step, since each waits for the others in every one."""
        done, start = 0, time.perf_counter()
        while True:
            step()
            done += 1
            over = torch.tensor(float(time.perf_counter() - start > seconds))
            dist.broadcast(over, 0)
            if over:
                return done / (time.perf_counter() - start)

    count(WARM_SECONDS)
    rate = max(count(seconds / 3) for _ in range(3))
    if rank == 0:
        name = "torch" if plain else "fastlstm"
        print(f"{name:<9}{processes} processes x {threads} threads: {rate * T * B:8.0f} tokens/s")
    dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="torch.nn as it is")
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        arguments = (given.processes, given.threads, given.plain, given.seconds, str(Path(folder)))
        torch.multiprocessing.spawn(train, arguments, nprocs=given.processes)


if __name__ == "__main__":
    main()
