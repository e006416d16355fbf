"""`quantize` and the layer that it gives."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy import ndarray

from ..errors import one_of, refuse_type
from ..kernels.cards import reason_against
from ..layers import checks
from ..layers.cell import GRUCell, LSTMCell, RNNCell
from ..layers.module import Module
from ..layers.packing import Sequences
from ..layers.recurrent import RecurrentLayer
from ..layers.steps import Steps, check_steps
from ..spec import Cell, Stack
from ..spec.narrow import of_parameter
from .engine import NarrowEngine
from .numbers import MATRICES, WEIGHTS, bare, restored, rounded

_FOR_INFERENCE = "a quantized layer is for inference: train the layer that it was made from, and quantize that again"


def quantize(layer: RecurrentLayer, weights: str = "int8") -> Quantized:
    """A layer for inference that computes nearly the same, from weights of fewer bits.

    layer: LSTM, GRU, RNN, or Recurrent of a cell whose recurrent product is dense; float32, on the CPU. It stays as it
        is.
    weights: "int8": integers with a scale for each row, of W_hh 7 bits and of W_ih 12 in two bytes, and products of
        integers, h rounded to 8 bits and x to 12 as they come. "float16": numbers of 16 bits, and arithmetic in
        float32.

        small = fastlstm.quantize(lstm, weights="int8")
        output, (h_n, c_n) = small(x)

    TypeError for what is no such layer; ValueError for another word, a layer in float64 or on a GPU, a cell with
    another recurrent product, and weights that are NaN or infinite, or in float16 beyond 65504.
    """
    weights = one_of("weights", weights, WEIGHTS)
    if isinstance(layer, Quantized):
        refuse_type("layer", layer, "LSTM, GRU, RNN or Recurrent", "it is quantized already")
    if isinstance(layer, (LSTMCell, GRUCell, RNNCell)):
        refuse_type("layer", layer, "LSTM, GRU, RNN or Recurrent", "a layer called with one step does what a cell does")
    if not isinstance(layer, RecurrentLayer):
        torch_module = hasattr(layer, "named_modules")
        hint = f"for a torch module, fastlstm.torch.accelerate(model, weights={weights!r})" if torch_module else ""
        refuse_type("layer", layer, "LSTM, GRU, RNN or Recurrent", *([hint] if hint else []))
    if layer.dtype != np.float32:
        raise ValueError(
            f"layer is {layer.dtype}: rounded weights are multiplied in float32, make a layer of that dtype"
        )
    if layer.device != "cpu":
        raise ValueError(f"layer is on {layer.device!r}: quantized layers compute on the CPU")
    if isinstance(layer.config, Stack):
        cell = layer.config.cell
        reason = reason_to_keep(cell)
        if reason is not None:
            raise ValueError(f"{cell.name} is not quantized: {reason}")
    return Quantized(layer, weights)


def reason_to_keep(cell: Cell) -> str | None:
    """Why a cell's layers are not quantized, None where they are."""
    reason = reason_against(cell)
    if reason is None and cell.recurrent != "dense":
        return f"its recurrent product is {cell.recurrent!r}, and only dense ones are quantized"
    return reason


class Quantized(RecurrentLayer):
    """A layer for inference with weights of fewer bits, as `fastlstm.quantize` makes it.

    Called as the layer that it was made from. Parameters have that layer's names: matrices are integers, W_hh int8 and
    others int16, each with its scales beside it, weight_ih_l0 (G*H, I) and weight_ih_l0_scale (G*H,), or float16; all
    others are float32.
    `state_dict`, `load_state_dict`, `fastlstm.save` and `load` hold and take just these.
    """

    def __init__(self, layer: RecurrentLayer, weights: str) -> None:
        Module.__init__(self, rounded(layer.state_dict(), weights), None)
        self.config, self.dtype, self.device, self._dropout = layer.config, layer.dtype, "cpu", layer.dropout
        self.training, self.weights, self._title = False, weights, repr(layer)
        self._prepare()

    def _made_engine(self) -> NarrowEngine:
        return NarrowEngine(self.config, self.weights)

    def _prepare(self) -> None:
        super()._prepare()
        config = self.config
        self._several = len(config.state_names)
        self._takes_steps = isinstance(config, Stack) and bool(config.cell.step)

    def __call__(
        self, x: Sequences, state: Any = None, *, reset: ndarray | None = None, step: Any = None,
        all_states: bool = False,
    ) -> tuple[Any, ...]:  # fmt: skip
        """`output, state_n = layer(x, state_0)`; arguments and results as of the layer that this one was made from.

        A row of x or h with NaN or infinity gives NaN. Raises ValueError or TypeError, naming the argument, where one
        is wrong.
        """
        if state is not None and not (type(state) is tuple and len(state) == self._several > 1):
            state = checks.states_of("state", state, self.config)
        if step is None and all_states is False and not self._takes_steps:
            output, final = self._forward(x, state, reset)
            return output, final if self._several > 1 else final[0]
        output, final, *every = self._forward_any(x, state, reset, checks.flag("all_states", all_states), step)
        return output, final if self._several > 1 else final[0], *every

    def _steps(self, step: Any, given: checks.Given) -> Steps | None:
        if not isinstance(self.config, Stack):
            if step is not None:
                raise ValueError(f"step is given, but {self.config.kind} has no step inputs")
            return None
        if given.batch_sizes is not None:
            return check_steps(
                self.config, self.dtype, step, len(given.batch_sizes), int(given.batch_sizes[0]), given.form
            )
        T, B = given.x.shape[1 - self._batch_axis], given.x.shape[self._batch_axis]
        return check_steps(self.config, self.dtype, step, T, None if given.form is not None else B, given.form)

    def dequantized(self) -> dict[str, ndarray]:
        """The state_dict, in float32, of a layer whose weights are exactly these: to see what rounding has changed."""
        return restored(self._parameters)

    def train(self, mode: bool = True) -> Self:
        """Of mode False only. RuntimeError otherwise."""
        if mode:
            raise RuntimeError(_FOR_INFERENCE)
        return super().train(False)

    def backward(self, *_: Any, **__: Any) -> Any:
        """There is none: RuntimeError."""
        raise RuntimeError(_FOR_INFERENCE)

    @staticmethod
    def _checked(name: str, value: Any, mine: ndarray) -> ndarray:
        """`value` as an array of the very dtype, which may be copied into `mine`."""
        if mine.dtype == np.float32:
            return Module._checked(name, value, mine)
        if hasattr(value, "detach"):
            value = value.detach().cpu().numpy()
        value = np.asarray(value)
        if value.dtype != mine.dtype:
            raise ValueError(f"{name} is {value.dtype}, expected {mine.dtype}: the state of a layer quantized alike")
        if value.shape != mine.shape:
            raise ValueError(f"{name} has shape {value.shape}, expected {mine.shape}")
        if np.issubdtype(mine.dtype, np.integer) and bare(name) in MATRICES:
            limit, largest = of_parameter(bare(name)).weights, int(np.abs(value.astype(np.int32)).max(initial=0))
            if largest > limit:  # beyond it a sum of the kernel might saturate
                raise ValueError(f"{name} holds {largest}, expected integers within {limit}")
        return value

    def __repr__(self) -> str:
        return f"quantize({self._title}, weights={self.weights!r})"
