"""Steps that people write and that no cell can be made of: each is one CellError at its definition, with its line."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch

from fastlstm.spec import Cell, CellError, cell
from fastlstm.spec.graph import live

Step = Callable[..., object]
WRONG: list[tuple[Step, tuple[str, ...], dict[str, object]]] = []
"""A step, what its error says besides its name and line, and how the cell is declared otherwise than by `define`."""
NUMBERS = np.ones(3)
WRITTEN = "only read"
OPERATORS = "+ - * / ** and comparisons"


def define(step: Step, **declared: object) -> Cell:
    return cell(**{"gates": "i f", "states": "h c", **declared})(step)  # type: ignore[arg-type]


def wrong(*parts: str, **declared: object) -> Callable[[Step], Step]:
    def kept(step: Step) -> Step:
        WRONG.append((step, parts, declared))
        return step

    return kept


def logged(step: Step) -> Step:
    """A decorator of the user's own."""

    @functools.wraps(step)
    def wrapper(*args: object, **named: object) -> object:
        return step(*args, **named)

    return wrapper


# Python's statements and its own functions.


@wrong("for v in gate.i", "an array or an index")
def loops_over_a_value(m, gate, state):
    for v in gate.i:
        print(v)
    return gate.i, state.c


@wrong("`gate` itself", "gate.i, gate.f")
def loops_over_the_gates(m, gate, state):
    return sum(v for v in gate), state.c


@wrong("branches", "m.where", "gate.i and gate.f")
def takes_one_or_the_other(m, gate, state):
    return (gate.i and gate.f), state.c


@wrong("branches", "m.where")
def negates(m, gate, state):
    return m.where(not gate.i > 0, gate.i, gate.f), state.c


@wrong("branches", "m.where")
def chooses_by_a_conditional_expression(m, gate, state):
    return gate.i if gate.i > gate.f else gate.f, state.c


@wrong("branches", "while gate.i < 3")
def waits(m, gate, state):
    while gate.i < 3:
        pass
    return gate.i, state.c


@wrong("branches")
def looks_for_it_in_a_tuple(m, gate, state):
    return (gate.i if gate.i in (gate.f, state.c) else gate.f), state.c


@wrong("branches", "m.maximum")
def sorts(m, gate, state):
    return sorted([gate.i, gate.f])[0], state.c


@wrong("branches", "case 0")
def matches(m, gate, state):
    match gate.i:
        case 0:
            return gate.i, state.c
    return gate.f, state.c


@wrong("computes with a NoneType")
def compares_with_none(m, gate, state):
    return m.where(gate.i == None, 1.0, 0.0), state.c  # noqa: E711


@wrong("an array or an index")
def rounds_down(m, gate, state):
    return math.floor(gate.i), state.c


@wrong("an array or an index")
def cuts(m, gate, state):
    return math.trunc(gate.i), state.c


@wrong("an operator that values have not", OPERATORS)
def takes_a_remainder(m, gate, state):
    return gate.i % 2, state.c


@wrong("an operator that values have not", OPERATORS)
def multiplies_matrices(m, gate, state):
    return gate.i @ gate.f, state.c


@wrong("an operator that values have not", "comparisons have & | ~")
def joins_values(m, gate, state):
    return m.where(gate.i & gate.f, 1.0, 0.0), state.c


@wrong("an operator that values have not", "comparisons have & | ~")
def one_but_not_the_other(m, gate, state):
    return m.where((gate.i > 0) ^ (gate.f > 0), 1.0, 0.0), state.c


@wrong("computes with a comparison")
def compares_comparisons(m, gate, state):
    return m.where((gate.i > 0) == (gate.f > 0), 1.0, 0.0), state.c


@wrong("chooses by a bool")
def joins_a_truth(m, gate, state):
    return m.where((gate.i > 0) & True, 1.0, 0.0), state.c


@wrong("writes into a traced value", WRITTEN)
def writes_one_unit(m, gate, state):
    v = gate.i
    v[0] = 1.0
    return v, state.c


@wrong("writes into gate", WRITTEN)
def writes_a_gate_by_its_name(m, gate, state):
    gate["i"] = 1.0
    return gate.i, state.c


@wrong("writes gate.i", WRITTEN)
def adds_in_place(m, gate, state):
    gate.i += 1.0
    return gate.i, state.c


