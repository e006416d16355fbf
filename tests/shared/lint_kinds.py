"""Programs of kinds seen in public code, written anew, with a mark at every line where something is to be found.

`KINDS` gives each its text and the marks in it, `(code, line)`. Those without a mark were false alarms once.
"""

from __future__ import annotations

import re
from textwrap import dedent

MARK = re.compile(r"#((?: FL\d{3})+)\s*$")

HEADER = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"

KINDS: dict[str, tuple[str, set[tuple[str, int]]]] = {}


def kind(name: str, text: str) -> None:
    """Add a program."""
    assert name not in KINDS, name
    source = HEADER + dedent(text).strip("\n") + "\n"
    marked = [(row, match[1]) for row, line in enumerate(source.splitlines(), 1) if (match := MARK.search(line))]
    KINDS[name] = source, {(code, row) for row, codes in marked for code in codes.split()}


kind(
    "a list of outputs is turned round",
    """
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(5, 6)

        def forward(self, x, h, steps):
            outputs = []
            for _ in range(steps):
                h = self.cell(x, h)
                outputs.append(h)
            return torch.stack(outputs[::-1], dim=1), torch.cat(outputs[1:], dim=0)
    """,
)

kind(
    "some of a list of layers",
    """
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.LSTM(5, 6), nn.LSTM(6, 6), nn.LSTM(6, 4)])

        def forward(self, x, first):
            for layer in self.layers[first:]:
                x, _ = layer(x)
            for layer in self.layers[1:]:
                y, _ = layer(torch.zeros(7, 2, 6))
            return x, y
    """,
)

kind(
    "steps by their length, and the last one where all are full",
    """
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(5, 6, batch_first=True)

        def forward(self, x, lengths, full):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            out, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
            if full:
                return out[:, -1]
            else:
                return out[torch.arange(x.size(0)), lengths - 1]
    """,
)

kind(
    "the element type of what is packed",
    """
    data = nn.utils.rnn.pad_sequence([torch.tensor([[1, 2], [3, 4]]), torch.tensor([[7, 8]])])
    packed = nn.utils.rnn.pack_padded_sequence(data, [2, 1])
    out, _ = nn.LSTM(2, 3)(packed.float())
    out, _ = nn.utils.rnn.pad_packed_sequence(out)
    nn.Linear(3, 4)(out)
    """,
)

kind(
    "a call that leaves out an argument gives nothing to unpack",
    """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(5, 6)
            self.recurrent = True

        def forward(self, x, memory):
            return x, x, memory

    class Agent:
        def __init__(self, model=None):
            self.model = Model()

        def act(self, x):
            value, _ = self.model(x)
            return value
    """,
)

kind(
    "lists in a list, and a list that another function fills",
    """
    rnn = nn.LSTM(5, 6)

    def episodes(count, collect):
        seen = [[] for _ in range(count)]
        for i in range(count):
            seen[i].append(torch.zeros(1, 5))
        found = []
        collect(found)
        return [torch.cat(each) for each in seen], torch.stack(found)
    """,
)

kind(
    "a shape of unknown length",
    """
    rnn = nn.LSTM(5, 6)

    def folded(x, shape):
        front = list(x.shape[:-2])
        y = x.reshape(tuple([*front, 3, x.shape[-1]]))
        z = x.view(shape)
        return torch.cat([y[0], y[0]], dim=-2), z[0, 0], z.transpose(0, 1), torch.zeros(shape)[0, 0]
    """,
)

kind(
    "numpy's name for a new axis",
    """
    import numpy as np

    rnn = nn.LSTM(5, 6)

    def spread(x):
        batch, time, features = x.shape
        return x[:, :, :, np.newaxis], x[..., None, np.newaxis]
    """,
)

kind(
    "a number of axes that only one branch speaks of",
    """
    class Verifier(nn.Module):
        def __init__(self, words, use_embedding):
            super().__init__()
            self.use_embedding = use_embedding
            self.table = nn.Embedding(words, 5)
            self.rnn = nn.GRU(5, 6, batch_first=True)

        def forward(self, x):
            if not self.use_embedding:
                batch, steps, features = x.size()
            else:
                batch, steps = x.size()
            if self.use_embedding:
                x = self.table(x)
            return self.rnn(x)[0]

        def sure(self, x):
            if x.dim() == 2:
                batch, steps = x.shape
                return x.permute(1, 0)
            batch, steps, features = x.shape
            return x.permute(1, 0)  # FL705
    """,
)
