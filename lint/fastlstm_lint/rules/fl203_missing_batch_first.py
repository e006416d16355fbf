"""FL203: a batch-first value goes into a sequence-first layer, or the reverse."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from fastlstm.contract import BATCH, TIME

from ..dims import Symbol
from ..facts import LayerCalled, Named
from ..naming import BATCH_NAMES, TIME_NAMES
from ..values import Tensor
from ._code import last_word, with_keyword
from .base import Problem, Right, Rule, Wrong, code_of, model

RULE = Rule(
    code="FL203",
    name="missing-batch-first",
    summary="a batch-first value goes into a sequence-first layer",
    torch="silent",
    explanation="""
A recurrent layer reads (time, batch, features) unless it was made with `batch_first=True`. A batch-first input is
then read with its axes exchanged: the layer runs *across the samples* of the batch as if they were time steps, and
treats the steps as independent samples. Sizes fit, the loss falls a little, and every sample sees the ones before it.

The linter knows the axes of a value from a data loader, from padding, from images, from another recurrent layer, or
from the names given to its sizes.

    memory   s0t0 s0t1 s0t2 | s1t0 s1t1 s1t2
    read     s0t0 -> s1t0    s0t1 -> s1t1    s0t2 -> s1t2
    meant    s0t0 -> s0t1 -> s0t2    s1t0 -> s1t1 -> s1t2
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
batch_size, seq_len, _ = x.shape
output, _ = self.lstm(x)  # FL203
return output
""",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)",
        """
batch_size, seq_len, _ = x.shape
output, _ = self.lstm(x)
return output
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.first = nn.GRU(5, 6, batch_first=True)\nself.second = nn.GRU(6, 6)",
                "output, _ = self.first(x)\noutput, _ = self.second(output)  # FL203\nreturn output",
            ),
            "mixes",
        ),
        Wrong(
            model(
                "self.embed = nn.Embedding(9, 5)\nself.rnn = nn.RNN(5, 6)",
                """
rows = torch.nn.utils.rnn.pad_sequence([row for row in x], batch_first=True)
output, h_n = self.rnn(self.embed(rows))  # FL203
return output
""",
            ),
            "mixes",
            "B=4 T=7 tokens=9",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)  # FL203",
                """
output, _ = self.lstm(x)
batch_size = output.size(0)
return output.sum(1).view(batch_size, output.size(2))
""",
            ),
            "mixes",
        ),
        Wrong(
            """
class Encoder(nn.Module):
    def __init__(self, seq_len):
        super().__init__()
        self.seq_len = seq_len
        self.lstm = nn.LSTM(5, 6)

    def forward(self, x):
        return self.lstm(x.view(len(x), self.seq_len, -1))[0]  # FL203


def Model():
    return Encoder(seq_len=7)


Model()(torch.zeros(4, 7, 5))
""",
            "mixes",
        ),
    ),
    valid=(
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                "batch_size, seq_len, _ = x.shape\noutput, _ = self.lstm(x.transpose(0, 1))\nreturn output",
            )
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6)",
                """
batch_size, seq_len, _ = x.shape
packed = torch.nn.utils.rnn.pack_padded_sequence(x, [seq_len] * batch_size, batch_first=True)
output, _ = self.lstm(packed)
return output
""",
            )
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)\nself.top = nn.LSTM(6, 6)",
                "return self.top(self.lstm(x)[0].permute(1, 0, 2))[0]",
            )
        ),
    ),
    fixable="unsafe",
    likely=True,
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    layer, value = fact.layer, fact.input
    if layer.is_cell or fact.packed or layer.batch_first is None or not isinstance(value, Tensor) or value.rank != 3:
        return
    first, second = value.sizes[0].symbol, value.sizes[1].symbol
    known = fact.meanings[:2]
    if layer.batch_first:
        if known != (TIME, BATCH):
            return
        problem = "a sequence-first value goes into a batch-first layer"
    else:
        by_flow = known[0] == BATCH or known[1] == TIME
        by_name = (_named(first, BATCH_NAMES) and _named(second, TIME_NAMES)) or _written(fact.input_node)
        if not by_flow and (known[0] or not by_name):
            return
        if value.sizes[0] == 1 or value.sizes[1] == 1:
            return
        problem = "a batch-first value goes into a sequence-first layer"
    yield Problem(
        fact.node,
        f"{problem}: the input's axes are {_words(value, known)}, read as "
        f"{'(batch, time)' if layer.batch_first else '(time, batch)'}. "
        + ("Drop batch_first=True or transpose" if layer.batch_first else "Add batch_first=True to the layer"),
        layer,
        _edits(fact),
        "Add batch_first=True to the layer",
    )


@RULE.on(Named)
def check_name(fact: Named) -> Iterator[Problem]:
    """A size that a sequence-first layer took as time is called the batch size afterwards."""
    symbol = fact.size.symbol
    if symbol is None or symbol.meaning != TIME or fact.name not in BATCH_NAMES or fact.tensor is None:
        return
    origin = fact.tensor.origin
    if origin is None or origin.role != "output" or origin.layer.batch_first is not False:
        return
    layer = origin.layer
    edits = ((layer.node, with_keyword(layer.node, "batch_first", "True")),)
    yield Problem(
        layer.node,
        f"this layer is sequence-first, but its output is read as batch-first: {fact.name} is the time axis of "
        f"{fact.tensor}. If the input has the batch first, the layer needs batch_first=True",
        None,
        edits,
        "Add batch_first=True to the layer",
    )


def _written(node: cst.BaseExpression | None) -> bool:
    """Whether an input is written `x.view(len(x), self.seq_len, -1)`: samples first, then steps."""
    if not isinstance(node, cst.Call) or last_word(node.func) not in ("view", "reshape") or len(node.args) != 3:
        return False
    first, second, _ = (each.value for each in node.args)
    counted = isinstance(first, cst.Call) and code_of(first.func) == "len"
    return counted and last_word(second) in TIME_NAMES


def _named(symbol: Symbol | None, names: frozenset[str]) -> bool:
    return symbol is not None and (symbol.name in names or symbol.alias in names)


def _words(value: Tensor, known: tuple[str | None, ...]) -> str:
    pair = [
        f"{word or '?'}={axis.size}" if word else str(axis.size)
        for word, axis in zip(known, value.axes[:2], strict=False)
    ]
    return f"({', '.join(pair)}, ...)"


def _edits(fact: LayerCalled) -> tuple[tuple[cst.CSTNode, str], ...]:
    node = fact.layer.node
    if fact.layer.batch_first or not isinstance(node, cst.Call) or fact.layer.library.endswith("Cell"):
        return ()
    if len([each for each in node.args if each.keyword is None]) > 4 or any(each.star for each in node.args):
        return ()
    return ((node, with_keyword(node, "batch_first", "True")),)
