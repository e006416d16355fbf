"""FL210: a module that wants channels second gets features last."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, FEATURE, TIME
from ..dims import Dim
from ..facts import ModuleCalled
from ..nodes import code_of
from ..values import Module, Tensor, dim_of
from .base import Problem, Right, Rule, Wrong, model

CHANNELS_SECOND = frozenset(
    {"BatchNorm1d", "InstanceNorm1d", "Conv1d", "MaxPool1d", "AvgPool1d", "AdaptiveAvgPool1d", "AdaptiveMaxPool1d"}
)

RULE = Rule(
    code="FL210",
    name="channel-axis",
    summary="BatchNorm1d, Conv1d or a 1-d pooling on a (batch, time, features) tensor",
    torch="silent",
    crashes=True,
    explanation="""
The one-dimensional modules of torch.nn take (batch, channels, length). A recurrent output is (batch, time, features):
its channels are last. The module then normalises, convolves or pools over features as if they were time. torch raises
when the number of channels does not fit, and says nothing when it does, or when the module has no channel count
(pooling). A module made for as many channels as there are features is reported; one made for another number may be
meant for the steps.
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)\nself.pool = nn.AdaptiveAvgPool1d(1)",
        "output, _ = self.lstm(x)\nreturn self.pool(output).squeeze(2)  # FL210",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6, batch_first=True)\nself.pool = nn.AdaptiveAvgPool1d(1)",
        "output, _ = self.lstm(x)\nreturn self.pool(output.transpose(1, 2)).squeeze(2)",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 7, batch_first=True)\nself.norm = nn.BatchNorm1d(7)",
                "self.norm.train()\nreturn self.norm(self.gru(x)[0])  # FL210",
            ),
            "differs",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.norm = nn.BatchNorm1d(6)",
                "return self.norm(self.gru(x)[0])  # FL210",
            ),
            "crash",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.conv = nn.Conv1d(6, 3, 1)",
                "output = self.gru(x)[0].permute(0, 2, 1)\nreturn self.conv(output)",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.norm = nn.BatchNorm1d(6)",
                "output = self.gru(x)[0]\nreturn self.norm(output.mean(1)), self.norm(output[:, -1])",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, batch_first=True)\nself.norm = nn.BatchNorm1d(7)",
                "return self.norm(self.gru(x)[0])",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(ModuleCalled)
def check(fact: ModuleCalled) -> Iterator[Problem]:
    value = fact.input
    if fact.module.kind not in CHANNELS_SECOND or not isinstance(value, Tensor) or value.rank != 3:
        return
    if value.axes[2].meaning[-1] != FEATURE or value.axes[1].meaning not in ((TIME,), (BATCH,)):
        return
    if not fact.module.kind.endswith("Pool1d") and _channels(fact.module) != value.sizes[2]:
        return
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    if len(fact.call.args) == 1 and value.axes[1].means(TIME):
        inner = code_of(fact.call.args[0].value)
        text = f"{code_of(fact.call.func)}({inner}.transpose(1, 2))"
        if "Pool" not in fact.module.kind and fact.module.kind != "Conv1d":
            text += ".transpose(1, 2)"
        edits = ((fact.node, text),)
    yield Problem(
        fact.node,
        f"nn.{fact.module.kind} takes (batch, channels, length), this is {value}: it works across the wrong axis. "
        "Move the features to axis 1",
        None if value.origin is None else value.origin.layer,
        edits,
        "Transpose around the call",
    )


def _channels(module: Module) -> Dim | None:
    """What the module was made for."""
    return dim_of(module.config.get("in_channels", module.config.get("num_features")))
