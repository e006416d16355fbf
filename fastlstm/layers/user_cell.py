"""Recurrent: layers of a cell of one's own, on arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, overload

import numpy as np
from numpy import ndarray

from ..spec import Cell, Stack
from ..spec.checked import first_values, stack
from . import checks
from .attributes import OwnAttributes
from .packing import S, Sequences
from .recurrent import RecurrentLayer, Tape
from .steps import Steps, check_steps, step_gradients

State = ndarray | tuple[ndarray, ...]
"""One array, or a tuple where the cell has several states."""


class Recurrent(OwnAttributes, RecurrentLayer):
    """A stack of recurrent layers of a user's cell, with the arguments of `fastlstm.LSTM`.

    cell: from the decorator `fastlstm.cell`, or one of `fastlstm.cells`.
    input_size, hidden_size: I and H. With a cell of input="none", I is G*H: x holds the gates.
    num_layers, bias, batch_first, dropout, bidirectional: as LSTM's.
    num_heads: N, for a cell with recurrent="heads": W_hh is N blocks of (G*H/N, H/N). N divides H.
    unit: first values of unit parameters by name, a number or an array (H,), in every layer; the others, as all
        parameters, are uniform in -1/sqrt(H)..1/sqrt(H), drawn from `seed`.
    dtype: float32 or float64. seed: an int or a generator; also of the dropout. device: "cpu"; "cuda" has no kernels
        for it, and says so.

    Parameters: weight_ih_l0 (G*H, I), weight_hh_l0 (G*H, H) (diagonal: (G*H,); heads: (N, G*H/N, H/N)), bias_ih_l0 and
    bias_hh_l0 (G*H,), rows in the order of the cell's gates, and each unit parameter, p_i_l0 (H,); `_l1`, `_reverse`
    and so on as in torch. What a cell has no product for has no parameters.

        layer = fastlstm.Recurrent(fastlstm.cells.PeepholeLSTM, 5, 6, num_layers=2, unit={"p_i": 0.0})
        output, (h_n, c_n) = layer(np.zeros((7, 3, 5), np.float32))

    Raises TypeError or ValueError, naming the argument, where one is wrong.
    """

    config: Stack

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        num_heads: int = 1,
        unit: Mapping[str, float | ndarray] | None = None,
        dtype: Any = np.float32,
        seed: int | np.random.Generator | None = None,
        device: str = "cpu",
    ) -> None:
        config = stack(cell, input_size, hidden_size, num_layers, bias, batch_first, bidirectional, num_heads)
        super().__init__(config, dropout, dtype, seed, device)
        for name, value in first_values(config, unit).items():
            for _, _, suffix in config.parts():
                self._parameters[name + suffix][...] = value

    @overload
    def __call__(
        self,
        x: S,
        state: State | None = None,
        *,
        reset: ndarray | None = None,
        step: Mapping[str, Sequences] | None = None,
        all_states: Literal[False] = False,
    ) -> tuple[S, State]: ...

    @overload
    def __call__(
        self,
        x: S,
        state: State | None = None,
        *,
        reset: ndarray | None = None,
        step: Mapping[str, Sequences] | None = None,
        all_states: Literal[True],
    ) -> tuple[S, State, tuple[S, ...]]: ...

    @overload
    def __call__(
        self,
        x: S,
        state: State | None = None,
        *,
        reset: ndarray | None = None,
        step: Mapping[str, Sequences] | None = None,
        all_states: bool,
    ) -> tuple[S, State] | tuple[S, State, tuple[S, ...]]: ...

    def __call__(
        self,
        x: Sequences,
        state: State | None = None,
        *,
        reset: ndarray | None = None,
        step: Mapping[str, Sequences] | None = None,
        all_states: bool = False,
    ) -> tuple[Any, ...]:
        """`output, state_n = layer(x, state_0)`; with `all_states`, `output, state_n, states = layer(...)`.

        x: (T, B, I), or (B, T, I) with batch_first, or (T, I) unbatched, or a PackedSequence with rows (N, I).
        state: a tuple of the cell's states, or the one array where there is one, each (L*D, B, H), without B for an
            unbatched x, never batch-first; None for zeros.
        reset: (T, B) bool, also with batch_first; (T,) unbatched. Where `reset[t, b]`, step t of sequence b begins
            anew: no state and no gradient passes between steps t - 1 and t, in either direction.
        step: the cell's step inputs by name, each laid out as x with H or 1 features, or (B, H) where it is the same at
            every step. Every layer and direction reads them.

        output: as x, with D*H features. state_n: as state. states: a tuple with each state of the last layer after
        every step, laid out as output; the first is the output. In training mode all arrays must stay as they are until
        `backward`. Raises ValueError or TypeError, naming the argument, where one is wrong.
        """
        if type(state) is ndarray and not self._several:
            state = (state,)
        elif state is not None and not (type(state) is tuple and len(state) == self._several):
            state = checks.states_of("state", state, self.config)
        if step is None and all_states is False and not self._takes_steps:
            results = self._forward(x, state, reset)
            return results if self._several else (results[0], results[1][0])
        output, final, *every = self._forward_any(x, state, reset, checks.flag("all_states", all_states), step)
        return output, final if len(final) > 1 else final[0], *every

    def backward(
        self,
        grad_output: Sequences | None,
        grad_state: ndarray | tuple[ndarray | None, ...] | None = None,
        *,
        grad_all_states: tuple[Sequences | None, ...] | None = None,
        tape: Tape | None = None,
    ) -> tuple[Any, ...]:
        """`grad_x, grad_state_0 = layer.backward(grad_output, grad_state_n)`; with step inputs a third result, a
        dict of their gradients.

        Goes back through the last forward, once, or through the one whose `layer.tape` is given. Every gradient has the
        shape of its value; None stands for zeros. grad_all_states: those of the states after every step. Adds the
        parameters' gradients to `grad`.
        RuntimeError where there is no forward to go back through, or the parameters have changed since.
        """
        tape = self._checked_tape(tape)
        states = None if grad_state is None else checks.states_of("grad_state", grad_state, self.config)
        grad_x, grad_initial, *grad_step = self._backward(grad_output, states, tape, grad_all_states)
        results = grad_x, grad_initial if len(grad_initial) > 1 else grad_initial[0]
        if not grad_step:
            return results
        return *results, step_gradients(grad_step[0], tape.static_steps, tape.form)

    def _prepare(self) -> None:
        super()._prepare()
        count = len(self.config.state_names)
        self._takes_steps, self._several = bool(self.config.cell.step), count if count > 1 else 0

    def _steps(self, step: Any, given: checks.Given) -> Steps:
        T, B = self._steps_and_batch(given)
        return check_steps(self.config, self.dtype, step, T, B, given.form)

    def _steps_and_batch(self, given: checks.Given) -> tuple[int, int | None]:
        """T and B of a checked call; B is None where x is unbatched."""
        if given.batch_sizes is not None:
            return len(given.batch_sizes), int(given.batch_sizes[0])
        T, B = given.x.shape[1 - self._batch_axis], given.x.shape[self._batch_axis]
        return T, None if given.form is not None else B

    def __repr__(self) -> str:
        config = self.config
        defaults = {"num_layers": 1, "bias": True, "batch_first": False, "bidirectional": False, "num_heads": 1}
        changed = [f"{n}={getattr(config, n)}" for n, usual in defaults.items() if getattr(config, n) != usual]
        changed += [f"dropout={self.dropout}"] if self.dropout else []
        return f"Recurrent({', '.join([config.kind, str(config.input_size), str(config.hidden_size), *changed])})"
