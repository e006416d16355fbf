"""A user's step run once on symbols: what it computes becomes a graph, what it may not do becomes an error.

Every error names the line in the step and what is allowed there.
"""

from __future__ import annotations

import inspect
import linecache
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from types import CodeType
from typing import Any, NoReturn

from .graph import FUNCTIONS, Graph

ASKED = ("m", "gate", "x", "u", "state", "unit", "step")
"""What a step may ask for, by the names of its parameters."""


class CellError(ValueError):
    """A step, or the declaration of its cell, that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a cell declares before its step is run. Names are tuples of str; recurrent and input are the words given."""

    name: str
    gates: tuple[str, ...]
    states: tuple[str, ...]
    unit: tuple[str, ...]
    step: tuple[str, ...]
    recurrent: str
    input: str


class Trace:
    """One run of a step: the graph under construction, and where in the step it is."""

    def __init__(self, name: str, code: CodeType) -> None:
        self.name, self.code = name, code
        self.graph = Graph()

    def refuse(self, problem: str) -> NoReturn:
        """CellError with the line of the step that is running."""
        line = self._line()
        where = "" if line is None else f"\n  {self.code.co_filename}:{line}"
        text = "" if line is None else linecache.getline(self.code.co_filename, line).strip()
        raise CellError(f"step of {self.name}: {problem}{where}" + (f": {text}" if text else ""))

    def _line(self) -> int | None:
        """The line of the step, where it runs now; of functions that it calls, the step's own line is given."""
        frame = sys._getframe(1)
        while frame is not None:
            if frame.f_code is self.code:
                return frame.f_lineno
            frame = frame.f_back  # type: ignore[assignment]
        return None

    def number(self, value: Any) -> int:
        """The node of a traced value or of a number."""
        if isinstance(value, Value):
            if value._trace is not self:
                self.refuse("mixes in a value of another step; each step computes with its own values only")
            return value._number
        if isinstance(value, Condition):
            self.refuse("computes with a comparison; choose by it with m.where(a > b, p, q)")
        if isinstance(value, _Names):
            self.refuse(f"uses `{value._kind}` itself; take one of its values: {value._all()}")
        if isinstance(value, bool) or not isinstance(value, Real):
            kind = type(value)
            title = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
            self.refuse(
                f"computes with a {title}; numbers in a step are literals or Python floats. A learned number for each "
                "unit is declared with unit=, what changes from step to step with step="
            )
        return self.graph.constant(float(value))

    def condition(self, value: Any) -> int:
        """The node of a comparison."""
        if not isinstance(value, Condition):
            self.refuse(f"chooses by a {type(value).__name__}; m.where takes a comparison: m.where(a > b, p, q)")
        if value._trace is not self:
            self.refuse("mixes in a comparison of another step; each step computes with its own values only")
        return value._number

    def value(self, op: str, *args: Any) -> Value:
        return Value(self, self.graph.add(op, *(self.number(arg) for arg in args)))


class _Symbol:
    """A node of a trace, in the hands of the user's step."""

    __slots__ = ("_number", "_trace")
    __array_ufunc__ = None  # so that a NumPy array leaves the operator to us, and the error is ours

    def __init__(self, trace: Trace, number: int) -> None:
        self._trace, self._number = trace, number

    def __bool__(self) -> bool:
        self._trace.refuse(
            "branches on a traced value (if, while, and, or, not, min, max, a < b < c); the step is run once, before "
            "there are numbers: choose with m.where(a > b, p, q), m.minimum or m.maximum"
        )

    def _no_number(self, *_: Any) -> NoReturn:
        self._trace.refuse(
            "needs a traced value as a number, an array or an index; what there is to compute with is m, with "
            f"{Calculus._names()}, and + - * / ** and comparisons"
        )

    __float__ = __int__ = __complex__ = __index__ = __array__ = __iter__ = __len__ = __getitem__ = _no_number
    __matmul__ = __rmatmul__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __round__ = _no_number

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._trace.refuse(f"asks a traced value for .{name}; functions are those of m: {Calculus._names()}")


class Condition(_Symbol):
    """A comparison: for m.where, and for & | ~ with others."""

    __slots__ = ()

    def __and__(self, other: Any) -> Condition:
        return Condition(self._trace, self._trace.graph.add("and", self._number, self._trace.condition(other)))

    def __or__(self, other: Any) -> Condition:
        return Condition(self._trace, self._trace.graph.add("or", self._number, self._trace.condition(other)))

    def __invert__(self) -> Condition:
        return Condition(self._trace, self._trace.graph.add("not", self._number))

    __rand__, __ror__ = __and__, __or__

    def _no_arithmetic(self, *_: Any) -> NoReturn:
        self._trace.number(self)
        raise AssertionError

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _no_arithmetic
    __pow__ = __rpow__ = __neg__ = __abs__ = __gt__ = __ge__ = __lt__ = __le__ = _no_arithmetic


