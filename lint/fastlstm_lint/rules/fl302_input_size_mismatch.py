"""FL302: a recurrent layer whose input_size is not the size of its input."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import LayerCalled
from ..signatures.states import unchecked
from ..values import Packed, Tensor
from ._sizes import always_differ, argument_edit
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL302",
    name="input-size-mismatch",
    summary="a recurrent layer's input_size is not the number of features it gets",
    torch="crash",
    explanation="""
The last axis of the input must be input_size long. After a bidirectional layer it is 2*hidden_size, after an
embedding it is embedding_dim, after a Linear layer out_features. torch raises at the first batch.
""",
    wrong=model(
        "self.first = nn.LSTM(5, 6, bidirectional=True)\nself.second = nn.LSTM(6, 4)",
        "output, _ = self.first(x)\noutput, _ = self.second(output)  # FL302\nreturn output",
    ),
    right=model(
        "self.first = nn.LSTM(5, 6, bidirectional=True)\nself.second = nn.LSTM(12, 4)",
        "output, _ = self.first(x)\noutput, _ = self.second(output)\nreturn output",
    ),
    invalid=(
        Wrong(
            model(
                "self.embed = nn.Embedding(9, 5)\nself.gru = nn.GRU(hidden, hidden, batch_first=True)",
                "return self.gru(self.embed(x))[0]  # FL302",
                "hidden=6",
            ),
            "crash",
            "B=4 T=7 tokens=9",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)\nself.cell = nn.GRUCell(5, 3)",
                "output, _ = self.lstm(x)\nreturn self.cell(output[-1])  # FL302",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.embed = nn.Embedding(9, size)\nself.gru = nn.GRU(size, hidden, bidirectional=True)\n"
                "self.top = nn.GRU(2 * hidden, hidden)",
                "return self.top(self.gru(self.embed(x))[0])[0]",
                "size=5, hidden=6",
            ),
            "B=4 T=7 tokens=9",
        ),
        Right(
            model(
                "self.embed = nn.Embedding(9, 5)\nself.cell = nn.LSTMCell(11, 6)",
                """
h = c = torch.zeros(x.size(0), 6)
for t in range(x.size(1)):
    h, c = self.cell(torch.cat([self.embed(x[:, t]), h], dim=1), (h, c))
return h
""",
            ),
            "B=4 T=7 tokens=9",
        ),
        Right(
            model(
                "self.first = nn.GRU(5, 5, batch_first=True)\nself.gru = nn.GRU(18, 6, batch_first=True)\n"
                "self.layers = nn.ModuleList([nn.GRU(5, 4, batch_first=True)])\n"
                "for _ in range(2):\n    self.layers.append(nn.GRU(4, 4, batch_first=True))\n"
                "self.top = nn.GRU(4, 3, batch_first=True)",
                """
first, _ = self.first(x)
parts = [first]
parts.append(first)
parts.extend([first[:, :, :4]])
sizes = list(x.shape)
sizes[-1] = 4
parts.append(x.new_zeros(sizes))
y = x
for layer in self.layers:
    y, _ = layer(y)
return self.gru(torch.cat(parts, 2))[0], self.top(self.layers[1](y)[0])[0], self.top(parts[-1])[0]
""",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    value, wanted = fact.input, fact.layer.input_size
    if isinstance(value, Packed):
        if unchecked(fact.layer, value, fact.state):
            return
        last = value.feature
    elif isinstance(value, Tensor) and value.rank:
        last = value.axes[-1]
    else:
        return
    fact.layer.fed.add(last.size)
    known = last.size.value is not None or all(word is not None for word in last.meaning)
    if known and always_differ(last.size, wanted):
        yield Problem(
            fact.node,
            f"this {fact.layer.label} takes input_size={wanted} features and gets {last.size}",
            fact.layer,
            argument_edit(fact.layer.node, 0, "input_size", wanted, last.size),
            "Set input_size to the size of the input",
            mends=lambda: len(fact.layer.fed) == 1,
        )
