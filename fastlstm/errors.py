"""What a wrong call is told: the argument, the shape it has, the shape expected in letters and sizes, the likely slip.

Shapes are plain tuples of int, so that the array layers and the torch modules say the same thing. The expected shapes
come from `fastlstm_lint.contract`; the letters are explained there. Standard library only. Every function returns in
silence where the call is right and raises ValueError or TypeError where it is not.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, NoReturn

from fastlstm_lint.contract import Cell, Layer, Shape, letters, sizes

Slips = Iterable[tuple[bool, str]]
"""(does it look like this slip?, what to tell): the first that holds is told."""


def refuse_shape(name: str, got: tuple[int, ...], expected: str, slips: Slips = ()) -> NoReturn:
    """Raise for argument `name` of shape `got` where `expected` says which one was due."""
    hint = next((f": {text}" for holds, text in slips if holds), "")
    raise ValueError(f"{name} has shape {got}, expected {expected}{hint}")


def refuse_type(name: str, got: object, expected: str, hint: str = "") -> NoReturn:
    """Raise TypeError for argument `name` of the wrong Python type."""
    kind = type(got)
    title = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(f"{name} is a {title}, expected {expected}" + (f": {hint}" if hint else ""))


def refuse_dtype(name: str, got: Any, expected: Any) -> NoReturn:
    """Raise for argument `name` of a dtype that the layer does not have."""
    raise ValueError(
        f"{name} is {got}, expected {expected} as the layer: convert it with .astype(np.{expected}), or build the "
        f"layer with dtype={'np.' + str(got) if str(got) in ('float32', 'float64') else 'np.float64'}"
    )


def count(name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        refuse_type(name, value, "int")
    if value < least:
        raise ValueError(f"{name} is {value}, expected at least {least}")
    return int(value)


def flag(name: str, value: Any, hint: str = "") -> bool:
    """`value` as a bool. 0 and 1 are refused: a forgotten argument shifts its neighbours into a flag's place.

    `hint` says so where a number is found.
    """
    if type(value).__name__ not in ("bool", "bool_"):  # Python's and NumPy's
        refuse_type(name, value, "bool", hint if isinstance(value, Real) else "")
    return bool(value)


def probability(name: str, value: Any) -> float:
    """`value` as a float in 0..1."""
    if isinstance(value, bool) or not isinstance(value, Real):
        refuse_type(name, value, "float")
    if not 0 <= float(value) <= 1:
        raise ValueError(f"{name} is {value}, expected 0 to 1")
    return float(value)


def dropout(value: Any, num_layers: int) -> float:
    """`value` as a probability; a warning, told of the line that builds the layer, where there is nowhere to drop."""
    checked = probability("dropout", value)
    if checked and num_layers == 1:
        text = f"dropout={checked} does nothing here: it acts between layers, and num_layers is 1"
        warnings.warn(text, stacklevel=_own_frames())
    return checked


def warn_of_loops(reason: str) -> None:
    """Tell, once per process and reason, that no kernels compute a layer."""
    if reason not in _warned:
        _warned.add(reason)
        text = f"fastlstm: plain NumPy loops compute this layer, right and slow: {reason}"
        warnings.warn(text, RuntimeWarning, stacklevel=_own_frames())


_warned: set[str] = set()


def _own_frames() -> int:
    """The `stacklevel`, for the caller's `warnings.warn`, of the first line that is neither this package's nor that of
    torch, which calls its modules.
    """
    torch = sys.modules.get("torch")
    files = (__file__, getattr(torch, "__file__", None) or __file__)
    here, level, frame = tuple(os.path.dirname(file) + os.sep for file in files), 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(here):
        level, frame = level + 1, frame.f_back
    return level


def one_of(name: str, value: Any, choices: tuple[str, ...], hint: str = "") -> str:
    """`value`, if it is one of `choices`. `hint` is told where a number is found."""
    if not isinstance(value, str) or value not in choices:
        slip = f": {hint}" if hint and isinstance(value, Real) else ""
        raise ValueError(f"{name} is {value!r}, expected {' or '.join(map(repr, choices))}{slip}")
    return value


def memory(title: str, needed: int) -> None:
    """`needed` bytes are not more than this machine has. ValueError, with the sizes in `title`, where they are."""
    there = machine_memory()
    if needed > there:
        raise ValueError(f"{title} would take {needed / 1e9:.4g} GB, and this machine has {there / 1e9:.4g}")


def machine_memory() -> int:
    """Bytes of this machine's memory; where the system does not say, of the addresses that a process has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 47


def expected(shape: Shape) -> str:
    """A shape in letters and sizes: `(L*D, B, H) = (2, 3, 6)`."""
    return f"{letters(shape)} = {sizes(shape)}"


def check_shape(name: str, got: tuple[int, ...], shape: Shape, slips: Slips = ()) -> None:
    """`got` is exactly `shape`."""
    if got != sizes(shape):
        refuse_shape(name, got, expected(shape), slips)


def check_input(config: Layer, got: tuple[int, ...], name: str = "x") -> tuple[int, int | None]:
    """(T, B) of an input of shape `got`; B is None where it is unbatched. A batch may be empty, a sequence may not."""
    I = config.input_size
    order = "(B, T, I) = (B, T, {})" if config.batch_first else "(T, B, I) = (T, B, {})"
    due = f"{order.format(I)}, or (T, I) = (T, {I}) unbatched"
    if len(got) not in (2, 3) or got[-1] != I:
        named = [axis for axis, size in enumerate(got[:-1]) if size == I]
        slips = [
            (len(got) < 2, "one step of one sequence is x[None]"),
            (len(got) > 3, "merge the axes of one step's features into one"),
            (I == 1, "a series of single numbers still has a feature axis: x[..., None]"),
            (bool(named), f"axis {named[0] if named else 0} has the size I, and the features come last: "
             "move that axis with np.moveaxis; reshape would scramble the data"),
        ]  # fmt: skip
        refuse_shape(name, got, due, slips)
    if len(got) == 2:
        T, B = got[0], None
    else:
        T, B = got[1::-1] if config.batch_first else got[:2]
    if T == 0:
        refuse_shape(name, got, due, [(True, "there is no time step, T must be at least 1")])
    return T, B


