"""FL105: a state made for one batch size."""

from __future__ import annotations

from collections.abc import Iterator

from ..contract import BATCH
from ..facts import Applied, LayerCalled
from ..layers import Recurrent
from ..signatures.recurrent import given_states
from ..values import Tensor
from ._states import with_batch
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL105",
    name="baked-batch-size",
    summary="an initial state is made for a stored batch size, not for the input's",
    torch="crash",
    explanation="""
A state of a fixed or stored batch size fits no other batch: the last, shorter batch of an epoch raises, and so does a
single sample at prediction. Take the batch size from the input, or pass no state: it defaults to zeros.
""",
    wrong=model(
        "self.batch_size = batch_size\nself.gru = nn.GRU(5, 6, batch_first=True)",
        "return self.gru(x, torch.zeros(1, self.batch_size, 6))[0]  # FL105",
        "batch_size=3",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        "return self.gru(x, torch.zeros(1, x.size(0), 6))[0]",
    ),
    invalid=(
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                "state = (torch.zeros(1, 32, 6), torch.zeros(1, 32, 6))\nreturn self.lstm(x, state)[0]  # FL105",
            ),
            "crash",
        ),
        Wrong(
            """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True)

    def init_states(self):
        return torch.zeros(1, 64, 6), torch.zeros(1, 64, 6)  # FL105

    def forward(self, x):
        return self.lstm(x, self.init_states())[0]  # FL105
""",
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)",
                "batch, steps, _ = x.shape\nreturn self.gru(x, torch.zeros(1, batch, 6))[0]",
            )
        ),
        Right(model("self.gru = nn.GRU(5, 6)", "return self.gru(x.view(-1, 1, 5), torch.zeros(1, 1, 6))[0]")),
    ),
    fixable="unsafe",
    default=False,
    likely=True,
)


@RULE.on(LayerCalled)
def check(fact: LayerCalled) -> Iterator[Problem]:
    layer, batch = fact.layer, fact.batch
    if layer.is_cell or batch is None or batch.symbol is None or not fact.where.in_class:
        return
    for name, state in given_states(layer, fact.state):
        if not isinstance(state, Tensor) or state.rank != 3 or state.sizes[0] != layer.rows:
            continue
        given = state.sizes[1]
        stored = given.symbol is not None and given.symbol is not batch.symbol and given != fact.time
        if stored or (given.value or 0) > 1:
            yield Problem(
                fact.node,
                f"{name} is made for a batch of {given}; the input's batch is {batch}",
                layer,
                with_batch(fact),
                "Take the batch size from the input",
            )
            return


@RULE.on(Applied)
def check_creation(fact: Applied) -> Iterator[Problem]:
    """A state made beside its layer, in a method of its own, for a number of samples."""
    state, instance, inside = fact.result, fact.where.instance, fact.where.function
    if instance is None or inside in ("forward", "__call__") or not isinstance(state, Tensor) or state.rank != 3:
        return
    rows, batch, width = state.sizes
    if "created" not in state.traits or batch.value is None or batch.value < 2 or state.axes[1].means(BATCH):
        return
    layers = [each for each in instance.attributes.values() if isinstance(each, Recurrent) and not each.is_cell]
    fits = [each for each in layers if (rows, width) == (each.rows, each.output_size)]
    if fits:
        yield Problem(fact.node, f"a state made for a batch of {batch}, whatever the batch of the input is", fits[0])
