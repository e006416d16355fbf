"""LSTM, GRU and RNN on NumPy arrays, with torch's constructors, shapes and parameter names.

Letters: T time steps, B batch, I input_size, H hidden_size, P proj_size (or H), L num_layers, D directions.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
from fastlstm_lint.contract import Layer
from numpy import ndarray

from ..errors import refuse_type
from . import checks
from .exchange import FromKeras, FromTorch
from .packing import S, Sequences
from .recurrent import RecurrentLayer, Tape

Pair = tuple[ndarray, ndarray]
Seed = int | np.random.Generator | None
FOURTH = "the 4th positional argument is {}, not dropout"  # the linter's rule FL309


def _config(kind: str, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool,
            bidirectional: bool, proj_size: int = 0, nonlinearity: str = "tanh") -> Layer:  # fmt: skip
    """The checked configuration."""
    hidden_size, proj_size = checks.count("hidden_size", hidden_size), checks.count("proj_size", proj_size, 0)
    if proj_size >= hidden_size:
        raise ValueError(f"proj_size is {proj_size}, expected less than hidden_size = {hidden_size}")
    return Layer(
        kind,
        checks.count("input_size", input_size),
        hidden_size,
        checks.count("num_layers", num_layers),
        checks.flag("bias", bias, FOURTH.format("bias")),
        checks.flag("batch_first", batch_first),
        checks.flag("bidirectional", bidirectional),
        proj_size,
        checks.one_of("nonlinearity", nonlinearity, ("tanh", "relu"), FOURTH.format("nonlinearity")),
    )


class LSTM(FromTorch, FromKeras, RecurrentLayer):
    """A stack of LSTM layers; the equations are in `fastlstm/reference/lstm.py`.

    The constructor is torch.nn.LSTM's, and `dtype` is float32 or float64. Parameters are uniform in
    -1/sqrt(H)..1/sqrt(H), drawn from `seed`, as is the dropout: p = `dropout` on the output of every layer but the
    last, in training mode. With device="cuda" arrays on a GPU go in and come out (docs/cuda.md).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        dtype: Any = np.float32,
        seed: Seed = None,
        device: str = "cpu",
    ) -> None:
        config = _config("LSTM", input_size, hidden_size, num_layers, bias, batch_first, bidirectional, proj_size)
        super().__init__(config, dropout, dtype, seed, device)

    @overload
    def __call__(
        self, x: S, state: Pair | None = None, *, reset: ndarray | None = None, all_states: Literal[False] = False
    ) -> tuple[S, Pair]: ...

    @overload
    def __call__(
        self, x: S, state: Pair | None = None, *, reset: ndarray | None = None, all_states: Literal[True]
    ) -> tuple[S, Pair, tuple[S, S]]: ...

    @overload
    def __call__(
        self, x: S, state: Pair | None = None, *, reset: ndarray | None = None, all_states: bool
    ) -> tuple[S, Pair] | tuple[S, Pair, tuple[S, S]]: ...

    def __call__(
        self,
        x: Sequences,
        state: Pair | None = None,
        *,
        reset: ndarray | None = None,
        all_states: bool = False,
    ) -> tuple[Any, ...]:
        """`output, (h_n, c_n) = lstm(x, (h_0, c_0))`; with `all_states`, `output, (h_n, c_n), (h, c) = lstm(...)`.

        x: (T, B, I), or (B, T, I) with batch_first, or (T, I) unbatched, or a PackedSequence with rows (N, I).
        state: h_0 (L*D, B, P) and c_0 (L*D, B, H), without B for an unbatched x, never batch-first; None for zeros.
        reset: (T, B) bool, also with batch_first; (T,) unbatched. Where `reset[t, b]`, step t of sequence b begins
        anew: no state and no gradient passes between steps t - 1 and t, in either direction.

        output: as x, with D*P features, the forward direction's first. h_n, c_n: as h_0, c_0; entry l*D + d belongs
        to layer l, direction d. h, c: the states of the last layer after every step, laid out as output, which is h;
        c has D*H features. In training mode, x and output must stay as they are until `backward`.
        Raises ValueError or TypeError, naming the argument, where one is wrong.
        """
        if state is not None and not (type(state) is tuple and len(state) == 2):
            state = checks.pair("state", state)
        if all_states is not False and checks.flag("all_states", all_states):
            return self._forward_any(x, state, reset, True)
        return self._forward(x, state, reset)

    @overload
    def backward(
        self,
        grad_output: S,
        grad_state: tuple[ndarray | None, ndarray | None] | None = None,
        *,
        grad_all_states: tuple[Sequences | None, Sequences | None] | None = None,
        tape: Tape | None = None,
    ) -> tuple[S, Pair]: ...

    @overload
    def backward(
        self,
        grad_output: None,
        grad_state: tuple[ndarray | None, ndarray | None] | None = None,
        *,
        grad_all_states: tuple[Sequences | None, Sequences | None] | None = None,
        tape: Tape | None = None,
    ) -> tuple[Any, Pair]: ...

    def backward(
        self,
        grad_output: Sequences | None,
        grad_state: tuple[ndarray | None, ndarray | None] | None = None,
        *,
        grad_all_states: tuple[Sequences | None, Sequences | None] | None = None,
        tape: Tape | None = None,
    ) -> tuple[Any, Pair]:
        """`grad_x, (grad_h_0, grad_c_0) = lstm.backward(grad_output, (grad_h_n, grad_c_n))`.

        Goes back through the last forward, once, or through the one whose `lstm.tape` is given. Every gradient has the
        shape of its value; None stands for zeros. grad_all_states: those of the states after every step. Adds the
        parameters' gradients to `grad`.
        RuntimeError where there is no forward to go back through, or the parameters have changed since.
        """
        states = None if grad_state is None else checks.pair("grad_state", grad_state)
        grad_x, (grad_h_0, grad_c_0) = self._backward(grad_output, states, tape, grad_all_states)
        return grad_x, (grad_h_0, grad_c_0)


