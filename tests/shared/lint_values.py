"""Programs in which a rule speaks or is silent by what is known of a value, wherever in the file that was learned.

They are added to `lint_kinds.KINDS`, and marked in the same way.
"""

from __future__ import annotations

from lint_doubts import KINDS
from lint_kinds import kind

kind(
    "rows and columns of a table are a sequence without a batch",
    """
    class Model(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.lstm = nn.LSTM(width, 6, batch_first=True)
            self.head = nn.Linear(6, 1)

        def forward(self, x):
            return self.head(self.lstm(x)[0])

    def last(model: Model, groups):
        steps = torch.Tensor(groups.get_group(1).iloc[:, 2:].to_numpy())
        return model(steps)[-1]

    def sample(groups):
        model = Model(5)
        steps = torch.Tensor(groups.get_group(1).iloc[:, 2:].values)
        return model(steps)[-1]
    """,
)

kind(
    "a list that the loop makes longer",
    """
    class Memory(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(5, 6)
            self.score = nn.Linear(6, 1)

        def read(self, kept):
            rows = torch.stack(kept).view(1, -1, 6)
            return (F.softmax(self.score(rows), dim=1) * rows).sum(1)

        def forward(self, x):
            kept = [torch.zeros(1, 6)]
            for step in x:
                kept.append(self.cell(step, self.read(kept)))
            return kept[-1], self.read([kept[0]]), F.softmax(self.score(kept[0]), dim=1)  # FL603
    """,
)

kind(
    "an axis that is expanded to another size has that size",
    """
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(5, 6)

        def forward(self, x, keys, state):
            h, c = self.cell(x, state)
            scores = (h.expand(keys.size(0), -1) * keys).sum(1)
            alone = (h.expand(-1, 6) * keys).sum(1)
            mixed = F.softmax(h[:, 0], dim=0)  # FL603
            return F.softmax(scores, dim=0), mixed, alone
    """,
)

kind(
    "a flag that a later class of the file decides",
    """
    class Reader(nn.Module):
        def __init__(self, width, bidirectional=False):
            super().__init__()
            self.lstm = nn.LSTM(width, 6, bidirectional=bidirectional)

        def forward(self, x):
            return self.lstm(x)[1][0][-1]

    class Both(nn.Module):
        def __init__(self, width, both=False):
            super().__init__()
            self.lstm = nn.LSTM(width, 6, bidirectional=both)

        def forward(self, x):
            return self.lstm(x)[1][0][-1]  # FL303

    class Judge(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.reader = Reader(width, False)

        def forward(self, x):
            return self.reader(x)
    """,
)

kind(
    "a model that is moved to a device is the same model",
    """
    device = torch.device("cuda")

    class Letters(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.rnn = nn.RNN(width, 6, 2)
            self.head = nn.Linear(6, 3)

        def forward(self, x, hidden):
            out, hidden = self.rnn(x, hidden)
            return F.softmax(self.head(out[-1]), dim=0), hidden

        def start(self):
            return torch.zeros(2, 6).to(device)

    class Words(Letters):
        def forward(self, x, hidden):
            out, hidden = self.rnn(x, hidden)
            return F.softmax(self.head(out[-1]), dim=0), hidden  # FL603

    letters = Letters(5).to(device).eval()
    scores, hidden = letters(torch.randn(10, 5).to(device), letters.start())
    words = Words(5).to(device)
    likely = words(torch.randn(10, 4, 5), torch.zeros(2, 4, 6))[0].view(4, 2)  # FL704
    """,
)

kind(
    "a layer by its kind takes what is packed",
    """
    class Tagger(nn.Module):
        def __init__(self, mode):
            super().__init__()
            self.layer = nn.RNNBase(mode, 5, 6, batch_first=True)

        def forward(self, x, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            out, _ = self.layer(packed)
            return nn.utils.rnn.pad_packed_sequence(out, batch_first=True)
    """,
)

kind(
    "a step in a model's forward, which a loop calls",
    """
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(9, 5)
            self.lstm = nn.LSTM(5, 6, batch_first=True)
            self.head = nn.Linear(6, 9)

        def forward(self, x, state):
            out, state = self.lstm(self.table(x), state)
            return self.head(out), state

    def write(model: Words, count):
        state = (torch.zeros(1, 1, 6), torch.zeros(1, 1, 6))
        word = torch.tensor([3]).unsqueeze(1)
        for _ in range(count):
            scores, _ = model(word, state)  # FL501
            word.fill_(scores[0, -1].argmax().item())
        for _ in range(count):
            scores, state = model(word, state)
            word.fill_(scores[0, -1].argmax().item())

    def judge(texts):
        model = Words()
        state = (torch.zeros(1, 4, 6), torch.zeros(1, 4, 6))
        return [model(text, state)[0] for text in texts], [model(texts[i].view(4, 7), state) for i in range(3)]
    """,
)

kind(
    "a reader that gets one word at a time, and no state",
    """
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(5, 6)
            self.other = nn.GRU(5, 6)

        def forward(self, x):
            out, state = self.gru(x)  # FL209
            return out, state

        def begin(self, x):
            out, state = self.other(x.unsqueeze(0))
            return out, state

    class Page(nn.Module):
        def __init__(self):
            super().__init__()
            self.reader = Reader()

        def forward(self, words):
            return torch.cat([self.reader(word.unsqueeze(0))[0] for word in words.view(7, 4, 5)])
    """,
)

