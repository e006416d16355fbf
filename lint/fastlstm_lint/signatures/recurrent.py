"""torch.nn.LSTM, GRU, RNN and their cells. Every shape comes from `contract.py`, through `layers.Recurrent`."""

from __future__ import annotations

from typing import Any

from ..contract import BATCH, TIME
from ..dims import Dim
from ..facts import LayerCalled, Made, Misused
from ..layers import Recurrent
from ..records import replace
from ..tensors import CONTIGUOUS, GUESSED, TURNED, Strides
from ..values import (
    NONE,
    Axis,
    Const,
    Flag,
    Name,
    Opaque,
    Origin,
    Packed,
    Tensor,
    Tup,
    Value,
    dim_of,
    resolve,
)
from . import memory, states
from .refusal import Refusal, tell
from .registry import CONSTRUCTORS, FUNCTIONS, Signature, Site, flag_value, unknown_size

RECURRENT = {
    "LSTM": "input_size hidden_size num_layers bias batch_first dropout bidirectional proj_size",
    "GRU": "input_size hidden_size num_layers bias batch_first dropout bidirectional",
    "RNN": "input_size hidden_size num_layers nonlinearity bias batch_first dropout bidirectional",
    "LSTMCell": "input_size hidden_size bias",
    "GRUCell": "input_size hidden_size bias",
    "RNNCell": "input_size hidden_size bias nonlinearity",
    "Recurrent": "cell input_size hidden_size num_layers bias batch_first dropout bidirectional",
}
"""The parameters of each constructor, in the order in which torch takes them by position."""

_BY_STATES = {
    "h": "GRUD IndRNN JANET LayerNormGRU MGU ResetBeforeGRU minGRU minLSTM",
    "h c": "CoupledLSTM EALSTM LayerNormLSTM PeepholeLSTM",
    "h c n m": "sLSTM",
    "s v a": "LIF",
}
SHELF = {name: tuple(states.split()) for states, names in _BY_STATES.items() for name in names.split()}
"""The states of each cell of fastlstm.cells."""


def _make(library: str, kind: str) -> Signature:
    def handler(site: Site, **bound: Value) -> Value:
        return make(site, library, kind, bound)

    names = RECURRENT[kind].split()
    names += [
        name for name in ("proj_size", "batch_first", "num_layers", "bidirectional", "dropout") if name not in names
    ]
    return Signature(handler, False, names)


for _kind in RECURRENT:
    CONSTRUCTORS[f"torch.nn.{_kind}"] = _make("torch.nn", _kind)
    CONSTRUCTORS[f"fastlstm.torch.{_kind}"] = _make("fastlstm.torch", _kind)
    FUNCTIONS[f"fastlstm.{_kind}"] = _make("fastlstm", _kind)


def _states(value: Value | None) -> tuple[str, ...] | None:
    """The states of the cell that a Recurrent is given, where it is one of the shelf."""
    name = value.only if isinstance(value, Name) else None
    return SHELF.get(name.removeprefix("fastlstm.cells.")) if name and name.startswith("fastlstm.cells.") else None


def make(site: Site, library: str, kind: str, bound: dict[str, Value]) -> Value:
    """The module that a constructor call makes. After `**kwargs`, what is not written is not known."""
    bound = {name: resolve(value) for name, value in bound.items()}
    if "dtype" in site.keywords or not site.complete:
        bound["converted"] = Const(None)

    def size(name: str, default: int | None = None) -> Dim:
        if name not in bound and default is not None and site.complete:
            return Dim.of(default)
        dim = dim_of(bound.get(name))
        return unknown_size(name) if dim is None else dim

    is_cell = kind.endswith("Cell")
    layer = Recurrent(
        kinds=(kind.removesuffix("Cell"),),
        is_cell=is_cell,
        input_size=size("input_size"),
        hidden_size=size("hidden_size"),
        num_layers=Dim.of(1) if is_cell else size("num_layers", 1),
        directions=Dim.of(1) if is_cell else _directions(site, bound.get("bidirectional")),
        batch_first=False if is_cell else _batch_first(site, bound.get("batch_first")),
        proj_size=Dim.of(0) if is_cell or kind != "LSTM" else size("proj_size", 0),
        library=library,
        node=site.node,
        arguments=bound,
        states=_states(bound.get("cell")),
    )
    site.emit(Made, site.node, layer, bound, site.nodes, site.node, site.positional)
    for name in ("input_size", "hidden_size", "num_layers"):
        number = dim_of(bound.get(name))
        if number is not None and number.value is not None and number.value <= 0 and not is_cell:
            raise Refusal("module", f"{name} must be greater than zero", sure=True)
    return Opaque("layer") if _is_gap(site, bound) else layer


