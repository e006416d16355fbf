"""Training on several processes or machines with torch's own DistributedDataParallel.

    torchrun --nproc-per-node=2 docs/examples/torch/distributed.py

On one machine every process should have its share of the cores: OMP_NUM_THREADS=1 for two processes on two cores.
docs/distributed.md says how threads and processes go together.
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import fastlstm.torch


class Forecast(nn.Module):
    """The next value of a series from its last 24."""

    def __init__(self, hidden_size=32):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden_size, num_layers=2, batch_first=True)
        self.head = nn.Linear(hidden_size, 1)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.head(output[:, -1])


def windows(number, T=24):
    """Pieces of sine waves (number, T, 1) and the value after each (number, 1)."""
    generator = torch.Generator().manual_seed(0)
    phase, speed = 6 * torch.rand(2, number, 1, generator=generator)
    waves = torch.sin(phase + (0.2 + speed / 20) * torch.arange(T + 1))
    return waves[:, :T, None], waves[:, T:]


dist.init_process_group("gloo")
rank, processes = dist.get_rank(), dist.get_world_size()

torch.manual_seed(0)
model = Forecast()
fastlstm.torch.accelerate(model)  # before DistributedDataParallel takes hold of the parameters
parallel = DistributedDataParallel(model)

data = TensorDataset(*windows(640))
sampler = DistributedSampler(data, shuffle=True, seed=0)  # every process has its own part
loader = DataLoader(data, batch_size=64 // processes, sampler=sampler)
criterion, optimizer = nn.MSELoss(), torch.optim.Adam(parallel.parameters(), lr=5e-3)

losses = []
for epoch in range(6):
    sampler.set_epoch(epoch)
    for x, target in loader:
        loss = criterion(parallel(x), target)
        optimizer.zero_grad()
        loss.backward()  # the gradients of all processes are averaged while this runs
        optimizer.step()
        losses.append(loss.item())
assert sum(losses[-10:]) < sum(losses[:10]) / 4

# Every process holds the same weights.
for value in model.state_dict().values():
    gathered = [torch.empty_like(value) for _ in range(processes)]
    dist.all_gather(gathered, value)
    assert all(torch.equal(other, value) for other in gathered)
if rank == 0:
    print(f"{processes} processes, loss {losses[0]:.3f} at first, {losses[-1]:.4f} at last")
dist.destroy_process_group()