@wrong("AssertionError", "no numbers yet")
def asserts(m, gate, state):
    assert isinstance(gate.i, torch.Tensor)
    return gate.i, state.c


@wrong("KeyError: 'forget'", "no numbers yet")
def looks_up_what_is_not_there(m, gate, state):
    return {"input": 1.0}["forget"] * gate.i, state.c


@wrong("ModuleNotFoundError: No module named 'not_installed'")
def imports_what_is_not_there(m, gate, state):
    import not_installed  # type: ignore[import-not-found]

    return not_installed.f(gate.i), state.c


@wrong("NotImplementedError")
def is_not_written_yet(m, gate, state):
    raise NotImplementedError


@wrong("m.tnah", "did you mean m.tanh?")
def turns_one_error_into_another(m, gate, state):
    try:
        return m.tnah(gate.i), state.c
    except ValueError as error:
        raise RuntimeError("own") from error


@wrong("yields or awaits")
async def yields_and_awaits(m, gate, state):
    yield gate.i


# Other libraries.


@wrong("an array or an index", "m, with sigmoid")
def chooses_with_numpy(m, gate, state):
    return np.where(gate.i > 0, gate.i, gate.f), state.c


@wrong("m, with sigmoid", "np.maximum")
def the_greater_with_numpy(m, gate, state):
    return np.maximum(gate.i, 0.0), state.c


@wrong("an array or an index")
def stacks_with_numpy(m, gate, state):
    return np.stack([gate.i, gate.f]).sum(), state.c


@wrong("numpy.ndarray", "unit=")
def compares_with_an_array(m, gate, state):
    return m.where(NUMBERS > gate.i, 1.0, 0.0), state.c  # noqa: SIM300  # NumPy is asked first


@wrong("m, with sigmoid", "torch.where")
def chooses_with_torch(m, gate, state):
    return torch.where(gate.i > 0, gate.i, gate.f), state.c


@wrong("torch.nn.parameter.Parameter", "unit=")
def learns_by_itself(m, gate, state):
    return torch.nn.Parameter(torch.ones(3)) * gate.i, state.c


# Names.


@wrong("'alpha' is not defined", "m, with sigmoid")
def takes_a_name_from_nowhere(m, gate, state):
    return gate.i * alpha, state.c  # type: ignore[name-defined]  # noqa: F821


@wrong("asks for gate.tanh", "gate.i, gate.f")
def shadows_m(m, gate, state):
    m = gate
    return m.tanh(gate.i), state.c


@wrong("asks for 'k'", "m, gate, x, u, state, unit, step")
def has_a_default(m, gate, state, k=2.0):
    return gate.i * k, state.c


@wrong("*args", "names what it asks for")
def takes_anything(m, gate, state, *args):
    return gate.i, state.c


@wrong("gate and for u")
def takes_both(m, gate, u, state):
    return gate.i + u.f, state.c


@wrong("asks for gate.q", "return gate.q, state.c")
@logged
def is_decorated_twice(m, gate, state):
    return gate.q, state.c


# What it returns.


@wrong("3 values", "h, c")
def returns_one_too_many(m, gate, state):
    return gate.i, gate.f, state.c


@wrong("`gate` itself")
def returns_what_it_was_given(m, gate, state):
    return gate, state


@wrong("computes with a bool")
def returns_a_truth(m, gate, state):
    return True, state.c


@wrong("no float holds")
def returns_more_than_a_float_holds(m, gate, state):
    return 10**5000, state.c


@wrong("returns a function as h", "m.tanh(v)")
def returns_a_function(m, gate, state):
    return m.custom(m.tanh, m.cos), state.c


@wrong("returns a set")
def returns_a_set(m, gate, state):
    return {gate.i, state.c}


# The functions of m.


@wrong("m.tanh x by name")
def by_name(m, gate, state):
    return m.tanh(x=gate.i), state.c


@wrong("neither low nor high")
def clips_to_nothing(m, gate, state):
    return m.clip(gate.i), state.c


@wrong("m.where() missing 2")
def chooses_between_nothing(m, gate, state):
    return m.where(gate.i > 0), state.c


@wrong("m.custom", "with 1 values, which value does not take")
def a_function_of_two(m, gate, state):
    return m.custom(lambda a, b: a * b, lambda a, b: (b, a))(gate.i), state.c