def _is_gap(site: Site, bound: dict[str, Value]) -> bool:
    """Whether a constructor call is yet to be written: `nn.LSTM()`, `nn.LSTM(...)`, `nn.LSTM("your code")`."""
    sizes = [bound.get(name) for name in ("input_size", "hidden_size")]
    return site.complete and any(
        size is None or (isinstance(size, Const) and not isinstance(size.value, (bool, int, float))) for size in sizes
    )


def _batch_first(site: Site, value: Value | None) -> bool | None:
    known = None if value is None and not site.complete else flag_value(value, False)
    if isinstance(value, Flag) or known is not None:  # of a setting without a default, one layout is always wrong
        _note_flag(site, "batch_first", value, known)
    return known


def _note_flag(site: Site, name: str, value: Value | None, known: bool | None) -> None:
    """Remember that the flag which an argument is open, or that a call of the layer's class has decided it."""
    if known is not None:
        site.vm.decided.add((site.node, name))
    elif isinstance(value, (Flag, Opaque)) and value.name != "?" and site.vm.where().function == "__init__":
        site.vm.flags[value.name] = site.node, name


def _directions(site: Site, value: Value | None) -> Dim:
    known = None if value is None and not site.complete else flag_value(value, False)
    _note_flag(site, "bidirectional", value, known)
    if known is not None:
        return Dim.of(2 if known else 1)
    if isinstance(value, Flag):
        return value.count
    return value.attribute("directions").number if isinstance(value, Opaque) else unknown_size("directions")


def call(site: Site, layer: Recurrent, arguments: Any) -> Value | None:
    """`layer(x)`, `layer(x, h_0)`, `layer(x, (h_0, c_0))`."""
    given = arguments.positional[0] if arguments.positional else arguments.keywords.get("input")
    if given is None:
        return None
    value = resolve(given)
    state = arguments.positional[1] if len(arguments.positional) > 1 else arguments.keywords.get("hx")
    state = None if state is None or state == NONE else state
    nodes = arguments.nodes
    input_node = nodes[0] if nodes else arguments.keyword_nodes.get("input")
    state_node = nodes[1] if len(nodes) > 1 else arguments.keyword_nodes.get("hx")
    if isinstance(value, Tup) and value.kind == "layer":
        site.emit(Misused, site.node, value, "the input of a layer")
        return None
    assumed = isinstance(value, Opaque) or (isinstance(value, Tensor) and GUESSED in value.traits)
    if isinstance(value, Opaque):
        settled = value.as_tensor(_rank(site, layer, state), sure=False)
        value = value if settled is None else settled
    elif isinstance(value, Tensor) and not assumed:
        site.vm.ranks.setdefault(site.node, set()).add(value.rank)
    batch: Dim | None = None
    time: Dim | None = None
    meanings: tuple[str | None, ...] = ()
    packed = isinstance(value, Packed)
    if isinstance(value, Packed):
        batch, time = value.batch, value.time
    elif isinstance(value, Tensor):
        meanings = tuple(axis.meaning[0] if len(axis.meaning) == 1 else None for axis in value.axes)
        batch, time = _sample_sizes(layer, value)
    if state is not None and not _is_fresh(state):
        layer.stepped = True
    site.emit(
        LayerCalled,
        site.node,
        call=site.node,
        layer=layer,
        input=value,
        state=state,
        input_node=input_node,
        state_node=state_node,
        batch=batch,
        time=time,
        packed=packed,
        meanings=meanings,
        assumed=assumed,
    )
    if not layer.subclass:
        try:
            plain = layer.arguments.keys().isdisjoint({"converted", "dtype"}) and not site.vm.in_model()
            states.check(layer, value, state, batch, time, plain)
        except Refusal as refusal:
            parts = [(name, None, each) for name, each in given_states(layer, state)]
            asked = [("input", input_node, value), ("hx", state_node, state or Opaque("?")), *parts]
            return tell(site.vm, site.node, refusal, asked)
    confused = _learn(layer, value, meanings)
    if layer.subclass:
        return None
    if _differ_in_batch(layer, value, state):
        return None
    result = _result(layer, value, batch, time, site.node, confused)
    if isinstance(result, Tup) and (asked := arguments.keywords.get("all_states")) is not None:
        result = _with_all_states(layer, result, resolve(asked))
    handed = frozenset({GUESSED} if assumed else ()) | (value.traits & HANDED if isinstance(value, Tensor) else set())
    if meanings[:2] == (TIME, BATCH):
        handed |= {TURNED}
    return with_traits(result, handed) if handed and result is not None else result


