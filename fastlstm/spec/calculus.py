"""`m`: the functions that a step may call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from numbers import Real
from typing import Any, NoReturn

from .graph import FUNCTIONS
from .symbols import Trace, Value


class Calculus:
    """`m`: the functions of a step. Arguments are traced values or numbers; every result is one value per unit."""

    _trace: Trace

    def __init__(self, trace: Trace) -> None:
        vars(self)["_trace"] = trace

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        self._trace.refuse(f"sets m.{name}; m.custom(value, derivative) makes a function of one's own")

    @classmethod
    def names(cls) -> str:
        return ", ".join([*FUNCTIONS, *(name for name in vars(cls) if _is_function(name))])

    def __getattr__(self, name: str) -> Callable[[Any], Value]:
        if name in FUNCTIONS:
            return lambda *args, **named: self._trace.value(name, self._one(name, args, named))
        if name.startswith("__"):
            raise AttributeError(name)
        known = [*FUNCTIONS, *(word for word in vars(type(self)) if _is_function(word))]
        close = get_close_matches(name, known, 1)
        hint = f"; did you mean m.{close[0]}?" if close else ""
        return self._trace.refuse(f"calls m.{name}, which there is not; m has {self.names()}{hint}")

    def _one(self, name: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        if named:
            self._trace.refuse(f"gives m.{name} {', '.join(named)} by name, expected one value")
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
        """`value` between `low` and `high`, one may be None; the gradient passes where it is not outside."""
        if low is None and high is None:
            self._trace.refuse("gives m.clip neither low nor high")
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
        if isinstance(eps, bool) or not isinstance(eps, Real) or not float(eps) >= 0:
            trace.refuse("eps of m.layer_norm is a number from 0 on, as 1e-5")
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

        words = {"value": value, "derivative": derivative}
        if any(isinstance(one, Value) or not callable(one) for one in words.values()):
            trace.refuse("m.custom takes two functions, and is then called: m.custom(value, derivative)(v)")

        def function(*args: Any) -> Value:
            numbers = [trace.number(arg) for arg in args]
            for word, one in words.items():
                if not numbers or not _takes(one, args):
                    trace.refuse(
                        f"calls m.custom(value, derivative) with {len(args)} values, which {word} does not take"
                    )
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


def _takes(function: Callable[..., Any], args: Sequence[Any]) -> bool:
    """Whether a function can be called with these arguments."""
    try:
        signature(function).bind(*args)
    except TypeError:
        return False
    except ValueError:  # one without a signature
        return True
    return True


def _is_function(name: str) -> bool:
    """Whether an attribute of Calculus is one of m's functions."""
    return not name.startswith("_") and name != "names"
