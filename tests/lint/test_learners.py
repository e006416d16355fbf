"""Programs of people who learn: of each kind one that is wrong, marked where it is, and one that is right."""

from __future__ import annotations

from textwrap import indent

import pytest
from fastlstm_lint import check_source

HEADER = """import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
"""


def model(layers: str, body: str) -> str:
    """A model whose constructor makes these layers, with this forward."""
    init, forward = (indent(part, " " * 8) for part in (layers, body))
    head = "class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    return f"{head}{init}\n\n    def forward(self, x):\n{forward}"


WRONG = {
    "h[-1] of a pair into fc": model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)\nself.fc = nn.Linear(6, 2)",
        "out, h = self.lstm(x)\nreturn self.fc(h[-1])  # here",
    ),
    "from_numpy doubles": (
        "lstm = nn.LSTM(5, 6)\nx = torch.from_numpy(np.random.rand(7, 2, 5))\nout, _ = lstm(x)  # here"
    ),
    "tensor of np doubles": ("lstm = nn.LSTM(5, 6)\nx = torch.tensor(np.zeros((7, 2, 5)))\nout, _ = lstm(x)  # here"),
    "bmm of 2D": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "out, h = self.gru(x)\nscores = torch.bmm(out, h[-1])  # here\nreturn scores",
    ),
    "stack over time into batch_first": model(
        "self.cell = nn.GRUCell(5, 6)\nself.gru = nn.GRU(6, 6, batch_first=True)",
        (
            "B, T, _ = x.shape\n"
            "h = torch.zeros(B, 6)\n"
            "outs = []\n"
            "for t in range(T):\n"
            "    h = self.cell(x[:, t], h)\n"
            "    outs.append(h)\n"
            "out, _ = self.gru(torch.stack(outs))  # here\n"
            "return out"
        ),
    ),
    "pad_packed then [:,-1] seq first": model(
        "self.gru = nn.GRU(5, 6)",
        (
            "packed = pack_padded_sequence(x, [7, 5, 3, 2])\n"
            "out, _ = pad_packed_sequence(self.gru(packed)[0])\n"
            "return out[:, -1]  # here"
        ),
    ),
    "pad_packed then [:,-1] pack bf, pad default": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        (
            "packed = pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)\n"
            "out, _ = pad_packed_sequence(self.gru(packed)[0])\n"
            "return out[:, -1]  # here"
        ),
    ),
    "state pair to gru": model(
        "self.lstm = nn.LSTM(5, 6)\nself.gru = nn.GRU(6, 6)",
        "out, h = self.lstm(x)\ny, _ = self.gru(out, h)  # here\nreturn y",
    ),
    "gru state to lstm": model(
        "self.gru = nn.GRU(5, 6)\nself.lstm = nn.LSTM(6, 6)",
        "out, h = self.gru(x)\ny, _ = self.lstm(out, h)  # here\nreturn y",
    ),
    "h.squeeze of a pair": model(
        "self.lstm = nn.LSTM(5, 6)\nself.fc = nn.Linear(6, 2)",
        "out, h = self.lstm(x)\nreturn self.fc(h.squeeze(0))  # here",
    ),
    "cat of pair": model(
        "self.lstm = nn.LSTM(5, 6, bidirectional=True)\nself.fc = nn.Linear(12, 2)",
        ("out, h = self.lstm(x)\nlast = torch.cat((h[0], h[1]), dim=1)\nreturn self.fc(last)  # here"),
    ),
    "long input": ("gru = nn.GRU(5, 6)\nx = torch.randint(0, 9, (7, 2, 5))\nout, _ = gru(x)  # here"),
    "one-hot long": ("gru = nn.GRU(5, 6)\nx = F.one_hot(torch.randint(0, 5, (7, 2)), 5)\nout, _ = gru(x)  # here"),
    "embedding of float": (
        "emb = nn.Embedding(9, 5)\ngru = nn.GRU(5, 6)\nout, _ = gru(emb(torch.zeros(7, 2)))  # here"
    ),
    "double().linear": (
        "gru = nn.GRU(5, 6)\nfc = nn.Linear(6, 2)\nout, _ = gru(torch.zeros(7, 2, 5))\ny = fc(out.double())  # here"
    ),
    "matmul state": model(
        ("self.gru = nn.GRU(5, 6, batch_first=True)\nself.w = nn.Parameter(torch.zeros(5, 6))"),
        "out, h = self.gru(x)\nreturn out @ self.w  # here",
    ),
    "mean over batch": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "out, _ = self.gru(x)\nreturn out.mean(0)  # here",
    ),
    "max over batch": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "out, _ = self.gru(x)\nreturn out.max(dim=0)[0]  # here",
    ),
    "h_n view": model(
        "self.gru = nn.GRU(5, 6, 2, batch_first=True)",
        "_, h = self.gru(x)\nreturn h.view(x.size(0), -1)  # here",
    ),
    "h_n reshape": model(
        "self.gru = nn.GRU(5, 6, bidirectional=True)",
        "_, h = self.gru(x)\nreturn h.reshape(-1, 12)  # here",
    ),
    "h0 batch first": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        ("h0 = torch.zeros(x.size(0), 1, 6)\nout, _ = self.gru(x, h0)  # here\nreturn out"),
    ),
    "h0 one layer": model(
        "self.gru = nn.GRU(5, 6, num_layers=2)",
        ("h0 = torch.zeros(1, x.size(1), 6)\nout, _ = self.gru(x, h0)  # here\nreturn out"),
    ),
    "lstm h0 alone": model(
        "self.lstm = nn.LSTM(5, 6)",
        ("h0 = torch.zeros(1, x.size(1), 6)\nout, _ = self.lstm(x, h0)  # here\nreturn out"),
    ),
    "bi head": model(
        "self.gru = nn.GRU(5, 6, bidirectional=True)\nself.fc = nn.Linear(6, 2)",
        "out, _ = self.gru(x)\nreturn self.fc(out)  # here",
    ),
    "unpack gru pair": model(
        "self.gru = nn.GRU(5, 6)",
        "out, (h, c) = self.gru(x)  # here\nreturn out",
    ),
    "linear on tuple": model(
        "self.gru = nn.GRU(5, 6)\nself.fc = nn.Linear(6, 2)",
        "out = self.gru(x)\nreturn self.fc(out)  # here",
    ),
    "out[-1] bf": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "out, _ = self.gru(x)\nreturn out[-1]  # here",
    ),
    "transpose as view": model(
        "self.gru = nn.GRU(5, 6)",
        "x = x.view(x.size(1), x.size(0), -1)  # here\nreturn self.gru(x)[0]",
    ),
    "softmax dim0": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.fc = nn.Linear(6, 3)",
        "out, _ = self.gru(x)\nreturn torch.softmax(self.fc(out[:, -1]), dim=0)  # here",
    ),
    "ce with softmax": model(
        ("self.gru = nn.GRU(5, 6, batch_first=True)\nself.fc = nn.Linear(6, 3)\nself.loss = nn.CrossEntropyLoss()"),
        (
            "out, _ = self.gru(x)\n"
            "p = F.softmax(self.fc(out[:, -1]), dim=1)\n"
            "return self.loss(p, torch.zeros(4, dtype=torch.long))  # here"
        ),
    ),
    "batchnorm out": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.bn = nn.BatchNorm1d(6)",
        "out, _ = self.gru(x)\nreturn self.bn(out)  # here",
    ),
    "pack then linear": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.fc = nn.Linear(6, 2)",
        (
            "packed = pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)\n"
            "out, h = self.gru(packed)\n"
            "return self.fc(out)  # here"
        ),
    ),
    "pad_sequence seq first into bf": (
        "gru = nn.GRU(5, 6, batch_first=True)\n"
        "xs = [torch.zeros(7, 5), torch.zeros(4, 5)]\n"
        "x = pad_sequence(xs)\n"
        "out, _ = gru(x)  # here"
    ),
    "cell gets h only": model(
        "self.cell = nn.LSTMCell(5, 6)",
        "h = torch.zeros(x.size(0), 6)\nh, c = self.cell(x[:, 0], h)  # here\nreturn h",
    ),
}