def _is_fresh(state: Value) -> bool:
    """Whether a state is known to be made of zeros or random numbers by the program itself."""
    value = resolve(state)
    items = value.items if isinstance(value, Tup) else (value,)
    tensors = [resolve(item) for item in items]
    return bool(tensors) and all(
        isinstance(each, Tensor) and each.origin is not None and each.origin.role == "created" for each in tensors
    )


HANDED = frozenset({"led", TURNED})
"""What is said of a layer's input and holds for its output."""


def with_traits(value: Value, traits: frozenset[str]) -> Value:
    """The tensors in what a layer returns, marked."""
    if isinstance(value, Tup):
        return Tup(tuple(with_traits(item, traits) for item in value.items), value.is_list, value.kind)
    return replace(value, traits=value.traits | traits) if isinstance(value, Tensor) else value


def _rank(site: Site, layer: Recurrent, state: Value | None) -> int:
    """The rank of an unknown input: what the other calls seen at this place have, or else that of a batch.

    A state of (rows, hidden) is that of a single sequence.
    """
    usual = 2 if layer.is_cell else 3
    if site.vm.ranks.get(site.node) == {usual - 1}:
        return usual - 1
    states = [value for _, value in given_states(layer, state)]
    alone = [each for each in states if isinstance(each, Tensor) and each.rank == 2 and each.sizes[0] == layer.rows]
    return 2 if states and not layer.is_cell and len(alone) == len(states) else usual


def _sample_sizes(layer: Recurrent, value: Tensor) -> tuple[Dim | None, Dim | None]:
    """The batch and time sizes as this layer reads its input; batch is None for unbatched input."""
    sizes = value.sizes
    if layer.is_cell:
        return (sizes[0] if value.rank == 2 else None), None
    if value.rank != 3:
        return None, sizes[0] if value.rank == 2 else None
    if layer.batch_first is None:
        return unknown_size("batch"), unknown_size("time")
    return (sizes[0], sizes[1]) if layer.batch_first else (sizes[1], sizes[0])


def _learn(layer: Recurrent, value: Value, meanings: tuple[str | None, ...]) -> bool:
    """Sizes learn from the layer which axis they measure. True where they were known to measure another one."""
    if not isinstance(value, Tensor) or layer.batch_first is None or value.rank != (2 if layer.is_cell else 3):
        return False
    expected = (BATCH,) if layer.is_cell else (BATCH, TIME) if layer.batch_first else (TIME, BATCH)
    confused = any(
        known in (BATCH, TIME) and known != wanted for known, wanted in zip(meanings, expected, strict=False)
    )
    if not confused:
        for axis, word in zip(value.axes, expected, strict=False):
            symbol = axis.size.symbol
            if symbol is not None and symbol.meaning is None:
                symbol.meaning = word
    return confused


