"""What computes a stack of layers: kernels on the CPU or a GPU, or the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Saved = Any
"""What a forward in training mode keeps for one backward; each engine has a kind of its own."""


class Engine(Protocol):
    """The calls that every engine answers; arrays are NumPy's, or, of an engine on a GPU, that device's."""

    def forward(
        self,
        parameters: Mapping[str, Any],
        version: Any,
        x: Any,
        states: tuple[Any, ...] | None,
        *,
        train: bool,
        batch_sizes: Any = None,
        reset: Any = None,
        masks: Sequence[Any] | None = None,
        step: Mapping[str, Any] | None = None,
        all_states: bool = False,
        threads: int | None = None,
    ) -> tuple[Any, ...]:
        """Output, final states, and what `backward` needs (None unless `train`); with `all_states` a fourth: the last
        layer's states after every step, the output first.

        x: (T, B, I), (B, T, I) with batch_first, or packed rows (N, I) with `batch_sizes` (T,), non-increasing.
        states: (L*D, B, P) and the cell's others (L*D, B, H) each; None for zeros. reset: (T, B) bool. masks: L-1
        arrays like the layers' outputs. step: a cell's step inputs by name. version changes when a parameter does.
        threads: at most so many; of no meaning where an engine has none. All checked by the caller.
        """

    def backward(
        self,
        parameters: Mapping[str, Any],
        version: Any,
        saved: Saved,
        grad_output: Any,
        grad_states: Any,
        grad_all_states: tuple[Any, ...] | None = None,
        wants_x: bool = True,
    ) -> tuple[Any, ...]:
        """Gradients of x, of the initial states and, by torch's names, of the parameters; of a cell with step inputs a
        fourth: theirs by name. None stands for zeros. Consumes `saved`. Without `wants_x` that of x may be None.
        """
