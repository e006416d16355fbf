"""`python -m fastlstm.run script.py`: a program with its layers accelerated, without an edit, and what that gave.

Every nn.LSTM, GRU, RNN and cell that the program makes gets this library's class as soon as it is made. At the end one
layer for each line that made some is made again and timed beside torch's own, on a call of the program's sizes with
random numbers. What the program saves holds torch's own classes, as always. Processes that it starts are not followed.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from fastlstm.torch import compare
from fastlstm.torch.module import Accelerated
from fastlstm.torch.swap import OURS, THEIRS, accelerate

USAGE = "usage: python -m fastlstm.run [-m MODULE | SCRIPT] [ARGUMENT]..."


OPTIONS = (
    *("input_size", "hidden_size", "num_layers", "bias", "batch_first"),
    *("dropout", "bidirectional", "proj_size", "nonlinearity"),
)
"""Arguments of torch's constructors that are attributes of the same names."""


@dataclass
class Place:
    """What one line of the program made of one kind: totals of all its layers, and one call without the numbers."""

    name: str
    kind: type[torch.nn.Module]
    layers: int = 0
    calls: int = 0
    declined: Counter[str] = field(default_factory=Counter)
    made: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    training: bool = True
    arguments: Any = None
    options: Any = None
    grad: bool = False

    def note(self, module: Accelerated, arguments: Any, options: Any) -> None:
        """Count a call, and keep the first, second, fourth ... of them: keeping one costs some us."""
        self.calls += 1
        if self.calls & (self.calls - 1):
            return
        weight = next(module.parameters())
        self.made = {name: getattr(module, name) for name in OPTIONS if getattr(module, name, 0) != 0} | {
            "dtype": weight.dtype
        }
        self.made["bias"] = module.bias
        self.device, self.training = weight.device.type, module.training
        self.arguments, self.options = _outline(arguments), _outline(options)
        self.grad = torch.is_grad_enabled()


class Found:
    """The places of a program, and which layer is of which. No layer is kept that the program has dropped."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, type], Place] = {}
        self._of: WeakKeyDictionary[Accelerated, Place] = WeakKeyDictionary()

    def add(self, module: Accelerated, name: str = "a copy") -> Place:
        """The place of a layer that is met for the first time."""
        place = self.places.setdefault((name, module.original), Place(name, module.original))
        place.layers += 1
        self._of[module] = place
        return place

    def of(self, module: Accelerated) -> Place:
        return self._of.get(module) or self.add(module)


@contextmanager
def watched() -> Iterator[Found]:
    """Accelerate each layer that is made meanwhile, and note it and its calls."""
    found = Found()
    undo: list[Callable[[], None]] = []

    def put(cls: type, name: str, method: Callable[..., Any]) -> None:
        own = vars(cls).get(name)
        undo.append(lambda: delattr(cls, name) if own is None else setattr(cls, name, own))
        setattr(cls, name, method)

    for theirs, ours in OURS.items():
        put(theirs, "__init__", _making(theirs, vars(theirs)["__init__"], found))
        put(ours, "__call__", _counting(ours.__call__, found))
    put(Accelerated, "_decline", _declining(Accelerated._decline, found))
    try:
        yield found
    finally:
        while undo:
            undo.pop()()


def _making(theirs: type[torch.nn.Module], init: Callable[..., None], found: Found) -> Callable[..., None]:
    def __init__(self: torch.nn.Module, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        if type(self) is theirs:
            accelerate(self)
        if type(self) is OURS[theirs]:
            assert isinstance(self, Accelerated)
            frame = sys._getframe(1)
            found.add(self, f"{os.path.relpath(frame.f_code.co_filename)}:{frame.f_lineno}")

    return __init__


def _counting(call: Callable[..., Any], found: Found) -> Callable[..., Any]:
    def __call__(self: Any, *args: Any, **options: Any) -> Any:
        if not torch.compiler.is_compiling():
            found.of(self).note(self, args, options)
        return call(self, *args, **options)

    return __call__


def _declining(decline: Callable[..., None], found: Found) -> Callable[..., None]:
    def _decline(self: Any, reason: str | None) -> None:
        decline(self, reason)
        if type(self) in THEIRS:
            found.of(self).declined[reason or "there was nothing to compute"] += 1

    return _decline


def _each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Arguments of a layer with their tensors changed."""
    if isinstance(value, PackedSequence):
        return PackedSequence(change(value.data), *value[1:])
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: _each(part, change) for name, part in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_each(part, change) for part in value)
    return value


def _outline(value: Any) -> Any:
    """Arguments without their numbers."""
    return _each(value, lambda tensor: tensor.detach().to("meta").requires_grad_(tensor.requires_grad))


def _filled(value: Any) -> Any:
    """Arguments of the same shapes and dtypes, with random numbers; zeros where they are no floats."""

    def fill(tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return torch.zeros(tensor.shape, dtype=tensor.dtype)
        return torch.randn(tensor.shape, dtype=tensor.dtype, requires_grad=tensor.requires_grad)

    return _each(value, fill)


def told(found: Found) -> Iterator[str]:
    """What was made of each place whose layers were called, and what a call takes with torch's and with ours."""
    called = sorted((place for place in found.places.values() if place.calls), key=lambda place: place.name)
    if not called:
        yield "fastlstm: no recurrent layer of torch was made and called"
        return
    for place in called:
        layers = f"  {place.layers} layers" if place.layers > 1 else ""
        head = f"fastlstm: {place.name}  {place.kind.__name__}{layers}  {place.calls} calls"
        for reason, count in place.declined.items():
            head += f", {count} by torch's own: {reason}"
        if place.device != "cpu":
            yield f"{head}; not on the CPU"
            continue
        try:
            module = place.kind(**place.made).train(place.training)
            with torch.set_grad_enabled(place.grad):
                result = compare(module, *_filled(place.arguments), **_filled(place.options))
        except Exception as error:  # a program may have left the module in any state
            yield f"{head}; could not be timed: {error}".split("\n")[0]
            continue
        theirs, ours = (sum(map(min, each.values())) for each in (result.theirs, result.ours))
        saved = (theirs - ours) * place.calls
        what = "forward and backward" if "backward" in result.theirs else "forward"
        yield (
            f"{head}; one, {what}: torch {theirs * 1e3:.3g} ms, fastlstm {ours * 1e3:.3g} ms, {result.ratio:.2f} times"
            f"; if all were like it, {abs(saved):.3g} s {'less' if saved > 0 else 'more'}"
        )


def main(arguments: list[str]) -> None:
    """Run a program as Python would, and then say what was found."""
    as_module = arguments[:1] == ["-m"]
    rest = arguments[as_module:]
    if not rest or rest[0].startswith("-"):
        raise SystemExit(USAGE)
    sys.argv = rest
    try:
        with watched() as found:
            if as_module:
                sys.path.insert(0, os.getcwd())
                runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
            else:
                sys.path.insert(0, os.path.dirname(os.path.abspath(rest[0])))
                runpy.run_path(rest[0], run_name="__main__")
    finally:  # also of a program that ends by sys.exit, or an error
        for line in told(found):
            print(line, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
