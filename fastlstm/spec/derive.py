"""The gradients of a step as expressions: reverse mode over its graph.

Where a function has a corner, the derivative there is torch's: 0 for relu and abs at 0, half for each of two equal
arguments of minimum and maximum, 1 for clip at its bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .graph import Graph, Leaf, Node, live

Rule = Callable[[Graph, int, tuple[int, ...], int], tuple[int | None, ...]]
"""(graph, node, its arguments, gradient of the node) -> gradient of each argument, None where none passes."""


class Gradients(NamedTuple):
    """`leaves`: the gradient of each leaf that has one. `products`: for each product of the step's own, its gate, the
    gradient of its result, and what was multiplied: the sum over all tokens of one times the other is what it adds to
    the gradient of the gate's rows of W_hh.
    """

    leaves: Mapping[Leaf, int]
    products: tuple[tuple[str, int, int], ...]


def derive(graph: Graph, outputs: Mapping[str, int]) -> Gradients:
    """Adds to the graph the gradients of its leaves, given those of `outputs`, which are leaves ("grad", name)."""
    gradients: dict[int, int] = {}
    bundles: dict[int, dict[int, int]] = {}
    leaves: dict[Leaf, int] = {}
    products: list[tuple[str, int, int]] = []

    def pass_to(number: int, gradient: int) -> None:
        before = gradients.get(number)
        gradients[number] = gradient if before is None else graph.add("add", before, gradient)

    order = live(graph.nodes, outputs.values())
    for name, number in outputs.items():
        pass_to(number, graph.leaf("grad", name))
    for number in reversed(order):
        node = graph.nodes[number]
        if node.op == "bundle":
            for arg, gradient in _through_normal(graph, node.args, bundles.get(number, {})):
                pass_to(arg, gradient)
            continue
        if number not in gradients:
            continue
        gradient = gradients[number]
        if node.op == "leaf":
            leaves[node.data] = gradient
        elif node.op == "normal":
            bundles.setdefault(node.args[1], {})[node.args[0]] = gradient
        elif node.op == "custom":
            arguments = len(node.args) // 2
            for slope, arg in zip(node.args[1 : 1 + arguments], node.args[1 + arguments :], strict=True):
                pass_to(arg, graph.add("mul", gradient, slope))
        elif node.op == "product":
            products.append((node.data, gradient, node.args[0]))
            pass_to(node.args[0], graph.add("product_back", gradient, data=node.data))
        elif node.op != "const":
            for arg, passed in zip(node.args, _RULES[node.op](graph, number, node.args, gradient), strict=True):
                if passed is not None and graph.value(arg) is None:
                    pass_to(arg, passed)
    return Gradients(leaves, tuple(products))


def _through_normal(graph: Graph, args: Sequence[int], given: Mapping[int, int]) -> list[tuple[int, int]]:
    """Gradients of the K vectors v that were normalised together, of the gradients of the results y.

    With r = 1 / sqrt(variance + eps), means over the units of all vectors, and g the gradients:
    dv = r (g - mean(g) - y mean(g y))    (Ba et al. 2016, as torch's native_layer_norm_backward has it).
    """
    if not given:
        return []
    rest, values, results = args[0], *_halves(args[1:])
    count = graph.constant(1.0 / len(values))
    first, *others = given.items()
    total, slope = first[1], graph.add("mul", first[1], first[0])
    for result, gradient in others:
        total = graph.add("add", total, gradient)
        slope = graph.add("add", slope, graph.add("mul", gradient, result))
    mean = graph.add("mul", graph.add("mean", total), count)
    slope = graph.add("mul", graph.add("mean", slope), count)
    passed, left = [], dict(given)
    for value, result in zip(values, results, strict=True):
        away = graph.add("add", mean, graph.add("mul", result, slope))
        here = left.pop(result, None)  # once, where the same vector stands twice
        change = graph.add("neg", away) if here is None else graph.add("sub", here, away)
        passed.append((value, graph.add("mul", rest, change)))
    return passed


def _halves(args: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    return args[: len(args) // 2], args[len(args) // 2 :]


def _sigmoid(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    return (graph.add("mul", g, graph.add("mul", y, graph.add("sub", graph.constant(1), y))),)


def _tanh(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    return (graph.add("mul", g, graph.add("sub", graph.constant(1), graph.add("mul", y, y))),)


def _relu(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    zero = graph.constant(0)
    return (graph.add("where", graph.add("gt", y, zero), g, zero),)


def _abs(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    (x,), zero = args, graph.constant(0)
    falling = graph.add("where", graph.add("lt", x, zero), graph.add("neg", g), graph.add("mul", x, g))
    return (graph.add("where", graph.add("gt", x, zero), g, falling),)


def _mul(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    a, b = args
    return graph.add("mul", g, b), graph.add("mul", g, a)


def _div(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    share = graph.add("div", g, args[1])
    return share, graph.add("neg", graph.add("mul", share, y))


def _pow(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    a, b = args
    zero, one = graph.constant(0), graph.constant(1)
    slope = graph.add("mul", b, graph.add("pow", a, graph.add("sub", b, one)))
    if graph.value(b) is None:
        slope = graph.add("where", graph.add("eq", b, zero), zero, slope)
    # a ** b log(a), and 0 where a is 0, as torch has it
    growth = graph.add("where", graph.add("eq", a, zero), zero, graph.add("mul", y, graph.add("log", a)))
    return graph.add("mul", g, slope), graph.add("mul", g, growth)


def _extremum(smaller: str) -> Rule:
    """minimum or maximum: `smaller` is the comparison with which an argument loses."""

    def rule(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
        a, b = args
        zero = graph.constant(0)
        shared = graph.add("where", graph.add("eq", a, b), graph.add("mul", g, graph.constant(0.5)), g)
        return (
            graph.add("where", graph.add(smaller, a, b), zero, shared),
            graph.add("where", graph.add(smaller, b, a), zero, shared),
        )

    return rule


def _clip(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    x, low, high = args
    zero = graph.constant(0)
    under, over = graph.add("lt", x, low), graph.add("gt", x, high)
    valid = graph.add("lt", low, high)
    return (
        graph.add("where", graph.add("or", under, over), zero, g),
        graph.add("where", graph.add("and", under, valid), g, zero),
        graph.add("where", graph.add("or", over, graph.add("not", valid)), g, zero),
    )


def _where(graph: Graph, y: int, args: tuple[int, ...], g: int) -> tuple[int | None, ...]:
    condition, zero = args[0], graph.constant(0)
    return None, graph.add("where", condition, g, zero), graph.add("where", condition, zero, g)


def _slope(of: Callable[[Graph, int, int], int]) -> Rule:
    """A function of one argument, by its slope, an expression of the result and the argument."""
    return lambda graph, y, args, g: (graph.add("mul", g, of(graph, y, args[0])),)


_RULES: Mapping[str, Rule] = {
    "add": lambda graph, y, args, g: (g, g),
    "sub": lambda graph, y, args, g: (g, graph.add("neg", g)),
    "neg": lambda graph, y, args, g: (graph.add("neg", g),),
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "relu": _relu,
    "abs": _abs,
    "exp": _slope(lambda graph, y, x: y),
    "log": lambda graph, y, args, g: (graph.add("div", g, args[0]),),
    "sqrt": lambda graph, y, args, g: (graph.add("div", g, graph.add("add", y, y)),),
    "sin": _slope(lambda graph, y, x: graph.add("cos", x)),
    "cos": _slope(lambda graph, y, x: graph.add("neg", graph.add("sin", x))),
    "softplus": _slope(lambda graph, y, x: graph.add("sigmoid", x)),
    "log_sigmoid": _slope(lambda graph, y, x: graph.add("sigmoid", graph.add("neg", x))),
    "minimum": _extremum("gt"),
    "maximum": _extremum("lt"),
    "clip": _clip,
    "where": _where,
    "mean": lambda graph, y, args, g: (graph.add("mean", g),),
} | dict.fromkeys(
    ("gt", "ge", "lt", "le", "eq", "ne", "and", "or", "not"),
    lambda graph, y, args, g: (None,) * len(args),  # a step has no slope
)


def lowered(nodes: Sequence[Node], roots: Sequence[int]) -> tuple[tuple[Node, ...], list[int]]:
    """The nodes that the roots need, without those that only say how gradients pass, and the roots' new numbers."""
    graph, numbers = Graph(), dict[int, int]()
    stands_for = {n: node.args[0] for n, node in enumerate(nodes) if node.op in ("normal", "custom")}

    def shown(number: int) -> int:
        while number in stands_for:
            number = stands_for[number]
        return number

    direct = [Node(node.op, tuple(map(shown, node.args)), node.data) for node in nodes]
    for number in live(direct, map(shown, roots)):
        node = direct[number]
        if node.op == "const":
            numbers[number] = graph.constant(node.data)
        elif node.op == "leaf":
            numbers[number] = graph.leaf(*node.data)
        else:
            numbers[number] = graph.add(node.op, *(numbers[arg] for arg in node.args), data=node.data)
    return tuple(graph.nodes), [numbers[shown(root)] for root in roots]
