"""A user's step run once on symbols: what it computes becomes a graph, what it may not do becomes an error.

Every error names the line in the step and what is allowed there.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Real
from typing import Any

from .calculus import Calculus
from .graph import Graph
from .symbols import CellError, Condition, Names, Product, Trace, Value

ASKED = ("m", "gate", "x", "u", "state", "unit", "step")
"""What a step may ask for, by the names of its parameters."""


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


def trace_step(declared: Declaration, function: Callable[..., Any]) -> tuple[Graph, dict[str, int], bool]:
    """The graph of a step, the node of each new state, and whether the step takes its two products apart."""
    code = getattr(function, "__code__", None)
    if code is None:
        raise CellError(f"the step of {declared.name} is a {type(function).__name__}, expected a function")
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
        raise CellError(f"step of {declared.name} yields or awaits, expected a function that returns the new states\n  "
                        f"{code.co_filename}:{code.co_firstlineno}")  # fmt: skip
    trace = Trace(declared.name, code, Calculus.names())
    graph = trace.graph
    asked = _asked(declared.name, function)
    apart = "x" in asked or "u" in asked
    offered: dict[str, Any] = {"m": Calculus(trace)}
    for kind, names in (("gate", declared.gates), ("x", declared.gates), ("state", declared.states),
                        ("unit", declared.unit), ("step", declared.step)):  # fmt: skip
        offered[kind] = Names(trace, kind, {name: Value(trace, graph.leaf(kind, name)) for name in names})
    if declared.recurrent == "none":
        offered["u"] = Names(trace, "u", {name: Value(trace, graph.constant(0)) for name in declared.gates})
    else:
        products = {name: Product(trace, graph.leaf("u", name), name) for name in declared.gates}
        offered["u"] = Names(trace, "u", products)
    results = _run(trace, function, {name: offered[name] for name in asked})
    return graph, _results(trace, declared.states, results), apart


def _run(trace: Trace, function: Callable[..., Any], offered: Mapping[str, Any]) -> Any:
    """What the step returns. What Python itself objects to in it is told with the line and with what there is."""
    try:
        results = function(**offered)
        if trace.refusal is not None:  # the step caught it
            raise trace.refusal
        return results
    except RecursionError as error:
        raise CellError(
            f"step of {trace.name}: {error}; a step is run once, on symbols: what calls itself must end by a Python "
            f"number\n  {trace.code.co_filename}:{trace.code.co_firstlineno}"
        ) from None
    except (TypeError, NameError, AttributeError, ArithmeticError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        here = [frame for frame in frames if frame.filename == trace.code.co_filename]
        where = f"\n  {here[-1].filename}:{here[-1].lineno}: {here[-1].line}" if here else ""
        if isinstance(error, NameError) and error.name in ASKED:
            hint = f"the step names what it asks for: add {error.name} to its parameters"
        else:
            hint = f"what there is to compute with is m, with {trace.functions}, and + - * / ** and comparisons"
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
    if len(given) == 1 and not isinstance(given[0], Value | Condition | Names | Real | None):
        kind = type(given[0]).__name__
        raise CellError(f"step of {trace.name} returns a {kind}, expected the new {due} as a tuple\n  {line}")
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
        if not isinstance(value, Value | Names | Real):
            kind = type(value).__name__
            raise CellError(f"step of {trace.name} returns a {kind} as {name}, expected a value\n  {line}")
    return {name: trace.number(value) for name, value in zip(states, given, strict=True)}
