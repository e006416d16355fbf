"""Correct programs, of kinds seen in public code, on which the linter must stay silent."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
import torch
from fastlstm_lint import check_source
from fastlstm_lint.rules.base import HEADER, model

PROGRAMS = {
    "the names of the unpacked results lie": model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)", "h_n, _ = self.lstm(x)\nreturn h_n[:, -1]"
    ),
    "a subclass of nn.LSTM with its own forward": """
class Mine(nn.LSTM):
    def forward(self, x):
        return x.sum(0)

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = Mine(5, 6, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[-1]
""",
    "a class that merely bears the name": """
class LSTM(nn.Module):
    def forward(self, x):
        return x, None

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = LSTM(5, 6, batch_first=True)

    def forward(self, x):
        out, _ = self.lstm(x)
        return out[-1]
""",
    "a convolutional LSTM": """
class ConvLSTMCell(nn.Module):
    def __init__(self, channels, hidden):
        super().__init__()
        self.conv = nn.Conv2d(channels + hidden, 4 * hidden, 3, padding=1)

    def forward(self, x, state):
        h, c = state
        i, f, o, g = torch.chunk(self.conv(torch.cat([x, h], dim=1)), 4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c
""",
    "one step of an agent with a carried and masked state": """
class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6)

    def forward(self, x, state, done):
        state = (1 - done).view(1, -1, 1) * state
        out, state = self.gru(x.unsqueeze(0), state)
        return out.squeeze(0), state
""",
    "a CTC head keeps (time, batch, classes)": model(
        "self.rnn = nn.LSTM(5, 6, bidirectional=True)\nself.head = nn.Linear(12, 9)",
        "out, _ = self.rnn(x)\nT, b, h = out.size()\nreturn self.head(out.view(T * b, h)).view(T, b, -1)",
    ),
    "attention over time": model(
        "self.rnn = nn.LSTM(5, 6, batch_first=True, bidirectional=True)\nself.score = nn.Linear(12, 1)",
        """
out, (h, c) = self.rnn(x)
weights = F.softmax(self.score(out).squeeze(-1), dim=1)
return (out * weights.unsqueeze(-1)).sum(1), out.max(1)[0], out.mean(1)
""",
    ),
    "layers and directions separated": model(
        "self.rnn = nn.LSTM(5, hidden, layers, bidirectional=True)",
        """
T, B, _ = x.shape
out, (h, c) = self.rnn(x)
h = h.view(self.rnn.num_layers, 2, B, self.rnn.hidden_size)
return out.view(T, B, 2, self.rnn.hidden_size), torch.cat((h[-1, 0], h[-1, 1]), 1)
""",
        "hidden=6, layers=2",
    ),
    "convolution features named hidden": model(
        "self.conv = nn.Conv2d(1, 3, 3)\nself.lstm = nn.LSTM(5, 6)",
        "batch_size = x.size(0)\nhidden = self.conv(x)\nreturn hidden.view(batch_size, -1)",
    ),
    "a tagger of one sentence at a time": """
class Tagger(nn.Module):
    def __init__(self, vocabulary, tags):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, 6)
        self.lstm = nn.LSTM(6, 6)
        self.head = nn.Linear(6, tags)

    def forward(self, sentence):
        embeds = self.embed(sentence)
        out, _ = self.lstm(embeds.view(len(sentence), 1, -1))
        return F.log_softmax(self.head(out.view(len(sentence), -1)), dim=1)
""",
    "the examples of torch's documentation": """
rnn = nn.LSTM(10, 20, 2)
input = torch.randn(5, 3, 10)
h0 = torch.randn(2, 3, 20)
c0 = torch.randn(2, 3, 20)
output, (hn, cn) = rnn(input, (h0, c0))

cell = nn.LSTMCell(10, 20)
input = torch.randn(2, 3, 10)
hx = torch.randn(3, 20)
cx = torch.randn(3, 20)
output = []
for i in range(input.size()[0]):
    hx, cx = cell(input[i], (hx, cx))
    output.append(hx)
output = torch.stack(output, dim=0)
""",
    "a two-layer LSTM on one time step": """
