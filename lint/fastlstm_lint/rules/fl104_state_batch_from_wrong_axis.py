"""FL104: the batch slot of a state is filled from another axis."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import TIME
from ..dims import never_equal
from ..facts import Applied, LayerCalled
from ..layers import Recurrent
from ..naming import TIME_NAMES
from ..signatures.recurrent import given_states
from ..values import Tensor
from ._code import last_word, with_keyword
from ._states import Edits, made_in, with_batch
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL104",
    name="state-batch-from-wrong-axis",
    summary="the batch size of an initial state is taken from the time axis",
    torch="crash",
    explanation="""
The second size of h_0 is the batch. In a sequence-first program that is `x.size(1)`, in a batch-first one
`x.size(0)`. Taking the other axis raises, unless both are equal; and a state that fits shows which axis the program
believes to be the batch: if `x.size(0)` is right, `batch_first=True` is missing at the layer.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
h_0 = torch.zeros(1, x.size(0), 6)
c_0 = torch.zeros(1, x.size(0), 6)
return self.lstm(x, (h_0, c_0))[0]  # FL104
""",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)",
        """
h_0 = torch.zeros(1, x.size(0), 6)
c_0 = torch.zeros(1, x.size(0), 6)
return self.lstm(x, (h_0, c_0))[0]
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                "steps = x.shape[1]\nreturn self.gru(x, torch.zeros(1, steps, 6))[0]  # FL104",
            ),
            "crash",
        ),
        Wrong(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.size, self.layers = 6, 2
        self.lstm = nn.LSTM(5, self.size, self.layers)

    def init_state(self, sequence_length):
        return (
            torch.zeros(self.layers, sequence_length, self.size),  # FL104
            torch.zeros(self.layers, sequence_length, self.size),  # FL104
        )

    def forward(self, x, state=None):
        if state is None:
            state = self.init_state(x.size(0))
        return self.lstm(x, state)[0]  # FL104
""",
            "crash",
        ),
        Wrong(
            """
class Encoder(nn.Module):
    def __init__(self, seq_len):
        super().__init__()
        self.seq_len = seq_len
        self.lstm = nn.LSTM(5, 6)

    def reset(self):
        self.state = (torch.zeros(1, self.seq_len, 6), torch.zeros(1, self.seq_len, 6))  # FL104

    def forward(self, x):
        return self.lstm(x.view(len(x), self.seq_len, -1), self.state)[0]  # FL203


def Model():
    encoder = Encoder(7)
    encoder.reset()
    return encoder
""",
            "mixes",
        ),
    ),
    valid=(
        Right(model("self.gru = nn.GRU(5, 6)", "return self.gru(x, torch.zeros(1, x.size(1), 6))[0]"), "T=7 B=4 I=5"),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                "batch = x.size(0)\nx = x.transpose(0, 1)\nreturn self.gru(x, torch.zeros(1, batch, 6))[0]",
            )
        ),
        Right(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 5)
        self.gru = nn.GRU(5, 6, batch_first=True)

    def step(self, ids, h):
        return self.gru(self.embed(ids), h)

    def forward(self, x):
        word = x.unsqueeze(1)
        h = torch.zeros(1, 1, 6)
        output, h = self.step(word, h)
        return output
""",
            "B=1 tokens=9",
        ),
    ),
    fixable="unsafe",
    likely=True,
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    layer, batch, time = fact.layer, fact.batch, fact.time
    if layer.is_cell or batch is None or time is None:
        return
    for name, state in given_states(layer, fact.state):
        if not isinstance(state, Tensor) or state.rank != 3 or state.sizes[0] != layer.rows:
            continue
        given = state.sizes[1]
        # A single step and a batch of one are not told apart by their size.
        from_time = given == time and given not in (batch, 1)
        if from_time or never_equal(given, batch):
            reason = "which is the time axis of the input" if from_time else f"but the input's batch is {batch}"
            hint = "; batch_first=True may be missing at the layer" if from_time and layer.batch_first is False else ""
            yield Problem(
                fact.node,
                f"the batch size of {name} is {given}, {reason}{hint}",
                layer,
                batch_first(layer) if hint else with_batch(fact),
                "Set batch_first=True" if hint else "Take the batch size from the input",
            )
            return


@RULE.on(Applied)
def check_creation(fact: Applied) -> Iterator[Problem]:
    """A state built beside its layer, with a batch slot named after time."""
    state, instance = fact.result, fact.where.instance
    if instance is None or not isinstance(state, Tensor) or state.rank != 3 or "created" not in state.traits:
        return
    symbol = state.sizes[1].symbol
    if symbol is not None and symbol.meaning not in (None, TIME):
        return
    sizes = made_in(state)
    words = [last_word(sizes[1])] if sizes else []
    if symbol is not None:
        words += [symbol.name.rpartition(".")[2], symbol.alias or ""]
    name = next((each for each in words if each in TIME_NAMES), None)
    layers = [each for each in instance.attributes.values() if isinstance(each, Recurrent) and not each.is_cell]
    layers = [each for each in layers if each.batch_first is False]
    fits = [each for each in layers if (state.sizes[0], state.sizes[2]) == (each.rows, each.output_size)]
    if name is not None and fits:
        yield Problem(
            fact.node,
            f"{state} has the shape of this layer's state, whose second size is the batch, not {name}; "
            "batch_first=True may be missing at the layer",
            fits[0],
            # With batch_first=True the first size of the input fits; a number of steps would still not.
            batch_first(fits[0]) if symbol is not None and symbol.name.endswith(".size(0)") else (),
            "Set batch_first=True",
        )


def batch_first(layer: Recurrent) -> Edits:
    """The layer made batch-first, where it is known not to be."""
    if layer.batch_first is not False or not isinstance(layer.node, cst.Call):
        return ()
    return ((layer.node, with_keyword(layer.node, "batch_first", "True")),)
