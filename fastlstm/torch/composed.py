"""The layers step by step from torch's own operators: differentiable any number of times, on any device, with resets.

About a hundred times slower than the kernels: for double backward, for resets where the kernels cannot serve, and for
users' cells away from the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from fastlstm_lint.contract import Layer, sizes
from torch import Tensor
from torch.nn.functional import linear

from fastlstm.cells import CELLS
from fastlstm.spec import Call, Stack
from fastlstm.torch.own_step import own_step

States = tuple[Tensor, ...]


def composed(
    config: Layer,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Sequence[Tensor],
    call: Call,
) -> tuple[Tensor, States, States]:
    """Output, final states, and the last layer's states after every step, of which the output is the first.

    Arguments as in `Runner.forward`.
    """
    batch_sizes, reset, masks = call.batch_sizes, call.reset, call.masks
    D, named = config.directions, dict(zip(config.parameters(), weights, strict=True))
    if batch_sizes is not None:
        counts = [int(count) for count in batch_sizes]
        rows = list(x.split(counts))
    else:
        rows = list(x.unbind(1 if config.batch_first else 0))
    if not states:
        B = len(rows[0])
        states = [x.new_zeros(sizes(shape)) for shape in config.states(B).values()]
    pieces = counts if batch_sizes is not None else None
    each = {name: _each_step(config, value, rows, pieces) for name, value in (call.step or {}).items()}
    extras = [{name: values[t] for name, values in each.items()} for t in range(len(rows))]
    final = []
    every: list[list[States]] = []  # of the layer: by direction, by step
    for layer in range(config.num_layers):
        every = []
        for _, direction, suffix in config.parts_of(layer):
            own = {name.removesuffix(suffix): value for name, value in named.items() if name.endswith(suffix)}
            state = tuple(given[layer * D + direction] for given in states)
            steps, state = _sequence(_stepped(config, own), rows, state, reset, bool(direction), extras)
            every.append(steps)
            final.append(state)
        rows = [_beside([after[0] for after in step]) for step in zip(*every, strict=True)]
        if masks and layer < config.num_layers - 1:
            mask = masks[layer]
            parts = mask.split(counts) if batch_sizes is not None else mask.unbind(1 if config.batch_first else 0)
            rows = [row * part for row, part in zip(rows, parts, strict=True)]

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


def _each_step(config: Layer, value: Tensor, rows: list[Tensor], pieces: list[int] | None) -> Sequence[Tensor]:
    """A step input of each step; one for all steps, (B, H or 1), has as many samples of it as the step has."""
    if pieces is not None and len(value) == sum(pieces):
        return value.split(pieces)
    if value.ndim == 2:
        return [value[: len(row)] for row in rows]
    return value.unbind(1 if config.batch_first else 0)


def _stepped(config: Layer, own: dict[str, Tensor]) -> Callable[[Tensor, States, Mapping[str, Tensor]], States]:
    """One time step of one layer and direction: (x (B, I), states, step inputs) -> states."""
    if not isinstance(config, Stack):
        return lambda x, state, extra: _step(config, own, x, state)
    step, G = own_step(config, own), len(config.gates)

    def stepped(x: Tensor, state: States, extra: Mapping[str, Tensor]) -> States:
        inputs = x if config.cell.input == "none" else linear(x, own["weight_ih"], own.get("bias_ih"))
        new = step(inputs.unflatten(1, (G, -1)), state, extra)
        return tuple(v.expand_as(state[0]) if isinstance(v, Tensor) else torch.full_like(state[0], v) for v in new)

    return stepped


def _sequence(
    step: Callable[[Tensor, States, Mapping[str, Tensor]], States],
    rows: Sequence[Tensor],
    state: States,
    reset: Tensor | None,
    backwards: bool,
    extras: Sequence[Mapping[str, Tensor]],
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
        after = step(rows[t], before, extras[t])
        steps[t] = after
        state = tuple(torch.cat([new, old[b:]]) if b < len(old) else new for new, old in zip(after, state, strict=True))
    return steps, state


def step_by_torch(config: Layer, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor]) -> States:
    """One time step of a single layer: the states after it. x: (B, I). states: (B, H) each, none for zeros."""
    own = dict(zip(_NAMES, weights, strict=False))
    states = states or [x.new_zeros(len(x), config.hidden_size) for _ in config.state_names]
    return _step(config, own, x, tuple(states))


def _step(config: Layer, own: dict[str, Tensor], x: Tensor, state: States) -> States:
    """One time step: x (B, I), state (B, P) and (B, H). The equations are those of `fastlstm.cells`."""
    cell, h, c = CELLS[config.mode], state[0], state[-1]
    of_x = linear(x, own["weight_ih"], own.get("bias_ih"))
    of_h = linear(h, own["weight_hh"], own.get("bias_hh"))
    x_gates, u_gates = (of_x.chunk(cell.GATES, -1), of_h.chunk(cell.GATES, -1)) if cell.SPLITS_GATES else (
        (of_x + of_h).chunk(cell.GATES, -1), None)  # fmt: skip
    _, h, c = cell.forward(torch, x_gates, u_gates, h, c)
    if config.projected:
        h = linear(h, own["weight_hr"])
    return (h, c) if cell.CARRIES_CELL else (h,)
