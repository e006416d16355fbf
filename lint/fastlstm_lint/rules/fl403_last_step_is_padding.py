"""FL403: the last step of a padded output."""

from __future__ import annotations

from collections.abc import Iterator

from .. import cst
from ..contract import TIME
from ..facts import Indexed
from ..nodes import code_of, walk
from ..values import Value, int_of
from ._code import assignment_of, last_word, leaves, mentions, plain_items, whole
from ._sizes import steps_axis
from .base import Problem, Right, Rule, Wrong, model

RULE = Rule(
    code="FL403",
    name="last-step-is-padding",
    summary="the last step after pad_packed_sequence is padding for every shorter sequence",
    torch="silent",
    explanation="""
`pad_packed_sequence` fills what is behind the end of a sequence with zeros. Index -1 on the time axis is the end of
the longest sequence only; for the others it is a row of zeros. The last real step of every sequence is in h_n:
`h_n[-1]`, or is found by its length.

    sample 0       t0 t1 t2 t3
    sample 1       t0 t1 -- --
    output[:, -1]           t3 of sample 0, -- of sample 1
    h_n                     t3 of sample 0, t1 of sample 1
""",
    wrong=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, h_n = self.gru(packed)
output, _ = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)
return output[:, -1]  # FL403
""",
    ),
    right=model(
        "self.gru = nn.GRU(5, 6, batch_first=True)",
        """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, h_n = self.gru(packed)
return h_n[-1]
""",
    ),
    invalid=(
        Wrong(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, lengths = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0])
return output[-1]  # FL403
""",
            ),
            "differs",
            fixed=model(
                "self.gru = nn.GRU(5, 6)",
                "return self.gru(nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True))[1][-1]",
            ),
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, (hidden, cell) = self.lstm(packed)
output = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0]
return output[:, -1]  # FL403
""",
            ),
            "differs",
            fixed=model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                "return self.lstm(nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True))[1][0][-1]",
            ),
        ),
        Wrong(
            model(
                "self.lstm = nn.LSTM(5, 6, batch_first=True)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 2, 5, 3], batch_first=True, enforce_sorted=False)
output, state = self.lstm(packed)
output = nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0]
return output[:, -1, :]  # FL403
""",
            ),
            "differs",
        ),
    ),
    valid=(
        Right(
            model(
                "self.gru = nn.GRU(5, 6)",
                """
packed = nn.utils.rnn.pack_padded_sequence(x, [7, 5, 3, 2], batch_first=True)
output, lengths = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
return output[torch.arange(4), lengths - 1], output.sum(1)
""",
            )
        ),
    ),
    fixable="unsafe",
)


@RULE.on(Indexed)
def check(fact: Indexed) -> Iterator[Problem]:
    source, items = fact.source, plain_items(fact)
    if "padded" not in source.traits or (source.origin is not None and source.origin.role != "output"):
        return
    at = steps_axis(source)
    if at is None or at > 1 or len(items) <= at or int_of(items[at]) != -1:
        return
    sample = items[1 - at] if len(items) > 1 - at else None
    if int_of(sample) is None and not _else_by_length(fact):
        yield Problem(
            fact.node,
            f"{code_of(fact.node)} is padding for every sequence but the longest: this is {source} after "
            "pad_packed_sequence. The last real step is h_n[-1]",
            None if source.origin is None else source.origin.layer,
            _real_step(fact, items, at) if source.axes[at].means(TIME) else (),
            "Take every sequence's own last step, by its length",
        )


def _else_by_length(fact: Indexed) -> bool:
    """Whether it stands in a branch whose other branch takes the steps by their length: here all are full."""
    base = fact.node.value if isinstance(fact.node, cst.Subscript) else None
    if fact.where.node is None or base is None:
        return False
    for each in walk(fact.where.node):
        if isinstance(each, cst.If) and isinstance(each.orelse, cst.Else):
            sides = (each.body, each.orelse.body)
            here = [any(inner is fact.node for inner in walk(side)) for side in sides]
            if any(here) and _by_length(sides[here.index(False)], code_of(base)):
                return True
    return False


def _by_length(side: cst.CSTNode, padded: str) -> bool:
    """Whether steps of a padded value are taken at places that are computed."""
    for each in walk(side):
        if isinstance(each, cst.Call) and isinstance(each.func, cst.Attribute) and each.func.attr.value == "gather":
            return code_of(each.func.value) == padded
        if isinstance(each, cst.Subscript) and code_of(each.value) == padded:
            items = [one.slice for one in each.slice]
            return (
                sum(isinstance(one, cst.Index) and not isinstance(one.value, cst.UnaryOperation) for one in items) > 1
            )
    return False


def _real_step(fact: Indexed, items: tuple[Value, ...], time: int) -> tuple[tuple[cst.CSTNode, str], ...]:
    """The index of each sequence's last step, from the lengths that pad_packed_sequence returns.

    Only where nothing is indexed but time, and one direction is read: backwards, the last step has read one step.
    """
    node = fact.node
    layer = None if fact.source.origin is None else fact.source.origin.layer
    plain = all(whole(item) for i, item in enumerate(items) if i != time)
    if not isinstance(node, cst.Subscript) or not isinstance(node.value, cst.Name) or not plain or layer is None:
        return ()
    named = _lengths(fact.where.node, node.value.value)
    if layer.directions != 1:
        return ()
    if named is None:
        state = _state(fact)
        return ((node, f"{state}[-1]"),) if state else ()
    lengths, edits = named
    rows = f"torch.arange({node.value.value}.size({1 - time}))"
    steps = f"{lengths} - 1"
    return (
        *edits,
        (node, f"{node.value.value}[{rows}, {steps}]" if time == 1 else f"{node.value.value}[{steps}, {rows}]"),
    )


def _state(fact: Indexed) -> str:
    """What the function calls h_n of the layer's call; empty where it has no name, or another value gets it later."""
    assert fact.source.origin is not None
    body, layer = fact.where.body, fact.source.origin.layer
    statement = assignment_of(body, fact.source.origin.node)
    target = None if statement is None else statement.targets[-1].target
    if not isinstance(target, cst.Tuple) or len(target.elements) != 2:
        return ""
    state = target.elements[1].value
    inner = state.elements[0].value if isinstance(state, cst.Tuple) and layer.has_cell_state else state
    if not isinstance(inner, cst.Name) or inner.value == "_":
        return ""
    bound = [
        leaf
        for each in walk(body)
        if isinstance(each, cst.AssignTarget)
        for leaf in leaves(each.target)
        if code_of(leaf) == inner.value
    ]
    return (
        "" if len(bound) > 1 else inner.value if inner is not state or not layer.has_cell_state else f"{inner.value}[0]"
    )


def _lengths(function: cst.CSTNode | None, padded: str) -> tuple[str, tuple[tuple[cst.CSTNode, str], ...]] | None:
    """The name of the lengths that belong to a padded output, and the edit that gives it one where it is `_`."""
    pads = [
        each.targets[-1].target
        for each in (() if function is None else walk(function))
        if isinstance(each, cst.Assign)
        and isinstance(each.value, cst.Call)
        and last_word(each.value.func) == "pad_packed_sequence"
        and any(code_of(leaf) == padded for target in each.targets for leaf in leaves(target.target))
    ]
    target = pads[0] if len(pads) == 1 else None
    if function is None or not isinstance(target, cst.Tuple) or len(target.elements) != 2:
        return None
    name = target.elements[1].value
    if not isinstance(name, cst.Name):
        return None
    if name.value != "_":
        return name.value, ()
    return None if mentions(function, "lengths") else ("lengths", ((name, "lengths"),))