class Value(_Symbol):
    """What one unit of one sample has, as a symbol."""

    __slots__ = ()

    def __add__(self, other: Any) -> Value:
        return self._trace.value("add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self._trace.value("sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self._trace.value("sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return self._trace.value("mul", self, other)

    def __truediv__(self, other: Any) -> Value:
        return self._trace.value("div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._trace.value("div", other, self)

    def __pow__(self, other: Any) -> Value:
        trace = self._trace
        exponent = trace.number(other)
        return Value(trace, _power(trace.graph, self._number, exponent))

    def __rpow__(self, other: Any) -> Value:
        return self._trace.value("pow", other, self)

    def __neg__(self) -> Value:
        return self._trace.value("neg", self)

    def __pos__(self) -> Value:
        return self

    def __abs__(self) -> Value:
        return self._trace.value("abs", self)

    __radd__, __rmul__ = __add__, __mul__

    def _compare(self, op: str, other: Any) -> Condition:
        return Condition(self._trace, self._trace.graph.add(op, self._number, self._trace.number(other)))

    def __gt__(self, other: Any) -> Condition:
        return self._compare("gt", other)

    def __ge__(self, other: Any) -> Condition:
        return self._compare("ge", other)

    def __lt__(self, other: Any) -> Condition:
        return self._compare("lt", other)

    def __le__(self, other: Any) -> Condition:
        return self._compare("le", other)

    def __eq__(self, other: Any) -> Condition:  # type: ignore[override]
        return self._compare("eq", other)

    def __ne__(self, other: Any) -> Condition:  # type: ignore[override]
        return self._compare("ne", other)

    __hash__ = object.__hash__


class Product(Value):
    """`u.n`: the gate's recurrent product of the previous output. Called, the product of another value in its place."""

    __slots__ = ("_gate",)

    def __init__(self, trace: Trace, number: int, gate: str) -> None:
        super().__init__(trace, number)
        self._gate = gate

    def __call__(self, value: Any) -> Value:
        trace = self._trace
        return Value(trace, trace.graph.add("product", trace.number(value), data=self._gate))


def _power(graph: Graph, base: int, exponent: int) -> int:
    """Small whole powers as products, halves as roots: exact, and without a logarithm."""
    number = graph.value(exponent)
    if number is None or abs(number) > 16 or number * 2 != int(number * 2):
        return graph.add("pow", base, exponent)
    if number < 0:
        return graph.add("div", graph.constant(1), _power(graph, base, graph.constant(-number)))
    whole, result = int(number), None if number == int(number) else graph.add("sqrt", base)
    square = base
    while whole:
        if whole & 1:
            result = square if result is None else graph.add("mul", result, square)
        whole >>= 1
        square = graph.add("mul", square, square) if whole else square
    return graph.constant(1) if result is None else result


class _Names:
    """`gate`, `state` ...: the values that were declared, as attributes."""

    def __init__(self, trace: Trace, kind: str, values: Mapping[str, Value]) -> None:
        self._trace, self._kind, self._values = trace, kind, values

    def __getattr__(self, name: str) -> Value:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._values:
            close = get_close_matches(name, self._values, 1)
            hint = f"; did you mean {self._kind}.{close[0]}?" if close else ""
            self._trace.refuse(f"asks for {self._kind}.{name}, which is not declared; {self._all()}{hint}")
        return self._values[name]

    def _all(self) -> str:
        names = ", ".join(f"{self._kind}.{name}" for name in self._values)
        return f"there {'is' if len(self._values) == 1 else 'are'} {names}" if names else "none is declared"

    def _refuse(self, *_: Any) -> NoReturn:
        self._trace.number(self)
        raise AssertionError

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __neg__ = __bool__ = __iter__ = __getitem__ = __call__ = _refuse


class Calculus:
    """`m`: the functions of a step. Arguments are traced values or numbers; every result is one value per unit."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    @classmethod
    def _names(cls) -> str:
        return ", ".join([*FUNCTIONS, *(name for name in vars(cls) if not name.startswith("_"))])

    def __getattr__(self, name: str) -> Callable[[Any], Value]:
        if name in FUNCTIONS:
            return lambda *args: self._trace.value(name, self._one(name, args))
        if name.startswith("__"):
            raise AttributeError(name)
        known = [*FUNCTIONS, *(word for word in vars(type(self)) if not word.startswith("_"))]
        close = get_close_matches(name, known, 1)
        hint = f"; did you mean m.{close[0]}?" if close else ""
        return self._trace.refuse(f"calls m.{name}, which there is not; m has {self._names()}{hint}")

    def _one(self, name: str, args: tuple[Any, ...]) -> Any:
        if len(args) != 1:
            self._trace.refuse(f"gives m.{name} {len(args)} arguments, expected one")
        return args[0]

    def minimum(self, a: Any, b: Any) -> Value:
        """The smaller of two; NaN if one is."""
        return self._trace.value("minimum", a, b)

    def maximum(self, a: Any, b: Any) -> Value:
        """The greater of two; NaN if one is."""
        return self._trace.value("maximum", a, b)

    def clip(self, value: Any, low: Any = None, high: Any = None) -> Value:
        """`value` between `low` and `high`, each may be None; the gradient passes where it is not outside."""
        low = float("-inf") if low is None else low
        return self._trace.value("clip", value, low, float("inf") if high is None else high)

    def where(self, condition: Any, then: Any, otherwise: Any) -> Value:
        """`then` where the comparison holds, else `otherwise`."""
        trace = self._trace
        args = (trace.condition(condition), trace.number(then), trace.number(otherwise))
        return Value(trace, trace.graph.add("where", *args))

    def layer_norm(self, value: Any, weight: Any = 1.0, bias: Any = 0.0, eps: float = 1e-5) -> Any:
        """(value - mean) / sqrt(variance + eps) * weight + bias; mean and variance over the units of the sample, or of
        the head where recurrent="heads".

        `value`, `weight` and `bias` may be tuples of K: all K are normalised together, over their K*H numbers.
        """
        trace = self._trace
        graph = trace.graph
        many = isinstance(value, tuple | list)
        values = [trace.number(one) for one in (value if many else (value,))]
        if not values:
            trace.refuse("normalises an empty tuple")
        weights, biases = (self._each(word, given, len(values), many) for word, given in
                           (("weight", weight), ("bias", bias)))  # fmt: skip
        if isinstance(eps, bool) or not isinstance(eps, Real):
            trace.refuse("eps of m.layer_norm is a number, as 1e-5")
        count = graph.constant(1.0 / len(values))
        centred, spread = self._centred(values, count)
        variance = graph.add("add", graph.add("mul", spread, count), graph.constant(float(eps)))
        rest = graph.add("div", graph.constant(1), graph.add("sqrt", variance))
        results = [graph.add("mul", one, rest) for one in centred]
        bundle = graph.add("bundle", rest, *values, *results)
        normal = [Value(trace, graph.add("normal", result, bundle)) for result in results]
        scaled = [one * factor + shift for one, factor, shift in zip(normal, weights, biases, strict=True)]
        return tuple(scaled) if many else scaled[0]

    def custom(self, value: Callable[..., Any], derivative: Callable[..., Any]) -> Callable[..., Value]:
        """A function with a derivative of its own, such as a spike with a surrogate gradient.

        `value(v)` and `derivative(v)` are written with the same m. With several arguments `derivative` returns one
        slope for each.

            spike = m.custom(lambda v: m.where(v > 0, 1.0, 0.0), lambda v: 1 / (1 + 10 * m.abs(v)) ** 2)
            s = spike(v - 1.0)
        """
        trace = self._trace

        if not callable(value) or not callable(derivative):
            trace.refuse("m.custom takes two functions, and is then called: m.custom(value, derivative)(v)")

        def function(*args: Any) -> Value:
            numbers = [trace.number(arg) for arg in args]
            result = trace.number(value(*args))
            slopes = derivative(*args)
            slopes = slopes if isinstance(slopes, tuple | list) else (slopes,)
            if len(slopes) != len(numbers):
                trace.refuse(f"the derivative of m.custom returns {len(slopes)} slopes for {len(numbers)} arguments")
            return Value(trace, trace.graph.add("custom", result, *map(trace.number, slopes), *numbers))

        return function

    def _each(self, word: str, given: Any, count: int, many: bool) -> list[Any]:
        """`given` for each of `count` vectors; one number stands for all."""
        if not isinstance(given, tuple | list):
            if many and not isinstance(given, Real):
                self._trace.refuse(f"{word} of m.layer_norm is a tuple of {count}, as value is")
            return [given] * count
        if not many or len(given) != count:
            self._trace.refuse(f"{word} of m.layer_norm has {len(given)} entries, expected {count} as value has")
        return list(given)

    def _centred(self, values: Sequence[int], count: int) -> tuple[list[int], int]:
        """The values less their common mean, and the mean of the sum of their squares."""
        graph = self._trace.graph
        total = values[0]
        for one in values[1:]:
            total = graph.add("add", total, one)
        mean = graph.add("mul", graph.add("mean", total), count)
        centred = [graph.add("sub", one, mean) for one in values]
        squares = [graph.add("mul", one, one) for one in centred]
        total = squares[0]
        for one in squares[1:]:
            total = graph.add("add", total, one)
        return centred, graph.add("mean", total)


def trace_step(declared: Declaration, function: Callable[..., Any]) -> tuple[Graph, dict[str, int], bool]:
    """The graph of a step, the node of each new state, and whether the step takes its two products apart."""
    code = getattr(function, "__code__", None)
    if code is None:
        raise CellError(f"the step of {declared.name} is a {type(function).__name__}, expected a function")
    trace = Trace(declared.name, code)
    graph = trace.graph
    asked = _asked(declared.name, function)
    apart = "x" in asked or "u" in asked
    offered: dict[str, Any] = {"m": Calculus(trace)}
    for kind, names in (("gate", declared.gates), ("x", declared.gates), ("state", declared.states),
                        ("unit", declared.unit), ("step", declared.step)):  # fmt: skip
        offered[kind] = _Names(trace, kind, {name: Value(trace, graph.leaf(kind, name)) for name in names})
    if declared.recurrent == "none":
        offered["u"] = _Names(trace, "u", {name: Value(trace, graph.constant(0)) for name in declared.gates})
    else:
        products = {name: Product(trace, graph.leaf("u", name), name) for name in declared.gates}
        offered["u"] = _Names(trace, "u", products)
    results = _run(trace, function, {name: offered[name] for name in asked})
    return graph, _results(trace, declared.states, results), apart


def _run(trace: Trace, function: Callable[..., Any], offered: Mapping[str, Any]) -> Any:
    """What the step returns. What Python itself objects to in it is told with the line and with what there is."""
    try:
        return function(**offered)
    except (TypeError, NameError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        here = [frame for frame in frames if frame.filename == trace.code.co_filename]
        where = f"\n  {here[-1].filename}:{here[-1].lineno}: {here[-1].line}" if here else ""
        if isinstance(error, NameError) and error.name in ASKED:
            hint = f"the step names what it asks for: add {error.name} to its parameters"
        else:
            hint = f"what there is to compute with is m, with {Calculus._names()}, and + - * / ** and comparisons"
        raise CellError(f"step of {trace.name}: {error}; {hint}{where}") from error


def _asked(name: str, function: Callable[..., Any]) -> list[str]:
    """The names of the step's parameters, checked."""
    asked = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise CellError(f"step of {name}: {parameter}; a step names what it asks for, of {', '.join(ASKED)}")
        if parameter.name not in ASKED:
            close = get_close_matches(parameter.name, ASKED, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise CellError(f"step of {name} asks for {parameter.name!r}; there is {', '.join(ASKED)}{hint}")
        asked.append(parameter.name)
    if "gate" in asked and ("x" in asked or "u" in asked):
        raise CellError(
            f"step of {name} asks for gate and for {'x' if 'x' in asked else 'u'}: a gate is the sum of its two "
            "products, so ask for gate, or for x and u where they must stay apart"
        )
    return asked


def _results(trace: Trace, states: tuple[str, ...], results: Any) -> dict[str, int]:
    """The nodes of the new states."""
    due = ", ".join(states)
    line = f"{trace.code.co_filename}:{trace.code.co_firstlineno}"
    given = tuple(results) if isinstance(results, tuple | list) else (results,)
    if results is None or len(given) != len(states):
        got = "nothing" if results is None else f"{len(given)} value{'s' * (len(given) > 1)}"
        raise CellError(
            f"step of {trace.name} returns {got}, expected the new {due}: one value for each of the {len(states)} "
            f"states, in the order in which they are declared\n  {line}"
        )
    for name, value in zip(states, given, strict=True):
        if isinstance(value, Condition):
            raise CellError(
                f"step of {trace.name} returns a comparison as {name}; use m.where(a > b, 1.0, 0.0)\n  {line}"
            )
    return {name: trace.number(value) for name, value in zip(states, given, strict=True)}
