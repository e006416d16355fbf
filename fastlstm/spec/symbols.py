"""Symbols that stand for a step's values: what is done with them is noted in a graph, what may not be is refused.

Every error names the line in the step.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from numbers import Real
from types import CodeType
from typing import Any, NoReturn

from .graph import Graph

WRITTEN = "what a step is given is only read: give what is computed a name of its own, and return the new states"


class CellError(ValueError):
    """A step, or the declaration of its cell, that cannot be understood."""


class Trace:
    """One run of a step: the graph under construction, where in the step it is, and which functions m has, in words."""

    def __init__(self, name: str, code: CodeType, functions: str) -> None:
        """code: the step's, without the decorators that it may wear."""
        self.name, self.code, self.functions = name, code, functions
        self.graph = Graph()
        self.refusal: CellError | None = None
        """The first error, also where the step caught it."""

    def refuse_all(self, problem: str) -> NoReturn:
        """CellError with the line where the step begins: what is wrong is no single line of it."""
        raise CellError(f"step of {self.name} {problem}\n  {self.code.co_filename}:{self.code.co_firstlineno}")

    def refuse(self, problem: str) -> NoReturn:
        """CellError with the line of the step that is running."""
        line = self._line()
        text = "" if line is None else linecache.getline(self.code.co_filename, line).strip()
        where = f"{self.code.co_filename}:{line or self.code.co_firstlineno}"
        error = CellError(f"step of {self.name}: {problem}\n  {where}" + (f": {text}" if text else ""))
        self.refusal = self.refusal or error
        raise error

    def _line(self) -> int | None:
        """The line of the step, where it runs now, None where it has ended; of functions that it calls, the step's own
        line is given.
        """
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
        if isinstance(value, Names):
            self.refuse(f"uses `{value._kind}` itself; take one of its values: {value._all()}")
        if isinstance(value, bool) or not isinstance(value, Real):
            kind = type(value)
            title = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
            self.refuse(
                f"computes with a {title}; numbers in a step are literals or Python floats. A learned number for each "
                "unit is declared with unit=, what changes from step to step with step="
            )
        try:
            return self.graph.constant(float(value))
        except OverflowError:
            self.refuse("computes with a number that no float holds")

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
    _number: int
    _trace: Trace
    __array_ufunc__ = None  # so that a NumPy array leaves the operator to us, and the error is ours

    def __init__(self, trace: Trace, number: int) -> None:
        object.__setattr__(self, "_trace", trace)
        object.__setattr__(self, "_number", number)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        self._trace.refuse(f"sets .{name} of a traced value; {WRITTEN}")

    def __bool__(self) -> bool:
        self._trace.refuse(
            "branches on a traced value (if, while, and, or, not, min, max, a < b < c); the step is run once, before "
            "there are numbers: choose with m.where(a > b, p, q), m.minimum or m.maximum"
        )

    def _no_number(self, *_: Any) -> NoReturn:
        self._trace.refuse(
            "needs a traced value as a number, an array or an index; what there is to compute with is m, with "
            f"{self._trace.functions}, and + - * / ** and comparisons"
        )

    __float__ = __int__ = __complex__ = __index__ = __array__ = __iter__ = __len__ = __getitem__ = _no_number
    __round__ = __trunc__ = __floor__ = __ceil__ = _no_number

    def _no_operator(self, *_: Any) -> NoReturn:
        self._trace.refuse(
            "uses an operator that values have not; they have + - * / ** and comparisons, comparisons have & | ~"
        )

    __matmul__ = __rmatmul__ = __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __divmod__ = __rdivmod__ = (
        _no_operator
    )
    __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __and__ = __rand__ = __or__ = __ror__ = _no_operator
    __xor__ = __rxor__ = __invert__ = _no_operator

    def _no_writing(self, *_: Any) -> NoReturn:
        self._trace.refuse(f"writes into a traced value; {WRITTEN}")

    __setitem__ = __delitem__ = __delattr__ = _no_writing

    def __call__(self, *_: Any) -> Any:
        self._trace.refuse("calls a traced value; only u.i can be called, for the recurrent product of another value")

    def __repr__(self) -> str:
        return f"<a value of the step of {self._trace.name}, which has no number yet>"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._trace.refuse(f"asks a traced value for .{name}; functions are those of m: {self._trace.functions}")


class Condition(_Symbol):
    """A comparison: for m.where, and for & | ~ with others."""

    __slots__ = ()

    def __and__(self, other: Any) -> Condition:  # type: ignore[override]
        return Condition(self._trace, self._trace.graph.add("and", self._number, self._trace.condition(other)))

    def __or__(self, other: Any) -> Condition:  # type: ignore[override]
        return Condition(self._trace, self._trace.graph.add("or", self._number, self._trace.condition(other)))

    def __invert__(self) -> Condition:  # type: ignore[override]
        return Condition(self._trace, self._trace.graph.add("not", self._number))

    __rand__, __ror__ = __and__, __or__  # type: ignore[assignment]

    def _no_arithmetic(self, *_: Any) -> NoReturn:
        self._trace.number(self)
        raise AssertionError

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _no_arithmetic
    __pow__ = __rpow__ = __neg__ = __abs__ = __gt__ = __ge__ = __lt__ = __le__ = __eq__ = __ne__ = _no_arithmetic
    __hash__ = object.__hash__


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
    """`u.n`: the gate's recurrent product of the previous output. Called, the product of another value in its place;
    refused where `_gate` is empty, since there is none.
    """

    __slots__ = ("_gate",)
    _gate: str

    def __init__(self, trace: Trace, number: int, gate: str) -> None:
        super().__init__(trace, number)
        object.__setattr__(self, "_gate", gate)

    def __call__(self, value: Any) -> Value:
        trace = self._trace
        if not self._gate:
            trace.refuse("multiplies a value with W_hh, which a cell declared with recurrent='none' does not have")
        number = trace.number(value)
        if trace.graph.value(number) is not None:
            trace.refuse(f"multiplies W_hh with a number; u.{self._gate} takes a value of the step")
        return Value(trace, trace.graph.add("product", number, data=self._gate))


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


class Names:
    """`gate`, `state` ...: the values that were declared, as attributes."""

    _trace: Trace
    _kind: str
    _values: Mapping[str, Value]

    def __init__(self, trace: Trace, kind: str, values: Mapping[str, Value]) -> None:
        vars(self).update(_trace=trace, _kind=kind, _values=values)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        self._trace.refuse(f"writes {self._kind}.{name}; {WRITTEN}")

    def __delattr__(self, name: str) -> NoReturn:
        self._trace.refuse(f"deletes {self._kind}.{name}; {WRITTEN}")

    def _no_writing(self, *_: Any) -> NoReturn:
        self._trace.refuse(f"writes into {self._kind}; {WRITTEN}")

    __setitem__ = __delitem__ = _no_writing

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
    __neg__ = __bool__ = __iter__ = __len__ = __contains__ = __getitem__ = __call__ = _refuse
