"""Long short-term memory with forget gates (Hochreiter and Schmidhuber 1997; Gers et al. 2000), gate order i f g o."""

from typing import Any

GATES = 4
CARRIES_CELL = True
SPLITS_GATES = False
PASSES_STATE = False


def forward(math: Any, x: Any, u: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    i = math.sigmoid(x[0])
    f = math.sigmoid(x[1])
    g = math.tanh(x[2])
    o = math.sigmoid(x[3])
    c = f * c + i * g
    return (i, f, g, o), o * math.tanh(c), c


def backward(math: Any, saved: Any, u: Any, h: Any, c: Any, dh: Any, dc: Any) -> tuple[Any, Any, Any, Any]:
    i, f, g, o = saved
    t = math.tanh(f * c + i * g)  # not stored: one tanh costs less than a write and a read of memory
    dc = dc + dh * o * (1.0 - t * t)
    dx = (
        dc * g * (i * (1.0 - i)),
        dc * c * (f * (1.0 - f)),
        dc * i * (1.0 - g * g),
        dh * t * (o * (1.0 - o)),
    )
    return dx, dx, None, dc * f
