"""Handwritten digits read row by row, as tutorials do it with torch.nn, and the one line that accelerates it."""

import time

import torch
from sklearn.datasets import load_digits
from torch import nn

import fastlstm.torch

digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32)  # (1797, 8, 8): a row is a time step
labels = torch.tensor(digits.target)
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
train_set, test_set = order[:1500], order[1500:]


class RowClassifier(nn.Module):
    def __init__(self, input_size=8, hidden_size=64, num_layers=2, classes=10):
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_size, classes)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.fc(output[:, -1])  # batch-first: the last row is on axis 1


def train(model, epochs=20, batch_size=100):
    """The loss of every step, and the seconds that they took but for the first."""
    generator = torch.Generator().manual_seed(1)
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=0.01)
    losses, start = [], time.perf_counter()
    for _ in range(epochs):
        shuffled = train_set[torch.randperm(len(train_set), generator=generator)]
        for batch in shuffled.split(batch_size):
            loss = criterion(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if not losses:
                start = time.perf_counter()  # the first call of all compiles
            losses.append(loss.item())
    return losses, time.perf_counter() - start


@torch.no_grad()
def accuracy(model):
    model.eval()
    return (model(images[test_set]).argmax(1) == labels[test_set]).float().mean().item()


torch.manual_seed(0)
plain = RowClassifier()
torch.manual_seed(0)
model = RowClassifier()
fastlstm.torch.accelerate(model)  # the one line

before, plain_seconds = train(plain)
losses, seconds = train(model)
# The same arithmetic in another order: the same losses at first, and both learn.
assert max(abs(a - b) for a, b in zip(before[:15], losses[:15], strict=True)) < 1e-3
assert accuracy(plain) > 0.95
assert accuracy(model) > 0.95
print(f"{accuracy(plain):.1%} right in {plain_seconds:.2f} s plain")
print(f"{accuracy(model):.1%} right in {seconds:.2f} s accelerated")
