"""SGD, Adam and the clipping of gradients, for any number of modules at once.

optimiser = Adam([lstm, head], lr=2e-3)
...                      # forward, loss, backward
clip_grad_norm([lstm, head], 1.0)
optimiser.step()
optimiser.zero_grad()
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy import ndarray

from ..errors import refuse_type
from .module import Module


def _modules(modules: Iterable[Module] | Module) -> list[Module]:
    if not isinstance(modules, Iterable | Module):
        refuse_type("modules", modules, "layer or list of layers")
    found = [modules] if isinstance(modules, Module) else list(modules)
    for module in found:
        if not isinstance(module, Module):
            refuse_type("modules", modules if isinstance(modules, Mapping) else module, "layer or list of layers",
                        "pass the layers themselves; their gradients are found")  # fmt: skip
    return found


def _at_least_zero(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        refuse_type(name, value, "float")
    if not float(value) >= 0:
        raise ValueError(f"{name} is {value}, expected 0 or more")
    return float(value)


class Optimiser:
    """The walk over all parameters that have a gradient; `lr` may be changed at any time."""

    def __init__(self, modules: Iterable[Module] | Module, lr: float, weight_decay: float) -> None:
        self.modules = _modules(modules)
        if not self.modules:
            hint = ": it is a mapping, such as lstm.grad; pass the layers themselves" * isinstance(modules, Mapping)
            raise ValueError(f"modules are empty, expected a layer or a list of layers{hint}")
        self.lr = _at_least_zero("lr", lr)
        self.weight_decay = _at_least_zero("weight_decay", weight_decay)
        self._moments: dict[tuple[int, str], tuple[ndarray, ...]] = {}

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        raise NotImplementedError

    def zero_grad(self) -> None:
        """Forget the gradients of all modules."""
        for module in self.modules:
            module.zero_grad()

    def _parameters(self) -> Iterator[tuple[tuple[int, str], ndarray, ndarray]]:
        """A key, the parameter to write into, and its gradient."""
        for number, module in enumerate(self.modules):
            if module.grad:
                parameters = module._edit()
                for name, grad in module.grad.items():
                    yield (number, name), parameters[name], grad


class SGD(Optimiser):
    """v = momentum * v + g, then p -= lr * v, with g = gradient + weight_decay * p: torch.optim.SGD."""

    def __init__(self, modules: Iterable[Module] | Module, lr: float = 1e-3, momentum: float = 0.0,
                 weight_decay: float = 0.0) -> None:  # fmt: skip
        super().__init__(modules, lr, weight_decay)
        self.momentum = _at_least_zero("momentum", momentum)

    def step(self) -> None:
        for key, parameter, grad in self._parameters():
            change = grad + self.weight_decay * parameter if self.weight_decay else grad
            if self.momentum:
                (velocity,) = self._moments.setdefault(key, (np.zeros_like(parameter),))
                velocity *= self.momentum
                velocity += change
                change = velocity
            parameter -= self.lr * change


class Adam(Optimiser):
    """Kingma and Ba 2015, algorithm 1, with torch's defaults.

    `weight_decay` is added to the gradient, as in torch.optim.Adam, or with `decoupled` taken off the parameter by
    itself, as in torch.optim.AdamW (Loshchilov and Hutter 2019).
    """

    def __init__(self, modules: Iterable[Module] | Module, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, *, decoupled: bool = False) -> None:  # fmt: skip
        super().__init__(modules, lr, weight_decay)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas are {betas}, expected 0 or more and below 1")
        self.betas, self.eps, self.decoupled = betas, _at_least_zero("eps", eps), decoupled
        self._steps: dict[tuple[int, str], int] = {}

    def step(self) -> None:
        beta_1, beta_2 = self.betas
        for key, parameter, grad in self._parameters():
            t = self._steps[key] = self._steps.get(key, 0) + 1
            if self.weight_decay and self.decoupled:
                parameter *= 1 - self.lr * self.weight_decay
            elif self.weight_decay:
                grad = grad + self.weight_decay * parameter
            mean, square = self._moments.setdefault(key, (np.zeros_like(parameter), np.zeros_like(parameter)))
            mean += (1 - beta_1) * (grad - mean)
            square += (1 - beta_2) * (grad**2 - square)
            root = np.sqrt(square) / math.sqrt(1 - beta_2**t) + self.eps
            parameter -= self.lr / (1 - beta_1**t) * mean / root


def clip_grad_norm(modules: Iterable[Module] | Module, max_norm: float) -> float:
    """Scales all gradients together so that their Euclidean norm is at most `max_norm`; returns the norm before."""
    limit, grads = _at_least_zero("max_norm", max_norm), [g for m in _modules(modules) for g in m.grad.values()]
    norm = math.sqrt(sum(float(np.vdot(grad, grad)) for grad in grads))
    scale = limit / (norm + 1e-6)  # torch's guard against division by zero
    if scale < 1:
        for grad in grads:
            grad *= scale
    return norm