class _SingleState(FromTorch, FromKeras, RecurrentLayer):
    """The call of the layers whose state is one array."""

    @overload
    def __call__(
        self, x: S, state: ndarray | None = None, *, reset: ndarray | None = None, all_states: Literal[False] = False
    ) -> tuple[S, ndarray]: ...

    @overload
    def __call__(
        self, x: S, state: ndarray | None = None, *, reset: ndarray | None = None, all_states: Literal[True]
    ) -> tuple[S, ndarray, tuple[S]]: ...

    @overload
    def __call__(
        self, x: S, state: ndarray | None = None, *, reset: ndarray | None = None, all_states: bool
    ) -> tuple[S, ndarray] | tuple[S, ndarray, tuple[S]]: ...

    def __call__(
        self,
        x: Sequences,
        state: ndarray | None = None,
        *,
        reset: ndarray | None = None,
        all_states: bool = False,
    ) -> tuple[Any, ...]:
        """`output, h_n = layer(x, h_0)`. Arguments and results as for LSTM, but the state is one array, (L*D, B, H);
        with `all_states` the third result is (output,).
        """
        if type(state) is tuple or type(state) is list:
            refuse_type("state", state, "numpy array", f"the state of a {self.config.kind} is one array, h_0")
        states = None if state is None else (state,)
        if all_states is not False and checks.flag("all_states", all_states):
            output, (h_n,), every = self._forward_any(x, states, reset, True)
            return output, h_n, every
        output, (h_n,) = self._forward(x, states, reset)
        return output, h_n

    @overload
    def backward(
        self,
        grad_output: S,
        grad_state: ndarray | None = None,
        *,
        grad_all_states: tuple[Sequences | None] | None = None,
        tape: Tape | None = None,
    ) -> tuple[S, ndarray]: ...

    @overload
    def backward(
        self,
        grad_output: None,
        grad_state: ndarray | None = None,
        *,
        grad_all_states: tuple[Sequences | None] | None = None,
        tape: Tape | None = None,
    ) -> tuple[Any, ndarray]: ...

    def backward(
        self,
        grad_output: Sequences | None,
        grad_state: ndarray | None = None,
        *,
        grad_all_states: tuple[Sequences | None] | None = None,
        tape: Tape | None = None,
    ) -> tuple[Any, ndarray]:
        """`grad_x, grad_h_0 = layer.backward(grad_output, grad_h_n)`, as LSTM.backward with one array as the state."""
        if type(grad_state) is tuple or type(grad_state) is list:
            refuse_type("grad_state", grad_state, "numpy array", f"the state of a {self.config.kind} is one array")
        grad_x, (grad_h_0,) = self._backward(grad_output, (grad_state,), tape, grad_all_states)
        return grad_x, grad_h_0


class GRU(_SingleState):
    """A stack of GRU layers; the equations are in `fastlstm/reference/gru.py`. Arguments as for LSTM."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = np.float32,
        seed: Seed = None,
        device: str = "cpu",
    ) -> None:
        config = _config("GRU", input_size, hidden_size, num_layers, bias, batch_first, bidirectional)
        super().__init__(config, dropout, dtype, seed, device)


class RNN(_SingleState):
    """A stack of plain RNN layers with `nonlinearity` "tanh" or "relu"; the equation is in `fastlstm/reference/rnn.py`.

    Arguments as for LSTM; as in torch, `nonlinearity` comes fourth.
    """

    @property
    def nonlinearity(self) -> str:
        """ "tanh" or "relu"."""
        return self.config.nonlinearity

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: Any = np.float32,
        seed: Seed = None,
        device: str = "cpu",
    ) -> None:
        config = _config("RNN", input_size, hidden_size, num_layers, bias, batch_first, bidirectional, 0, nonlinearity)
        super().__init__(config, dropout, dtype, seed, device)
