"""LSTMCell, GRUCell and RNNCell: one time step, with torch's constructors and parameter names.

A cell is an engine of one layer called with T = 1. With device="cuda" arrays on a GPU go in and come out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from fastlstm_lint.contract import Cell, sizes
from numpy import ndarray

from .. import errors
from ..spec import INFERENCE, TRAINING, Grads
from . import checks
from .arrays import float_dtype
from .attributes import CellAttributes
from .checks import States
from .exchange import FromTorch
from .module import uniform
from .places import PLACES

Seed = int | np.random.Generator | None


@dataclass(slots=True, eq=False, repr=False)
class StepTape:
    """What a step in training mode keeps for its backward. Good for one: `saved` is None afterwards."""

    saved: Any
    version: int
    B: int | None


class _Step(CellAttributes, FromTorch):
    """The call of a cell; the classes below say how its states look to the user."""

    config: Cell

    def __init__(self, config: Cell, dtype: Any, seed: Seed, device: str) -> None:
        device = checks.one_of("device", device, tuple(PLACES))
        rng, dtype = np.random.default_rng(seed), float_dtype(dtype)
        checks.parameters_fit(config.layer(), dtype, f"{config.kind}Cell({config.input_size}, {config.hidden_size})")
        shapes = {name: sizes(shape) for name, shape in config.parameters().items()}
        super().__init__(uniform(shapes, config.hidden_size**-0.5, dtype, rng), rng)
        self.config, self.dtype, self.device = config, dtype, device
        self._prepare()

    def _prepare(self) -> None:
        self._place = PLACES[self.device]
        self._engine = self._place.engine(self.config.layer(), self.dtype)
        self._layer_parameters = {f"{name}_l0": value for name, value in self._parameters.items()}

    def _forward(self, x: Any, states: tuple[Any, ...] | None) -> States:
        """The states after the step. Right arrays (B, I) and (B, H) take the short way: about 1 us of checks."""
        B: int | None
        if (
            type(x) is ndarray
            and x.ndim == 2
            and x.dtype is self.dtype
            and x.shape[1] == self.config.input_size
            and x.flags.carray
            and (states is None or self._fits(states, x.shape[0]))
        ):
            B, x = x.shape[0], x[None]
            if states is not None:
                states = tuple([state[None] for state in states])
        else:
            x, states, B = self._check(x, states)
        call = TRAINING if self.training else INFERENCE
        _, after, saved = self._engine.forward(self._layer_parameters, self._version, x, states, call)
        if self.training:
            self._keep(StepTape(saved, self._version, B))
        return tuple([state[0, 0] if B is None else state[0] for state in after])

    def _fits(self, states: tuple[Any, ...], B: int) -> bool:
        """The states are right as they are."""
        for state in states:
            if not (
                type(state) is ndarray
                and state.dtype is self.dtype
                and state.shape == (B, self.config.hidden_size)
                and state.flags.carray
            ):
                return False
        return True

    def _check(self, x: Any, states: tuple[Any, ...] | None) -> tuple[Any, States | None, int | None]:
        """Any form of input as (1, B, I) and (1, B, H), and a diagnosis where it is wrong."""
        x = self._place.array("x", x, self.dtype)
        B = errors.check_cell_input(self.config, tuple(x.shape))
        if states is not None:
            states = tuple(
                self._checked_state(name, state, B, f"{name}_0")
                for name, state in zip(self.config.state_names, states, strict=True)
            )
        return self._of_layer(x), states, B

    def _checked_state(self, state: str, value: Any, B: int | None, name: str) -> Any:
        value = self._place.array(name, value, self.dtype)
        errors.check_cell_state(self.config, state, tuple(value.shape), B, name)
        return self._of_layer(value)

    def _of_layer(self, array: Any) -> Any:
        """(1, B, features) of an array with or without B."""
        return self._place.shape(array, *((1,) if array.ndim == 2 else (1, 1)), *array.shape)

    def _backward(self, grad_states: tuple[Any, ...], tape: StepTape | None) -> tuple[Any, States]:
        """Gradients of x and of the states before the step; adds those of the parameters to `grad`."""
        tape = tape or self.tape or StepTape(None, self._version, None)
        errors.check_tape(tape.saved is not None, self.training, tape.version == self._version)
        if all(grad is None for grad in grad_states):
            raise ValueError("the gradients of the states are None, expected one at least")
        given = tuple(
            None if grad is None else self._checked_state(name, grad, tape.B, f"grad_{name}_1")
            for name, grad in zip(self.config.state_names, grad_states, strict=True)
        )
        grad_x, grad_before, grads = self._engine.backward(
            self._layer_parameters, self._version, tape.saved, Grads(states=given)
        )
        tape.saved = None
        fetched = self._place.fetch(grads)
        self._accumulate({name.removesuffix("_l0"): grad for name, grad in fetched.items()})
        if tape.B is None:
            return grad_x[0, 0], tuple(grad[0, 0] for grad in grad_before)
        return grad_x[0], tuple(grad[0] for grad in grad_before)

    def __getstate__(self) -> dict[str, Any]:
        derived = ("_engine", "_place", "_layer_parameters")
        return {name: value for name, value in super().__getstate__().items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._prepare()

    def __repr__(self) -> str:
        config = self.config
        extra = ("" if config.bias else ", bias=False") + (", nonlinearity=relu" * (config.nonlinearity == "relu"))
        extra += f", device={self.device!r}" * (self.device != "cpu")
        return f"{type(self).__name__}({config.input_size}, {config.hidden_size}{extra})"


def _config(kind: str, input_size: int, hidden_size: int, bias: bool, nonlinearity: str = "tanh") -> Cell:
    """The checked configuration."""
    return Cell(
        kind,
        checks.count("input_size", input_size),
        checks.count("hidden_size", hidden_size),
        checks.flag("bias", bias),
        checks.one_of("nonlinearity", nonlinearity, ("tanh", "relu")),
    )


class LSTMCell(_Step):
    """One step of an LSTM, as torch.nn.LSTMCell."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = np.float32,
                 seed: Seed = None, device: str = "cpu") -> None:  # fmt: skip
        super().__init__(_config("LSTM", input_size, hidden_size, bias), dtype, seed, device)

    def __call__(self, x: ndarray, state: tuple[ndarray, ndarray] | None = None) -> tuple[ndarray, ndarray]:
        """`h_1, c_1 = cell(x, (h_0, c_0))`; x (B, I), states (B, H), None for zeros; all without B for one sequence."""
        if state is not None and not (type(state) is tuple and len(state) == 2):
            state = checks.pair("state", state)
        return self._forward(x, state)

    def backward(
        self, grad_state: tuple[ndarray | None, ndarray | None], *, tape: StepTape | None = None
    ) -> tuple[ndarray, tuple[ndarray, ndarray]]:
        """`grad_x, (grad_h_0, grad_c_0) = cell.backward((grad_h_1, grad_c_1))`, for the last step.

        To go back through several, keep `cell.tape` after each and hand them in, last first. Adds the parameters'
        gradients to `grad`. RuntimeError where there is no step to go back through.
        """
        return self._backward(checks.pair("grad_state", grad_state), tape)