def _result(
    layer: Recurrent, value: Value, batch: Dim | None, time: Dim | None, node: Any, confused: bool
) -> Value | None:
    unbatched = isinstance(value, Tensor) and value.rank == (1 if layer.is_cell else 2)
    if batch is None and not unbatched:
        if isinstance(value, Tensor):
            return None
        batch = unknown_size("batch")

    def origin(role: str) -> Origin:
        return Origin(role, layer, node, isinstance(value, Packed))

    dtype = value.dtype if isinstance(value, (Tensor, Packed)) else None

    def made(tensor: Tensor, strides: Strides = CONTIGUOUS) -> Tensor:
        return tensor.typed(dtype, strides)

    if layer.is_cell:
        h = made(layer.state("h", batch, origin("h")))
        if layer.has_cell_state is None:
            return None
        return Tup((h, made(layer.state("c", batch, origin("c"))))) if layer.has_cell_state else h
    time = unknown_size("time") if time is None else time
    output: Value = layer.output(time, batch, origin("output"))
    assert isinstance(output, Tensor)
    if confused:
        lead = value.sizes[:-1] if isinstance(value, Tensor) else (time, batch or time)
        output = Tensor((*(Axis.of(size) for size in lead), output.axes[-1]))
    if isinstance(value, Packed):
        output = replace(value, feature=output.axes[-1], origin=origin("output"), rank=3)
    elif layer.batch_first is None and isinstance(value, Tensor) and value.rank == 3:
        output = Tensor((*value.axes[:2], output.axes[-1]), origin("output"))
    if isinstance(output, Tensor):
        output = made(output, _output_strides(layer, output))
    h_n = made(layer.state("h", batch, None if confused else origin("h_n")))
    if layer.states is not None and len(layer.states) > 2:
        others = (made(layer.state(name, batch, None)) for name in layer.states[1:])
        return Tup((output, Tup((h_n, *others))), kind="layer")
    if layer.has_cell_state is None:
        return Tup((output, Opaque("state")), kind="layer")
    pair: Value = h_n
    if layer.has_cell_state:
        pair = Tup((h_n, made(layer.state("c", batch, origin("c_n")))), kind="state")
    return Tup((output, pair), kind="layer")


def _differ_in_batch(layer: Recurrent, value: Value, state: Value | None) -> bool:
    """Whether a cell gets one sample and a state with an axis for samples: torch adds them up by broadcasting."""
    states = [each for _, each in given_states(layer, state)]
    one = layer.is_cell and isinstance(value, Tensor) and value.rank == 1
    return one and any(isinstance(each, Tensor) and each.rank == 2 for each in states)


def _with_all_states(layer: Recurrent, result: Tup, asked: Value) -> Value | None:
    """One result more of this library's layers: the states after every step, each as the output."""
    if not isinstance(asked, Const):
        return None
    if not asked.value:
        return result
    output, state = result.items
    count = len(layer.states or ()) if layer.has_cell_state is None else 1 + layer.has_cell_state
    every: Value = Tup((output,) * count) if count and layer.proj_size == 0 else Opaque("states")
    return Tup((output, state, every))


def _output_strides(layer: Recurrent, output: Tensor) -> Strides:
    """torch computes (T, B, ...) whatever batch_first says, and transposes what it gives."""
    if output.rank != 3 or layer.batch_first is False:
        return CONTIGUOUS
    sizes = output.numbers
    if sizes is None or layer.batch_first is None:
        return None
    strides = memory.written((sizes[1], sizes[0], sizes[2]))
    return (strides[1], strides[0], strides[2])


def given_states(layer: Recurrent, state: Value | None) -> list[tuple[str, Value]]:
    """The states passed to a call by name: [("h_0", value)] or [("h_0", ...), ("c_0", ...)]."""
    if state is None or isinstance(state, Const):
        return []
    value = resolve(state)
    if isinstance(value, Tup):
        return [(name, resolve(item)) for name, item in zip(("h_0", "c_0"), value.items, strict=False)]
    return [("h_0", value)]
