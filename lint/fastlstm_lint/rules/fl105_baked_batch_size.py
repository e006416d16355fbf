"""FL105: a state made for one batch size."""

from __future__ import annotations

from collections.abc import Iterator

from ..facts import LayerCalled
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
