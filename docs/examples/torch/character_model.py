"""A character model as tutorials write it with torch.nn, and the one line that accelerates it."""

import math
import pydoc_data.topics
import time

import torch
from torch import nn

import fastlstm.torch

text = "\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))[:30_000]
alphabet = sorted(set(text))
to_number = {character: number for number, character in enumerate(alphabet)}
numbers = torch.tensor([to_number[character] for character in text])

V, B, T = len(alphabet), 32, 50


class CharacterModel(nn.Module):
    def __init__(self, embedding_dim=64, hidden_size=128, num_layers=2):
        super().__init__()
        self.embedding = nn.Embedding(V, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_size, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_size, V)

    def forward(self, tokens, state=None):
        output, state = self.lstm(self.embedding(tokens), state)
        return self.head(output), state


def train(model, epochs=2):
    """The losses of all steps, and the seconds that they took but for the first."""
    # 32 readers start at 32 places of the text; chunk k of each continues its chunk k - 1.
    steps = (len(numbers) - 1) // B
    inputs = numbers[: steps * B].view(B, steps)
    targets = numbers[1 : steps * B + 1].view(B, steps)
    criterion, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=5e-3)
    losses, start = [], time.perf_counter()
    for _ in range(epochs):
        state = None
        for begin in range(0, steps - T + 1, T):
            logits, state = model(inputs[:, begin : begin + T], state)
            state = tuple(part.detach() for part in state)  # the gradient ends at the chunk, the state goes on
            loss = criterion(logits.reshape(-1, V), targets[:, begin : begin + T].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if not losses:
                start = time.perf_counter()  # the first call of all compiles
            losses.append(loss.item())
    return losses, time.perf_counter() - start


@torch.no_grad()
def write(model, start, length):
    """Continue `start` with the likeliest characters, one step at a time."""
    tokens, state = torch.tensor([[to_number[character] for character in start]]), None
    written = start
    for _ in range(length):
        logits, state = model(tokens, state)
        tokens = logits[:, -1:].argmax(-1)
        written += alphabet[tokens.item()]
    return written


torch.manual_seed(0)
plain = CharacterModel()
torch.manual_seed(0)
model = CharacterModel()
fastlstm.torch.accelerate(model)  # the one line

before, plain_seconds = train(plain)
losses, seconds = train(model)
assert abs(losses[0] - math.log(V)) < 0.2  # knows nothing yet
assert losses[-1] < 0.75 * losses[0]
# The same arithmetic in another order: the losses stay together, though the rounding is not the same.
assert max(abs(a - b) for a, b in zip(before, losses, strict=True)) < 0.05
assert plain.state_dict().keys() == model.state_dict().keys()

line = write(model.eval(), "The ", 40)
assert len(line) == 44
print(f"loss {losses[0]:.2f} at first, {losses[-1]:.2f} at last")
print(f"{plain_seconds:.1f} s plain, {seconds:.1f} s accelerated")
print(repr(line))
