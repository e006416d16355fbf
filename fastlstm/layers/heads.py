"""Linear, Embedding and Dropout: what stands before and after a recurrent layer.

Each keeps in training mode what its `backward` needs; `backward` takes the gradient of the result, adds those of the
parameters to `grad` and returns that of the input. It goes back through the last call, once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import check_grad_output, check_tape, refuse_shape
from . import checks
from .arrays import dropout_mask, float_dtype, plain, require
from .module import Module, uniform

Seed = int | np.random.Generator | None


class _Head(Module):
    """Keeps an array from forward to backward."""

    def _recorded(self, value: ndarray, result: ndarray) -> ndarray:
        if self.training:
            self.tape = value, result.shape, self._version
        return result

    def _take(self, grad: Any, dtype: np.dtype) -> tuple[ndarray, ndarray]:
        """What was kept, and the checked gradient of the result."""
        check_tape(self.tape is not None, self.training, self.tape is None or self.tape[2] == self._version)
        value, shape, _ = self.tape
        grad = require("grad_output", grad, dtype)
        check_grad_output(grad.shape, shape, "grad_output")
        self.tape = None
        return value, grad


class Linear(_Head):
    """y = x W^T + b with weight (out_features, in_features) and bias (out_features,), as torch.nn.Linear."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: Any = np.float32,
                 seed: Seed = None) -> None:  # fmt: skip
        I, O = checks.count("in_features", in_features), checks.count("out_features", out_features)
        shapes: dict[str, tuple[int, ...]] = {"weight": (O, I)}
        if checks.flag("bias", bias):
            shapes["bias"] = (O,)
        rng, dtype = np.random.default_rng(seed), float_dtype(dtype)
        checks.memory(f"Linear({I}, {O})", I * O * dtype.itemsize)
        super().__init__(uniform(shapes, I**-0.5, dtype, rng), rng)
        self.in_features, self.out_features, self.dtype = I, O, dtype

    def __call__(self, x: ndarray) -> ndarray:
        """x (..., in_features) to y (..., out_features)."""
        x = require("x", x, self.dtype)
        if x.ndim < 1 or x.shape[-1] != self.in_features:
            refuse_shape("x", x.shape, f"(..., in_features) = (..., {self.in_features})")
        y = x @ self._parameters["weight"].T
        if "bias" in self._parameters:
            y += self._parameters["bias"]
        return self._recorded(x, y)

    def backward(self, grad_output: ndarray) -> ndarray:
        """Gradient of x (..., in_features), given that of y (..., out_features)."""
        x, grad = self._take(grad_output, self.dtype)
        rows = grad.reshape(-1, self.out_features)
        grads = {"weight": rows.T @ x.reshape(-1, self.in_features)}
        if "bias" in self._parameters:
            grads["bias"] = rows.sum(axis=0)
        self._accumulate(grads)
        return grad @ self._parameters["weight"]

    def __repr__(self) -> str:
        return f"Linear({self.in_features}, {self.out_features})"


class Embedding(_Head):
    """Rows of weight (num_embeddings, embedding_dim), drawn from a standard normal, as torch.nn.Embedding."""

    def __init__(self, num_embeddings: int, embedding_dim: int, *, dtype: Any = np.float32, seed: Seed = None) -> None:
        rng = np.random.default_rng(seed)
        shape = (checks.count("num_embeddings", num_embeddings), checks.count("embedding_dim", embedding_dim))
        checks.memory(f"Embedding{shape}", shape[0] * shape[1] * 8)  # drawn in double
        super().__init__({"weight": rng.standard_normal(shape).astype(float_dtype(dtype))}, rng)
        self.num_embeddings, self.embedding_dim = shape

    def __call__(self, tokens: ndarray) -> ndarray:
        """Token numbers (...), of any int dtype, 0 to num_embeddings - 1, to vectors (..., embedding_dim)."""
        if plain("tokens", tokens, "numpy array of ints").dtype.kind not in "iu":
            raise ValueError(f"tokens are {tokens.dtype}, expected ints")
        if tokens.size and (tokens.min() < 0 or tokens.max() >= self.num_embeddings):
            raise ValueError(
                f"tokens run from {tokens.min()} to {tokens.max()}, expected 0 to {self.num_embeddings - 1}"
            )
        return self._recorded(tokens, self._parameters["weight"][tokens])

    def backward(self, grad_output: ndarray) -> None:
        """Takes the gradient of the vectors; token numbers have none themselves."""
        weight = self._parameters["weight"]
        tokens, grad = self._take(grad_output, weight.dtype)
        total = np.zeros_like(weight)
        np.add.at(total, tokens, grad)
        self._accumulate({"weight": total})

    def __repr__(self) -> str:
        return f"Embedding({self.num_embeddings}, {self.embedding_dim})"


class Dropout(_Head):
    """In training mode, zeros with probability `p` and the rest times 1 / (1 - p); in eval mode, x itself."""

    def __init__(self, p: float = 0.5, *, seed: Seed = None) -> None:
        p = checks.probability("p", p)
        super().__init__({}, seed)
        self.p = p

    def __call__(self, x: ndarray) -> ndarray:
        """x of any shape, float32 or float64."""
        x = plain("x", x, "numpy array")
        if not self.training:
            return x
        mask = dropout_mask(self._rng, x.shape, self.p, float_dtype(x.dtype))
        return self._recorded(mask, x * mask)

    def backward(self, grad_output: ndarray) -> ndarray:
        """Gradient of x, given that of the result."""
        mask, grad = self._take(grad_output, self.tape[0].dtype if self.tape else np.dtype(np.float32))
        return grad * mask

    def __repr__(self) -> str:
        return f"Dropout({self.p})"
