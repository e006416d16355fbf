"""Small modules with the class names, attributes and equations of other libraries' recurrent modules, in our own words.

What `fastlstm.torch.adopters` relies on is all that they have. B batch, S steps, E units, N heads.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

E, N, H, I = 6, 2, 5, 3


def named(module: str, name: str) -> Any:
    """The class is found in `module` by this name, as far as its attributes tell."""

    def change(cls: type) -> type:
        cls.__module__, cls.__qualname__, cls.__name__ = module, name, name
        return cls

    return change


def draw(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape, dtype=torch.float64))


def heads(rows: Tensor, states: list[Tensor], products: Any, bias: Tensor, stabilised: Any) -> tuple[Tensor, Tensor]:
    """Output (S, B, E) and final states (4, B, E) of an sLSTM. rows: (S, B, 4, E), gates i f z o."""
    h, c, n, m = states
    output = []
    for row in rows:
        i, f, z, o = (row + products(h) + bias.view(4, -1)).unbind(1)
        log_f = m + stabilised(f)
        m = i if bool((n == 0).all()) else torch.maximum(i, log_f)
        keep, enter = (log_f - m).exp(), (i - m).exp()
        c, n = keep * c + enter * z.tanh(), keep * n + enter
        h = o.sigmoid() * c / n
        output.append(h)
    return torch.stack(output), torch.stack([h, c, n, m])


@named("tirex.models.slstm.cell", "sLSTMCell")
class Tirex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config, self.backend = SimpleNamespace(embedding_dim=E, num_heads=N), "torch"
        self._recurrent_kernel_, self._bias_ = draw(N, E // N, 4 * E // N), draw(4 * E)

    def forward(self, input: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        B, S, _ = input.shape
        kernel = self._recurrent_kernel_.view(N, E // N, 4, E // N)

        def products(h: Tensor) -> Tensor:
            return torch.einsum("bnj,njgk->bgnk", h.view(B, N, -1), kernel).reshape(B, 4, E)

        bias = self._bias_.view(N, 4, -1).transpose(0, 1).reshape(-1)
        states = list(input.new_zeros(4, B, E) if state is None else state)
        rows = input.view(B, S, 4, E).transpose(0, 1)
        output, final = heads(rows, states, products, bias, lambda f: nn.functional.logsigmoid(f.clamp(max=15)))
        return output.view(S, B, N, -1).permute(1, 2, 0, 3), final


@named("xlstm.blocks.slstm.cell", "sLSTMCell_vanilla")
class Xlstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(hidden_size=E, num_heads=N, function="slstm", input_shape="BSGNH")
        self._recurrent_kernel_, self._bias_ = draw(N, 4 * E // N, E // N), draw(4 * E)
        self.view_of_itself = SimpleNamespace(parent=self)

    def _permute_output(self, output: Tensor) -> Tensor:
        return output.permute(1, 0, 2)

    def forward(self, input: Tensor, state: Tensor | None = None, lengths: Any = None) -> tuple[Tensor, Tensor]:
        B, S, _ = input.shape
        kernel = self._recurrent_kernel_.view(N, 4, E // N, E // N)

        def products(h: Tensor) -> Tensor:
            return torch.einsum("bnj,ngkj->bgnk", h.view(B, N, -1), kernel).reshape(B, 4, E)

        states = list(input.new_zeros(4, B, E) if state is None else state)
        rows = input.view(B, S, 4, E).transpose(0, 1)
        output, final = heads(rows, states, products, self._bias_, nn.functional.logsigmoid)
        return self._permute_output(output), final


@named("xlstm.blocks.slstm.cell", "sLSTMCell_cuda")
class XlstmCuda(Xlstm):
    pass


class Embedding(nn.Module):
    def forward(self, data: dict[str, Tensor], concatenate_output: bool) -> Any:
        x, static = data["x"].transpose(0, 1), data["static"]
        return torch.cat([x, static.expand(len(x), -1, -1)], -1) if concatenate_output else (x, static)


class Head(nn.Linear):
    def forward(self, h: Tensor) -> dict[str, Tensor]:
        return {"y_hat": super().forward(h)}


class Gates(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight_ih, self.weight_hh, self.bias = draw(I, 3 * H), draw(H, 3 * H), draw(3 * H)


@named("neuralhydrology.modelzoo.ealstm", "EALSTM")
class EntityAware(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self._hidden_size, self.embedding_net, self.dropout = H, Embedding(), nn.Dropout(0)
        self.input_gate, self.head = nn.Linear(2, H, dtype=torch.float64), Head(H, 1, dtype=torch.float64)
        self.dynamic_gates = Gates()

    def _cell(self, x: Tensor, i: Tensor, states: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        own = self.dynamic_gates
        f, o, g = (x @ own.weight_ih + states[0] @ own.weight_hh + own.bias).chunk(3, 1)
        c = f.sigmoid() * states[1] + i * g.tanh()
        return o.sigmoid() * c.tanh(), c

    def forward(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        x, static = self.embedding_net(data, concatenate_output=False)
        states, every = (x.new_zeros(x.shape[1], H),) * 2, []
        for row in x:
            states = self._cell(row, self.input_gate(static).sigmoid(), states)
            every.append(states)
        h, c = (torch.stack(values, 1) for values in zip(*every, strict=True))
        return {"h_n": h, "c_n": c} | self.head(self.dropout(h))


class LSTMStep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w_ih, self.w_hh, self.b_ih, self.b_hh = draw(4 * H, I + 2), draw(4 * H, H), draw(4 * H), draw(4 * H)

    def forward(self, x_t: Tensor, h_0: Tensor, c_0: Tensor) -> dict[str, Tensor]:
        i, f, g, o = (x_t @ self.w_ih.T + self.b_ih + h_0 @ self.w_hh.T + self.b_hh).chunk(4, 1)
        c = f.sigmoid() * c_0 + i.sigmoid() * g.tanh()
        return {"h_n": o.sigmoid() * c.tanh(), "c_n": c, "i": i, "f": f, "g": g, "o": o}


@named("neuralhydrology.modelzoo.customlstm", "CustomLSTM")
class Custom(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self._hidden_size, self.embedding_net, self.dropout = H, Embedding(), nn.Dropout(0)
        self.cell, self.head = LSTMStep(), Head(H, 1, dtype=torch.float64)

    def forward(self, data: dict[str, Tensor], h_0: Any = None, c_0: Any = None) -> dict[str, Tensor]:
        x = self.embedding_net(data, concatenate_output=True)
        h, c = (x.new_zeros(x.shape[1], H) if state is None else state for state in (h_0, c_0))
        every = []
        for row in x:
            every.append(self.cell(x_t=row, h_0=h, c_0=c))
            h, c = every[-1]["h_n"], every[-1]["c_n"]
        found = {name: torch.stack([one[name] for one in every], 1) for name in every[0]}
        return found | self.head(self.dropout(found["h_n"]))


def arguments(cls: type, given: bool) -> tuple[Any, ...]:
    """Of a call: with states where `given`, as far as the class takes them."""
    B, S = 3, 4
    if cls in (Tirex, Xlstm):
        state = torch.rand(4, B, E, dtype=torch.float64) + 0.1
        return torch.randn(B, S, 4 * E, dtype=torch.float64), state if given else None
    data = {"x": torch.randn(B, S, I, dtype=torch.float64), "static": torch.randn(B, 2, dtype=torch.float64)}
    states = tuple(torch.randn(B, H, dtype=torch.float64) for _ in range(2)) if given and cls is Custom else ()
    return (data, *states)
