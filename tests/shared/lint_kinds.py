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

kind(
    "one cell or the other, each with its own state",
    """
    class Decoder(nn.Module):
        def __init__(self, width, word):
            super().__init__()
            self.word = word
            self.cell = nn.LSTMCell(width, width) if word == "lstm" else nn.GRUCell(width, width)
            self.start = nn.Linear(width, width)

        def forward(self, x):
            h, c = torch.tanh(self.start(x)), torch.zeros_like(x)
            if self.word == "lstm":
                h, c = self.cell(x, (h, c))
            else:
                h = self.cell(x, h)
            return h
    """,
)

kind(
    "losses that are not reduced, in the words of torch's first versions",
    """
    rnn = nn.LSTM(5, 6)
    each, old = nn.L1Loss(reduce=False), nn.MSELoss(size_average=False)
    x, y = torch.zeros(7, 4), torch.zeros(7, 4)
    print(each(x, y)[0, 0], F.mse_loss(x, y, reduce=False)[0])
    """,
)

kind(
    "a parameter named after one of several classes",
    """
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6)

        def forward(self, x, state):
            return self.lstm(x, state)

    class AttentionDecoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6)

        def forward(self, x, state):
            out, state = self.lstm(x, state)
            return out, state, out.softmax(0)

    class Model(nn.Module):
        def __init__(self, decoder):
            super().__init__()
            self.decoder = decoder

        def forward(self, x, state):
            out, state, weights = self.decoder(x, state)
            return out
    """,
)

kind(
    "layers and directions taken apart where there are two",
    """
    class Encoder(nn.Module):
        def __init__(self, settings):
            super().__init__()
            self.layers, self.hidden = settings.layers, settings.hidden
            self.both = settings.both
            self.rnn = nn.GRU(5, settings.hidden, settings.layers, bidirectional=settings.both)

        def forward(self, x):
            steps, batch, _ = x.shape
            _, h = self.rnn(x)
            if self.both:
                def merged(h):
                    h = h.view(self.layers, 2, batch, self.hidden)
                    return torch.stack([torch.cat((each[0], each[1]), 1) for each in h])
                h = merged(h)
            return h
    """,
)

kind(
    "weights over a list of which one caller has a single entry",
    """
    class Mix(nn.Module):
        def __init__(self, widths):
            super().__init__()
            self.count = len(widths)
            self.rnn = nn.LSTM(5, 6)
            self.score = nn.Linear(6, 1)

        def forward(self, x):
            scores = []
            for i in range(self.count):
                scores.append(self.score(x[i]))
            return F.softmax(torch.cat(scores, dim=1), dim=1)

    Mix([6])(torch.zeros(1, 4, 6))
    """,
)

kind(
    "a list whose entries become tensors",
    """
    rnn = nn.LSTM(5, 6)

    def shown(data):
        count, steps, width = data.shape
        return steps

    def gathered(loader, count):
        gates = [[[] for _ in range(3)] for _ in range(count)]
        for gate in loader:
            for i in range(count):
                for j in range(3):
                    gates[i][j].append(gate[i][j])
        for i in range(count):
            for j in range(3):
                gates[i][j] = torch.cat(gates[i][j], dim=0)
                shown(gates[i][j])
    """,
)

kind(
    "what stands in for an input that is not given",
    """
    class Decoder(nn.Module):
        def __init__(self, words):
            super().__init__()
            self.table = nn.Embedding(words, 5)
            self.rnn = nn.GRU(5, 6, batch_first=True)

        def forward(self, inputs=None, ratio=0.0, batch=3):
            if inputs is None:
                if ratio > 0:
                    raise ValueError("teacher forcing takes inputs")
                inputs = torch.LongTensor([0] * batch).view(batch, 1)
            if ratio > 0:
                return self.rnn(self.table(inputs[:, :-1]))[0]
            return self.rnn(self.table(inputs), torch.ones(1, batch, 6))[0]
    """,
)

kind(
    "an index that is a range",
    """
    class Characters(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6, bidirectional=True)

        def forward(self, x, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            out, lengths = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0])
            ends = out[lengths - 1, range(x.size(1)), 6:]
            return torch.cat([out[0, :, :6], ends], dim=1)
    """,
)

kind(
    "a parameter that is made anew in every call",
    """
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6)

        def forward(self, x):
            self.h = nn.Parameter(torch.randn(1, x.size(1), 6))  # FL107
            self.c = nn.Parameter(torch.randn(1, x.size(1), 6))
            return self.lstm(x, (self.h, self.c))[0]
    """,
)

kind(
    "two axes that the program takes to be as long as each other",
    """
    class Grid(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d((7, 7))
            self.lstm = nn.LSTM(5, 6, batch_first=True)

        def forward(self, x):
            x = self.pool(x)
            B, C, G, _ = x.shape
            x = x.permute(0, 2, 3, 1)
            return self.lstm(x.reshape(B, G * G, C))[0]
    """,
)

