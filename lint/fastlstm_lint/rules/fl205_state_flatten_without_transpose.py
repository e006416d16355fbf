"""FL205: h_n flattened across the batch."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, DIRECTION, LAYER
from ..dims import Dim, Symbol, product
from ..facts import Viewed
from ..naming import BATCH_NAMES, names_of
from ..nodes import code_of
from ..signatures.regroup import left_over, surely_other
from ..values import Tensor
from ._sizes import several
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL205",
    name="state-flatten-without-transpose",
    summary="h_n or c_n flattened to (batch, ...) without moving the batch axis first",
    torch="silent",
    crashes=True,
    explanation="""
h_n is (layers * directions, batch, hidden): in memory, all samples of layer 0 come first, then all samples of layer
1. `h_n.view(batch, -1)` cuts that row of numbers into `batch` pieces of equal length, so that the first piece holds
layer 0 of the first *two* samples, and so on: every sample is given the features of others. Every size is legal,
torch is silent, and the model trains, worse. Move the batch axis to the front first.

    memory   l0s0 l0s1 l0s2 l0s3 | l1s0 l1s1 l1s2 l1s3
    view     [l0s0 l0s1] [l0s2 l0s3] [l1s0 l1s1] [l1s2 l1s3]
    meant    [l0s0 l1s0] [l0s1 l1s1] [l0s2 l1s2] [l0s3 l1s3]
""",
    wrong="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, bidirectional=True, batch_first=True)

    def forward(self, x):
        _, (h_n, c_n) = self.lstm(x)
        return h_n.view(x.size(0), -1)  # FL205
""",
    right="""
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, bidirectional=True, batch_first=True)

    def forward(self, x):
        _, (h_n, c_n) = self.lstm(x)
        return h_n.transpose(0, 1).reshape(x.size(0), -1)
""",
    invalid=(
        Wrong(
            """
hidden_size = 6

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, hidden_size, bidirectional=True)

    def attention(self, output, state):
        query = state.view(-1, hidden_size * 2, 1)  # FL205
        scores = torch.bmm(output, query).squeeze(2)
        return torch.bmm(output.transpose(1, 2), F.softmax(scores, 1).unsqueeze(2)).squeeze(2)

    def forward(self, x):
        output, (h_n, c_n) = self.lstm(x.permute(1, 0, 2))
        return self.attention(output.permute(1, 0, 2), h_n)
""",
            "mixes",
        ),
        Wrong(
            """
class Model(nn.Module):
    def __init__(self, hidden_size=6, num_layers=2, bidirectional=False):
        super().__init__()
        self.hidden_size, self.bidirectional, self.num_layers = hidden_size, bidirectional, num_layers
        self.rnn = nn.GRU(5, hidden_size, num_layers, bidirectional=bidirectional, batch_first=True)
        self.factor = (2 if bidirectional else 1) * num_layers

    def forward(self, x):
        batch_size = x.size(0)
        _, hidden = self.rnn(x)
        if self.bidirectional or self.num_layers > 1:
            hidden = hidden.view(batch_size, self.hidden_size * self.factor)  # FL205
        else:
            hidden = hidden.squeeze(0)
        return hidden
""",
            "mixes",
        ),
        Wrong(
            """
class Model(nn.Module):
    def __init__(self, batch_size=4):
        super().__init__()
        self.batch_size = batch_size
        self.gru = nn.GRU(5, 6, num_layers=3, batch_first=True)

    def forward(self, x):
        _, h = self.gru(x)
        return torch.reshape(h, (self.batch_size, -1))  # FL205
""",
            "mixes",
        ),
    ),
    valid=(
        Right(
            model(
                "self.rows = rows\nself.gru = nn.GRU(5, 6, 2, bidirectional=True)",
                "_, h_n = self.gru(x)\nreturn h_n.view(self.rows, x.size(1), 6)",
                "rows=4",
            )
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, batch_first=True)
        self.conv = nn.Conv1d(7, 3, 1)

    def forward(self, x):
        hidden = self.conv(x).view(x.size(0), -1)
        _, h_n = self.gru(x)
        return h_n.view(x.size(0), -1), hidden
"""
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(5, 6, 2, bidirectional=True, batch_first=True)

    def forward(self, x):
        _, h_n = self.gru(x)
        h_n = h_n.view(2, 2, x.size(0), 6)
        both = torch.cat((h_n[-1, 0], h_n[-1, 1]), dim=1)
        return both.view(x.size(0), -1), h_n.permute(2, 0, 1, 3).reshape(x.size(0), -1)
"""
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, num_layers, batch_first=True)",
                "_, h_n = self.gru(x)\nreturn h_n.view(x.size(0), 6)",
                "num_layers=1",
            )
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self, num_layers=int("1")):
        super().__init__()
        self.embed = nn.Embedding(9, 5)
        self.lstm = nn.LSTM(5, 6, num_layers, batch_first=True)

    def forward(self, x):
        bsz, words, letters = x.size()
        _, state = self.lstm(self.embed(x.view(-1, letters)))
        return state[0].view(bsz, words, 6)
