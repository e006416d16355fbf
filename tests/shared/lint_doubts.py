"""Programs in which what looks known is a guess: of settings, of defaults, of arguments that nobody looks at.

They are added to `lint_kinds.KINDS`, and marked in the same way.
"""

from __future__ import annotations

from lint_kinds import KINDS, kind

kind(
    "a step of one's own, and a shape that begins with a number of its own",
    """
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Linear(5, 6)
            self.gru = nn.GRU(5, 6)

        def forward(self, x, hidden):
            steps = []
            for step in x.transpose(0, 1):
                hidden = self.weights(step) + hidden
                steps.append(hidden[0] if isinstance(hidden, tuple) else hidden)
            out = torch.cat(steps, 0).view(x.size(1), *steps[0].size())
            out = out.transpose(0, 1)
            return out.size(2), out.view(*out.shape).size(2)
    """,
)

kind(
    "a division that rounds gives places",
    """
    gru = nn.GRU(5, 6)

    def beams(scores):
        _, places = scores.topk(3, dim=1)
        rows = torch.div(torch.arange(6).view(6, 1), 4, rounding_mode="floor").view(6)
        halves = torch.arange(6) / 2
        states = torch.zeros(6, 4)[rows]
        return states, torch.zeros(6, 4)[halves]  # FL710
    """,
)

kind(
    "what a setting is among",
    """
    class Attention(nn.Module):
        def __init__(self, method, width):
            super().__init__()
            self.method, self.width = method, width
            self.gru = nn.GRU(width, width)
            if self.method == "general":
                self.score = nn.Linear(width, width)
            elif self.method == "concat":
                self.score = nn.Linear(2 * width, width)
            if self.method == "location":
                self.score = nn.Linear(width, 1)

        def forward(self, hidden, out):
            if self.method in ("dot", "general", "concat"):
                return hidden
            return self.score(hidden.transpose(0, 1).expand(out.shape[0], out.shape[1], self.width))

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(5, 6)
            self.attention = Attention("concat", 6)

        def forward(self, x):
            out, hidden = self.gru(x)
            return self.attention(hidden, out)
    """,
)

kind(
    "what follows from a setting that a caller gives",
    """
    class Scorer(nn.Module):
        def __init__(self, kind):
            super().__init__()
            self.kind = kind
            self.gru = nn.GRU(5, 6)
            self.memory = torch.zeros(7, 2, 12 if self.kind == "both" else 6)

        def forward(self, x):
            out, _ = self.gru(x)
            if len(self.kind) < 4:
                return out + self.memory
            return torch.cat((out, out), 2) + self.memory

    Scorer("both")(torch.zeros(7, 2, 5))
    """,
)

kind(
    "a number of candidates that a caller may change",
    """
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(5, 6, batch_first=True)
            self.head = nn.Linear(6, 9)

        def draw(self, scores, count=1):
            best = scores.topk(count)
            chances = torch.softmax(best.values, dim=-1)
            return best.indices.gather(1, torch.multinomial(chances, 1))

        def forward(self, x):
            return self.draw(self.head(self.gru(x)[0][:, -1]))
    """,
)

kind(
    "the first of several steps, whose state goes back to the caller",
    """
    class Step(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6)
            self.other = nn.GRU(5, 6)

        def begin(self, x):
            out, (h, c) = self.lstm(x.unsqueeze(0))
            return out.squeeze(0), h, c

        def once(self, x):
            return self.other(x.unsqueeze(0))[0]

        def on(self, x, state):
            return self.other(x.unsqueeze(0), state)
    """,
)

kind(
    "one number is taken from what is squeezed",
    """
    class Agent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

        def act(self, x):
            scores = self.forward(x).squeeze()
            chances = torch.softmax(scores, -1)
            return torch.distributions.Categorical(chances).sample().item()

        def best(self, x, axis):
            return torch.argmax(self.forward(x).squeeze(), dim=axis)

        def loss(self, x, wanted, criterion):
            loss = criterion(self.forward(x).squeeze(), wanted)  # FL605
            return loss.item()
    """,
)

kind(
    "axes of which nobody knows what they are",
    """
    gru = nn.GRU(5, 6)

    def blocks(image, mask):
        count, width = mask.shape
        parts = image.view(width, 4, count)
        turned = mask.view(width, count)
        return parts, turned.view(count, width)

    def steps(x):
        batch, time, _ = x.shape
        y = x.reshape(time, batch, -1)  # FL204
        return y.view(-1, 5)
    """,
)

kind(
    "an entry of a padded output",
    """
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(5, 6, batch_first=True)

        def forward(self, x, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            out, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
            return [row[0][0] for row in out]
    """,
)

kind(
    "a width that is taken from another one where it is not given",
    """
    def layer(width, out=None, kind=nn.Linear):
        if out is None:
            out = width
        return kind(width, out)

    class Enhancer(nn.Module):
        def __init__(self, width=6, inner=9):
            super().__init__()
            self.lstm = nn.LSTM(5, width, batch_first=True, bidirectional=True)
            self.first = layer(2 * width, inner)
            self.second = layer(inner, 5)

        def forward(self, x):
            return self.second(torch.relu(self.first(self.lstm(x)[0])))
    """,
)

__all__ = ["KINDS"]