lstm = nn.LSTM(5, 6, 2)
x = torch.randn(1, 3, 5)
output, (h_n, c_n) = lstm(x, (torch.zeros(2, 3, 6), torch.zeros(2, 3, 6)))
assert torch.equal(h_n[-1], output[-1])
first = h_n[0]
""",
    "a gap of an exercise": """
class Model(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.width = width
        self.table = nn.Embedding(words, width)
        self.lstm = nn.LSTM("your code here")

    def forward(self, x):
        state = torch.zeros(1, x.size(0), self.width), torch.zeros(1, x.size(0), self.width)
        return self.lstm(self.table(x), state)
""",
    "two layers on a single sequence": model(
        "self.gru = nn.GRU(5, 6)\nself.top = nn.GRU(6, 6)",
        "output, _ = self.gru(x)\nreturn self.top(output.chunk(2)[0], torch.zeros(1, 6))[0]",
    ),
    "a traffic forecast": """
class Traffic(nn.Module):
    def __init__(self, n=32, nodes=307):
        super().__init__()
        self.lstm = nn.LSTM(nodes, n, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.a = nn.Linear(24 * n, 256)
        self.b = nn.Linear(256, nodes)

    def forward(self, x):
        out, _ = self.lstm(x)
        out = self.dropout(out).reshape(x.size(0), -1)
        return self.b(F.relu(self.a(out)))
""",
    "a model around any kind of layer": """
class CharModel(nn.Module):
    def __init__(self, layer, vocabulary):
        super().__init__()
        self.rnn = layer
        self.vocabulary, self.hidden = vocabulary, layer.hidden_size
        self.directions = 2 if layer.bidirectional else 1
        self.head = nn.Linear(self.directions * self.hidden, vocabulary)

    def forward(self, tokens, state):
        x = F.one_hot(tokens.T, self.vocabulary).float()
        y, state = self.rnn(x, state)
        return self.head(y.reshape((-1, y.shape[-1]))), state

    def begin_state(self, batch):
        h = torch.zeros((self.directions * self.rnn.num_layers, batch, self.hidden))
        return h if not isinstance(self.rnn, nn.LSTM) else (h, torch.zeros_like(h))

net = CharModel(nn.LSTM(28, 64), 28)
output, state = net(torch.zeros(32, 35, dtype=torch.long), net.begin_state(32))
""",
    "a method of an unknown object that has the name of a tensor's": """
def train(decoder, batches):
    lstm = nn.LSTM(5, 6)
    loss_of = nn.NLLLoss()
    for x, y in batches:
        logits, _ = decoder.step(x)
        loss_of(decoder.softmax(logits), y).backward()
""",
    "an axis put in with None": """
def include(first, output):
    lstm = nn.LSTM(5, 6)
    joined = torch.cat([first[:, None, :], output], dim=1)
    batch, units = first.size()
    return joined, first.new_empty(batch, 0, units)
""",
    "an array of NumPy's turned round": """
def to_numpy(x):
    return None if x is None else x.cpu().detach().numpy()

def weights(x, n):
    out, _ = nn.LSTM(5, 6)(x)
    array = to_numpy(out.view(7, 3, 2, 3))
    return array[0, :, :n, :][:, ::-1]
""",
    "a default that a subclass replaces": """
class Metric(nn.Module):
    def __init__(self, quantiles=None):
        super().__init__()
        self.quantiles = quantiles
        self.lstm = nn.LSTM(5, 6)

    def levels(self, y):
        return torch.as_tensor(self.quantiles, device=y.device)[:, None]

class Special(Metric):
    def __init__(self):
        super().__init__()

special = Special()
print(special.levels(torch.zeros(3)))
""",
    "the shift of relative attention": """
def shifted(scores):
    gru = nn.GRU(5, 6)
    batch, heads, queries, keys = scores.size()
    padded = torch.cat([torch.zeros(batch, heads, queries, 1), scores], dim=-1)
    return padded.view(batch, heads, keys + 1, queries)[:, :, 1:].view_as(scores)
""",
    "the shift of relative attention without a row put in": """
def shifted(scores, keys):
    gru = nn.GRU(5, 6)
    shape = scores.size()
    scores = scores.view(shape[1], shape[0], *shape[2:])[1:]
    return scores.view(shape[0], shape[1] - 1, *shape[2:])[:, :keys]

shifted(torch.zeros(7, 8, 3, 2), 7)
""",
    "the classes of one sequence alone": """
class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.head = nn.Linear(6, 3)
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x):
        return F.log_softmax(self.head(self.gru(x)[0]), dim=1)

    def step(self, x, wanted):
        return self.loss(self(x), torch.zeros(len(wanted), 3))
""",
    "the longest of several, begun with -1": """
def filled(sequences):
    gru = nn.GRU(5, 6)
    longest = -1
    for each in sequences:
        if len(each) > longest:
            longest = len(each)
    return torch.zeros(len(sequences), longest)
""",
    "an axis enlarged to what a tensor says": """
def discounted(reward, lengths):
    gru = nn.GRU(5, 6)
    longest = torch.max(lengths)
    return reward.unsqueeze(-1).expand(reward.shape[0], longest)

discounted(torch.ones(2), torch.tensor([3, 5]))[0, 4]
""",
    "the first of several steps, whose state comes back": """
class Nodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6)

    def forward(self, x, h=None, c=None):
        if h is None:
            out, (h, c) = self.lstm(x[None, :, :])
        else:
            out, (h, c) = self.lstm(x[None, :, :], (h, c))
        return out.squeeze(0), h, c
