"""Cells that compute the same are one to the kernels."""

from __future__ import annotations

import pickle

import pytest

from fastlstm import cells
from fastlstm.spec import Cell, cell
from fastlstm.spec.canonical import canonical


@cell(gates="i f g o", states="h c", unit="p")
def one(m, gate, state, unit):  # type: ignore[no-untyped-def]
    i, f = m.sigmoid(gate.i), m.sigmoid(gate.f + unit.p * state.c)
    c = f * state.c + i * m.tanh(gate.g)
    return m.sigmoid(gate.o) * m.tanh(c), c


@cell(gates="a b d e", states="y z", unit="q")
def other(m, gate, state, unit):  # type: ignore[no-untyped-def]
    """Its lines, factors and summands in another order, and all names new."""
    out, new = m.sigmoid(gate.e), m.tanh(gate.d)
    z = new * m.sigmoid(gate.a) + state.z * m.sigmoid(state.z * unit.q + gate.b)
    return m.tanh(z) * out, z


def _another(**declared: str) -> Cell:
    names = {"gates": "i f g o", "states": "h c", "unit": "p"} | declared

    @cell(**names)
    def step(m, gate, state, unit):  # type: ignore[no-untyped-def]
        i, f = m.sigmoid(gate.i), m.sigmoid(gate.f + unit.p * state.c)
        c = f * state.c + i * m.tanh(gate.g)
        return m.sigmoid(gate.o) * m.tanh(c), c

    return step


def test_names_and_order_do_not_matter() -> None:
    assert canonical(one) == canonical(other)
    assert canonical(one).backward == canonical(other).backward
    assert one.digest != other.digest


@pytest.mark.parametrize("declared", [{"gates": "f i g o"}, {"unit": "r p"}, {"step": "dt"}, {"recurrent": "none"}])
def test_what_the_kernels_see_matters(declared: dict[str, str]) -> None:
    assert canonical(_another()) == canonical(one)
    assert canonical(_another(**declared)).digest != canonical(one).digest


@pytest.mark.parametrize("name", cells.SHELF)
def test_it_is_its_own_and_the_same_wherever_it_is_made(name: str) -> None:
    made = getattr(cells, name)
    same = canonical(made)
    assert canonical(same) == same == canonical(pickle.loads(pickle.dumps(made)))
    assert len(same.nodes) == len(made.nodes)
    assert len(same.backward.stored) == len(made.backward.stored)
