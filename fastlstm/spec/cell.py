"""The noun `Cell`: a recurrent cell as data, and the decorator that makes one from a step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from keyword import iskeyword
from typing import NamedTuple
from unicodedata import normalize

from .derive import derive, lowered
from .graph import ACROSS, Graph, Leaf, Node, live
from .keep import choose, uniform_nodes
from .symbols import CellError
from .trace import Declaration, trace_step

RECURRENT = ("dense", "heads", "diagonal", "none")
INPUT = ("dense", "none")
PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Backward(NamedTuple):
    """How a step goes back. All numbers are of `Cell.nodes`.

    `stored`: the values that a training step keeps; `kept_states`: the previous states that are read as well.
    """

    stored: tuple[int, ...]
    kept_states: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: what it declares, and the graph of one step and of its gradients.

    `gates`, `states`, `unit`, `step`: names, in the order in which they were declared; the first state is the output,
    and what the recurrent product takes. `recurrent` is "dense", "heads", "diagonal" or "none", `input` "dense" or
    "none". `splits_gates`: the step takes the input and the recurrent product apart. `nodes`: forward and backward, in
    the order of computation; `outputs`: the node of each new state. `gradients`: the node of each leaf's, as ("gate",
    "i"), those of the new states being leaves ("grad", "h"); `products`: (gate, gradient of the result, what was
    multiplied) of each product of the step's own. Made by `fastlstm.cell`.
    """

    name: str
    gates: tuple[str, ...]
    states: tuple[str, ...]
    unit: tuple[str, ...]
    step: tuple[str, ...]
    recurrent: str
    input: str
    splits_gates: bool
    nodes: tuple[Node, ...] = field(repr=False)
    outputs: Mapping[str, int] = field(repr=False)
    gradients: Mapping[Leaf, int] = field(repr=False)
    products: tuple[tuple[str, int, int], ...] = field(repr=False)
    custom: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = field(default=(), repr=False)
    """The results of `m.custom`, with (slope, argument) pairs, for whoever differentiates a step otherwise."""

    @cached_property
    def reads(self) -> frozenset[Leaf]:
        """The leaves that a forward step reads."""
        return frozenset(
            node.data for node in (self.nodes[n] for n in live(self.nodes, self.outputs.values())) if node.op == "leaf"
        )

    @cached_property
    def across(self) -> bool:
        """Whether a step looks across the units of a sample: a mean, or a product of its own."""
        return any(node.op in ACROSS for node in self.nodes)

    @cached_property
    def backward(self) -> Backward:
        """What is stored and what is computed again (`keep.py` says why)."""
        roots = [*self.gradients.values(), *(n for _, *pair in self.products for n in pair)]
        after = self._after_gradients()
        order = live(self.nodes, roots)
        needed = {arg for n in order if n in after for arg in self.nodes[n].args if arg not in after}
        needed |= {n for n in roots if n not in after}
        slots = len(self.gates) * (2 if self.splits_gates else 1)
        stored = choose(self.nodes, needed, slots)
        read, todo = set(stored), [*roots]
        states: set[str] = set()
        seen: set[int] = set()
        while todo:
            number = todo.pop()
            if number in seen or number in read:
                continue
            seen.add(number)
            node = self.nodes[number]
            if node.op == "leaf" and node.data[0] == "state":
                states.add(node.data[1])
            todo.extend(node.args)
        kept = tuple(name for name in self.states if name in states)
        return Backward(tuple(stored), kept)

    @cached_property
    def uniform(self) -> frozenset[int]:
        """The nodes whose value is one for all units of a sample (or head)."""
        return frozenset(uniform_nodes(self.nodes))

    @cached_property
    def digest(self) -> str:
        """A name for all that the cell computes; two cells with the same are the same."""
        declared = (self.gates, self.states, self.unit, self.step, self.recurrent, self.input, self.splits_gates)
        computed = (self.nodes, sorted(self.outputs.items()), sorted(self.gradients.items()), self.products)
        return hashlib.sha256(repr((declared, computed)).encode()).hexdigest()[:16]

    def _after_gradients(self) -> set[int]:
        """The nodes that depend on a gradient: they cannot be stored by forward."""
        after: set[int] = set()
        for number, node in enumerate(self.nodes):
            if (node.op == "leaf" and node.data[0] == "grad") or any(arg in after for arg in node.args):
                after.add(number)
        return after

    def __hash__(self) -> int:
        return hash((self.name, self.digest))

    def __getstate__(self) -> dict[str, object]:
        return {name: vars(self)[name] for name in self.__dataclass_fields__}