kind(
    "a squeeze behind products, and behind what is joined",
    """
    class Answer(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6, batch_first=True)
            self.start = nn.Linear(11, 1)

        def forward(self, x, weights, other):
            out, _ = self.lstm(x)
            scores = self.start(torch.cat([x, out], dim=2))
            picked = torch.bmm(weights.unsqueeze(1), out)
            return scores.squeeze(), picked.squeeze(), torch.bmm(weights, other).squeeze(1)  # FL605

        def draw(self, x):
            one = self.start(torch.cat([x, self.lstm(x)[0]], dim=2)).squeeze()
            return F.softmax(one, dim=0)
    """,
)

kind(
    "rows as a method of the class, and copies whose features have another name",
    """
    class Weights(nn.Module):
        def __init__(self, width, steps, features, inner):
            super().__init__()
            self.lstm = nn.LSTM(width, 6)
            self.w = torch.zeros(6, 1)
            self.steps, self.features, self.inner = steps, features, inner

        def forward(self, x):
            out, _ = self.lstm(x)
            rows = torch.Tensor.reshape(out, [-1, 6])
            right = torch.Tensor.reshape(rows @ self.w, [out.size(0), -1])
            return right, torch.Tensor.reshape(torch.exp(rows @ self.w), [-1, out.size(0)])  # FL204

        def again(self, code):
            count = code.shape[0]
            copies = code.repeat(self.steps, self.features)
            right = copies.reshape((self.steps, count, self.inner))
            return right, copies.reshape((count, self.steps, self.inner))  # FL204
    """,
)

kind(
    "weighted steps are steps, and two rows of states are of two layers",
    """
    class Pool(nn.Module):
        def __init__(self, weights):
            super().__init__()
            self.lstm = nn.LSTM(5, 6, 2, bidirectional=True)
            self.weights = weights

        def forward(self, x):
            out, (h, c) = self.lstm(x)
            pooled = (out * self.weights(out)).sum(dim=1)  # FL215
            # not h[-2] and h[-1]
            return pooled, torch.cat((h[1], h[2, :, :]), 1), (out * self.weights(out)).sum(dim=0)  # FL304

        def last(self, x):
            _, (h, c) = self.lstm(x)
            return torch.cat((h[2], h[3]), 1)
    """,
)

kind(
    "what is joined to one sample is one sample",
    """
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(9, 6, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    def act(model: Reader, frames, marks, images):
        video = torch.stack(frames).unsqueeze(0)
        count, steps, width = video.shape
        features = images(video).view(count, steps, -1)
        joined = torch.cat([features, torch.stack(marks).unsqueeze(0)], dim=-1)
        return F.softmax(model(joined), dim=1).squeeze()

    def several(model: Reader, frames, marks):
        joined = torch.cat([torch.stack(frames), marks], dim=-1)
        return model(joined).squeeze()  # FL605

    def scores(model, x):
        joined = torch.cat([torch.zeros(4, 7, 5), x], dim=-1)
        return Reader()(joined).view(4, 2)  # FL704
    """,
)

kind(
    "sums of steps are steps, two states from one expression are two, and an input that goes on in part",
    """
    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(6, 6, batch_first=True)
            self.layers = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)])

        def start(self, count):
            return tuple(torch.randn(1, count, 6) for _ in range(2))  # FL107

        def forward(self, x):
            out, _ = self.lstm(x, self.start(x.size(0)))
            for layer in self.layers:
                out = torch.tanh(layer(out)) + out
            return out[:, -1], out[-1]  # FL201

    class Past(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(6, 6, batch_first=True)
            self.head = nn.Linear(6, 2)
            self.table = nn.Embedding(9, 6)

        def forward(self, x):
            words = self.table(x)
            out, state = self.lstm(words)
            return self.head(words.mean(1))  # FL509
    """,
)

kind(
    "the last step of steps and features that were merged",
    """
    class Mood(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 6, batch_first=True, bidirectional=True)
            self.other = nn.GRU(5, 6, batch_first=True)
            self.head = nn.Linear(12, 1)
            self.second = nn.Linear(6, 1)

        def forward(self, x):
            batch = x.size(0)
            rows = self.lstm(x)[0].contiguous().view(-1, 12)
            scores = torch.sigmoid(self.head(rows)).view(batch, -1)
            return scores[:, -1], scores.mean(1)  # FL208

        def padded(self, x, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
            out, lengths = nn.utils.rnn.pad_packed_sequence(self.other(packed)[0], batch_first=True)
            scores = self.second(out).view(x.size(0), -1)
            return scores[:, -1]  # FL403

        def last(self, x):
            scores = self.second(self.other(x)[0]).view(x.size(0), -1)
            return scores[:, -1]
    """,
)

kind(
    "what is reshaped may be an array",
    """
    lstm = nn.LSTM(5, 6)

    def share(labels, scores):
        labels = labels.reshape(-1, 1)
        rows = scores.view(-1, 1)
        return (labels >= 3).mean(), (rows >= 3).mean()  # FL710
    """,
)

kind(
    "attention over the samples, of one step each",
    """
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(5, 6, batch_first=True)
            self.mix = nn.MultiheadAttention(6, 2)

        def forward(self, x, state):
            out, state = self.gru(x.unsqueeze(1), state)
            mixed, _ = self.mix(out, out, out)  # FL213
            alone, _ = self.mix(out.transpose(0, 1), out.transpose(0, 1), out.transpose(0, 1))
            return mixed, alone, state
    """,
)

__all__ = ["KINDS"]
