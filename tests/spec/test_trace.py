"""A step that cannot be understood is an error at its definition, which names the line and what is allowed."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch

from fastlstm.spec import Cell, CellError, cell
from fastlstm.spec.graph import live

WEIGHTS = np.ones(3)
TENSOR = torch.ones(3)


def define(step: Callable[..., object], **declared: object) -> Cell:
    return cell(**{"gates": "i f", "states": "h c", **declared})(step)


def unknown_gate(m, gate, state):
    return m.tanh(gate.q), state.c


def near_state(m, gate, state):
    return m.tanh(gate.i), state.cc


def undeclared_unit(m, gate, state, unit):
    return m.tanh(gate.i) * unit.p, state.c


def one_of_two(m, gate, state):
    return m.tanh(gate.i)


def nothing(m, gate, state):
    m.tanh(gate.i)


def unknown_function(m, gate, state):
    return m.sigmiod(gate.i), state.c


def branch(m, gate, state):
    if gate.i > 0:
        return gate.i, state.c
    return gate.f, state.c


def chained(m, gate, state):
    return m.where(0 < gate.i < 1, 1.0, 0.0), state.c


def builtin_max(m, gate, state):
    return max(gate.i, gate.f), state.c


def numpy_array(m, gate, state):
    return gate.i * WEIGHTS, state.c


def numpy_array_first(m, gate, state):
    return WEIGHTS * gate.i, state.c


def tensor(m, gate, state):
    return gate.i * TENSOR, state.c


def numpy_function(m, gate, state):
    return np.tanh(gate.i), state.c


def math_function(m, gate, state):
    return math.tanh(gate.i), state.c


def torch_function(m, gate, state):
    return torch.tanh(gate.i), state.c


def text(m, gate, state):
    return gate.i + "1", state.c


def truth(m, gate, state):
    return gate.i + True, state.c


def comparison_as_number(m, gate, state):
    return gate.i * (gate.f > 0), state.c


def number_as_comparison(m, gate, state):
    return m.where(gate.i, 1.0, 0.0), state.c


def namespace(m, gate, state):
    return gate + 1, state.c


def method(m, gate, state):
    return gate.i.tanh(), state.c


def two_arguments(m, gate, state):
    return m.tanh(gate.i, gate.f), state.c


def not_asked(m, gate):
    return gate.i, state.c  # noqa: F821


def indexed(m, gate, state):
    return gate.i[0], state.c


def looped(m, gate, state):
    return sum(gate.i), state.c


def returns_comparison(m, gate, state):
    return gate.i > 0, state.c


def slopes(m, gate, state):
    return m.custom(lambda v: v, lambda v: (v, v))(gate.i), state.c


def nested(m, gate, state):
    def inner(v):
        return m.tnah(v)

    return inner(gate.i), state.c


def yields(m, gate, state):
    yield gate.i
    yield state.c


async def awaits(m, gate, state):
    return gate.i, state.c


def calls_itself(m, gate, state):
    return calls_itself(m, gate, state)


def has_no_end(m, gate, state):
    def again(v):
        return again(m.tanh(v))

    return again(gate.i), state.c


def in_place(m, gate, state):
    state.c += gate.i
    return m.tanh(state.c), state.c


def sets(m, gate, state):
    gate.i.scale = 2.0
    return gate.i, state.c


def deletes(m, gate, state):
    del state.c
    return gate.i, state.h


def replaces(m, gate, state):
    m.tanh = abs
    return m.tanh(gate.i), state.c


def huge(m, gate, state):
    return gate.i * 10**400, state.c


def divides_by_nothing(m, gate, state):
    return gate.i * (1 / 0), state.c


def swallows(m, gate, state):
    try:
        if gate.i > 0:
            return gate.i, state.c
    except Exception:
        pass
    return gate.f, state.c


def as_dict(m, gate, state):
    return {"h": gate.i, "c": state.c}


def a_generator(m, gate, state):
    return (v for v in (gate.i, state.c))


def nested_state(m, gate, state):
    return gate.i, (state.c,)


def negative_eps(m, gate, state):
    return m.layer_norm(gate.i, eps=-1.0), state.c


def unpacks(m, gate, state):
    i, f = gate
    return i * f, state.c


def closed_over(m, gate, state):
    return later(gate.i), state.c


def later(v):
    return v * WEIGHTS


WRONG = {
    yields: ["yields or awaits", "returns the new states"],
    awaits: ["yields or awaits"],
    calls_itself: ["recursion", "must end"],
    has_no_end: ["recursion", "must end"],
    in_place: ["writes state.c", "only read"],
    sets: ["sets .scale of a traced value", "gate.i.scale = 2.0"],
    deletes: ["deletes state.c", "only read"],
    replaces: ["sets m.tanh", "m.custom"],
    huge: ["no float holds", "gate.i * 10**400"],
    divides_by_nothing: ["division by zero", "gate.i * (1 / 0)"],
    swallows: ["branches", "if gate.i > 0"],
    as_dict: ["returns a dict", "h, c as a tuple"],
    a_generator: ["returns a generator", "h, c as a tuple"],
    nested_state: ["returns a tuple as c"],
    negative_eps: ["eps of m.layer_norm is a number from 0 on"],
    unpacks: ["`gate` itself", "i, f = gate"],
    closed_over: ["ndarray", "unit=", "later(gate.i)"],
    unknown_gate: ["gate.q", "gate.i, gate.f", "m.tanh(gate.q)"],
    near_state: ["state.cc", "state.h, state.c", "did you mean state.c?"],
    undeclared_unit: ["unit.p", "none is declared"],
    one_of_two: ["returns 1 value", "h, c"],
    nothing: ["returns nothing", "h, c"],
    unknown_function: ["m.sigmiod", "did you mean m.sigmoid?", "log_sigmoid"],
    branch: ["branches", "m.where", "if gate.i > 0"],
    chained: ["branches", "a < b < c"],
    builtin_max: ["branches", "m.maximum"],
    numpy_array: ["ndarray", "unit=", "gate.i * WEIGHTS"],
    numpy_array_first: ["ndarray", "unit="],
    tensor: ["Tensor"],
    numpy_function: ["m, with sigmoid", "np.tanh(gate.i)"],
    math_function: ["m, with sigmoid", "math.tanh(gate.i)"],
    torch_function: ["m, with sigmoid", "torch.tanh(gate.i)"],
    text: ["computes with a str"],
    truth: ["computes with a bool"],
    comparison_as_number: ["comparison", "m.where"],
    number_as_comparison: ["m.where takes a comparison"],
    namespace: ["`gate` itself", "gate.i, gate.f"],
    method: [".tanh", "functions are those of m"],
    two_arguments: ["m.tanh 2 arguments"],
    not_asked: ["add state to its parameters"],
    indexed: ["an array or an index"],
    looped: ["an array or an index"],
    returns_comparison: ["returns a comparison as h"],
    slopes: ["2 slopes for 1 arguments"],
    nested: ["m.tnah", "did you mean m.tanh?"],
}


@pytest.mark.parametrize("step", WRONG, ids=lambda step: step.__name__)
def test_a_wrong_step_is_told_what_is_wrong_and_where(step: Callable[..., object]) -> None:
    with pytest.raises(CellError) as told:
        define(step)
    for part in [step.__name__, f"{__file__}:", *WRONG[step]]:
        assert part in str(told.value)


def test_a_value_of_another_step_is_refused() -> None:
    kept = []

    def first(m, gate, state):
        kept.append(gate.i)
        return gate.i, state.c

    define(first)
    with pytest.raises(CellError, match="of another step"):
        define(lambda m, gate, state: (gate.i + kept[0], state.c))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda m, gates: gates.i, "'gates'.*did you mean gate?"),
        (lambda m, gate, x: gate.i, "gate and for x"),
        (lambda m, *rest: rest, "names what it asks for"),
    ],
)
def test_a_step_asks_for_what_there_is(step: Callable[..., object], message: str) -> None:
    with pytest.raises(CellError, match=message):
        cell(gates="i", states="h")(step)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"gates": ""}, "gates is empty"),
        ({"states": ""}, "states is empty"),
        ({"gates": "i f i"}, "twice"),
        ({"unit": "2a"}, "'2a'"),
        ({"unit": 3}, "unit is a int"),
        ({"recurrent": "full"}, "'dense' or 'heads' or 'diagonal' or 'none'"),
        ({"input": "sparse"}, "'dense' or 'none'"),
        ({"gates": ["a.b"]}, "'a.b'"),
        ({"gates": "lambda"}, "'lambda'"),
        ({"unit": "p weight_hh"}, "'weight_hh', which is that of a parameter"),
    ],
)
def test_a_wrong_declaration_is_told(declared: dict, message: str) -> None:
    with pytest.raises(CellError, match=message):
        define(lambda m, gate, state: (gate.i, state.c), **declared)


def test_a_declaration_without_names_is_told() -> None:
    with pytest.raises(CellError, match=r"given step and no names.*@fastlstm.cell\(gates="):

        @cell
        def step(m, gate):  # type: ignore[no-untyped-def]
            return m.tanh(gate.i)


def test_common_subexpressions_stand_once_and_neutral_elements_not_at_all() -> None:
    made = cell(gates="a", states="h")(
        lambda m, gate, state: m.tanh(gate.a * 1 + 0) + m.tanh(gate.a) * (2 - 1) - (-m.tanh(gate.a)) * 1.0
    )
    nodes = [made.nodes[n].op for n in live(made.nodes, made.outputs.values())]
    assert nodes == ["leaf", "tanh", "add", "add"]


def test_numbers_are_literals_and_floats_of_any_kind() -> None:
    decay = np.float32(0.5)
    made = cell(gates="a", states="h")(lambda m, gate, state: decay * state.h + 2 * gate.a)
    same = cell(gates="a", states="h")(lambda m, gate, state: 0.5 * state.h + 2.0 * gate.a)
    assert made.digest == same.digest


def test_the_digest_names_what_is_computed() -> None:
    def make(factor: float, **declared: object) -> Cell:
        return cell(**{"gates": "a b", "states": "h", **declared})(lambda m, gate: m.tanh(gate.a) * factor)

    assert make(1.5).digest == make(1.5).digest
    others = [make(2.5), make(1.5, recurrent="diagonal"), make(1.5, gates="b a"), make(1.5, unit="p")]
    assert len({made.digest for made in [make(1.5), *others]}) == 5


def test_a_cell_can_be_copied_and_pickled() -> None:
    made = define(lambda m, gate, state: (m.tanh(gate.i), state.c + gate.f))
    made.backward  # noqa: B018  # what is derived does not travel, but must not hinder
    for twin in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert twin == made
        assert twin.digest == made.digest
        assert twin.backward == made.backward
