"""One call of a stack of layers, and the gradients of its results: what every engine is told beside the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple


class Call(NamedTuple):
    """How a stack is called, once its parameters, its input x and its initial states are given.

    Arrays are of the kind that x is: NumPy's, a GPU's, or torch's tensors. T time steps, B batch, L num_layers.

    train: whether a backward will follow. batch_sizes: (T,) integers, non-increasing, where x is packed rows (N, I), on
    the host. reset: (T, B) bool, whether no state passes between the steps t - 1 and t, in either direction. masks:
    L-1 arrays like the layers' outputs, which are multiplied by them. step: a cell's step inputs by name, laid out as x
    with H or 1 features, or (B, H or 1) for all steps. all_states: whether the states after every step are wanted.
    threads: at most so many; None for as many as are set; of no meaning where an engine has none.

    x and the states are not in it. They are what is differentiated, so autograd must see them beside it; and a call
    that asks for nothing special is one that all share (`usual`): making one takes a tenth of the time of the shortest
    step.
    """

    train: bool = False
    batch_sizes: Any = None
    reset: Any = None
    masks: Sequence[Any] = ()
    step: Mapping[str, Any] | None = None
    all_states: bool = False
    threads: int | None = None

    @property
    def is_usual(self) -> bool:
        """Whether it is of a dense batch, without resets, masks, step inputs or the states of every step."""
        return (
            self.batch_sizes is None and self.reset is None and not self.masks and not self.step and not self.all_states
        )


@lru_cache(64)
def usual(train: bool, threads: int | None = None) -> Call:
    """The one call that asks for nothing else."""
    return Call(train, threads=threads)


INFERENCE, TRAINING = usual(False), usual(True)


class Grads(NamedTuple):
    """What is given to go back through a call: gradients of its results, None for zeros.

    output: laid out as the output is. states: of the final states, none of them or one for each. every: of the states
    after every step, one for each, where the call gave these. wants_x: whether that of x is wanted.
    """

    output: Any = None
    states: Sequence[Any] = ()
    every: Sequence[Any] = ()
    wants_x: bool = True
