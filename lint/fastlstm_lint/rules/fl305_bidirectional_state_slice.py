"""FL305: h_n[:num_layers] of a bidirectional layer."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import DIRECTION, LAYER
from ..dims import Dim
from ..facts import Indexed
from ..nodes import code_of
from ..values import Range, dim_of
from ._code import plain_items, whole
from ._sizes import several
from .base import Problem, Right, Rule, Wrong, model

LAYER_COUNTS = frozenset({"n_layers", "num_layers", "layers", "nlayers", "n_layer", "num_layer", "nb_layers"})

RULE = Rule(
    code="FL305",
    name="bidirectional-state-slice",
    summary="h_n[:num_layers] of a bidirectional layer holds both directions of the lower layers",
    torch="silent",
    explanation="""
The rows of a bidirectional h_n alternate: layer 0 forward, layer 0 backward, layer 1 forward, ... The first
`num_layers` of them are not the forward states of all layers but both directions of the lower half. A decoder that
starts from them gets, as its second layer's state, the first layer's backward state. Every layer's forward state is
`h_n[0::2]`.

    rows of h_n  l0f l0b | l1f l1b
    h_n[:2]      l0f l0b
    h_n[0::2]    l0f       l1f
""",
    wrong=model(
        "self.layers = 2\nself.encoder = nn.GRU(5, 6, self.layers, bidirectional=True)\n"
        "self.decoder = nn.GRU(5, 6, self.layers)",
        "_, h_n = self.encoder(x)\nreturn self.decoder(x, h_n[:self.layers])[0]  # FL305",
    ),
    right=model(
        "self.layers = 2\nself.encoder = nn.GRU(5, 6, self.layers, bidirectional=True)\n"
        "self.decoder = nn.GRU(5, 6, self.layers)",
        "_, h_n = self.encoder(x)\nreturn self.decoder(x, h_n[0::2].contiguous())[0]",
    ),
    invalid=(
        Wrong(
            """
class Encoder(nn.Module):
    def __init__(self, n_layers=2):
        super().__init__()
        self.gru = nn.GRU(5, 6, n_layers, bidirectional=True)

    def forward(self, x):
        return self.gru(x)


class Decoder(nn.Module):
    def __init__(self, n_layers=2):
        super().__init__()
        self.n_layers = n_layers
        self.gru = nn.GRU(5, 6, n_layers)

    def forward(self, x, h_n):
        return self.gru(x, h_n)


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x):
        _, hidden = self.encoder(x)
        hidden = hidden[:self.decoder.n_layers]  # FL305
        return self.decoder(x, hidden)[0]


def Model():
    return Seq2Seq(Encoder(), Decoder())
""",
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.encoder = nn.GRU(5, 6, 2, bidirectional=True)",
                "_, h_n = self.encoder(x)\nreturn h_n[0::2] + h_n[1::2], h_n[-2:]",
            )
        ),
        Right(
            model(
                "self.layers = layers\nself.encoder = nn.GRU(5, 6, layers)",
                "_, h_n = self.encoder(x)\nreturn h_n[:self.layers]",
                "layers=2",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source, items = fact.source, plain_items(fact)
    origin, item = source.origin, items[0]
    if origin is None or origin.role not in ("h_n", "c_n") or source.rank != 3 or not isinstance(item, Range):
        return
    rows = source.axes[0]
    if (
        not rows.means(LAYER, DIRECTION)
        or several(rows.parts[1].size, fact.where) is not True
        or rows.parts[0].size == 1
    ):
        return
    if item.start is not None or item.step is not None or not all(whole(each) for each in items[1:]):
        return
    stop = dim_of(item.stop)
    if stop is None or not _counts_layers(stop, rows.parts[0].size):
        return
    assert isinstance(fact.node, cst.Subscript)
    name = code_of(fact.node.value)
    right = f"{name}[0::2].contiguous()"
    yield Problem(
        fact.node,
        f"{code_of(fact.node)} holds both directions of the lower layers: {name} is {source}, directions fastest. "
        f"Every layer's forward state is {name}[0::2]",
        origin.layer,
        ((fact.node, right),),
        "Take every layer's forward state",
    )


def _counts_layers(stop: Dim, layers: Dim) -> bool:
    if stop == layers:
        return True
    symbol = stop.symbol
    return symbol is not None and symbol.name.rpartition(".")[2] in LAYER_COUNTS