""",
    "a call that Python refuses before torch sees it": """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6)

    def forward(self, x, mask, again=False):
        return x.masked_fill(mask[:, :, None], 0.0)

model = Model()
try_it = lambda: model(torch.zeros(2, 7, 5), torch.tensor([5, 6]), 1, 2, again=True)
try_it()
""",
    "a test of one's own that guards what it asks about": """
def is_latent(x):
    return x.dtype == torch.float

def prepare(x):
    if is_latent(x):
        x = x.permute(0, 2, 1)
    return x

lstm = nn.LSTM(5, 6)
prepare(torch.randint(0, 9, (2, 100)))
""",
    "an action drawn from what was squeezed": """
class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTMCell(4, 8)
        self.head = nn.Linear(8, 3)

    def act(self, seen, state):
        h, c = self.cell(seen, state)  # one row
        scores = self.head(h)
        scores = scores.squeeze()
        return torch.distributions.Categorical(scores.exp()).sample().item()
""",
    "the number of a single prediction": """
lstm, head = nn.LSTM(5, 6), nn.Linear(6, 1)
series = [0.5]
for step in range(30):
    out, _ = lstm(torch.randn(7, 1, 5))
    series.append(head(out[-1]).squeeze().detach().item())
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_correct_program_is_silent(name: str) -> None:
    assert [finding.message for finding in check_source(HEADER + PROGRAMS[name], "case.py")] == []


def documented() -> dict[str, str]:
    """The examples in torch's docstrings of recurrent modules and of packing."""
    parser = doctest.DocTestParser()
    found = {}
    for module in (torch.nn.modules.rnn, torch.nn.utils.rnn):
        for name, each in vars(module).items():
            lines = [example.source for example in parser.get_examples(getattr(each, "__doc__", None) or "")]
            if lines and getattr(each, "__module__", "") == module.__name__:
                found[name] = HEADER + "from torch.nn.utils.rnn import *\n" + "".join(lines)
    return found


@pytest.mark.parametrize("name", documented())
def test_the_examples_in_torch_s_docstrings_are_silent(name: str) -> None:
    assert [finding.message for finding in check_source(documented()[name], "case.py")] == []


def test_torch_has_such_examples() -> None:
    assert {"RNN", "LSTM", "GRU", "LSTMCell", "pad_packed_sequence"} <= documented().keys()


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "docs" / "examples").rglob("*.py")), ids=lambda path: path.stem
)
def test_our_own_examples_are_silent(path: Path) -> None:
    assert [finding.message for finding in check_source(path.read_text(), path.name)] == []
