"""neuralhydrology's EALSTM and CustomLSTM: whole models, of which the loop over days is replaced.

Letters: T days, B basins, I inputs, H units.
"""

from __future__ import annotations

from typing import Any

import torch
from fastlstm_lint.contract import Layer
from torch import Tensor
from torch.nn.functional import linear

from fastlstm.spec import INFERENCE, Call, Stack, cell
from fastlstm.torch.adopters.base import Adopted, by_reference, hooks_of, waves
from fastlstm.torch.cards import Tensors
from fastlstm.torch.composed import composed
from fastlstm.torch.module import computed
from fastlstm.torch.runner import DTYPES


@cell(gates="f o g", states="h c", step="i")
def entity_aware(m, gate, state, step):
    """As fastlstm.cells.EALSTM, its input gate computed once, outside."""
    c = m.sigmoid(gate.f) * state.c + step.i * m.tanh(gate.g)
    return m.sigmoid(gate.o) * m.tanh(c), c


def from_dynamic_gates(weights: Tensors) -> Tensors:
    """(I, 3*H), (H, 3*H) and one bias (3*H,), as the kernels have them: transposed, and a second bias of zeros."""
    of_x, of_h, bias = weights
    return of_x.t(), of_h.t(), bias, torch.zeros_like(bias)


class EntityAware(Adopted):
    """EALSTM."""

    dynamic_gates: torch.nn.Module
    embedding_net: torch.nn.Module
    input_gate: torch.nn.Module
    dropout: torch.nn.Module
    head: torch.nn.Module

    @classmethod
    def unlike(cls, module: Any) -> str | None:
        gates, H = module.dynamic_gates, module._hidden_size
        I = len(gates.weight_ih)
        for name, due in (("weight_ih", (I, 3 * H)), ("weight_hh", (H, 3 * H)), ("bias", (3 * H,))):
            shape = tuple(getattr(gates, name).shape)
            if shape != due:
                return f"dynamic_gates.{name} has shape {shape}, expected {due}"
        return hooks_of(gates)

    @classmethod
    def trial(cls, module: Any) -> tuple[Tensors, Tensors]:
        gates, H = module.dynamic_gates, module._hidden_size
        like = gates.weight_ih
        if like.dtype not in DTYPES or not like.is_cpu:
            return (), ()
        x, i = waves(3, 2, len(like), like=like), waves(3, H, like=like).sigmoid()
        state = x.new_zeros(3, H), x.new_zeros(3, H)
        due: list[Tensor] = []
        for row in x.unbind(1):
            state = module._cell(row, i, state)
            due += state
        runner = by_reference(cls._stack(module), like.dtype, from_dynamic_gates)
        _, _, (h, c) = runner(x, (), cls._weights(module), Call(step={"i": i}, all_states=True))
        return due, [h[:, 0], c[:, 0], h[:, 1], c[:, 1]]

    @classmethod
    def _stack(cls, module: Any) -> Stack:
        I, H = len(module.dynamic_gates.weight_ih), module._hidden_size
        return Stack("EALSTM", I, H, batch_first=True, cell=entity_aware)

    @classmethod
    def _weights(cls, module: Any) -> tuple[Tensor, Tensor, Tensor]:
        gates = module.dynamic_gates
        return gates.weight_ih, gates.weight_hh, gates.bias

    def forward(self, data: Any) -> dict[str, Tensor]:
        """Predictions, and h_n and c_n of every day, (B, T, H)."""
        weights = self._weights(self)
        reason = hooks_of(self.dynamic_gates) or self._unfit(weights)
        if reason is not None:
            return self._theirs(reason, data)
        x, static = self.embedding_net(data, concatenate_output=False)
        if static is None:
            return self._theirs(None, data)  # which says what is missing
        i = torch.sigmoid(self.input_gate(static))
        reason = self._unfit((*weights, x, i))
        if reason is not None:
            return self._theirs(reason, data)
        runner = self._card_runner(self._stack(self), x.dtype, from_dynamic_gates)
        _, _, (h, c) = runner(x.transpose(0, 1), (), weights, Call(step={"i": i}, all_states=True))
        return {"h_n": h, "c_n": c, **self.head(self.dropout(h))}


class Custom(Adopted):
    """CustomLSTM: torch's LSTM by other names, which also gives every gate's input."""

    cell: torch.nn.Module
    embedding_net: torch.nn.Module
    dropout: torch.nn.Module
    head: torch.nn.Module

    @classmethod
    def unlike(cls, module: Any) -> str | None:
        inner, H = module.cell, module._hidden_size
        I = inner.w_ih.shape[1]
        for name, due in (("w_ih", (4 * H, I)), ("w_hh", (4 * H, H)), ("b_ih", (4 * H,)), ("b_hh", (4 * H,))):
            shape = tuple(getattr(inner, name).shape)
            if shape != due:
                return f"cell.{name} has shape {shape}, expected {due}"
        return hooks_of(inner)

    @classmethod
    def trial(cls, module: Any) -> tuple[Tensors, Tensors]:
        H, like = module._hidden_size, module.cell.w_ih
        if like.dtype not in DTYPES or not like.is_cpu:
            return (), ()
        x, h, c = waves(3, like.shape[1], like=like), waves(3, H, like=like).sin(), waves(3, H, like=like)
        due = module.cell.forward(x_t=x, h_0=h, c_0=c)
        weights = cls._weights(module)
        _, _, every = composed(cls._layer(module), x[:, None], (h[None], c[None]), weights, INFERENCE)
        found = [*(value[:, 0] for value in every), *_gates(x, h, weights)]
        return [due[name] for name in ("h_n", "c_n", "i", "f", "g", "o")], found

    @classmethod
    def _layer(cls, module: Any) -> Layer:
        return Layer("LSTM", module.cell.w_ih.shape[1], module._hidden_size, batch_first=True)

    @classmethod
    def _weights(cls, module: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        inner = module.cell
        return inner.w_ih, inner.w_hh, inner.b_ih, inner.b_hh

    def forward(self, data: Any, h_0: Tensor | None = None, c_0: Tensor | None = None) -> dict[str, Tensor]:
        """Predictions, and h_n, c_n and the gates' inputs i, f, g, o of every day, (B, T, H)."""
        weights = self._weights(self)
        given = [state for state in (h_0, c_0) if state is not None]
        reason = hooks_of(self.cell) or self._unfit((*weights, *given))
        if reason is not None:
            return self._theirs(reason, data, h_0, c_0)
        x = self.embedding_net(data, concatenate_output=True).transpose(0, 1)
        config = self._layer(self)
        due = (len(x), config.hidden_size)
        reason = self._unfit((*weights, x))
        if reason is not None or any(state.shape != due for state in given):
            return self._theirs(reason, data, h_0, c_0)
        h, c = (x.new_zeros(due) if state is None else state for state in (h_0, c_0))
        runner = self._runner(config, x.dtype)
        output, (_, _, cells) = computed(runner, x, (h[None], c[None]), weights, Call(all_states=True))
        gates = _gates(x, torch.cat([h[:, None], output[:, :-1]], 1), weights)
        found = dict(zip(("h_n", "c_n", "i", "f", "g", "o"), (output, cells, *gates), strict=True))
        return found | self.head(self.dropout(output))


def _gates(x: Tensor, h: Tensor, weights: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What enters the gates i, f, g, o, from inputs and the states before: (..., H) each, parts of one tensor."""
    of_x, of_h, bias_x, bias_h = weights
    return linear(torch.cat([x, h], -1), torch.cat([of_x, of_h], 1), bias_x + bias_h).chunk(4, -1)
