"""Random layers on arrays that begin right behind, or end right before, a page that ends the process when touched."""

from __future__ import annotations

import ctypes
import math
import mmap
import sys
from typing import Any

import numpy as np
from fastlstm_lint.contract import sizes

import fastlstm
from fastlstm.reference import Reference
from fastlstm.spec import INFERENCE, Call, Grads

PAGE = mmap.PAGESIZE
NOTHING, READ_WRITE = 0, 3  # PROT_NONE, PROT_READ | PROT_WRITE
_libc = ctypes.CDLL(None, use_errno=True)
_maps: list[mmap.mmap] = []  # they live as long as the process


class Guards:
    """Makes arrays between two guard pages: at the end before the second, or at the beginning behind the first."""

    def __init__(self, at_end: bool) -> None:
        self.at_end = at_end

    def empty(self, shape: Any, dtype: Any = np.float64, *_: Any, **__: Any) -> np.ndarray:
        shape, dtype = tuple(np.atleast_1d(shape).tolist()) if np.ndim(shape) else (int(shape),), np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        inner = -(-size // PAGE) * PAGE
        area = mmap.mmap(-1, inner + 2 * PAGE)
        _maps.append(area)
        first = ctypes.addressof(ctypes.c_char.from_buffer(area))
        for place in (first, first + PAGE + inner):
            if _libc.mprotect(ctypes.c_void_p(place), ctypes.c_size_t(PAGE), NOTHING):
                raise OSError(ctypes.get_errno(), "mprotect")
        offset = PAGE + (inner - size if self.at_end else 0)
        array = np.frombuffer(area, np.uint8, size, offset) if size else np.empty(0, np.uint8)
        array[:] = 0xCC  # what is not written shows
        return array.view(dtype).reshape(shape)

    def copy(self, value: np.ndarray) -> np.ndarray:
        made = self.empty(value.shape, value.dtype)
        made[...] = value
        return made


class GuardedNumPy:
    """NumPy for the engine's modules, with guarded arrays where it makes new ones."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self.empty = guards.empty

    def zeros(self, shape: Any, dtype: Any = np.float64) -> np.ndarray:
        made = self.empty(shape, dtype)
        made[...] = 0
        return made

    def empty_like(self, value: np.ndarray) -> np.ndarray:
        return self.empty(value.shape, value.dtype)

    def zeros_like(self, value: np.ndarray) -> np.ndarray:
        return self.zeros(value.shape, value.dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _modules() -> list[Any]:
    engine = (module for name, module in sys.modules.items() if name.startswith("fastlstm.engine."))
    return [module for module in engine if "np" in vars(module)]


def configurations(seed: int, number: int) -> None:
    """So many random layers, forward and backward, on guarded arrays; their values are the reference's."""
    draw = np.random.default_rng(seed)
    for _ in range(number):
        at_end, threads = bool(draw.integers(2)), int(draw.choice([1, 2, 3]))
        guards = Guards(at_end)
        fastlstm.set_num_threads(threads)
        modules = _modules()
        for module in modules:
            module.np = GuardedNumPy(guards)  # also what the engine makes itself: outputs, gradients, its work space
        try:
            told = _one(draw, guards)
        finally:
            for module in modules:
                module.np = np
        print(told, f"threads={threads}", "end" if at_end else "beginning", flush=True)


def _one(draw: np.random.Generator, guards: Guards) -> str:
    kind = str(draw.choice(["LSTM", "GRU", "RNN"]))
    dtype = [np.float32, np.float64][int(draw.integers(2))]
    I, H = (int(draw.choice([1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33, 64])) for _ in range(2))
    options: dict[str, Any] = {
        "num_layers": int(draw.integers(1, 4)),
        "bidirectional": bool(draw.integers(2)),
        "batch_first": bool(draw.integers(2)),
        "bias": bool(draw.integers(4)),
    }
    if kind == "LSTM" and H > 1 and draw.random() < 0.3:
        options["proj_size"] = int(draw.integers(1, H))
    T, B = int(draw.choice([1, 2, 3, 9, 40])), int(draw.choice([1, 2, 3, 5, 8, 17, 33]))
    form = str(draw.choice(["dense", "packed", "reset", "cell"]))
    told = f"{form} {kind} T={T} B={B} I={I} H={H} {np.dtype(dtype)} {options}"
    print("now", told, flush=True)  # what was at work, should the process end here
    normal = lambda *shape: draw.standard_normal(shape).astype(dtype)  # noqa: E731
    if form == "cell":
        cell = getattr(fastlstm, f"{kind}Cell")(I, H, dtype=dtype, seed=1)
        _guard_parameters(cell, guards)
        x, states = normal(B, I), [normal(B, H) for _ in cell.config.state_names]
        given = [guards.copy(state) for state in states]
        after = cell(guards.copy(x), tuple(given) if kind == "LSTM" else given[0])
        grads = [guards.copy(normal(B, H)) for _ in given]
        cell.backward(tuple(grads) if kind == "LSTM" else grads[0])
        reference = Reference(cell.config.layer(), np.dtype(dtype))
        parameters = {f"{name}_l0": value for name, value in cell.state_dict().items()}
        _, due, _ = reference.forward(parameters, 0, x[None], tuple(state[None] for state in states), INFERENCE)
        for one, other in zip(after if isinstance(after, tuple) else (after,), due, strict=True):
            _near(one, other[0], dtype)
        return told
    layer = getattr(fastlstm, kind)(I, H, dtype=dtype, seed=1, **options)
    _guard_parameters(layer, guards)
    config = layer.config
    states = [normal(*sizes(shape)) for shape in config.states(B).values()]
    lengths = np.sort(draw.integers(1, T + 1, B))[::-1].copy()
    lengths[0] = T
    x = normal(B, T, I) if options["batch_first"] else normal(T, B, I)
    reset = draw.random((T, B)) < 0.2
    packed = fastlstm.pack_padded_sequence(x, lengths, batch_first=options["batch_first"])
    given = [guards.copy(state) for state in states]
    state = tuple(given) if kind == "LSTM" else given[0]
    mask = guards.copy(reset) if form == "reset" else None
    sequence = packed._replace(data=guards.copy(packed.data)) if form == "packed" else guards.copy(x)
    output, final = layer(sequence, state, reset=mask)
    flat = output.data if form == "packed" else output
    grad = guards.copy(normal(*flat.shape))
    grad_x, _ = layer.backward(output._replace(data=grad) if form == "packed" else grad, None)
    truth = Reference(config, np.dtype(dtype))
    call = Call(True, packed.batch_sizes if form == "packed" else None, reset if form == "reset" else None)
    rows = packed.data if form == "packed" else x
    due, due_final, saved = truth.forward(layer.state_dict(), 0, rows, tuple(states), call)
    due_x, _, due_grads = truth.backward(layer.state_dict(), 0, saved, Grads(grad, (None,) * len(states)))
    _near(flat, due, dtype)
    for one, other in zip(final if isinstance(final, tuple) else (final,), due_final, strict=True):
        _near(one, other, dtype)
    _near(grad_x.data if form == "packed" else grad_x, due_x, dtype)
    for name, value in due_grads.items():
        _near(layer.grad[name], value, dtype)
    return told


def _guard_parameters(module: Any, guards: Guards) -> None:
    """The weights, too, stand before or behind a guard page."""
    for name, value in module._parameters.items():
        module._parameters[name] = guards.copy(value)
    module.__setstate__(module.__getstate__())  # whatever was derived from them


def _near(found: np.ndarray, due: np.ndarray, dtype: Any) -> None:
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    scale = max(float(np.abs(due).max(initial=0)), 1.0)
    np.testing.assert_allclose(found, due, rtol=tolerance, atol=tolerance * scale)
