"""The careful way into a layer: every form of input there is, checked and brought into the form an engine takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from fastlstm_lint.contract import Layer
from numpy import ndarray

from .. import errors
from ..errors import count, flag, memory, one_of, probability
from .packing import PackedSequence, check_packed
from .places import Place

__all__ = ["Form", "Given", "States", "check_call", "check_states", "count", "flag", "memory", "one_of", "pair",
           "parameters_fit", "probability"]  # fmt: skip

States = tuple[Any, ...]


def parameters_fit(config: Layer, dtype: np.dtype, title: str) -> None:
    """The parameters of a stack have room in this machine; told before the first of them is made."""
    one, two = (replace(config, num_layers=number).parameter_count() for number in (1, 2))
    numbers = one + (config.num_layers - 1) * (two - one)
    # 4 KB of names, arrays and job blocks for each layer and direction: where layers are many and small, that counts.
    memory(title, numbers * dtype.itemsize + 4096 * config.num_layers * config.directions)


class Form(NamedTuple):
    """How a call's arrays lie to the user, where that is not how they lie to an engine."""

    config: Layer
    place: Place
    packed: PackedSequence | None = None  # its indices; the data are those of the input

    def inner(self, array: Any) -> Any:
        """A sequence (input, output or a gradient of these) for an engine."""
        if self.packed is not None:
            return array
        T, width = array.shape
        return self.place.shape(array, *((1, T, width) if self.config.batch_first else (T, 1, width)))

    def outer(self, array: Any) -> Any:
        """A sequence for the user: packed, or without the batch axis."""
        if self.packed is not None:
            return self.packed._replace(data=array)
        return self.place.shape(array, array.shape[0] * array.shape[1], array.shape[2])

    def inner_state(self, state: Any) -> Any:
        """A state (L*D, B, P or H) for an engine: sequences by length, or with a batch axis."""
        if self.packed is None:
            return self.place.shape(state, state.shape[0], 1, state.shape[1])
        order = self.packed.sorted_indices
        return state if order is None else self.place.take(state, order)

    def outer_state(self, state: Any) -> Any:
        """A state for the user: sequences in their own order, or without the batch axis."""
        if self.packed is None:
            return self.place.shape(state, state.shape[0], state.shape[2])
        order = self.packed.unsorted_indices
        return state if order is None else self.place.take(state, order)


class Given(NamedTuple):
    """What a call is given, checked, as engines take it. `form`: None for a dense batch, which lies alike to both."""

    x: Any
    states: States | None
    batch_sizes: ndarray | None
    reset: Any
    form: Form | None


def check_call(config: Layer, dtype: np.dtype, place: Place, x: Any, states: Any, reset: Any) -> Given:
    """Checks everything about a call and brings it into an engine's form; raises before anything is computed."""
    packed = x if isinstance(x, PackedSequence) else None
    B: int | None
    if packed is None:
        x = place.array("x", x, dtype)
        T, B = errors.check_input(config, tuple(x.shape))
        form = None if B is not None else Form(config, place)
    else:
        x = place.array("x.data", packed.data, dtype)
        check_packed(packed._replace(data=x), config.input_size)
        T, B = len(packed.batch_sizes), int(packed.batch_sizes[0])
        form = Form(config, place, packed._replace(data=None))  # type: ignore[arg-type]
    if states is not None:
        states = check_states(config, dtype, place, states, T, B, "{}_0")
    if reset is not None:
        reset = place.mask("reset", reset)
        errors.check_reset(tuple(reset.shape), T, B)
    if form is None:
        return Given(x, states, None, reset, None)
    if states is not None:
        states = tuple(map(form.inner_state, states))
    if packed is None:
        return Given(form.inner(x), states, None, None if reset is None else place.shape(reset, T, 1), form)
    if reset is not None and packed.sorted_indices is not None:
        reset = place.take(reset, packed.sorted_indices)
    batch_sizes = np.require(packed.batch_sizes, np.int64, ("C", "A", "W"))
    return Given(x, states, batch_sizes, reset, form)


def check_states(
    config: Layer, dtype: np.dtype, place: Place, states: tuple[Any, ...], T: int, B: int | None, name: str
) -> Any:
    """The initial states, or the gradients of the final ones, of which some may be None.

    `name` makes the argument's name of h and c.
    """
    checked = []
    for state, value in zip(config.state_names, states, strict=True):
        if value is not None or name == "{}_0":
            value = place.array(name.format(state), value, dtype)
            errors.check_state(config, state, tuple(value.shape), T, B, name.format(state))
        checked.append(value)
    return tuple(checked)


def states_of(name: str, value: Any, config: Layer) -> tuple[Any, ...]:
    """The states of a layer as a tuple: the user's own, or the one array where there is one."""
    names = config.state_names
    if len(names) == 1:
        if isinstance(value, tuple | list):
            errors.refuse_type(name, value, "numpy array", f"{config.kind} has one state, {names[0]}")
        return (value,)
    due = f"({', '.join(names)})"
    if not isinstance(value, tuple | list):
        errors.refuse_type(name, value, f"tuple {due}", f"{config.kind} carries {len(names)} states")
    if len(value) != len(names):
        raise ValueError(f"{name} has {len(value)} entries, expected the {len(names)} of {due}")
    return tuple(value)


def pair(name: str, value: Any) -> tuple[Any, Any]:
    """The two states of an LSTM."""
    if not isinstance(value, tuple | list):
        errors.refuse_type(name, value, "tuple (h, c)", "an LSTM carries two states")
    if len(value) != 2:
        raise ValueError(f"{name} has {len(value)} entries, expected the two of (h, c)")
    return value[0], value[1]
