"""A user's step run once on symbols: what it computes becomes a graph, what it may not do becomes an error.

Every error names the line in the step and what is allowed there.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from numbers import Real
from typing import Any, NamedTuple

from .calculus import Calculus
from .graph import Graph
from .symbols import CellError, Condition, Names, Product, Trace, Value

ASKED = ("m", "gate", "x", "u", "state", "unit", "step")
"""What a step may ask for, by the names of its parameters."""

_NO_STEPS = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)


class Declaration(NamedTuple):
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
    if not hasattr(function, "__code__"):
        raise CellError(
            f"the step of {declared.name} is a {type(function).__name__}, expected a function: decorate one that is "
            "written with def, and asks for what it wants by the names of its parameters"
        )
    code = getattr(inspect.unwrap(function), "__code__", function.__code__)
    trace = Trace(declared.name, code, Calculus.names())
    if any(is_one(function) for is_one in _NO_STEPS):
        trace.refuse_all("yields or awaits, expected a function that returns the new states")
    graph = trace.graph
    asked = _asked(trace, function)
    apart = "x" in asked or "u" in asked
    offered: dict[str, Any] = {"m": Calculus(trace)}
    for kind, names in (("gate", declared.gates), ("x", declared.gates), ("state", declared.states),
                        ("unit", declared.unit), ("step", declared.step)):  # fmt: skip
        offered[kind] = Names(trace, kind, {name: Value(trace, graph.leaf(kind, name)) for name in names})
    if declared.recurrent == "none":
        offered["u"] = Names(trace, "u", {name: Product(trace, graph.constant(0), "") for name in declared.gates})
    else:
        products = {name: Product(trace, graph.leaf("u", name), name) for name in declared.gates}
        offered["u"] = Names(trace, "u", products)
    results = _run(trace, function, {name: offered[name] for name in asked})
    return graph, _results(trace, declared.states, results), apart


def _run(trace: Trace, function: Callable[..., Any], offered: Mapping[str, Any]) -> Any:
    """What the step returns. What Python itself objects to in it is told with the line and with what there is."""
    try:
        results = function(**offered)
    except RecursionError as error:
        trace.refuse_all(
            f"calls itself without an end ({error}); a step is run once, on symbols: what calls itself must end by a "
            "Python number"
        )
    except Exception as error:
        if trace.refusal is None and not isinstance(error, CellError):
            raise _worded(trace, error) from error
        raise (trace.refusal or error) from None
    if trace.refusal is not None:  # the step caught it
        raise trace.refusal
    return results


def _worded(trace: Trace, error: Exception) -> CellError:
    """What is Python's own error in the step, with its line."""
    frames = traceback.extract_tb(error.__traceback__)
    here = [frame for frame in frames if frame.filename == trace.code.co_filename]
    where = f"\n  {here[-1].filename}:{here[-1].lineno}: {here[-1].line}" if here else ""
    told = next(iter(str(error).splitlines()), "").replace("Calculus.", "m.")
    if isinstance(error, NameError) and error.name in ASKED:
        hint = f"the step names what it asks for: add {error.name} to its parameters"
    elif isinstance(error, TypeError | NameError | AttributeError | ArithmeticError):
        hint = f"what there is to compute with is m, with {trace.functions}, and + - * / ** and comparisons"
    else:
        told = f"{type(error).__name__}: {told}" if told else type(error).__name__
        hint = "a step is run once, when its cell is defined, on symbols that have no numbers yet"
    return CellError(f"step of {trace.name}: {told}; {hint}{where}")


def _asked(trace: Trace, function: Callable[..., Any]) -> list[str]:
    """The names of the step's parameters, checked."""
    asked = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            trace.refuse_all(f"{parameter} as a parameter; a step names what it asks for, of {', '.join(ASKED)}")
        if parameter.name not in ASKED:
            close = get_close_matches(parameter.name, ASKED, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            trace.refuse_all(f"asks for {parameter.name!r}; there is {', '.join(ASKED)}{hint}")
        asked.append(parameter.name)
    if "gate" in asked and ("x" in asked or "u" in asked):
        trace.refuse_all(
            f"asks for gate and for {'x' if 'x' in asked else 'u'}: a gate is the sum of its two products, so ask for "
            "gate, or for x and u where they must stay apart"
        )
    return asked


def _results(trace: Trace, states: tuple[str, ...], results: Any) -> dict[str, int]:
    """The nodes of the new states."""
    due = ", ".join(states)
    given = tuple(results) if isinstance(results, tuple | list) else (results,)
    if len(given) == 1 and not isinstance(given[0], Value | Condition | Names | Real | None):
        trace.refuse_all(f"returns a {type(given[0]).__name__}, expected the new {due} as a tuple")
    if results is None or len(given) != len(states):
        got = "nothing" if results is None else f"{len(given)} value{'s' * (len(given) > 1)}"
        trace.refuse_all(
            f"returns {got}, expected the new {due}: one value for each of the {len(states)} states, in the order in "
            "which they are declared"
        )
    for name, value in zip(states, given, strict=True):
        if isinstance(value, Condition):
            trace.refuse_all(f"returns a comparison as {name}; use m.where(a > b, 1.0, 0.0)")
        if not isinstance(value, Value | Names | Real):
            hint = "; a function is called, as in m.tanh(v)" if callable(value) else ""
            trace.refuse_all(f"returns a {type(value).__name__} as {name}, expected a value{hint}")
    return {name: trace.number(value) for name, value in zip(states, given, strict=True)}