@wrong("m.custom", "with 1 values, which derivative does not take")
def a_derivative_of_none(m, gate, state):
    return m.custom(lambda a: a, lambda: 1.0)(gate.i), state.c


@wrong("m.custom takes two functions")
def a_value_for_a_function(m, gate, state):
    return m.custom(m.tanh(gate.i), m.cos)(gate.i), state.c


@wrong("computes with a NoneType")
def a_derivative_that_returns_nothing(m, gate, state):
    return m.custom(lambda a: a, lambda a: None)(gate.i), state.c


@wrong("only u.i can be called")
def multiplies_a_gate(m, gate, state):
    return gate.i(state.h), state.c


@wrong("multiplies W_hh with a number; u.i takes a value of the step")
def product_of_a_number(m, x, u, state):
    return x.i + u.i(2.0), state.c


@wrong("multiplies a value with W_hh, which a cell declared with recurrent='none' does not have", recurrent="none")
def multiplies_where_there_is_no_product(m, x, u, state):
    return x.i + u.i(state.c), state.c


@pytest.mark.parametrize(("step", "parts", "declared"), WRONG, ids=[step.__name__ for step, _, _ in WRONG])
def test_is_one_error_with_its_line_and_what_is_allowed(
    step: Step, parts: tuple[str, ...], declared: dict[str, object]
) -> None:
    with pytest.raises(CellError) as told:
        define(step, **declared)
    lines = str(told.value).splitlines()
    assert len(lines) == 2
    assert step.__name__ in lines[0]
    assert lines[1].startswith(f"  {__file__}:")
    number = int(lines[1].split(":")[1])
    first = step.__wrapped__.__code__ if hasattr(step, "__wrapped__") else step.__code__  # type: ignore[attr-defined]
    assert first.co_firstlineno <= number <= first.co_firstlineno + 8
    for part in parts:
        assert part in str(told.value)


@pytest.mark.parametrize("no_step", [None, abs, functools.partial(lambda m, gate: gate.i), torch.nn.Identity(), 3])
def test_what_is_no_function_is_no_step(no_step: object) -> None:
    with pytest.raises(CellError, match="expected a function: decorate one"):
        define(no_step)  # type: ignore[arg-type]


class _Model:
    def step(self, m, gate, state):
        return m.tanh(gate.i), state.c


def test_what_is_unusual_and_right() -> None:
    """Each is the same cell: a method, a decorated function, numbers of other kinds, `is`, `*=`, a list of states."""

    @logged
    def decorated(m, gate, state):
        return m.tanh(gate.i), state.c

    def numbers(m, gate, state):
        v = gate.i
        v *= np.float32(1)
        v = v if v is not None else 0.0
        return [m.tanh(v * np.int64(1) + 0.0), state.c * Fraction(1, 1)]

    for step in (_Model().step, decorated, numbers):
        made = define(step)
        shown = {name: [made.nodes[n] for n in live(made.nodes, [made.outputs[name]])] for name in made.states}
        assert [node.op for node in shown["h"]] == ["leaf", "tanh"]
        assert [node.data for node in shown["c"]] == [("state", "c")]
    assert repr(_seen()) == "<a value of the step of shown, which has no number yet>"


def _seen() -> object:
    kept = []

    def shown(m, gate, state):
        kept.append(gate.i)
        return gate.i, state.c

    define(shown)
    return kept[0]


def test_names_are_read_as_python_reads_them() -> None:
    """Python takes the ligature in the step for f and i."""
    made = cell(gates="ﬁ α", states="h")(lambda m, gate: gate.ﬁ + gate.α)
    assert made.gates == ("fi", "α")
    with pytest.raises(CellError, match="fi twice"):
        cell(gates="ﬁ fi", states="h")
    with pytest.raises(CellError, match=r"'i,'.*spaces part names"):
        cell(gates="i, f", states="h")


def test_many_gates_and_a_gate_named_as_a_state() -> None:
    names = [f"g{n}" for n in range(100)]
    made = cell(gates=["h", *names], states="h", unit="h", step="h")(
        lambda m, gate, state, unit, step: (
            sum((getattr(gate, name) for name in names), gate.h * state.h) + unit.h + step.h
        )
    )
    assert len(made.gates) == 101