class _SingleStateStep(_Step):
    """The call of the cells whose state is one array."""

    def __call__(self, x: ndarray, state: ndarray | None = None) -> ndarray:
        """`h_1 = cell(x, h_0)`; x (B, I), states (B, H), None for zeros; all without B for one sequence."""
        if type(state) is tuple or type(state) is list:
            errors.refuse_type("state", state, "numpy array", f"the state of a {type(self).__name__} is one array")
        (h,) = self._forward(x, None if state is None else (state,))
        return h

    def backward(self, grad_state: ndarray, *, tape: StepTape | None = None) -> tuple[ndarray, ndarray]:
        """`grad_x, grad_h_0 = cell.backward(grad_h_1)`, as LSTMCell.backward with one array as the state."""
        grad_x, (grad_h_0,) = self._backward((grad_state,), tape)
        return grad_x, grad_h_0


class GRUCell(_SingleStateStep):
    """One step of a GRU, as torch.nn.GRUCell."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = np.float32,
                 seed: Seed = None, device: str = "cpu") -> None:  # fmt: skip
        super().__init__(_config("GRU", input_size, hidden_size, bias), dtype, seed, device)


class RNNCell(_SingleStateStep):
    """One step of a plain RNN, as torch.nn.RNNCell, with `nonlinearity` "tanh" or "relu"."""

    @property
    def nonlinearity(self) -> str:
        """ "tanh" or "relu"."""
        return self.config.nonlinearity

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *,
                 dtype: Any = np.float32, seed: Seed = None, device: str = "cpu") -> None:  # fmt: skip
        super().__init__(_config("RNN", input_size, hidden_size, bias, nonlinearity), dtype, seed, device)
