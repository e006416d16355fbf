"""Layers of a cell with heads: every head is a small dense layer by itself, which reads the same input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fastlstm.engine.engine import Engine, Saved
from fastlstm.spec import Stack

Arrays = Mapping[str, np.ndarray]
States = tuple[np.ndarray, ...]


class HeadsSaved(NamedTuple):
    """What a forward in training mode keeps: of each layer, of each head."""

    layers: list[list[Saved]]
    masks: Sequence[np.ndarray]
    step: Arrays


class HeadsEngine:
    """N engines for each layer, with the interface of `fastlstm.reference.Reference`. N heads, D directions."""

    def __init__(self, config: Stack, dtype: Any) -> None:
        self.config, self.dtype = config, np.dtype(dtype)
        self._heads = config.num_heads
        self._width = config.hidden_size // config.num_heads
        one = replace(config, num_layers=1, num_heads=1, hidden_size=self._width)
        self._engines = []
        for layer in range(config.num_layers):
            outside = config.cell.input == "none"
            size = len(config.gates) * self._width if outside else config.layer_input_size(layer)
            self._engines.append([Engine(replace(one, input_size=size), dtype) for _ in range(self._heads)])
        self._parameters: list[list[dict[str, np.ndarray]]] = []
        self._version: Any = None

    def forward(
        self,
        parameters: Arrays,
        version: Any,
        x: np.ndarray,
        states: States | None,
        *,
        train: bool,
        batch_sizes: np.ndarray | None = None,
        reset: np.ndarray | None = None,
        masks: Sequence[np.ndarray] | None = None,
        step: Arrays | None = None,
        all_states: bool = False,
        threads: int | None = None,
    ) -> tuple[Any, ...]:
        """Output, final states, what `backward` needs, and with `all_states` those of every step, as one engine's."""
        D, L, step, masks = self.config.directions, self.config.num_layers, step or {}, masks or ()
        weights = self._of_heads(parameters, version)
        saved = HeadsSaved([], masks, step)
        finals, every = [], []
        for layer, engines in enumerate(self._engines):
            whole = all_states and layer == L - 1
            results = [
                engine.forward(
                    weights[layer][head], version, self._input(x, head), self._states(states, layer, head), train=train,
                    batch_sizes=batch_sizes, reset=reset, step=self._steps(step, head), all_states=whole,
                    threads=threads,
                )
                for head, engine in enumerate(engines)
            ]  # fmt: skip
            x = self._joined([result[0] for result in results], D)
            if whole:
                every = [self._joined(list(parts), D) for parts in zip(*(r[3] for r in results), strict=True)]
            if layer < len(masks):
                x = x * masks[layer]
            finals.append([np.concatenate(parts, axis=2) for parts in zip(*(r[1] for r in results), strict=True)])
            saved.layers.append([result[2] for result in results])
        final = tuple(np.concatenate(parts) for parts in zip(*finals, strict=True))
        result = x, final, saved if train else None
        return (*result, tuple(every)) if all_states else result

    def backward(
        self,
        parameters: Arrays,
        version: Any,
        saved: HeadsSaved,
        grad_output: np.ndarray | None,
        grad_states: tuple[np.ndarray | None, ...],
        grad_all_states: tuple[np.ndarray | None, ...] | None = None,
        wants_x: bool = True,
    ) -> tuple[Any, ...]:
        """Gradients of x, wanted or not, of the initial states, of the parameters and of the step inputs. Consumes
        `saved`."""
        weights, D = self._of_heads(parameters, version), self.config.directions
        grads = {name: np.empty_like(value) for name, value in parameters.items()}
        d_step = {name: np.zeros_like(value) for name, value in saved.step.items()}
        d_initial: list[list[np.ndarray]] = []
        d_x: Any = grad_output
        for layer in reversed(range(self.config.num_layers)):
            if layer < len(saved.masks):
                d_x = d_x * saved.masks[layer]
            results = []
            for head, engine in enumerate(self._engines[layer]):
                every = None
                if grad_all_states is not None and layer == self.config.num_layers - 1:
                    every = tuple(None if g is None else self._split(g, head, D) for g in grad_all_states)
                d_states = tuple(
                    None if g is None else self._split(g[layer * D : (layer + 1) * D], head, 1) for g in grad_states
                )
                d_output = None if d_x is None else self._split(d_x, head, D)
                kept = saved.layers[layer][head]
                results.append(engine.backward(weights[layer][head], version, kept, d_output, d_states, every))
                self._put(grads, layer, head, results[-1][2])
                if saved.step:
                    for name, gradient in results[-1][3].items():
                        target = d_step[name]
                        if gradient.shape[-1] < target.shape[-1]:
                            target = target[..., head * self._width : (head + 1) * self._width]
                        target += gradient
            if self.config.cell.input == "none":
                parts = [result[0].reshape(*result[0].shape[:-1], -1, 1, self._width) for result in results]
                d_x = np.concatenate(parts, axis=-2).reshape(*results[0][0].shape[:-1], -1)
            else:
                d_x = np.add.reduce([result[0] for result in results])
            d_initial.insert(0, [np.concatenate(parts, axis=2) for parts in zip(*(r[1] for r in results), strict=True)])
        initial = tuple(np.concatenate(parts) for parts in zip(*d_initial, strict=True))
        return (d_x, initial, grads, d_step) if saved.step else (d_x, initial, grads)

    def _input(self, x: np.ndarray, head: int) -> np.ndarray:
        """x, or the head's gates of it: (..., G, N, H/N)."""
        if self.config.cell.input == "dense":
            return x
        parts = x.reshape(*x.shape[:-1], -1, self._heads, self._width)
        return np.ascontiguousarray(parts[..., head, :]).reshape(*x.shape[:-1], -1)

    def _states(self, states: States | None, layer: int, head: int) -> States | None:
        D = self.config.directions
        return None if states is None else tuple(self._split(s[layer * D : (layer + 1) * D], head, 1) for s in states)

    def _steps(self, step: Arrays, head: int) -> dict[str, np.ndarray]:
        H = self.config.hidden_size
        return {n: self._split(v, head, 1) if v.shape[-1] == H > 1 else v for n, v in step.items()}

    def _split(self, array: np.ndarray, head: int, directions: int) -> np.ndarray:
        """The head's features of an array (..., directions * H)."""
        parts = array.reshape(*array.shape[:-1], directions, self._heads, self._width)
        return np.ascontiguousarray(parts[..., head, :]).reshape(*array.shape[:-1], -1)

    def _joined(self, parts: list[np.ndarray], directions: int) -> np.ndarray:
        """The inverse of `_split`."""
        shape = parts[0].shape[:-1]
        apart = [part.reshape(*shape, directions, 1, self._width) for part in parts]
        return np.concatenate(apart, axis=-2).reshape(*shape, -1)

    def _of_heads(self, parameters: Arrays, version: Any) -> list[list[dict[str, np.ndarray]]]:
        """The parameters of each layer's heads, by the names of a stack of one layer."""
        if self._version != version or not self._parameters:
            self._parameters = [
                [
                    {
                        f"{name}_l0{tail}": self._part(name, value, head)
                        for name, tail, value in self._named(parameters, n)
                    }
                    for head in range(self._heads)
                ]
                for n in range(self.config.num_layers)
            ]
            self._version = version
        return self._parameters

    def _named(self, arrays: Arrays, layer: int) -> list[tuple[str, str, np.ndarray]]:
        """(name, "" or "_reverse", array) of a layer's parameters."""
        found = []
        for name, value in arrays.items():
            bare, _, tail = name.rpartition(f"_l{layer}")
            if bare and tail in ("", "_reverse"):
                found.append((bare, tail, value))
        return found

    def _view(self, name: str, value: np.ndarray, head: int) -> np.ndarray:
        """The head's part of a parameter: (H/N,), (G, H/N), (G, H/N, I) or (1, G*H/N, H/N)."""
        N, width = self._heads, self._width
        if name == "weight_hh":
            return value[head : head + 1]
        if name in self.config.cell.unit:
            return value.reshape(N, width)[head]
        return value.reshape(len(self.config.gates), N, width, *value.shape[1:])[:, head]

    def _part(self, name: str, value: np.ndarray, head: int) -> np.ndarray:
        view = np.ascontiguousarray(self._view(name, value, head))
        if name == "weight_hh" or name in self.config.cell.unit:
            return view
        return view.reshape(len(self.config.gates) * self._width, *value.shape[1:])

    def _put(self, grads: Arrays, layer: int, head: int, found: Arrays) -> None:
        """The gradients of a head into those of the whole parameters."""
        for name, tail, value in self._named(grads, layer):
            target = self._view(name, value, head)
            target[...] = found[f"{name}_l0{tail}"].reshape(target.shape)


def engine_of(config: Stack, dtype: Any) -> Engine | HeadsEngine:
    """The kernels for a cell that they serve."""
    heads = config.cell.recurrent == "heads" and config.num_heads > 1
    return HeadsEngine(config, dtype) if heads else Engine(config, dtype)
