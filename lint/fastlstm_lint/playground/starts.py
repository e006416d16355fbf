"""Programs to begin with: those of the tutorials, right, and ten mistakes that people make in them."""

from __future__ import annotations

import re
from textwrap import dedent

from ..causes import SUMMARIES
from ..explain.words import Lang
from ..pages import sentence
from ..rules import by_code
from ..rules.base import HEADER

EXPECTED = re.compile(r"  # FL\d+.*$", re.MULTILINE)
"""What marks the line of a mistake for the rules' tests."""

MISTAKES = ("FL201", "FL101", "FL104", "FL203", "FL204", "FL205", "FL208", "FL301", "FL403", "FL601")
"""The rules whose example is offered, from the most frequent on."""

TITLES: dict[str, dict[Lang, str]] = {
    "P1": {"en": "two layers: what is in h_n", "zh": "两层：h_n 里有什么"},
    "P2": {"en": "one element at a time", "zh": "逐个元素"},
    "P3": {"en": "the constructor's arguments", "zh": "构造函数各参数"},
    "P4": {"en": "a character model", "zh": "字符模型"},
    "P5": {"en": "a sequence classifier", "zh": "序列分类"},
    "P6": {"en": "a traffic forecast", "zh": "交通流量预测"},
    "P7": {"en": "a part-of-speech tagger", "zh": "词性标注"},
}

PROGRAMS = {
    "P1": """
        import torch
        from torch import nn

        lstm = nn.LSTM(input_size=5, hidden_size=6, num_layers=2)
        x = torch.randn(1, 3, 5)  # one step of three sequences
        h_0 = torch.zeros(2, 3, 6)
        c_0 = torch.zeros(2, 3, 6)
        output, (h_n, c_n) = lstm(x, (h_0, c_0))

        top = h_n[-1]  # the last entry of output
        below = h_n[0]  # in no slice of output
        last = output[-1]
        """,
    "P2": """
        import torch
        from torch import nn

        lstm = nn.LSTM(3, 3)
        inputs = torch.randn(5, 1, 3)  # five steps of one sequence

        state = (torch.zeros(1, 1, 3), torch.zeros(1, 1, 3))
        for step in inputs:
            out, state = lstm(step.view(1, 1, -1), state)

        output, (h_n, c_n) = lstm(inputs)  # the same at once
        last = output[-1]  # equals h_n[-1]
        """,
    "P3": """
        import torch
        from torch import nn

        x = torch.randn(10, 3, 28)

        lstm = nn.LSTM(28, 4, batch_first=True)
        output, (h_n, c_n) = lstm(x)

        deep = nn.LSTM(28, 4, num_layers=2, batch_first=True, bidirectional=True, dropout=0.5)
        output, (h_n, c_n) = deep(x)
        forward, backward = output.view(10, 3, 2, 4).unbind(2)
        by_layer = h_n.view(2, 2, 10, 4)  # layers, directions, batch, hidden
        """,
    "P4": """
        import torch
        import torch.nn.functional as F
        from torch import nn


        class CharacterModel(nn.Module):
            def __init__(self, vocab_size, hidden_size):
                super().__init__()
                self.vocab_size, self.hidden_size = vocab_size, hidden_size
                self.rnn = nn.GRU(vocab_size, hidden_size)
                self.linear = nn.Linear(hidden_size, vocab_size)

            def forward(self, tokens, state):
                x = F.one_hot(tokens.T, self.vocab_size).float()
                y, state = self.rnn(x, state)
                return self.linear(y.reshape(-1, y.shape[-1])), state

            def begin_state(self, batch_size):
                return torch.zeros(1, batch_size, self.hidden_size)


        model = CharacterModel(28, 48)
        tokens = torch.randint(28, (8, 16))
        logits, state = model(tokens, model.begin_state(8))
        """,
    "P5": """
        import torch
        from torch import nn


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(3, 5, 2, batch_first=True)
                self.fc = nn.Linear(5, 2)

            def forward(self, x):
                h_0 = torch.zeros(2, x.size(0), 5)
                c_0 = torch.zeros(2, x.size(0), 5)
                output, _ = self.lstm(x, (h_0, c_0))
                last = output[:, -1]
                return torch.softmax(self.fc(last), dim=1)


        probabilities = Classifier()(torch.randn(10, 5, 3))
        """,
    "P6": """
        import torch
        from torch import nn


        class Traffic(nn.Module):
            def __init__(self, num_hiddens, num_outputs):
                super().__init__()
                self.lstm = nn.LSTM(307, num_hiddens, batch_first=True)
                self.dropout = nn.Dropout(0.2)
                self.head = nn.Sequential(nn.Linear(24 * num_hiddens, 256), nn.ReLU(), nn.Linear(256, num_outputs))

            def forward(self, x):
                output, _ = self.lstm(x)
                flat = self.dropout(output).reshape(x.size(0), -1)
                return self.head(flat)


        forecast = Traffic(32, 307)(torch.randn(16, 24, 307))
        """,
    "P7": """
        import torch
        import torch.nn.functional as F
        from torch import nn


        class Tagger(nn.Module):
            def __init__(self, vocab_size, tags):
                super().__init__()
                self.embedding = nn.Embedding(vocab_size, 6)
                self.lstm = nn.LSTM(6, 6)
                self.fc = nn.Linear(6, tags)

            def forward(self, sentence):
                embedded = self.embedding(sentence)
                output, _ = self.lstm(embedded.view(len(sentence), 1, -1))
                scores = self.fc(output.view(len(sentence), -1))
                return F.log_softmax(scores, dim=1)


        scores = Tagger(100, 3)(torch.tensor([4, 17, 3, 99, 0]))
        """,
}
"""By number, as the project's pages have them."""


def starts(lang: Lang) -> list[dict[str, str]]:
    """Each program with its name, its title, whether it is a "program" or a "mistake", and its text."""
    found = [
        {"name": name, "title": f"{name} {TITLES[name][lang]}", "kind": "program", "source": dedent(text).lstrip("\n")}
        for name, text in PROGRAMS.items()
    ]
    rules = by_code()
    for code in MISTAKES:
        rule = rules[code]
        title = SUMMARIES[code] if lang == "zh" else sentence(rule.summary).rstrip(".")
        text = f"{HEADER}\n\n{EXPECTED.sub('', rule.wrong).strip()}\n"
        found.append({"name": code, "title": title, "kind": "mistake", "source": text})
    return found
