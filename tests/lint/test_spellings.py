"""One mistake in many spellings: however a program writes its layers, sizes and axes, the same is found.

Each program has one mistake; what is beside it in `RIGHT` has none.
"""

from __future__ import annotations

import pytest
from fastlstm_lint import check_source
from fastlstm_lint.rules.base import HEADER, model

LAST = "self.rnn = nn.LSTM(5, 6, batch_first=True)\nself.head = nn.Linear(6, 2)"

WRONG = {
    "rearrange exchanges the axes": (
        "FL202",
        "from einops import rearrange\n"
        + model(LAST, 'y = rearrange(self.rnn(x)[0], "b t h -> t b h")\nreturn self.head(y[:, -1])'),
    ),
    "rearrange merges rows and splits them in the other order": (
        "FL204",
        "from einops import rearrange\n"
        + model(
            "self.rnn = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
            """
T, B, _ = x.shape
rows = self.head(rearrange(self.rnn(x)[0], "t b h -> (t b) h"))
return rearrange(rows, "(b t) c -> b t c", b=B)
""",
        ),
    ),
    "two layers, one for each direction, side by side": (
        "FL201",
        model(
            "self.a = nn.LSTM(5, 6, batch_first=True)\nself.b = nn.LSTM(5, 6, batch_first=True)",
            "y = torch.cat((self.a(x)[0], self.b(x.flip(1))[0]), -1)\nreturn y[-1]",
        ),
    ),
    "a scripted helper": (
        "FL201",
        "@torch.jit.script\ndef last(y):\n    return y[-1]\n" + model(LAST, "return self.head(last(self.rnn(x)[0]))"),
    ),
    "a dict of settings": (
        "FL301",
        'SETTINGS = {"input_size": 5, "hidden_size": 6, "bidirectional": True}\n'
        + model("self.rnn = nn.LSTM(**SETTINGS)\nself.head = nn.Linear(6, 2)", "return self.head(self.rnn(x)[0])"),
    ),
    "dict() and one of its keys": (
        "FL102",
        "settings = dict(width=6, layers=2)\n"
        + model(
            'self.rnn = nn.GRU(5, settings["width"], settings["layers"])',
            'return self.rnn(x, torch.zeros(1, x.size(1), settings["width"]))[0]',
        ),
    ),
    "settings that are not known, by key": (
        "FL301",
        model(
            'self.rnn = nn.GRU(5, config["width"], bidirectional=True)\nself.head = nn.Linear(config.get("width"), 2)',
            "return self.head(self.rnn(x)[0])",
            "config",
        ),
    ),
    "a dataclass of settings, made with another size than its default": (
        "FL301",
        """
from dataclasses import dataclass

@dataclass
class Settings:
    feats: int = 5
    width: int = 6

class Model(nn.Module):
    def __init__(self, settings):
        super().__init__()
        self.rnn = nn.LSTM(settings.feats, settings.width)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0])

Model(Settings(width=8))(torch.zeros(3, 2, 5))
""",
    ),
    "a method of a subclass makes the layer": (
        "FL301",
        """
class Base(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.rnn = self.make(width)
        self.head = nn.Linear(width, 2)

    def make(self, width):
        raise NotImplementedError

    def forward(self, x):
        return self.head(self.rnn(x)[0])

class Both(Base):
    def make(self, width):
        return nn.LSTM(5, width, bidirectional=True)
""",
    ),
    "a training loop that is given the model": (
        "FL502",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(5, 6)

    def forward(self, x, h=None):
        return self.rnn(x, h)

def train(model, loader):
    h = None
    for x in loader:
        y, h = model(x, h)
        y.sum().backward()
""",
    ),
    "the frames of a convolution": (
        "FL203",
        model(
            "self.conv = nn.Sequential(nn.Conv1d(7, 5, 1), nn.ReLU())\nself.rnn = nn.GRU(5, 6)",
            "return self.rnn(self.conv(x).transpose(1, 2))[0]",
        ),
    ),
}

GIVEN = {
    "batch_first is True": model(
        "self.rnn = nn.LSTM(5, 6, batch_first=batch_first)", "return self.rnn(x)[0][-1]", "batch_first=True"
    ),
    "kind == 'both'": model(
        "self.rnn = nn.LSTM(5, 6, bidirectional=True if kind == 'both' else False)", "return self.rnn(x)[0][-1]", "kind"
    ),
    "config.both is True": model(
        "self.rnn = nn.LSTM(5, 6, bidirectional=config.both)", "return self.rnn(x)[0][-1]", "config"
    ),
}
"""Programs that are wrong for one value of a flag, by that value in words."""

RIGHT = {
    "a layout that is a setting": model(
        "self.rnn = nn.LSTM(5, 6, batch_first=config.batch_first)", "return self.rnn(x)[0][:, -1]", "config"
    ),
    "a layout that is right by default": model(
        "self.rnn = nn.LSTM(5, 6, batch_first=batch_first)", "return self.rnn(x)[0][-1]", "batch_first=False"
    ),
    "a size of a class is set later": "class Settings:\n    width = 6\nSettings.width = 8\n"
    "nn.Linear(8, 2)(torch.zeros(2, Settings.width))\nnn.LSTM(1, 1)\n",
    "a key is stored anew, here and elsewhere": """
settings = {"width": 6, "feats": 5}
settings["width"] = 8

def prepare():
    settings["feats"] = 9

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(settings["feats"], settings["width"])
        self.first = nn.Linear(9, settings["feats"])
        self.head = nn.Linear(8, 2)

    def forward(self, batch):
        batch["x"] = batch["x"].transpose(0, 1)
        batch["x"] = batch["x"].transpose(0, 1)
        return self.head(self.rnn(self.first(batch["x"]))[0][-1])
""",
    "rearrange splits as it merged": "from einops import rearrange\n"
    + model(
        "self.rnn = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
        """
T, B, _ = x.shape
rows = self.head(rearrange(self.rnn(x)[0], "t b h -> (t b) h"))
return rearrange(rows, "(t b) c -> b t c", b=B)[:, -1]
""",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_mistake_is_found_in_this_spelling(what: str) -> None:
    code, program = WRONG[what]
    assert code in [finding.code for finding in check_source(HEADER + program, "case.py")]


@pytest.mark.parametrize("given", GIVEN)
def test_what_is_wrong_for_one_value_of_a_flag_is_found_and_says_so(given: str) -> None:
    (finding,) = check_source(HEADER + GIVEN[given], "case.py")
    assert f"(when {given})" in finding.message
    assert finding.fix is None


@pytest.mark.parametrize("what", RIGHT)
def test_the_right_program_is_silent(what: str) -> None:
    assert [str(finding) for finding in check_source(HEADER + RIGHT[what], "case.py")] == []
