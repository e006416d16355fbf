"""Step inputs: what a user's cell is handed for each step beside x, checked and brought into an engine's form.

One for each step lies as x does, with H or 1 features: (T, B, H), (B, T, H) with batch_first, (T, H) unbatched, a
PackedSequence where x is one. One for all steps has no time: (B, H), or (H,) unbatched.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from .. import errors
from ..spec import Stack
from .arrays import require
from .checks import Form
from .packing import PackedSequence


class Steps(NamedTuple):
    """The step inputs of one call by name, as an engine takes them, and which of them are one for all steps."""

    values: dict[str, ndarray]
    static: set[str]


def check_steps(config: Stack, dtype: np.dtype, step: Any, T: int, B: int | None, form: Form | None) -> Steps:
    """The step inputs, in the cell's order. Raises where one is wrong, missing or too many."""
    due = config.cell.step
    given = {} if step is None else step
    if not isinstance(given, Mapping):
        errors.refuse_type("step", step, "dict", f"by name, as step={{{(due or ('dt',))[0]!r}: a}}")
    missing, unexpected = [n for n in due if n not in given], [n for n in given if n not in due]
    if missing or unexpected:
        declared = f"the step inputs of {config.cell.name} are {', '.join(due)}" if due else (
            f"{config.cell.name} has no step inputs")  # fmt: skip
        wrong = f"missing {', '.join(missing)}" if missing else f"unexpected {', '.join(map(str, unexpected))}"
        raise ValueError(f"step: {wrong}; {declared}")
    packed = form.packed if form else None
    axes = 3 if B is not None else 2
    values = {name: _checked(config, dtype, f"step[{name!r}]", given[name], T, B, form) for name in due}
    return Steps(
        values, {n for n in due if not isinstance(given[n], PackedSequence) and (packed or given[n].ndim < axes)}
    )


def _checked(
    config: Stack, dtype: np.dtype, name: str, value: Any, T: int, B: int | None, form: Form | None
) -> ndarray:
    """One step input for an engine: as x lies there, or (B, H or 1)."""
    packed = form.packed if form else None
    H = config.hidden_size
    if isinstance(value, PackedSequence):
        if packed is None:
            errors.refuse_type(name, value, "numpy array", "x is no PackedSequence")
        if not np.array_equal(value.batch_sizes, packed.batch_sizes) or not np.array_equal(
            _order(value), _order(packed)
        ):
            raise ValueError(f"{name} is packed otherwise than x: pack both with the same lengths")
        rows = require(f"{name}.data", value.data, dtype)
        if rows.shape not in ((int(packed.batch_sizes.sum()), width) for width in (H, 1)):
            errors.refuse_shape(f"{name}.data", rows.shape, f"(N, H) = ({packed.batch_sizes.sum()}, {H}), or (N, 1)")
        return rows
    value = require(name, value, dtype)
    batch = () if B is None else (B,)
    lead = (T,) if packed is None and B is None else (B, T) if config.batch_first else (T, B)
    if value.shape[-1:] in ((H,), (1,)):
        if value.shape[:-1] == batch:
            static = value if B is not None else value[None]
            order = packed.sorted_indices if packed is not None else None
            return static if order is None else static.take(order, axis=0)
        if packed is None and value.shape[:-1] == lead:
            return value if form is None else form.inner(value)
    letters = "T, " if B is None else "B, T, " if config.batch_first else "T, B, "
    sizes = ", ".join(map(str, lead))
    each = "a PackedSequence as x" if packed is not None else f"({letters}H) = ({sizes}, {H}), or ({letters}1)"
    for_all = f"({B}, {H})" if B is not None else f"({H},)"
    return errors.refuse_shape(name, value.shape, f"{each}; for all steps {for_all}", [
        (value.ndim == 3 and value.shape[:2] == lead[::-1],
         "time and batch are exchanged: step inputs are laid out as x"),
        (value.ndim == len(lead) and value.shape == lead, "it has a feature axis, also for one number: a[..., None]"),
    ])  # fmt: skip


def step_gradients(gradients: Mapping[str, ndarray], static: Set[str], form: Form | None) -> dict[str, Any]:
    """The gradients of the step inputs, in the form in which the user handed these in."""
    if form is None:
        return dict(gradients)
    found: dict[str, Any] = {}
    for name, gradient in gradients.items():
        if name not in static:
            found[name] = form.outer(gradient)
        elif form.packed is None:
            found[name] = gradient[0]
        else:
            order = form.packed.unsorted_indices
            found[name] = gradient if order is None else gradient.take(order, axis=0)
    return found


def _order(packed: PackedSequence) -> Any:
    """Which sequence stands where; as they came where there is no order."""
    count = int(packed.batch_sizes[0])
    return np.arange(count) if packed.sorted_indices is None else packed.sorted_indices