def cell(
    *bare: object,
    gates: str | Sequence[str] = (),
    states: str | Sequence[str] = (),
    unit: str | Sequence[str] = (),
    step: str | Sequence[str] = (),
    recurrent: str = "dense",
    input: str = "dense",
) -> Callable[[Callable[..., object]], Cell]:
    """A recurrent cell from one step, written as a function. A decorator; what it leaves is a `Cell`.

        @fastlstm.cell(gates="i f g o", states="h c", unit="p_i p_f p_o")
        def peephole_lstm(m, gate, state, unit):
            i = m.sigmoid(gate.i + unit.p_i * state.c)
            f = m.sigmoid(gate.f + unit.p_f * state.c)
            c = f * state.c + i * m.tanh(gate.g)
            o = m.sigmoid(gate.o + unit.p_o * c)
            return o * m.tanh(c), c

        layer = fastlstm.Recurrent(peephole_lstm, 64, 128)

    The step asks for what it wants by the names of its parameters:

    * `gate.i`: W_ih[i] x + b_ih[i] + W_hh[i] h + b_hh[i], the rows of gate i; or, in its place,
    * `x.i` and `u.i`: the two products, each with its bias; `u.i(v)` is the recurrent product of v instead of h;
    * `state.c`: the previous states; the step returns the new ones, in the order of `states`. The first is the output;
    * `unit.p_i`: a learned number for each hidden unit;
    * `step.dt`: what the caller hands in for each step, `layer(x, step={"dt": a})`;
    * `m`: sigmoid tanh relu exp log sqrt abs sin cos softplus log_sigmoid minimum maximum clip where layer_norm custom.

    Values have + - * / ** and comparisons; numbers are literals or Python floats. The step is run once, here, on
    symbols; its gradients are derived from what it did.

    gates, states, unit, step: names, as one string or a sequence. Weights have rows in the order of `gates`.
    recurrent: "dense"; "heads", block-diagonal; "diagonal", one number for each unit and gate; "none", no product.
    input: "dense", or "none": the layer's input holds the gates, (T, B, G*H), gate by gate.

    Raises CellError, a ValueError, which names the line in the step and what is allowed there.
    """
    if bare:
        raise CellError(
            f"fastlstm.cell is given {getattr(bare[0], '__name__', repr(bare[0]))} and no names, expected those that "
            "the step alone does not tell: above it stands @fastlstm.cell(gates='i f g o', states='h c'), gates in the "
            "order of the weights' rows, states in the order in which the step returns them, the output first"
        )
    words = {"gates": gates, "states": states, "unit": unit, "step": step}
    named = {word: _names(word, value) for word, value in words.items()}
    for word in ("gates", "states"):
        if not named[word]:
            raise CellError(f"{word} is empty, expected names as in {word}='{'i f g o' if word == 'gates' else 'h c'}'")
    for word, value, choices in (("recurrent", recurrent, RECURRENT), ("input", input, INPUT)):
        if value not in choices:
            raise CellError(f"{word} is {value!r}, expected {' or '.join(map(repr, choices))}")

    def make(function: Callable[..., object]) -> Cell:
        name = getattr(function, "__name__", type(function).__name__)
        declared = Declaration(name, named["gates"], named["states"], named["unit"], named["step"], recurrent, input)
        graph, outputs, apart = trace_step(declared, function)
        made = _cell(declared, graph, outputs, apart)
        object.__setattr__(made, "__doc__", function.__doc__)
        return made

    return make


def _cell(declared: Declaration, graph: Graph, outputs: Mapping[str, int], apart: bool) -> Cell:
    gradients = derive(graph, outputs)
    flat = [*outputs.values(), *gradients.leaves.values(), *(n for _, *pair in gradients.products for n in pair)]
    custom = [n for n in live(graph.nodes, outputs.values()) if graph.nodes[n].op == "custom"]
    flat += [number for n in custom for number in (n, *graph.nodes[n].args[1:])]
    nodes, numbers = lowered(graph.nodes, flat)
    place = iter(numbers)
    return Cell(
        declared.name,
        declared.gates,
        declared.states,
        declared.unit,
        declared.step,
        declared.recurrent,
        declared.input,
        apart,
        nodes,
        {name: next(place) for name in outputs},
        {leaf: next(place) for leaf in gradients.leaves},
        tuple((gate, next(place), next(place)) for gate, _, _ in gradients.products),
        tuple(_custom(place, len(graph.nodes[n].args) // 2) for n in custom),
    )


def _custom(place: Iterator[int], count: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """A result of `m.custom` and the slope of each of its `count` arguments."""
    result = next(place)
    slopes, args = [next(place) for _ in range(count)], [next(place) for _ in range(count)]
    return result, tuple(zip(slopes, args, strict=True))


def _names(word: str, value: str | Sequence[str]) -> tuple[str, ...]:
    """The names that `gates`, `states`, `unit` or `step` declares."""
    if not isinstance(value, str | tuple | list):
        raise CellError(f"{word} is a {type(value).__name__}, expected names in one string, as 'a b'")
    names = tuple(value.split()) if isinstance(value, str) else tuple(value)
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or iskeyword(name) or name.startswith("_"):
            hint = "; spaces part names, as in 'a b'" if isinstance(value, str) and "," in value else ""
            raise CellError(f"{word} has the name {name!r}, expected one that can stand after a dot: gate.i{hint}")
    names = tuple(normalize("NFKC", name) for name in names)  # as Python reads the same name in the step
    for name in names:
        if word == "unit" and name in PARAMETERS:
            raise CellError(f"unit has the name {name!r}, which is that of a parameter of every layer")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise CellError(f"{word} names {', '.join(repeated)} twice")
    return names