def check_state(config: Layer, state: str, got: tuple[int, ...], T: int, B: int | None, name: str) -> None:
    """`got` is the shape of state "h" or "c"; argument `name` is h_0, c_0, or the gradient of h_n or c_n."""
    shape = config.state(state, B)
    due = sizes(shape)
    if got == due:
        return
    L, D, width = config.num_layers, config.directions, due[-1]
    batch = 1 if B is None else B
    refuse_shape(name, got, expected(shape), [
        (B is None and len(got) == 3, "x is unbatched, (T, I), so the states have no batch axis"),
        (B is not None and len(got) == 2 and got == (batch, width) and L * D == 1,
         f"the first axis is the layer, also where there is only one: {name}[None]"),
        (B is not None and len(got) == 2, "x is batched, so the states are (L*D, B, H) even for one layer or sequence"),
        (len(got) == 4, "layers and directions share the first axis: reshape (L, D, B, H) to (L*D, B, H)"),
        (len(got) == 3 and got == (batch, L * D, width),
         f"{name} is (batch, layers, hidden) here; states are never batch-first"),
        (D == 2 and got[:1] == (L,) and got[1:] == due[1:],
         "a bidirectional layer has two states for every layer, num_layers * 2 in all"),
        (D == 1 and got[:1] == (2 * L,) and got[1:] == due[1:],
         "the layer is not bidirectional: one state for every layer"),
        (got[:1] == (D,) and got[1:] == due[1:], f"every one of the {L} layers has its own state"),
        (config.projected and state == "h" and got == (*due[:-1], config.hidden_size),
         "h is projected, its width is proj_size; only c has hidden_size"),
        (config.projected and state == "c" and got == (*due[:-1], config.proj_size),
         "c is not projected, its width is hidden_size; only h has proj_size"),
        (B is not None and got == (due[0], T, width),
         f"the batch of x is {B} and {T} is its number of steps: is x "
         + ("(T, B, I)? This layer was built with batch_first=True" if config.batch_first
            else "(B, T, I)? Then build the layer with batch_first=True")),
        (B is not None and got[:1] == due[:1] and got[-1] == width, f"the batch of x is {B}"),
    ])  # fmt: skip


def check_tape(kept: bool, training: bool, unchanged: bool) -> None:
    """There is a forward to go back through, and the parameters are still those of that forward. RuntimeError."""
    if not kept:
        reason = "backward was called already" if training else "it ran in eval mode, call train() first"
        raise RuntimeError(f"no forward to go back through: there was none yet, or {reason}")
    if not unchanged:
        raise RuntimeError("the parameters have changed since the forward: call backward before the optimiser's step")


def check_grad_output(got: tuple[int, ...], due: tuple[int, ...], name: str, of: str = "the output") -> None:
    """`got` is the shape of the output, or of what else the gradient is of, `due`."""
    if got != due:
        refuse_shape(name, got, f"{due}, the shape of {of}", [
            (len(due) == 3 and got == (due[1], due[0], due[2]), "batch and time are exchanged"),
            (len(got) == len(due) - 1, "this is one step's gradient: put it into zeros of the output's shape"),
        ])  # fmt: skip


def check_reset(got: tuple[int, ...], T: int, B: int | None) -> None:
    """`got` is (T, B), or (T,) for an unbatched input."""
    due = (T,) if B is None else (T, B)
    if got != due:
        refuse_shape("reset", got, f"(T, B) = {due}" if B is not None else f"(T,) = {due}", [
            (B is not None and got == (B, T), "reset is (batch, time) here; like the states it is never batch-first"),
            (B is not None and got == (T,), "it has one entry for every step of every sequence"),
            (len(got) == 3, "it has no feature axis"),
        ])  # fmt: skip


def check_cell_input(config: Cell, got: tuple[int, ...]) -> int | None:
    """B of a cell's input of shape `got`; None where it is unbatched."""
    I = config.input_size
    if len(got) not in (1, 2) or got[-1] != I:
        refuse_shape("x", got, f"(B, I) = (B, {I}), or (I,) = ({I},) unbatched", [
            (len(got) == 3, "a cell takes one time step: x[t], or use the layer for the whole sequence"),
            (len(got) == 2 and got[0] == I, "the features come last: pass x.T"),
        ])  # fmt: skip
    return got[0] if len(got) == 2 else None


def check_cell_state(config: Cell, state: str, got: tuple[int, ...], B: int | None, name: str) -> None:
    """`got` is the shape of state "h" or "c" of a cell."""
    H = config.hidden_size
    check_shape(name, got, config.state(state, B), [
        (len(got) == 3, "a cell's state has no layer axis"),
        (B is None and len(got) == 2, "x is unbatched, (I,), so the state is (H,)"),
        (B is not None and len(got) == 1, "x is batched, so the state is (B, H)"),
        (len(got) == 2 and got == (H, B), "the features come last"),
        (len(got) == 2 and got[-1] == H, f"the batch of x is {B}"),
    ])  # fmt: skip
