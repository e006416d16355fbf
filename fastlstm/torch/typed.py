"""What a type checker sees of a module's call: torch's own classes promise it `Any`.

S is what goes in and comes out as: a Tensor or a PackedSequence.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeVar, overload

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

S = TypeVar("S", bound=Tensor | PackedSequence)
Pair = tuple[Tensor, Tensor]


class PairCall(Protocol):
    """The call of an LSTM."""

    @overload
    def __call__(
        self, input: S, hx: Pair | None = None, reset: Tensor | None = None, all_states: Literal[False] = False
    ) -> tuple[S, Pair]: ...

    @overload
    def __call__(
        self, input: S, hx: Pair | None = None, reset: Tensor | None = None, *, all_states: Literal[True]
    ) -> tuple[S, Pair, tuple[S, S]]: ...

    @overload
    def __call__(
        self, input: S, hx: Pair | None = None, reset: Tensor | None = None, all_states: bool = False
    ) -> tuple[S, Pair] | tuple[S, Pair, tuple[S, S]]: ...


class SingleCall(Protocol):
    """The call of a GRU or RNN, whose state is one tensor."""

    @overload
    def __call__(
        self, input: S, hx: Tensor | None = None, reset: Tensor | None = None, all_states: Literal[False] = False
    ) -> tuple[S, Tensor]: ...

    @overload
    def __call__(
        self, input: S, hx: Tensor | None = None, reset: Tensor | None = None, *, all_states: Literal[True]
    ) -> tuple[S, Tensor, tuple[S]]: ...

    @overload
    def __call__(
        self, input: S, hx: Tensor | None = None, reset: Tensor | None = None, all_states: bool = False
    ) -> tuple[S, Tensor] | tuple[S, Tensor, tuple[S]]: ...


class PairStep(Protocol):
    """The call of an LSTMCell."""

    def __call__(self, input: Tensor, hx: Pair | None = None) -> Pair: ...


class SingleStep(Protocol):
    """The call of a GRUCell or RNNCell."""

    def __call__(self, input: Tensor, hx: Tensor | None = None) -> Tensor: ...
