"""`compare`: torch's own modules and ours by turns, on the user's own call."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from fastlstm.errors import refuse_type
from fastlstm.torch.module import NARROW, Accelerated
from fastlstm.torch.swap import ALREADY, accelerate, restore

ROUNDS = 7
"""How often each of both is timed. One call of each before is not: it compiles, packs and fills caches."""


@dataclass
class Served:
    """Who computed the calls of one recurrent module in `compare`, all rounds together."""

    name: str
    """As in `model.named_modules()`; empty for the model itself."""
    kind: str
    calls: int = 0
    declined: dict[str, int] = field(default_factory=dict)
    """How many of the calls torch's own operators computed, by the reason why."""
    reason: str = ""
    """Why `accelerate` left the module alone, where it did."""
    narrow: dict[str, int] = field(default_factory=dict)
    """How many of the calls were computed on weights of fewer bits, by what these are."""
    full: dict[str, int] = field(default_factory=dict)
    """Where such weights were asked for: how many were computed in float32 all the same, by the reason."""

    def __str__(self) -> str:
        head = f"{self.name or '(the model)'}  {self.kind}  "
        if self.reason:
            return f"{head}torch's own: {self.reason}"
        if not self.calls:
            return f"{head}not called"
        ours = self.calls - sum(self.declined.values())
        parts = [f"ours in {ours} of {self.calls} calls"]
        parts += [f"on {weights} weights in {count}" for weights, count in self.narrow.items()]
        parts += [f"in float32 in {count}: {reason}" for reason, count in self.full.items()]
        parts += [f"torch's own in {count}: {reason}" for reason, count in self.declined.items()]
        return head + "; ".join(parts)


@dataclass(repr=False)
class Comparison:
    """What `compare` found; prints as a table. Seconds of each round, in the order of time."""

    theirs: dict[str, list[float]]
    """By torch's own: "forward" and, where a gradient was wanted, "backward"."""
    ours: dict[str, list[float]]
    output_difference: float
    """The largest difference of a number in the results."""
    gradient_difference: float | None
    """The same for the gradients of the parameters and inputs that want one; None without a backward."""
    layers: list[Served]
    largest_output: float = 0.0
    """The largest number in torch's results."""

    @property
    def ratio(self) -> float:
        """torch's time over ours, backward included, each in its best round: above 1 ours is the faster."""
        return sum(map(min, self.theirs.values())) / sum(map(min, self.ours.values()))

    def __repr__(self) -> str:
        lines = [f"{'':<10}{'torch':>12}{'ours':>12}   torch over ours, {ROUNDS} rounds by turns"]
        for what, theirs in self.theirs.items():
            ours = self.ours[what]
            ratios = [a / b for a, b in zip(theirs, ours, strict=True)]
            spread = f"{median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"
            lines.append(f"{what:<10}{min(theirs) * 1e3:>9.3f} ms{min(ours) * 1e3:>9.3f} ms   {spread}")
        differences = f"largest difference: {self.output_difference:.1e} in the results"
        differences += f", whose largest is {self.largest_output:.3g}"
        if self.gradient_difference is not None:
            differences += f", {self.gradient_difference:.1e} in the gradients"
        layers = [str(layer) for layer in self.layers] or ["no recurrent layer found"]
        return "\n".join([*lines, differences, *layers])


