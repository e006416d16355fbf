"""Which values a training step stores for its backward pass, and which are computed again there.

A stored value costs a write and a read of memory for every unit of every token, a computed one its arithmetic. The
cheapest choice is a closure problem (Picard 1976): a value computed again needs its arguments, stored or computed, and
so on down to what is there anyway: previous states, parameters, step inputs. A minimum cut solves it exactly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from itertools import pairwise

from .graph import Node, live

# In vector instructions for each vector of units, as counted in the kernels' code: sigmoid and tanh take 20 to 25, exp
# a few less. Memory gives a core about one vector for every 60 instructions; a slot that backward overwrites with a
# gate's gradient is in the cache then, and costs its load and store.
COSTS = {"sigmoid": 24, "tanh": 24, "exp": 18, "log": 24, "sin": 30, "cos": 30, "softplus": 45, "log_sigmoid": 45,
         "pow": 50, "div": 6, "sqrt": 8, "mean": 40, "product": 10_000, "product_back": 10_000}  # fmt: skip
SLOT, ARRAY = 6, 60
# The mean of a sample is one number for all its units.
UNIFORM = 1
_FOREVER = 10**9


def choose(nodes: Sequence[Node], needed: Collection[int], slots: int) -> list[int]:
    """The values to store, of those from which backward can compute `needed`. `slots` of them cost little."""
    uniform = uniform_nodes(nodes)
    best: tuple[int, list[int]] | None = None
    for price in (SLOT, 10, 16, 24, 36, ARRAY):
        stored, recomputed = _cheapest(nodes, needed, price, uniform)
        arrays = sum(number not in uniform for number in stored)
        cost = sum(_compute(nodes[number]) for number in recomputed)
        cost += SLOT * min(arrays, slots) + ARRAY * max(arrays - slots, 0) + UNIFORM * (len(stored) - arrays)
        if best is None or cost < best[0]:
            best = cost, stored
    assert best is not None
    return best[1]


def uniform_nodes(nodes: Sequence[Node]) -> set[int]:
    """The nodes whose value is the same for all units of a sample (or head)."""
    uniform: set[int] = set()
    for number, node in enumerate(nodes):
        if node.op == "mean" or (node.args and node.op != "product" and all(
            arg in uniform or nodes[arg].op == "const" for arg in node.args
        )):  # fmt: skip
            uniform.add(number)
    return uniform


def _compute(node: Node) -> int:
    return 0 if node.op in ("const", "leaf") else COSTS.get(node.op, 1)


def _there_anyway(node: Node) -> bool:
    return node.op == "const" or (node.op == "leaf" and node.data[0] in ("state", "unit", "step"))


def _cheapest(
    nodes: Sequence[Node], needed: Collection[int], price: int, uniform: Collection[int]
) -> tuple[list[int], list[int]]:
    """(stored, recomputed): the cheapest closure, where each stored array costs `price`.

    For each value two choices, `have` (it is at hand in backward) and `make` (by arithmetic), with make => have and
    make => have each argument. have costs `price`, make costs its arithmetic less `price`.
    """
    network = _Network()
    source, sink = ("source",), ("sink",)
    for number in live(nodes, needed):
        node = nodes[number]
        have, make = ("have", number), ("make", number)
        if _there_anyway(node):
            continue
        store = UNIFORM if number in uniform else price
        if node.op in ("gt", "ge", "lt", "le", "eq", "ne", "and", "or", "not"):
            store = _FOREVER // 4  # a comparison is no number
        network.add(have, sink, store)
        if node.op != "leaf":
            gain = store - _compute(node)
            if gain > 0:
                network.add(source, make, gain)
            else:
                network.add(make, sink, -gain)
            network.add(make, have, _FOREVER)
            for arg in node.args:
                if not _there_anyway(nodes[arg]):
                    network.add(make, ("have", arg), _FOREVER)
        if number in needed:
            network.add(source, have, _FOREVER)
    chosen = network.cut(source, sink)
    at_hand = [number for number in range(len(nodes)) if ("have", number) in chosen]
    return (
        [number for number in at_hand if ("make", number) not in chosen],
        [number for number in at_hand if ("make", number) in chosen],
    )


class _Network:
    """Capacities between named places."""

    def __init__(self) -> None:
        self._left: dict[tuple, dict[tuple, int]] = {}

    def add(self, start: tuple, end: tuple, capacity: int) -> None:
        self._left.setdefault(start, {}).setdefault(end, 0)
        self._left[start][end] += capacity
        self._left.setdefault(end, {}).setdefault(start, 0)

    def cut(self, source: tuple, sink: tuple) -> set[tuple]:
        """The source's side of the smallest minimum cut, by flows along shortest ways (Dinic 1970)."""
        while True:
            levels = self._levels(source)
            if sink not in levels:
                return set(levels)
            ways = {start: iter(list(ends)) for start, ends in self._left.items()}
            path = [source]
            while path:
                here = path[-1]
                if here == sink:
                    path = self._push(path)
                    continue
                ends = self._left[here]
                onward = next((end for end in ways[here] if ends[end] and levels.get(end) == levels[here] + 1), None)
                if onward is None:
                    path.pop()
                else:
                    path.append(onward)

    def _push(self, path: list[tuple]) -> list[tuple]:
        """Fills a path; what is left of it before the first edge that is full now."""
        edges = list(pairwise(path))
        flow = min(self._left[start][end] for start, end in edges)
        for start, end in edges:
            self._left[start][end] -= flow
            self._left[end][start] += flow
        full = next(n for n, (start, end) in enumerate(edges) if not self._left[start][end])
        return path[: full + 1]

    def _levels(self, source: tuple) -> dict[tuple, int]:
        """Every place that can be reached, and over how many edges."""
        levels, todo = {source: 0}, deque([source])
        while todo:
            start = todo.popleft()
            for end, capacity in self._left.get(start, {}).items():
                if capacity and end not in levels:
                    levels[end] = levels[start] + 1
                    todo.append(end)
        return levels
