"""The sLSTM cells of tirex-ts 1.4 and xlstm 2.0: gates made outside, the recurrent product in heads.

Letters: B batch, S steps, E embedding (hidden size), N heads, h = E / N, G = 4 gates i f z o.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fastlstm.spec import Cell, Stack, cell
from fastlstm.torch.adopters.base import Adopted, by_reference, waves
from fastlstm.torch.cards import CardRunner, Tensors, as_they_are
from fastlstm.torch.runner import DTYPES


@cell(gates="i f z o", states="h c n m", recurrent="heads", input="none")
def slstm(m, gate, state):
    """As fastlstm.cells.sLSTM."""
    log_f = state.m + m.log_sigmoid(gate.f)
    peak = m.where(state.n == 0, gate.i, m.maximum(gate.i, log_f))
    i, f = m.exp(gate.i - peak), m.exp(m.clip(log_f - peak, high=0.0))
    c, n = f * state.c + i * m.tanh(gate.z), f * state.n + i
    return m.sigmoid(gate.o) * c / n, c, n, peak


@cell(gates="i f z o", states="h c n m", recurrent="heads", input="none")
def bounded_slstm(m, gate, state):
    """The same with f~ below 15."""
    log_f = state.m + m.log_sigmoid(m.minimum(gate.f, 15.0))
    peak = m.where(state.n == 0, gate.i, m.maximum(gate.i, log_f))
    i, f = m.exp(gate.i - peak), m.exp(m.clip(log_f - peak, high=0.0))
    c, n = f * state.c + i * m.tanh(gate.z), f * state.n + i
    return m.sigmoid(gate.o) * c / n, c, n, peak


@cell(gates="i f z o", states="h c", recurrent="heads", input="none")
def lstm(m, gate, state):
    c = m.sigmoid(gate.f) * state.c + m.sigmoid(gate.i) * m.tanh(gate.z)
    return m.sigmoid(gate.o) * m.tanh(c), c


class _HeadsCell(Adopted):
    """A cell whose module holds `_recurrent_kernel_` and `_bias_`, and is called with gates and stacked states."""

    laid_out: Callable[[Tensors], Tensors]

    @classmethod
    def _stack(cls, module: Any) -> Stack:
        raise NotImplementedError

    @classmethod
    def _run(cls, module: Any, runner: CardRunner, input: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Output as the input lies, with E features, and the stacked states."""
        states = () if state is None else tuple(state.unsqueeze(1))
        output, final, _ = runner(input, states, (module._recurrent_kernel_, module._bias_))
        return output, torch.cat(final)

    @classmethod
    def trial(cls, module: Any) -> tuple[Tensors, Tensors]:
        config, weight = cls._stack(module), module._recurrent_kernel_
        if weight.dtype not in DTYPES or not weight.is_cpu:
            return (), ()
        x = waves(2, 3, config.input_size, like=weight)
        runner = by_reference(config, weight.dtype, cls.laid_out)
        output, state = type(module).forward(module, x, None)
        own, final = cls._run(module, runner, x, None)
        return (output, state), (cls._shown(module, own), final)

    @classmethod
    def _shown(cls, module: Any, output: Tensor) -> Tensor:
        """The output in the form in which theirs gives it."""
        raise NotImplementedError

    def _computed(self, input: Any, state: Any) -> Any:
        """What their forward gives; None where it is to say what is wrong, a text where the kernels do not serve."""
        module: Any = self
        config, weights = self._stack(self), (module._recurrent_kernel_, module._bias_)
        if not isinstance(input, Tensor) or not all(isinstance(one, Tensor) for one in weights):
            return None
        given = () if state is None else (state,)
        if input.dim() != 3 or input.shape[2] != config.input_size or not input.numel():
            return None
        B = input.shape[0 if config.batch_first else 1]
        if any(not isinstance(one, Tensor) or one.shape != (len(config.state_names), B, config.hidden_size)
               for one in given):  # fmt: skip
            return None
        reason = self._unfit((input, *given, *weights)) or self._half_begun(config, state)
        if reason is not None:
            return reason
        runner = self._card_runner(config, input.dtype, type(self).laid_out)
        output, final = self._run(self, runner, input, state)
        return self._shown(self, output), final

    def _half_begun(self, config: Stack, state: Tensor | None) -> str | None:
        """Theirs begins anew where all normalisers are zero, the cell here each where it is zero."""
        if state is None or "n" not in config.state_names:
            return None
        zero = state[config.state_names.index("n")] == 0
        return "some normalisers n of the state are zero and some are not" if bool(zero.any() != zero.all()) else None