def compare(model: torch.nn.Module, *inputs: Any, weights: str | None = None, **options: Any) -> Comparison:
    """Time `model(*inputs, **options)` with torch's own recurrent modules and with ours, by turns in this process.

    Forward, and where a gradient is wanted (grad mode is on, and a parameter or an input requires one) the backward of
    the sum of all results. Both are copies of the model, one after `restore` and one after `accelerate`: the model, its
    gradients, buffers and the random numbers of the program stay as they are, and both draw the same random numbers.
    Costs 16 calls and the memory of two copies. TypeError where `model` is not a torch.nn.Module.

    weights: "int8" or "float16": both in eval mode and without gradients, ours after `accelerate(model,
    weights=weights)`: the difference is how far rounding the weights moves the results, beside their largest.

        >>> fastlstm.torch.compare(model, tokens)
                         torch        ours   torch over ours, 7 rounds by turns
        forward       4.120 ms    2.210 ms   1.86  (1.80 to 1.95)
        backward      9.330 ms    4.020 ms   2.31  (2.20 to 2.44)
        largest difference: 2.4e-07 in the results, whose largest is 0.91, 1.1e-06 in the gradients
        encoder  LSTM  ours in 8 of 8 calls
        decoder  LSTMCell  ours in 240 of 240 calls
    """
    if not isinstance(model, torch.nn.Module):
        refuse_type("model", model, "torch.nn.Module")
    theirs, ours = copy.deepcopy(model), copy.deepcopy(model)
    restore(theirs)
    report = accelerate(ours, weights=weights)
    if weights is not None:
        theirs.eval()
        ours.eval()
    layers = _watched(ours, {entry.name: entry.reason for entry in report.kept if entry.reason != ALREADY})
    seconds: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    found: list[tuple[list[Tensor], list[Tensor | None]]] = []
    with torch.random.fork_rng(), torch.set_grad_enabled(torch.is_grad_enabled() and weights is None):
        seed = torch.initial_seed()
        for turn in range(1 + ROUNDS):
            for module, times in zip((theirs, ours), seconds, strict=True):
                torch.manual_seed(seed)
                results, grads, spent = _once(module, inputs, options)
                if not turn:
                    found.append((results, grads))
                    continue
                for what, value in spent.items():
                    times.setdefault(what, []).append(value)
    for name, module in ours.named_modules():
        if name in layers and isinstance(module, Accelerated):
            layers[name].declined = module.declined
            if (narrow := module.__dict__.get(NARROW)) is not None:
                layers[name].narrow, layers[name].full = {narrow.weights: narrow.calls}, narrow.full
    (due, due_grads), (mine, mine_grads) = found
    gradient = _difference(mine_grads, due_grads) if "backward" in seconds[0] else None
    largest = max((one.abs().max().item() for one in due if one.numel()), default=0.0)
    return Comparison(*seconds, _difference(mine, due), gradient, list(layers.values()), largest)


def _watched(model: torch.nn.Module, kept: dict[str, str]) -> dict[str, Served]:
    """An entry for each recurrent module, whose calls are counted."""
    layers: dict[str, Served] = {}
    for name, module in model.named_modules():
        if isinstance(module, Accelerated) or name in kept:
            kind = module.original.__name__ if type(module).__name__ in _OWN else type(module).__name__
            served = layers[name] = Served(name, kind, reason=kept.get(name, ""))
            module.register_forward_hook(_counter(served))
    return layers


_OWN = {"LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"}


def _counter(served: Served) -> Callable[..., None]:
    def count(*_: Any) -> None:
        served.calls += 1

    return count


def _once(
    model: torch.nn.Module, inputs: Any, options: Any
) -> tuple[list[Tensor], list[Tensor | None], dict[str, float]]:
    """Results, gradients and seconds of one call on leaves of its own."""
    given, named = _fresh(inputs), _fresh(options)
    begun = perf_counter()
    result = model(*given, **named)
    spent = {"forward": perf_counter() - begun}
    tensors = list(_tensors(result))
    ends = [tensor for tensor in tensors if tensor.requires_grad]
    wanted = [one for one in (*model.parameters(), *_tensors((given, named))) if one.requires_grad and one.is_leaf]
    grads: list[Tensor | None] = []
    if ends and wanted:
        ones = [torch.ones_like(tensor) for tensor in ends]
        begun = perf_counter()
        grads = list(torch.autograd.grad(ends, wanted, ones, allow_unused=True))
        spent["backward"] = perf_counter() - begun
    return [tensor.detach() for tensor in tensors], grads, spent


def _fresh(value: Any) -> Any:
    """The same arguments, with tensors of their own: a call may change them in place."""
    if isinstance(value, PackedSequence):
        return PackedSequence(_fresh(value.data), *value[1:])
    if isinstance(value, Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, dict):
        return {name: _fresh(part) for name, part in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_fresh(part) for part in value)
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, PackedSequence):
        yield value.data
    elif isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


def _difference(ours: list[Any], theirs: list[Any]) -> float:
    """The largest; infinite where one has a NaN or a tensor that the other has not."""
    if [one is None for one in ours] != [other is None for other in theirs]:
        return torch.inf
    worst = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if one is not None and other is not None and one.numel():
            one, other = one.double(), other.double()
            apart = torch.where((one == other) | (one.isnan() & other.isnan()), 0.0, (one - other).abs())
            worst = max(worst, apart.nan_to_num(nan=torch.inf, posinf=torch.inf).max().item())
    return worst