RIGHT = {
    "h[0][-1] of a pair": model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)\nself.fc = nn.Linear(6, 2)",
        "out, h = self.lstm(x)\nreturn self.fc(h[0][-1])",
    ),
    "from_numpy float": (
        "lstm = nn.LSTM(5, 6)\nx = torch.from_numpy(np.random.rand(7, 2, 5)).float()\nout, _ = lstm(x)"
    ),
    "from_numpy astype": (
        "lstm = nn.LSTM(5, 6)\nx = torch.from_numpy(np.random.rand(7, 2, 5).astype(np.float32))\nout, _ = lstm(x)"
    ),
    "from_numpy dtype arg": (
        "lstm = nn.LSTM(5, 6)\nx = torch.from_numpy(np.zeros((7, 2, 5), dtype=np.float32))\nout, _ = lstm(x)"
    ),
    "from_numpy double layer": (
        "lstm = nn.LSTM(5, 6).double()\nx = torch.from_numpy(np.random.rand(7, 2, 5))\nout, _ = lstm(x)"
    ),
    "tensor dtype": (
        "lstm = nn.LSTM(5, 6)\nx = torch.tensor(np.zeros((7, 2, 5)), dtype=torch.float32)\nout, _ = lstm(x)"
    ),
    "tensor lists float": "lstm = nn.LSTM(1, 6)\nx = torch.tensor([[[1.0]], [[2.0]]])\nout, _ = lstm(x)",
    "FloatTensor np": ("lstm = nn.LSTM(5, 6)\nx = torch.FloatTensor(np.zeros((7, 2, 5)))\nout, _ = lstm(x)"),
    "Tensor np": "lstm = nn.LSTM(5, 6)\nx = torch.Tensor(np.zeros((7, 2, 5)))\nout, _ = lstm(x)",
    "default double": (
        "torch.set_default_dtype(torch.float64)\n"
        "lstm = nn.LSTM(5, 6)\n"
        "x = torch.from_numpy(np.zeros((7, 2, 5)))\n"
        "out, _ = lstm(x)"
    ),
    "bmm right": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        (
            "out, h = self.gru(x)\n"
            "scores = torch.bmm(out, h[-1].unsqueeze(2)).squeeze(2)\n"
            "w = torch.softmax(scores, 1)\n"
            "return torch.bmm(w.unsqueeze(1), out).squeeze(1)"
        ),
    ),
    "bmm transposed": model(
        "self.gru = nn.GRU(5, 6)",
        ("out, h = self.gru(x)\nq = h.transpose(0, 1)\nk = out.permute(1, 2, 0)\nreturn torch.bmm(q, k)"),
    ),
    "stack dim1 bf": model(
        "self.cell = nn.GRUCell(5, 6)\nself.gru = nn.GRU(6, 6, batch_first=True)",
        (
            "B, T, _ = x.shape\n"
            "h = torch.zeros(B, 6)\n"
            "outs = []\n"
            "for t in range(T):\n"
            "    h = self.cell(x[:, t], h)\n"
            "    outs.append(h)\n"
            "out, _ = self.gru(torch.stack(outs, dim=1))\n"
            "return out[:, -1]"
        ),
    ),
    "stack then seq first": model(
        "self.cell = nn.GRUCell(5, 6)\nself.gru = nn.GRU(6, 6)",
        (
            "B, T, _ = x.shape\n"
            "h = torch.zeros(B, 6)\n"
            "outs = []\n"
            "for t in range(T):\n"
            "    h = self.cell(x[:, t], h)\n"
            "    outs.append(h)\n"
            "out, _ = self.gru(torch.stack(outs))\n"
            "return out[-1]"
        ),
    ),
    "stack transpose bf": model(
        "self.cell = nn.GRUCell(5, 6)\nself.gru = nn.GRU(6, 6, batch_first=True)",
        (
            "B, T, _ = x.shape\n"
            "h = torch.zeros(B, 6)\n"
            "outs = []\n"
            "for t in range(T):\n"
            "    h = self.cell(x[:, t], h)\n"
            "    outs.append(h)\n"
            "out, _ = self.gru(torch.stack(outs).transpose(0, 1))\n"
            "return out[:, -1]"
        ),
    ),
    "pad_packed bf [:,0]": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        (
            "packed = pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)\n"
            "out, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True)\n"
            "return out[:, 0]"
        ),
    ),
    "pad_packed sf [0]": model(
        "self.gru = nn.GRU(5, 6)",
        (
            "packed = pack_padded_sequence(x, [7, 7, 3, 2])\n"
            "out, _ = pad_packed_sequence(self.gru(packed)[0])\n"
            "return out[0], out.sum(0)"
        ),
    ),
    "pad_packed sample i": model(
        "self.gru = nn.GRU(5, 6)",
        (
            "packed = pack_padded_sequence(x, [7, 5, 3, 2])\n"
            "out, lengths = pad_packed_sequence(self.gru(packed)[0])\n"
            "return [out[:n, i] for i, n in enumerate(lengths)]"
        ),
    ),
    "gru to gru": model(
        "self.a = nn.GRU(5, 6)\nself.b = nn.GRU(6, 6)",
        "out, h = self.a(x)\ny, _ = self.b(out, h)\nreturn y",
    ),
    "lstm to lstm": model(
        "self.a = nn.LSTM(5, 6)\nself.b = nn.LSTM(6, 6)",
        "out, h = self.a(x)\ny, _ = self.b(out, h)\nreturn y",
    ),
    "cat of directions": model(
        "self.lstm = nn.LSTM(5, 6, bidirectional=True)\nself.fc = nn.Linear(12, 2)",
        "out, (h, c) = self.lstm(x)\nreturn self.fc(torch.cat((h[-2], h[-1]), dim=1))",
    ),
    "cat pair of h c": model(
        "self.lstm = nn.LSTM(5, 6)\nself.fc = nn.Linear(12, 2)",
        "out, h = self.lstm(x)\nreturn self.fc(torch.cat((h[0][-1], h[1][-1]), dim=1))",
    ),
    "pair h[-1] is c": model(
        "self.lstm = nn.LSTM(5, 6)",
        ("out, state = self.lstm(x)\ncell = state[-1]\nhidden = state[0]\nreturn hidden[-1] + cell[-1]"),
    ),
    "pair items": model(
        "self.lstm = nn.LSTM(5, 6)",
        "out, hc = self.lstm(x)\nreturn hc[0].squeeze(0), hc[1]",
    ),
    "one_hot float": ("gru = nn.GRU(5, 6)\nx = F.one_hot(torch.randint(0, 5, (7, 2)), 5).float()\nout, _ = gru(x)"),
    "emb": ("emb = nn.Embedding(9, 5)\ngru = nn.GRU(5, 6)\nout, _ = gru(emb(torch.randint(0, 9, (7, 2))))"),
    "np linspace float": (
        "lstm = nn.LSTM(1, 3)\n"
        "data = np.sin(np.linspace(0, 10, 50)).astype('float32')\n"
        "x = torch.from_numpy(data).view(50, 1, 1)\n"
        "out, _ = lstm(x)"
    ),
    "to float": ("lstm = nn.LSTM(1, 3)\nx = torch.from_numpy(np.zeros((5, 1, 1))).to(torch.float32)\nout, _ = lstm(x)"),
    "type": (
        "lstm = nn.LSTM(1, 3)\nx = torch.from_numpy(np.zeros((5, 1, 1))).type(torch.FloatTensor)\nout, _ = lstm(x)"
    ),
    "mean over time": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "out, _ = self.gru(x)\nreturn out.mean(1), out.max(dim=1)[0]",
    ),
    "h_n transpose view": model(
        "self.gru = nn.GRU(5, 6, 2, batch_first=True)",
        "_, h = self.gru(x)\nreturn h.transpose(0, 1).reshape(x.size(0), -1)",
    ),
    "permute sf": model(
        "self.gru = nn.GRU(5, 6)",
        "out, _ = self.gru(x.permute(1, 0, 2))\nreturn out[-1]",
    ),
    "h0": model(
        "self.gru = nn.GRU(5, 6, 2, batch_first=True)",
        "h0 = torch.zeros(2, x.size(0), 6)\nout, _ = self.gru(x, h0)\nreturn out[:, -1]",
    ),
    "bi head": model(
        "self.gru = nn.GRU(5, 6, bidirectional=True)\nself.fc = nn.Linear(12, 2)",
        "out, _ = self.gru(x)\nreturn self.fc(out)",
    ),
    "softmax dim1": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.fc = nn.Linear(6, 3)",
        "out, _ = self.gru(x)\nreturn torch.softmax(self.fc(out[:, -1]), dim=1)",
    ),
    "bn": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.bn = nn.BatchNorm1d(6)",
        "out, _ = self.gru(x)\nreturn self.bn(out.transpose(1, 2)).transpose(1, 2)",
    ),
    "pack data": model(
        "self.gru = nn.GRU(5, 6, batch_first=True)\nself.fc = nn.Linear(6, 2)",
        (
            "packed = pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)\n"
            "out, h = self.gru(packed)\n"
            "return self.fc(out.data), self.fc(h[-1])"
        ),
    ),
    "pad_sequence bf": (
        "gru = nn.GRU(5, 6, batch_first=True)\n"
        "xs = [torch.zeros(7, 5), torch.zeros(4, 5)]\n"
        "x = pad_sequence(xs, batch_first=True)\n"
        "out, _ = gru(x)"
    ),
    "cell loop": model(
        "self.cell = nn.LSTMCell(5, 6)",
        (
            "h = torch.zeros(x.size(0), 6)\n"
            "c = torch.zeros(x.size(0), 6)\n"
            "for t in range(x.size(1)):\n"
            "    h, c = self.cell(x[:, t], (h, c))\n"
            "return h"
        ),
    ),
    "squeeze(1)": model(
        "self.gru = nn.GRU(5, 6)\nself.fc = nn.Linear(6, 1)",
        "out, h = self.gru(x)\nreturn self.fc(h[-1]).squeeze(1)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_found_at_its_line(name: str) -> None:
    source = HEADER + WRONG[name]
    marked = [row for row, line in enumerate(source.splitlines(), 1) if line.endswith("# here")]
    assert {finding.start.row for finding in check_source(source, "case.py")} == set(marked)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_program_is_left_alone(name: str) -> None:
    assert check_source(HEADER + RIGHT[name], "case.py") == []