""",
            "B=4 T=7 W=3 tokens=9",
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Viewed)
def check(fact: Viewed) -> Iterator[Problem]:
    source = fact.source
    if source.rank != 3 or not source.axes[1].means(BATCH) or not _is_rows(source):
        return
    rows, _, width = source.sizes
    if rows == 1 or rows.symbols() & fact.where.small or several(rows, fact.where) is False:
        return
    if left_over(source, fact.target):
        return
    layer = None if source.origin is None else source.origin.layer
    if not (_batch_moved(source, fact.target) or _cut_across(source, fact.target, rows, width)):
        return
    receiver = code_of(fact.receiver)
    shown = _arguments(fact)
    right = f"{receiver}.transpose(0, 1).reshape({shown})"
    yield Problem(
        fact.node,
        f"{receiver} is {source}; {fact.method}({shown}) mixes samples. Use {right}",
        layer,
        ((fact.node, right),) if isinstance(fact.call.func, cst.Attribute) and fact.method != "flatten" else (),
        "Move the batch axis to the front before flattening",
    )


def _is_rows(source: Tensor) -> bool:
    return set(source.axes[0].meaning) <= {LAYER, DIRECTION}


def _batch_moved(source: Tensor, target: tuple[Dim | None, ...]) -> bool:
    """Whether the batch axis is asked for at another place than behind the rows."""
    rows, batch, _ = source.sizes
    for i, size in enumerate(target):
        before = target[:i]
        if size is None or size == 1 or not (size == batch or (i == 0 and _named_batch(size, source, target))):
            continue
        known = [each for each in before if each is not None]
        if len(known) < len(before) or product(known) == _both_ways(source):
            return False
        return surely_other(product(known), rows, _own(source))
    return False


def _named_batch(size: Dim, source: Tensor, target: tuple[Dim | None, ...]) -> bool:
    """Whether a size is called the batch, although it is not known to be this tensor's."""
    rows, _, width = source.sizes
    symbol = size.symbol
    if symbol is None or symbol in rows.symbols():
        return False
    rest = [each for each in target[1:] if each is not None]
    times = product(rest).exact_div(width) if len(rest) == len(target) - 1 else None
    if times is not None and (times == 1 or not times.symbols() <= rows.symbols()):
        # Written out in full, without the rows: (batch, words, hidden) of one layer's (1, batch * words, hidden).
        return False
    return symbol.meaning == BATCH or not BATCH_NAMES.isdisjoint(names_of(size))


def _both_ways(source: Tensor) -> Dim:
    """The rows of a layer that has two directions, if it is not known to have one."""
    parts = source.axes[0].parts
    return product(Dim.of(2) if part.meaning == DIRECTION and part.size.symbol else part.size for part in parts)


def _own(source: Tensor) -> frozenset[Symbol]:
    return frozenset().union(*(size.symbols() for size in source.sizes))


def _cut_across(source: Tensor, target: tuple[Dim | None, ...], rows: Dim, width: Dim) -> bool:
    """Whether the last axis asked for holds several rows' worth of features, taken from neighbouring samples."""
    sizes = [size for size in target if size != 1]
    if len(sizes) < 2 or sizes[-1] is None:
        return False
    times = sizes[-1].exact_div(width)
    return times is not None and times != 1 and times in (rows, source.axes[0].parts[-1].size)


def _arguments(fact: Viewed) -> str:
    arguments = fact.call.args
    if not isinstance(fact.call.func, cst.Attribute) or (arguments and arguments[0].value is fact.receiver):
        arguments = arguments[1:]
    return ", ".join(code_of(argument.value) for argument in arguments)
