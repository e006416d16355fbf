"""FL204: view or reshape used to exchange axes."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import BATCH, DIRECTION, FEATURE, LAYER, TIME
from ..facts import Viewed
from ..naming import BATCH_NAMES, TIME_NAMES, names_of
from ..nodes import code_of
from ..tensors import COPIES
from ._flow import Onward
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL204",
    name="view-swaps-axes",
    summary="view or reshape used where transpose was meant",
    torch="silent",
    crashes=True,
    explanation="""
`view` and `reshape` keep the order of the numbers in memory and only cut it differently. Asking a (batch, time,
features) tensor for `view(time, batch, features)` gives a tensor of the right sizes in which steps of different
samples are mixed. To exchange axes, use `transpose` or `permute`.

    memory      s0t0 s0t1 s0t2 | s1t0 s1t1 s1t2
    view(3, 2)  [s0t0 s0t1] [s0t2 s1t0] [s1t1 s1t2]
    transpose   [s0t0 s1t0] [s0t1 s1t1] [s0t2 s1t2]
""",
    wrong=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
batch, steps, features = x.shape
output, _ = self.lstm(x.view(steps, batch, features))  # FL204
return output.transpose(0, 1)
""",
    ),
    right=model(
        "self.lstm = nn.LSTM(5, 6)",
        """
batch, steps, features = x.shape
output, _ = self.lstm(x.transpose(0, 1))
return output.transpose(0, 1)
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.sequence_len = 7\nself.embed = nn.Embedding(9, 5)\nself.gru = nn.GRU(5, 6)",
                "embeds = self.embed(x).view(steps, x.size(0), -1)  # FL204\nreturn self.gru(embeds)[1][-1]",
            ).replace("steps", "self.sequence_len"),
            "mixes",
            "B=4 T=7 tokens=9",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)\nself.head = nn.Linear(6, 2)",
                """
output, _ = self.lstm(x)
last = output.reshape(x.size(1), len(x), 6)[-1]  # FL204
return self.head(last)
""",
            ),
            "mixes",
        ),
        Wrong(
            model(
                "self.start = nn.Linear(5, 12)\nself.gru = nn.GRU(5, 6, 2, batch_first=True)",
                """
state = self.start(x[:, 0]).view(x.size(0), 12)
state = state.view(2, x.size(0), 6)  # FL204
return self.gru(x, state)[0]
""",
            ),
            "mixes",
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6)\nself.head = nn.Linear(6, 2)",
                """
T, B, _ = x.shape
output, _ = self.lstm(x)
return self.head(output.reshape(T * B, 6)).view(B, T, -1)  # FL204
""",
            ),
            "mixes",
            "T=7 B=4 I=5",
        ),
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                "return self.gru(x.view(x.size(1), x.size(0), -1))[0].transpose(0, 1)  # FL204",
            ),
            "mixes",
        ),
        Wrong(
            model(
                "self.steps = 7\nself.gru = nn.GRU(5, 6, batch_first=True)",
                "x = x.repeat(self.steps, 1).reshape(len(x), self.steps, 5)  # FL204\nreturn self.gru(x)[0]",
            ),
            "mixes",
            "B=4 I=5",
        ),
    ),
    valid=(
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)\nself.head = nn.Linear(6, 2)",
                """
B, T, _ = x.shape
output, _ = self.lstm(x)
return self.head(output.reshape(B * T, 6)).view(B, T, -1).permute(1, 0, 2)
""",
            )
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                "x = x.repeat_interleave(7, dim=0).view(x.size(0), 7, 5)\nreturn self.gru(x.transpose(0, 1))[0]",
            ),
            "B=4 I=5",
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6, bidirectional=True)",
                "output, _ = self.gru(x)\nreturn output.view(output.size(0), output.size(2))",
            ),
            "T=7 B=1 I=5",
        ),
        Right(
            model(
                "self.steps, self.features = 7, features\nself.gru = nn.GRU(5, 6, batch_first=True)",
                """
x = x.repeat(self.steps, self.features).reshape((self.features, self.steps, 5))
return self.gru(x)[0].reshape((self.steps, 6))
""",
                "features=1",
            ),
            "B=1 I=5",
        ),
        Right(
            model(
                "self.seq_len = 7\nself.embed = nn.Embedding(9, 5)\nself.gru = nn.GRU(5, 6)",
                "embeds = self.embed(x.t())\nreturn self.gru(embeds.view(self.seq_len, x.size(0), -1))[1][-1]",
            ),
            "B=4 T=7 tokens=9",
        ),
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
batch = x.size(0)
other = self.gru(x)[0].clone()
samples, steps, width = other.shape
return other.view(batch, 1, steps, width)
""",
            )
        ),
        Right(
            model(
                "self.lstm = nn.LSTM(5, 6, bidirectional=True)",
                """
output, _ = self.lstm(x)
steps, batch, _ = output.shape
flat = output.view(steps * batch, -1)
return output.view(steps, batch, 2, 6), flat.view(steps, batch, -1)
""",
            ),
            "T=7 B=4 I=5",
        ),
        Right(
            model(
                "self.embed = nn.Embedding(9, 5)\nself.lstm = nn.LSTM(5, 6)",
                "embeds = self.embed(x)\nreturn self.lstm(embeds.view(len(x), 1, -1))[0]",
            ),
            "T=7 tokens=9",
        ),
        Right(
            model(
                "self.project = nn.Linear(5, 8)",
                """
batch, steps, _ = x.shape
heads = self.project(x).view(batch, steps, 2, 4).transpose(1, 2)
return heads.reshape(batch * 2, steps, 4)
""",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Viewed)
def check(fact: Viewed) -> Iterator[Problem]:
    source = fact.source
    if not source.rank or set(source.axes[0].meaning) <= {LAYER, DIRECTION}:
        return  # a state: FL205 and FL206
    if not fact.moved or any(len(source.sizes[at].terms) > 1 for at in fact.moved):
        return  # rows of `n + 1` read as rows of `n`: relative attention's shift by one
    receiver = code_of(fact.receiver)
    asked = ", ".join("?" if size is None else str(size) for size in fact.target)
    edits: tuple[tuple[cst.CSTNode, str], ...] = ()
    if fact.method == "rearrange":
        pass  # the letters of its pattern stand in the wrong order
    elif len(fact.target) == source.rank >= 2 and fact.target[:2] == source.sizes[1::-1]:
        edits = ((fact.node, f"{receiver}.transpose(0, 1)"),)
    elif source.rank == 2 and len(fact.target) == 3 and fact.moved == (0,) and fact.target[1] == source.sizes[0]:
        first, second, third = (code_of(each) for each in _arguments(fact))
        edits = ((fact.node, f"{receiver}.reshape({second}, {first}, {third}).transpose(0, 1).contiguous()"),)
    yield Problem(
        fact.node,
        f"{receiver} is {source}; {fact.method} to ({asked}) does not exchange axes, it cuts the same memory "
        "differently and mixes samples and steps. Use transpose or permute",
        None if source.origin is None else source.origin.layer,
        edits,
        "Exchange the axes with transpose",
        holds=lambda: _is_known(fact),
    )


def _is_known(fact: Viewed) -> bool:
    """Whether the program says what an axis is that is moved: a layer, a module, the name of its size, or the view
    itself, where it names no sizes but those of the source, a later one in front, and its result is not cut anew.

    Of other axes nobody knows that they are not meant to be cut this way: height and width, heads, neighbours.
    """
    source = fact.source
    if source.origin is not None and source.origin.role != "created":
        return True
    if any(part.known == FEATURE for axis in source.axes for part in axis.parts):
        return True
    asked = {size for size in fact.target if size is not None and size != -1 and size != 1}
    leads = fact.target[0] in source.sizes[1:]
    if (
        asked <= set(source.sizes)
        and (len(asked) >= max(2, len(fact.target) - 1) or leads)
        and not Onward(fact.where.body, fact.node).is_cut()
    ):
        return True
    parts = [part for at in fact.moved for part in source.axes[at].parts]
    return any(
        part.known in (BATCH, TIME, COPIES) or not names_of(part.size).isdisjoint(BATCH_NAMES | TIME_NAMES)
        for part in parts
    )


def _arguments(fact: Viewed) -> list[cst.BaseExpression]:
    arguments = [each.value for each in fact.call.args if each.value is not fact.receiver]
    if len(arguments) == 1 and isinstance(arguments[0], (cst.Tuple, cst.List)):
        return [element.value for element in arguments[0].elements]
    return arguments
