"""The layers step by step from torch's own operators: differentiable any number of times, on any device, with resets.

About a hundred times slower than the kernels: for double backward, and for resets where the kernels cannot serve.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from fastlstm.contract import Layer

States = tuple[Tensor, ...]


def composed(
    config: Layer,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    batch_sizes: Tensor | None = None,
    reset: Tensor | None = None,
    masks: Sequence[Tensor] = (),
) -> tuple[Tensor, States, States]:
    """Output, final states, and the last layer's states after every step, of which the output is the first.

    Arguments as in `Runner.forward`.
    """
    D, named = config.directions, dict(zip(config.parameters(), weights, strict=True))
    if batch_sizes is not None:
        counts = [int(count) for count in batch_sizes]
        rows = list(x.split(counts))
    else:
        rows = list(x.unbind(1 if config.batch_first else 0))
    if not states:
        B = len(rows[0])
        widths = (config.output_size, config.hidden_size)[: len(config.state_names)]
        states = [x.new_zeros(config.num_layers * D, B, width) for width in widths]
    final = []
    every: list[list[States]] = []  # of the layer: by direction, by step
    for layer in range(config.num_layers):
        every = []
        for direction in range(D):
            suffix = f"_l{layer}" + ("_reverse" if direction else "")
            own = {name: named[name + suffix] for name in _NAMES if name + suffix in named}
            state = tuple(given[layer * D + direction] for given in states)
            steps, state = _sequence(config, own, rows, state, reset, bool(direction))
            every.append(steps)
            final.append(state)
        rows = [_beside([after[0] for after in step]) for step in zip(*every, strict=True)]
        if masks and layer < config.num_layers - 1:
            mask = masks[layer]
            pieces = mask.split(counts) if batch_sizes is not None else mask.unbind(1 if config.batch_first else 0)
            rows = [row * piece for row, piece in zip(rows, pieces, strict=True)]

    def joined(rows: list[Tensor]) -> Tensor:
        return torch.cat(rows) if batch_sizes is not None else torch.stack(rows, 1 if config.batch_first else 0)

    output = joined(rows)
    others = (
        joined([_beside([after[number] for after in step]) for step in zip(*every, strict=True)])
        for number in range(1, len(config.state_names))
    )
    return output, tuple(torch.stack(state) for state in zip(*final, strict=True)), (output, *others)


def _beside(parts: list[Tensor]) -> Tensor:
    """Both directions' features side by side, or the one direction's."""
    return torch.cat(parts, -1) if len(parts) == 2 else parts[0]


_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def _sequence(
    config: Layer, own: dict[str, Tensor], rows: Sequence[Tensor], state: States, reset: Tensor | None, backwards: bool
) -> tuple[list[States], States]:
    """One layer and direction: the states after every step, in the order of time, and the final: (B, P), (B, H)."""
    steps: list[States] = [state] * len(rows)
    for t in reversed(range(len(rows))) if backwards else range(len(rows)):
        b = len(rows[t])  # in packed data sequences end, or, backwards, join
        before = tuple(part[:b] for part in state)
        boundary = t + 1 if backwards else t  # no state passes between steps boundary - 1 and boundary
        if reset is not None and boundary < len(rows):
            fresh = reset.new_zeros(b, 1)
            alive = min(b, len(rows[boundary]))
            fresh[:alive, 0] = reset[boundary, :alive]
            before = tuple(torch.where(fresh, part.new_zeros(()), part) for part in before)
        after = _step(config, own, rows[t], before)
        steps[t] = after
        state = tuple(torch.cat([new, old[b:]]) if b < len(old) else new for new, old in zip(after, state, strict=True))
    return steps, state


def step_by_torch(config: Layer, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]) -> States:
    """One time step of a single layer: the states after it. x: (B, I). states: (B, H) each, none for zeros."""
    own = dict(zip(_NAMES, weights, strict=False))
    states = states or [x.new_zeros(len(x), config.hidden_size) for _ in config.state_names]
    return _step(config, own, x, tuple(states))


def _step(config: Layer, own: dict[str, Tensor], x: Tensor, state: States) -> States:
    """One time step: x (B, I), state (B, P) and (B, H)."""
    h = state[0]
    from_x = linear(x, own["weight_ih"], own.get("bias_ih"))
    from_h = linear(h, own["weight_hh"], own.get("bias_hh"))
    if config.kind == "LSTM":
        i, f, g, o = (from_x + from_h).chunk(4, -1)
        c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return (linear(h, own["weight_hr"]) if config.projected else h), c
    if config.kind == "GRU":
        (x_r, x_z, x_n), (h_r, h_z, h_n) = from_x.chunk(3, -1), from_h.chunk(3, -1)
        z, n = (x_z + h_z).sigmoid(), (x_n + (x_r + h_r).sigmoid() * h_n).tanh()
        return (n + z * (h - n),)
    total = from_x + from_h
    return (total.relu() if config.nonlinearity == "relu" else total.tanh(),)
