"""FL203: a batch-first value goes into a sequence-first layer, or the reverse."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, TIME
from ..dims import Symbol
from ..facts import Indexed, LayerCalled, Named, Viewed
from ..layers import Recurrent
from ..naming import BATCH_NAMES, TIME_NAMES, names_of
from ..nodes import code_of
from ..values import Range, Tensor, int_of
from ._code import add_batch_first, assignment_of, indices_of, last_word, plain_items, whole, with_keyword
from .base import Problem, Right, Rule, Wrong, model

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
        Wrong(
            """
class Net(nn.Module):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch
        self.gru = nn.GRU(5, 6)
        self.head = nn.Linear(42, 2)

    def forward(self, x):
        y, _ = self.gru(x.view(-1, 7, 5))  # FL203
        return self.head(y.view(self.batch, -1))


def Model():
    return Net(*[4])
""",
            "mixes",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)\nself.head = nn.Linear(6, 2)",
                "y, _ = self.gru(x.view(x.size(0), 7, 5))  # FL203\nreturn self.head(y[:, -1])",
            ),
            "differs",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.head = nn.Linear(6, 2)",
                "batch, views, _ = x.shape\ny, _ = self.gru(x.transpose(0, 1))  # FL203\nreturn self.head(y[-1])",
            ),
            "differs",
            fixed=model(
                "self.gru = nn.GRU(5, 6)\nself.head = nn.Linear(6, 2)",
                "return self.head(self.gru(x.transpose(0, 1))[0][-1])",
            ),
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
        by_name = known[0] in (None, TIME) and _named(second, BATCH_NAMES) and not _named(first, BATCH_NAMES)
        if known != (TIME, BATCH) and not by_name:
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
        "Give the layer what it reads" if layer.batch_first else "Add batch_first=True to the layer",
    )


@RULE.on(Viewed)
def check_flattened(fact: Viewed) -> Iterator[Problem]:
    """The output of a sequence-first layer is flattened for each of what the program calls the batch."""
    source, target = fact.source, fact.target
    if not _sequence_first_output(source) or len(target) != 2 or target[0] is None or fact.moved:
        return
    if names_of(target[0]).isdisjoint(BATCH_NAMES) or target[0] == source.sizes[1]:
        return
    func = fact.call.func
    # A batch-first output is not contiguous.
    edits = ((func.attr, "reshape"),) if isinstance(func, cst.Attribute) and func.attr.value == "view" else ()
    yield _read_as_batch_first(source, f"{code_of(fact.receiver)} is viewed as ({target[0]}, ...)", edits)


@RULE.on(Indexed)
def check_last(fact: Indexed) -> Iterator[Problem]:
    """The last step of a batch-first output is taken, and the input was written batch-first too."""
    source, items = fact.source, plain_items(fact)
    if not _sequence_first_output(source) or "led" not in source.traits or len(items) < 2:
        return
    if whole(items[0]) and int_of(items[1]) == -1 and all(isinstance(item, Range) for item in items[2:]):
        yield _read_as_batch_first(source, f"{code_of(fact.node)} is taken as its last step")


def _sequence_first_output(source: Tensor) -> bool:
    origin = source.origin
    if origin is None or origin.role != "output" or origin.layer.batch_first is not False or source.rank != 3:
        return False
    return source.axes[0].means(TIME) and source.axes[1].means(BATCH) and source.sizes[1] != 1


def _read_as_batch_first(source: Tensor, use: str, edits: tuple[tuple[cst.CSTNode, str], ...] = ()) -> Problem:
    assert source.origin is not None
    layer = source.origin.layer
    added = add_batch_first(layer)
    return Problem(
        source.origin.node,
        f"this layer is sequence-first and gives {source}, but {use}: the input has the batch first, so the layer "
        "needs batch_first=True",
        layer,
        added and (*added, *edits),
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
    if not fact.layer.batch_first:
        return add_batch_first(fact.layer)
    if _steps_first(fact):
        return _drop_batch_first(fact.layer)
    node = fact.input_node
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return ()
    given = [code_of(each.value) for each in node.args]
    exchanged = {"transpose": (["0", "1"], ["1", "0"]), "permute": (["1", "0", "2"],)}.get(node.func.attr.value, ())
    return ((node, code_of(node.func.value)),) if given in exchanged else ()


def _steps_first(fact: LayerCalled) -> bool:
    """Whether the program takes `output[-1]` of the call's output: it means the steps to be first."""
    statement = assignment_of(fact.where.node, fact.node)
    target = None if statement is None else statement.targets[-1].target
    if not isinstance(target, (cst.Tuple, cst.List)) or not target.elements:
        return False
    return "-1" in indices_of(fact.where, code_of(target.elements[0].value))


def _drop_batch_first(layer: Recurrent) -> tuple[tuple[cst.CSTNode, str], ...]:
    node = layer.node
    if not isinstance(node, cst.Call):
        return ()
    flags = [each.value for each in node.args if each.keyword is not None and each.keyword.value == "batch_first"]
    return ((flags[0], "False"),) if len(flags) == 1 and code_of(flags[0]) == "True" else ()
