"""The simple recurrent network with tanh (Elman 1990)."""

from typing import Any

GATES = 1
CARRIES_CELL = False
SPLITS_GATES = False
PASSES_STATE = False


def forward(math: Any, x: Any, u: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    h = math.tanh(x[0])
    return (h,), h, None


def backward(math: Any, saved: Any, u: Any, h: Any, c: Any, dh: Any, dc: Any) -> tuple[Any, Any, Any, Any]:
    dx = (dh * (1.0 - saved[0] * saved[0]),)
    return dx, dx, None, None
