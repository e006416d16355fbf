"""`python -m fastlstm.run script.py`: a program with its layers accelerated, without an edit, and what that gave.

Every nn.LSTM, GRU, RNN and cell that the program makes gets this library's class as soon as it is made. At the end each
is timed beside torch's own on a call of the program's sizes, with random numbers. What the program saves holds torch's
own classes, as always. Processes that it starts are not followed.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from fastlstm.torch import compare
from fastlstm.torch.module import Accelerated
from fastlstm.torch.swap import OURS, accelerate

USAGE = "usage: python -m fastlstm.run [-m MODULE | SCRIPT] [ARGUMENT]..."


@dataclass
class Made:
    """A layer of the program: where it was made, how often it was called, and one of its calls, without the numbers."""

    place: str
    calls: int = 0
    arguments: Any = None
    options: Any = None
    grad: bool = False


Found = dict[Accelerated, Made]
"""Layers by identity. They are kept until the end, also those that the program has dropped: they are timed then."""


@contextmanager
def watched() -> Iterator[Found]:
    """Accelerate each layer that is made meanwhile, and note it and its calls."""
    found: Found = {}
    undo: list[Callable[[], None]] = []

    def put(cls: type, name: str, method: Callable[..., Any]) -> None:
        own = vars(cls).get(name)
        undo.append(lambda: delattr(cls, name) if own is None else setattr(cls, name, own))
        setattr(cls, name, method)

    for theirs, ours in OURS.items():
        put(theirs, "__init__", _making(theirs, vars(theirs)["__init__"], found))
        put(ours, "__call__", _counting(ours.__call__, found))
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
            found[self] = Made(f"{os.path.relpath(frame.f_code.co_filename)}:{frame.f_lineno}")

    return __init__


def _counting(call: Callable[..., Any], found: Found) -> Callable[..., Any]:
    def __call__(self: Any, *args: Any, **options: Any) -> Any:
        if not torch.compiler.is_compiling():
            entry = found.setdefault(self, Made("a copy"))
            entry.calls += 1
            if not entry.calls & (entry.calls - 1):  # the first, second, fourth ... call: noting costs some us
                entry.arguments, entry.options = _outline(args), _outline(options)
                entry.grad = torch.is_grad_enabled()
        return call(self, *args, **options)

    return __call__


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
    """What was made of each layer that was called, and what a call takes with torch's and with ours."""
    called = sorted(((entry, module) for module, entry in found.items() if entry.calls), key=lambda each: each[0].place)
    if not called:
        yield "fastlstm: no recurrent layer of torch was made and called"
        return
    for entry, module in called:
        head = f"fastlstm: {entry.place}  {module.original.__name__}  {entry.calls} calls"
        for reason, count in module.declined.items():
            head += f", {count} by torch's own: {reason}"
        if any(parameter.device.type != "cpu" for parameter in module.parameters()):
            yield f"{head}; not on the CPU"
            continue
        try:
            with torch.set_grad_enabled(entry.grad):
                result = compare(module, *_filled(entry.arguments), **_filled(entry.options))
        except Exception as error:  # a program may have left the module in any state
            yield f"{head}; could not be timed: {error}".split("\n")[0]
            continue
        theirs, ours = (sum(map(min, each.values())) for each in (result.theirs, result.ours))
        saved = (theirs - ours) * entry.calls
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
