"""What computes a stack of layers: kernels on the CPU or a GPU, or the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .call import Call, Grads

Saved = Any
"""What a forward in training mode keeps for one backward; each engine has a kind of its own."""


class Engine(Protocol):
    """The two calls that every engine answers; arrays are NumPy's, or, of an engine on a GPU, that device's.

    All are checked by the caller.
    """

    def forward(
        self, parameters: Mapping[str, Any], version: Any, x: Any, states: tuple[Any, ...] | None, call: Call
    ) -> tuple[Any, ...]:
        """Output, final states, and what `backward` needs (None unless `call.train`); with `call.all_states` a fourth:
        the last layer's states after every step, the output first.

        x: (T, B, I), (B, T, I) with batch_first, or packed rows (N, I). states: (L*D, B, P) and the cell's others
        (L*D, B, H) each; None for zeros. version changes when a parameter does.
        """

    def backward(self, parameters: Mapping[str, Any], version: Any, saved: Saved, grads: Grads) -> tuple[Any, ...]:
        """Gradients of x, of the initial states and, by torch's names, of the parameters; of a cell with step inputs a
        fourth: theirs by name. Consumes `saved`. Where x's is not wanted it may be None.
        """
