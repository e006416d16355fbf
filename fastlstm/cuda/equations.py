"""A cell's equations (`fastlstm/cells`) traced into device functions.

The cells are plain Python over values with `+ - * /`. Here a value records what is done to it as one line of Python
source each; the lines, with loads before and stores behind them, are a device function.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from fastlstm.cells import CELLS
from fastlstm.cuda.block import at
from fastlstm.cuda.shim import cuda_module

cuda = cuda_module()


class Value:
    """A scalar of the function in the making, known by its name."""

    def __init__(self, trace: Trace, name: str) -> None:
        self.trace, self.name = trace, name

    def __str__(self) -> str:
        return self.name

    def __add__(self, other: Any) -> Value:
        return self.trace.line("{} + {}", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.trace.line("{} - {}", self, other)

    def __mul__(self, other: Any) -> Value:
        return self.trace.line("{} * {}", self, other)

    def __truediv__(self, other: Any) -> Value:
        return self.trace.line("{} / {}", self, other)

    def __radd__(self, other: Any) -> Value:
        return self.trace.line("{} + {}", other, self)

    def __rsub__(self, other: Any) -> Value:
        return self.trace.line("{} - {}", other, self)

    def __rmul__(self, other: Any) -> Value:
        return self.trace.line("{} * {}", other, self)


class Trace:
    """The lines of one function, and the `math` that a cell is given."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.lines: list[str] = []
        self.names: dict[str, Any] = dict(_functions(dtype.name))

    def line(self, form: str, *operands: Any) -> Value:
        """A new value: `form` with the operands' names in it."""
        value = Value(self, f"v{len(self.lines)}")
        self.lines.append(f"{value} = {form.format(*map(self._operand, operands))}")
        return value

    def store(self, place: str, value: Any) -> None:
        """A line that writes `value` to `place`."""
        self.lines.append(f"{place} = {self._operand(value)}")

    def sigmoid(self, a: Value) -> Value:
        return self.line("sigmoid({})", a)

    def tanh(self, a: Value) -> Value:
        return self.line("tanh({})", a)

    def relu(self, a: Value) -> Value:
        return self.line("relu({})", a)

    def where_greater(self, a: Any, b: Any, then: Any, otherwise: Any) -> Value:
        return self.line("{2} if {0} > {1} else {3}", a, b, then, otherwise)

    def function(self, parameters: str, *results: Any) -> Any:
        """The device function of all lines so far."""
        body = [*self.lines, "return " + ", ".join(map(self._operand, results))]
        source = f"def step({parameters}):\n    " + "\n    ".join(body)
        exec(compile(source, "<fastlstm.cells>", "exec"), self.names)  # ours, from fastlstm/cells alone
        return cuda.jit(device=True)(self.names["step"])

    def _operand(self, operand: Any) -> str:
        """A number of Python's would make double precision of everything: it becomes a constant of the dtype."""
        if isinstance(operand, Value):
            return operand.name
        number = self.dtype.type(operand)
        name = f"constant_{len(self.names)}"
        self.names[name] = number
        return name


@cache
def _functions(dtype: str) -> dict[str, Any]:
    """Functions by the names that traced lines use."""
    of = np.dtype(dtype).type
    zero, half, hyperbolic = of(0), of(0.5), math.tanh

    @cuda.jit(device=True)
    def tanh(a):
        return of(hyperbolic(a))

    @cuda.jit(device=True)
    def sigmoid(a):  # exp(-a) overflows where a is large and negative
        return half * of(hyperbolic(half * a)) + half

    @cuda.jit(device=True)
    def relu(a):  # NaN is not below zero and stays
        return zero if a < zero else a

    return {"tanh": tanh, "sigmoid": sigmoid, "relu": relu, "at": at}


@cache
def step_forward(cell: str, dtype: str, train: bool) -> Any:
    """Device function: one unit of one sample through one step; returns the new h and c (zero without c).

    step(x, b_u, own, sums, start, apart, z, u, d, row, unit, H, h, c): x[own + g]: input product and bias of gate g;
    its recurrent product is sums[start + g*apart], to which b_u[own + g] is added where the cell SPLITS_GATES. h, c:
    previous state. In training z (D, rows, G*H) becomes what backward needs, and u, like z, the recurrent products
    where the cell has them apart.
    """
    equations, trace = CELLS[cell], Trace(np.dtype(dtype))
    x, u = [], []
    for g, _ in _gates(equations.GATES):
        product = f"sums[at(start + {g} * apart)]"
        if equations.SPLITS_GATES:
            x.append(trace.line(f"x[own + {g}]"))
            u.append(trace.line(f"{product} + b_u[own + {g}]"))
        else:
            x.append(trace.line(f"x[own + {g}] + {product}"))
    saved, h, c = equations.forward(
        trace, x, u if equations.SPLITS_GATES else None, Value(trace, "h"), Value(trace, "c")
    )
    if train:
        for g, place in _gates(equations.GATES):
            trace.store(f"z[{place}]", saved[g])
            if equations.SPLITS_GATES:
                trace.store(f"u[{place}]", u[g])
    return trace.function(
        "x, b_u, own, sums, start, apart, z, u, d, row, unit, H, h, c", h, c if equations.CARRIES_CELL else 0.0
    )


@cache
def step_backward(cell: str, dtype: str) -> Any:
    """Device function: the gradients of one unit of one sample; returns those of the previous h past the gates, and c.

    step(x, r, own, z, u, d, row, unit, H, h, c, dh, dc): x[own + g]: what forward saved in z; r[own + g]: in u, where
    the cell SPLITS_GATES. z and u become the gradients of the input and of the recurrent products. h, c: the state that
    entered; dh, dc: gradients of the new one. Zero is returned for what the cell does not have.
    """
    equations, trace = CELLS[cell], Trace(np.dtype(dtype))
    saved = [trace.line(f"x[own + {g}]") for g in range(equations.GATES)]
    u = [trace.line(f"r[own + {g}]") for g in range(equations.GATES)] if equations.SPLITS_GATES else None
    named = {name: Value(trace, name) for name in ("h", "c", "dh", "dc")}
    dx, du, direct, dc = equations.backward(trace, saved, u, **named)
    for g, place in _gates(equations.GATES):
        trace.store(f"z[{place}]", dx[g])
        if equations.SPLITS_GATES:
            trace.store(f"u[{place}]", du[g])
    return trace.function(
        "x, r, own, z, u, d, row, unit, H, h, c, dh, dc",
        direct if equations.PASSES_STATE else 0.0,
        dc if equations.CARRIES_CELL else 0.0,
    )


def _gates(count: int) -> Iterator[tuple[int, str]]:
    """Number and place, in an array (D, rows, G*H), of each gate."""
    return ((g, f"at(d), at(row), at({g} * H + unit)") for g in range(count))
