"""What is measured: sizes and mode of one row, its arithmetic, and the numbers it is run on."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from math import prod
from typing import Any

import numpy as np
from fastlstm_lint.contract import GATES, Layer, sizes

from fastlstm.bench.own_cell import find, is_own
from fastlstm.spec import Stack

MODES = {
    "infer": "forward, nothing kept",
    "train": "forward and backward, gradients of input and parameters",
    "packed": "as train, on a packed batch of unequal lengths",
    "reset": "as train, the state zeroed where an episode starts",
    "cells": "as infer, by a call of LSTMCell, GRUCell or RNNCell for each time step",
    "cells-train": "as cells, and one backward call for the whole loop",
    "model": "a whole training step: Embedding, the layers, Linear, cross entropy, Adam",
}


@dataclass(frozen=True)
class Workload:
    """One row. T time steps, B batch, I input_size, H hidden_size, L layers, D directions, all in float32.

    In mode "model" V is the number of tokens that there are; elsewhere it is 0. cell: LSTM, GRU or RNN, or
    "module:name" of a user's, with N heads where it has them; `same_step`: its step inputs are (B, H), the same at
    every step. weights: "int8" or "float16" where layers are to have such ones; only inference has them.
    """

    name: str
    cell: str
    mode: str
    T: int
    B: int
    I: int
    H: int
    L: int = 1
    D: int = 1
    V: int = 0
    N: int = 1
    same_step: bool = False
    weights: str = ""
    source: str = ""
    assumed: str = ""

    def __post_init__(self) -> None:
        if self.cell not in GATES and not is_own(self.cell):
            raise ValueError(f"{self.name}: cell {self.cell!r} is none of {', '.join(GATES)}, and no module:name")
        if self.mode not in MODES:
            raise ValueError(f"{self.name}: mode {self.mode!r} is none of {', '.join(MODES)}")
        for letter in "TBIHLD":
            if getattr(self, letter) < 1 or (letter == "D" and self.D > 2):
                raise ValueError(f"{self.name}: {letter}={getattr(self, letter)} is out of range")
        if (self.V > 0) != (self.mode == "model"):
            raise ValueError(f"{self.name}: V={self.V}, expected a vocabulary in mode model and 0 elsewhere")
        if self.of_cells and (self.L, self.D) != (1, 1):
            raise ValueError(f"{self.name}: L={self.L}, D={self.D}, expected 1 and 1: a cell is one layer")
        if self.mode == "reset" and self.D != 1:
            raise ValueError(f"{self.name}: an episode has one direction")
        plain = self.mode == "infer" and not is_own(self.cell)
        if self.weights not in ("", "int8", "float16") or (self.weights and not plain):
            raise ValueError(
                f"{self.name}: weights {self.weights!r} in mode {self.mode!r}, expected int8 or float16 in infer, of "
                "LSTM, GRU or RNN"
            )
        if is_own(self.cell) and self.mode not in ("infer", "train"):
            raise ValueError(f"{self.name}: mode {self.mode!r}, expected infer or train for a cell of one's own")

    @property
    def layer(self) -> Layer:
        if is_own(self.cell):
            cell = find(self.cell)
            return Stack(cell.name, self.I, self.H, self.L, bidirectional=self.D == 2, cell=cell, num_heads=self.N)
        return Layer(self.cell, self.I, self.H, self.L, bidirectional=self.D == 2)

    @property
    def training(self) -> bool:
        return self.mode not in ("infer", "cells")

    @property
    def needs_torch(self) -> bool:
        """Whether our NumPy layers alone cannot do it: `fastlstm bench --through torch`."""
        return self.mode in ("model", "cells-train")

    @property
    def of_cells(self) -> bool:
        """Whether each time step is a call."""
        return self.mode in ("cells", "cells-train")

    @property
    def tokens(self) -> int:
        """(time step, sample) pairs that exist."""
        return int(self.lengths().sum()) if self.mode == "packed" else self.T * self.B

    @property
    def flop(self) -> int:
        """Multiplications and additions of the matrix products: a backward pass costs two forward ones."""
        products = sum(size for _, size in self._matrices()) + self.D * self.H * self.V
        return 2 * products * self.tokens * (3 if self.training else 1)

    @property
    def recurrent_bytes(self) -> int:
        """Bytes of the recurrent weights that every time step must read, forward pass, all layers and directions."""
        return sum(4 * size for name, size in self._matrices() if "_hh_" in name)

    def _matrices(self) -> list[tuple[str, int]]:
        """The parameters that are multiplied with vectors, and how many numbers each has."""
        return [(name, prod(sizes(shape))) for name, shape in self.layer.parameters().items() if len(shape) > 1]

    def lengths(self) -> np.ndarray:
        """(B,) lengths of the packed batch, longest first: uniform in T/8 .. T, the longest T itself."""
        lengths = np.random.default_rng(0).integers(-(-self.T // 8), self.T + 1, self.B)
        lengths[0] = self.T
        return np.sort(lengths)[::-1].copy()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def load() -> dict[str, Workload]:
    """The workloads shipped with the package, by name."""
    table = tomllib.loads(files("fastlstm.bench").joinpath("workloads.toml").read_text(encoding="utf-8"))
    rows = [Workload(**row) for row in table["workload"]]
    return {row.name: row for row in rows}


@dataclass(frozen=True)
class Model:
    """What mode "model" has around the layers.

    tokens and targets (T, B) of 0..V-1; embedding (V, I); weight (V, D*H) and bias (V,) of the Linear.
    """

    tokens: np.ndarray
    targets: np.ndarray
    embedding: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Problem:
    """The numbers of one row: the same in every process, since they come from a seed.

    x (T, B, I); states h_0 and c_0 (L*D, B, H), given in inference, zeros in training; grad (T, B, D*H), what arrives
    at output; parameters by torch's names; reset (T, B) bool, True where the state is zeroed before the step;
    lengths (B,). In a packed batch the steps past a length are not used. model: in mode "model" alone, which
    uses neither x nor grad. step: the step inputs of a user's cell, (T, B, H) or (B, H); its states are zeros.
    """

    workload: Workload
    x: np.ndarray
    states: tuple[np.ndarray, ...]
    grad: np.ndarray
    parameters: dict[str, np.ndarray]
    reset: np.ndarray
    lengths: np.ndarray
    model: Model | None = None
    step: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """(time step, sample) of each row of the packed batch, time slowest."""
        steps, samples = np.nonzero(np.arange(self.workload.T)[:, None] < self.lengths)
        return steps, samples

    @property
    def batch_sizes(self) -> np.ndarray:
        """(T,) samples still running at each step of the packed batch."""
        return (np.arange(self.workload.T)[:, None] < self.lengths).sum(1)


def problem(workload: Workload, seed: int = 0) -> Problem:
    """Inputs of ordinary size and weights as torch initialises them, uniform within 1 / sqrt(H)."""
    rng = np.random.default_rng(seed)
    layer, T, B = workload.layer, workload.T, workload.B
    bound = workload.H**-0.5
    parameters = {
        name: rng.uniform(-bound, bound, sizes(shape)).astype(np.float32) for name, shape in layer.parameters().items()
    }
    return Problem(
        workload,
        rng.standard_normal(sizes(layer.input(T, B)), np.float32),
        tuple(rng.standard_normal(sizes(shape), np.float32) for shape in layer.states(B).values()),
        rng.standard_normal(sizes(layer.output(T, B)), np.float32),
        parameters,
        rng.random((T, B)) < 0.02,
        workload.lengths() if workload.mode == "packed" else np.full(B, T),
        _model(workload, rng) if workload.V else None,
        _step_inputs(workload, layer, rng),
    )


def _step_inputs(workload: Workload, layer: Layer, rng: np.random.Generator) -> dict[str, np.ndarray]:
    lead = (workload.B,) if workload.same_step else (workload.T, workload.B)
    names = layer.cell.step if isinstance(layer, Stack) else ()
    return {name: rng.standard_normal((*lead, workload.H), np.float32) for name in names}


def _model(workload: Workload, rng: np.random.Generator) -> Model:
    """Weights as torch initialises them: the embedding normal, the rest uniform within 1 / sqrt(inputs)."""
    V, I, width = workload.V, workload.I, workload.D * workload.H
    bound = width**-0.5
    return Model(
        tokens=rng.integers(V, size=(workload.T, workload.B)),
        targets=rng.integers(V, size=(workload.T, workload.B)),
        embedding=rng.standard_normal((V, I), np.float32),
        weight=rng.uniform(-bound, bound, (V, width)).astype(np.float32),
        bias=rng.uniform(-bound, bound, V).astype(np.float32),
    )