kind(
    "states of another kind, asked for by their type",
    """
    class Stack(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(5, 6)

        def start(self, batch):
            return [(torch.zeros(1, batch, 6), torch.zeros(1, batch, 6)) for _ in range(2)]

        def forward(self, x, hiddens=None):
            if hiddens is None:
                hiddens = [(torch.zeros(1, 3, 6), torch.zeros(1, 3, 6)), (torch.zeros(1, 3, 6), torch.zeros(1, 3, 6))]
            if type(hiddens) != list:
                hiddens = [(hiddens[0].narrow(0, i, 1), hiddens[1].narrow(0, i, 1)) for i in range(2)]
            if isinstance(hiddens, tuple):
                return hiddens[0].size(0)
            return hiddens[0][0]
    """,
)

kind(
    "errors that are expected",
    """
    import pytest

    def test_refused():
        layer = nn.LSTM(5, 6)
        with pytest.raises(RuntimeError):
            torch.zeros(3, 4) @ torch.zeros(5, 6)
        try:
            torch.zeros(3, 4) + torch.zeros(5, 6)
        except RuntimeError:
            pass
        try:
            torch.zeros(3, 4) + torch.zeros(5, 6)  # FL702
        except KeyboardInterrupt:
            pass
    """,
)

kind(
    "one action is picked",
    """
    class Agent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, x, state):
            out, state = self.lstm(x, state)
            return self.head(out), state

        def act(self, x, state):
            values, state = self(x, state)
            return torch.argmax(values.squeeze(), dim=-1), values.squeeze().argmax().item(), state
    """,
)

kind(
    "arrays of NumPy are no tensors",
    """
    import numpy as np

    rnn = nn.LSTM(5, 6)

    def statistics(data, group):
        N, C, T, V = data.shape
        rows = data.transpose(0, 2, 3, 1).reshape(N * T * V, C)
        weights = np.array(data)
        width = weights.shape[1]
        blocks = weights.reshape([-1, width // group, group])
        largest = blocks.max(axis=-1)
        count = np.zeros((N, T)).reshape(T, N)
        mean = data.mean(axis=2, keepdims=True).mean(axis=3, keepdims=True)
        return rows.min(axis=0), largest.shape[0], count, mean

    def largest(x):
        rows, columns = x.shape
        return x.max(axis=-1).shape[0], x.sum(axis=1).view(rows)
    """,
)

kind(
    "numbers that a comprehension makes",
    """
    class Cuts(nn.Module):
        def __init__(self, width, rows):
            super().__init__()
            self.width = width
            self.gru = nn.GRU(5, rows, batch_first=True)
            self.head = nn.Linear(rows + width, 3)

        def forward(self, x, extra):
            cuts = [self.width * i for i in range(3)]
            batch, steps, _ = extra.shape
            part = extra[:, :, cuts[0] : cuts[1]]
            out, _ = self.gru(x)
            return self.head(torch.cat([out, part], dim=2))
    """,
)

kind(
    "a piece of music that is transposed",
    """
    import copy

    rnn = nn.LSTM(5, 6)

    def in_all_keys(sheet):
        sheets = []
        for amount in range(-6, 6):
            other = copy.deepcopy(sheet)
            other.transpose(amount)
            sheets.append(other)
        return sheets
    """,
)

kind(
    "a Sequential that is filled later",
    """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layers, more = nn.Sequential(), nn.Sequential(nn.Identity())

            def add(i):
                layers.add_module(f"conv{i}", nn.Conv2d(1, 8, 3))

            add(0)
            more.add_module("pool", nn.AdaptiveAvgPool2d((1, None)))
            self.layers, self.more = layers, more
            self.rnn = nn.LSTM(8, 6)

        def forward(self, x):
            x = self.layers(x)
            return self.rnn(x.squeeze(2).permute(2, 0, 1))[0], self.more(x).squeeze(2).permute(2, 0, 1)

    Net()(torch.zeros(8, 1, 32, 80))
    """,
)

kind(
    "a shape put together from two",
    """
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(5, 6, batch_first=True)

        def forward(self, videos, points):
            points = points.view(videos.shape[:2] + points.shape[1:])
            return points[:, 1:], points.transpose(0, 1)
    """,
)

kind(
    "as many steps as features, by chance",
    """
    class Tagger(nn.Module):
        def __init__(self, steps):
            super().__init__()
            self.steps = steps
            self.rnn = nn.LSTM(5, 128, bidirectional=True, batch_first=True)

        def forward(self, x):
            out, _ = self.rnn(x)
            out = out.contiguous().view(-1, 256)
            return out.contiguous().view(x.size(0), self.steps, -1)

    Tagger(256)(torch.zeros(4, 256, 5))
    """,
)


kind(
    "a list of states that stands in for a pair",
    """
    class Stack(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = nn.ModuleList([nn.LSTMCell(5, 6) for _ in range(layers)])

        def start(self, batch):
            hiddens = []
            for layer in self.layers:
                hiddens.append((torch.zeros(1, batch, 6), torch.zeros(1, batch, 6)))
            return hiddens

        def forward(self, x, hiddens=None):
            if hiddens is None:
                hiddens = self.start(x.shape[1])
            if type(hiddens) != list:
                pairs = []
                for i in range(hiddens[0].size(0)):
                    pairs.append((hiddens[0].narrow(0, i, 1), hiddens[1].narrow(0, i, 1)))
                hiddens = pairs
            return hiddens
    """,
)
