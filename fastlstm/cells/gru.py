"""Gated recurrent unit in torch's form (reset gate after the recurrent product), gate order r z n."""

from typing import Any

GATES = 3
CARRIES_CELL = False
SPLITS_GATES = True
PASSES_STATE = True


def forward(math: Any, x: Any, u: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    r = math.sigmoid(x[0] + u[0])
    z = math.sigmoid(x[1] + u[1])
    n = math.tanh(x[2] + r * u[2])
    return (r, z, n), n + z * (h - n), None


def backward(math: Any, saved: Any, u: Any, h: Any, c: Any, dh: Any, dc: Any) -> tuple[Any, Any, Any, Any]:
    r, z, n = saved
    dn = dh * (1.0 - z) * (1.0 - n * n)
    dz = dh * (h - n) * (z * (1.0 - z))
    dr = dn * u[2] * (r * (1.0 - r))
    return (dr, dz, dn), (dr, dz, dn * r), dh * z, None