def from_tirex(weights: Tensors) -> Tensors:
    """(N, h, G*h) and (N*G*h,) as the kernels have them: (N, G*h, h) and (G*E,)."""
    kernel, bias = weights
    N, h, _ = kernel.shape
    return kernel.transpose(1, 2), bias.reshape(N, -1, h).transpose(0, 1).reshape(-1)


class TirexCell(_HeadsCell):
    """tirex-ts's with its backend "torch", whose products and states are in bfloat16; here in the input's dtype."""

    tolerance = 0.05  # bfloat16 has 8 bits
    note = "in float32 where its torch backend takes bfloat16"
    laid_out = staticmethod(from_tirex)

    @classmethod
    def unlike(cls, module: Any) -> str | None:
        if module.backend != "torch":
            return f"its backend is {module.backend!r}, not 'torch'"
        E, N = module.config.embedding_dim, module.config.num_heads
        return _shapes_differ(module, (N, E // N, 4 * (E // N)), 4 * E)

    @classmethod
    def _stack(cls, module: Any) -> Stack:
        E, N = module.config.embedding_dim, module.config.num_heads
        return Stack("sLSTM", 4 * E, E, batch_first=True, cell=bounded_slstm, num_heads=N)

    @classmethod
    def _shown(cls, module: Any, output: Tensor) -> Tensor:
        B, S, _ = output.shape
        return output.view(B, S, module.config.num_heads, -1).transpose(1, 2)

    def forward(self, input: Any, state: Any = None) -> Any:
        """(B, S, 4*E), (4, B, E) or None -> (B, N, S, h), (4, B, E)."""
        found = f"its backend is {self.backend!r}" if self.backend != "torch" else self._computed(input, state)
        return found if isinstance(found, tuple) else self._theirs(found, input, state)


class XlstmCell(_HeadsCell):
    """xlstm's with backend="vanilla"; function "slstm" or "lstm"."""

    laid_out = staticmethod(as_they_are)

    @classmethod
    def unlike(cls, module: Any) -> str | None:
        config = module.config
        if config.function not in _FUNCTIONS:
            return f"its function is {config.function!r}, known are {', '.join(map(repr, _FUNCTIONS))}"
        h = config.hidden_size // config.num_heads
        return _shapes_differ(module, (config.num_heads, 4 * h, h), 4 * config.hidden_size)

    @classmethod
    def _stack(cls, module: Any) -> Stack:
        config = module.config
        first, own = config.input_shape.startswith("B"), _FUNCTIONS[config.function]
        E, N = config.hidden_size, config.num_heads
        return Stack(config.function, 4 * E, E, batch_first=first, cell=own, num_heads=N)

    @classmethod
    def _shown(cls, module: Any, output: Tensor) -> Tensor:
        steps_first = output.transpose(0, 1) if module.config.input_shape.startswith("B") else output
        shown: Tensor = module._permute_output(steps_first)
        return shown

    def forward(self, input: Any, state: Any = None, lengths: Any = None) -> Any:
        """(B, S, 4*E) or (S, B, 4*E), states (4 or 2, B, E) or None -> output as `output_shape` says, states."""
        found = self._computed(input, state)
        return found if isinstance(found, tuple) else self._theirs(found, input, state, lengths)


class XlstmCudaCell(_HeadsCell):
    """xlstm's with backend="cuda", kernels of its own."""

    @classmethod
    def unlike(cls, module: Any) -> str | None:
        return "its backend is 'cuda', not 'vanilla'"


_FUNCTIONS: dict[str, Cell] = {"slstm": slstm, "lstm": lstm}


def _shapes_differ(module: Any, kernel: tuple[int, ...], bias: int) -> str | None:
    """Why the parameters are not those that are known here."""
    for name, due in (("_recurrent_kernel_", kernel), ("_bias_", (bias,))):
        shape = tuple(getattr(module, name).shape)
        if shape != due:
            return f"{name} has shape {shape}, expected {due}"
    return None
