"""`accelerate` and `restore`: a module's class is changed in place, so all that it holds stays the same object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch.nn.utils.parametrize import is_parametrized

from fastlstm.errors import one_of, refuse_type
from fastlstm.quantized.numbers import WEIGHTS
from fastlstm.torch import gpu
from fastlstm.torch.adopters import adopter_of, known_base, target_of
from fastlstm.torch.adopters.base import Adopted
from fastlstm.torch.cells import GRUCell, LSTMCell, RNNCell
from fastlstm.torch.layers import GRU, LSTM, RNN
from fastlstm.torch.module import CUDA_KERNELS, NARROW, Accelerated, checked, forget
from fastlstm.torch.narrow import Narrow
from fastlstm.torch.runner import DTYPES
from fastlstm.torch.wrapped import WRITTEN, objection, on_top

OURS: dict[type, type] = {cls.original: cls for cls in (LSTM, GRU, RNN, LSTMCell, GRUCell, RNNCell)}
THEIRS = {ours: theirs for theirs, ours in OURS.items()}


ALREADY = "accelerated already"


class Entry(NamedTuple):
    """One recurrent module of a model."""

    name: str
    """As in `model.named_modules()`; empty for the model itself."""
    kind: str
    module: torch.nn.Module
    reason: str = ""
    """Why it was left alone."""


@dataclass(repr=False)
class Report:
    """What was replaced, what was not and why, and which calls torch's own operators computed since.

    Prints as a table; a context manager that undoes itself at its end.
    """

    replaced: list[Entry] = field(default_factory=list)
    kept: list[Entry] = field(default_factory=list)
    _undo: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def undo(self) -> None:
        """Give every replaced module the class that it had."""
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        self.undo()

    def inactive(self, model: torch.nn.Module | None = None) -> list[Entry]:
        """The recurrent modules that do not compute with these kernels, with the reason.

        Of `model` as it is now, for programs that build theirs anew (a `load` or `fit` of a library on top of torch);
        otherwise those that were replaced, and have not been called since or are torch's own again.
        """
        if model is not None:
            if not isinstance(model, torch.nn.Module):
                refuse_type("model", model, "torch.nn.Module")
            found = []
            for name, module in model.named_modules():
                reason = _why_kept(module)
                written = _written(module)
                anew = written in OURS or (adopter_of(written) is not None and not issubclass(written, Accelerated))
                if anew and "forward" not in vars(module):
                    reason = "built anew: call accelerate again"
                if reason is not None and reason != ALREADY:
                    found.append(Entry(name, type(module).__name__, module, reason))
            return found
        found = []
        for entry in self.replaced:
            if not isinstance(entry.module, Accelerated):
                found.append(entry._replace(reason="torch's own class again"))
            elif not entry.module.was_called:
                found.append(entry._replace(reason="not called since: was the model built anew?"))
        return found

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        rows = [(entry.name or "(the model)", entry.kind, _replaced(entry.module)) for entry in self.replaced]
        rows += [(entry.name or "(the model)", entry.kind, [f"kept: {entry.reason}"]) for entry in self.kept]
        if not rows:
            return "no recurrent layer found"
        widths = [max(len(str(row[column])) for row in rows) for column in (0, 1)]
        lines = []
        for name, kind, (what, *measured) in rows:
            lines.append(f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {what}")
            lines += [f"{'':<{sum(widths) + 4}}{line}" for line in measured]
        asked = [entry.module for entry in self.replaced if getattr(entry.module, "cuda_kernels", "never") != "never"]
        if any(map(_is_on_gpu, asked)) and gpu.unavailable():
            lines.append(f"no kernels on the GPU: {gpu.unavailable()}")
        return "\n".join(lines)


def _is_on_gpu(module: torch.nn.Module) -> bool:
    """Whether it is one of ours, by now, and its weights are on a GPU."""
    return isinstance(module, Accelerated) and any(map(gpu.on_device, module.parameters(recurse=False)))


def _replaced(module: torch.nn.Module) -> list[str]:
    """The last column: one line, and one for each kind of call that was measured on a GPU."""
    if not isinstance(module, Accelerated):
        return ["replaced"]
    if isinstance(module, Adopted):
        state = f"replaced; {module.note}" if module.note else "replaced"
        return [state, *[f"{count} calls by its own: {reason}" for reason, count in module.declined.items()]]
    if not _is_on_gpu(module):
        other = {parameter.dtype for parameter in module.parameters(recurse=False)}.difference(DTYPES)
        state = f"replaced; torch's own compute {', '.join(sorted(map(str, other)))}" if other else "replaced"
        narrow = module.__dict__.get(NARROW)
        lines = [] if narrow is None else narrow.told()
        state += "" if narrow is None else f"; {narrow.weights} weights in eval mode without gradients"
        lines += [f"{count} calls by torch's own: {reason}" for reason, count in module.declined.items()]
        return [state, *lines]
    state, measured = gpu.told(module)
    return [f"replaced; on the GPU {state}", *measured]


def accelerate(
    model: torch.nn.Module,
    subclasses: bool = False,
    *,
    cuda_kernels: str = CUDA_KERNELS[0],
    weights: str | None = None,
) -> Report:
    """Make every nn.LSTM, GRU, RNN and cell of `model`, itself included, compute with this library's kernels, in place.

    Parameters, buffers, hooks, ties and the training flag stay the same objects. So do some modules of other libraries
    that loop over steps in Python (docs/torch.md lists them), each after a trial of its equations.

    subclasses: also users' subclasses, whose own `forward` calls torch's by `super().forward`. Each is first tried on
    copies of the module: two short calls in eval mode, whose values must agree. Otherwise, and without `subclasses`,
    they are kept and reported with the reason. A subclass pickles as itself, so workers of a spawned process have it
    as it was.

    cuda_kernels: whether they also compute the layers' calls with CUDA tensors: "never", "always" or "measure" (at the
    first call of each shape, then the faster); a module's attribute of this name can be set later.

    weights: "int8" or "float16": layers in eval mode, also those accelerated before, compute float32 calls whose
    gradients nobody wants on weights of fewer bits (docs/quantize.md); the parameters stay as they are. The report says
    how many calls were computed in float32 all the same, and why. None: in float32.

    TypeError where `model` is not a torch.nn.Module, ValueError for another word.
    """
    checked(cuda_kernels)
    if weights is not None:
        one_of("weights", weights, WEIGHTS)
    report = _swap(model, OURS, _why_kept, subclasses)
    report.kept += _unseen(model)
    for entry in report.replaced:
        assert isinstance(entry.module, Accelerated)
        if entry.module.cuda_kernels != cuda_kernels:
            entry.module.cuda_kernels = cuda_kernels
    if weights is not None:
        for module in model.modules():
            if isinstance(module, (LSTM, GRU, RNN)):
                module.__dict__[NARROW] = Narrow(weights)
    return report


def restore(model: torch.nn.Module) -> Report:
    """Undo `accelerate`: torch's own classes again, also for modules built as fastlstm.torch.LSTM. Same TypeError."""
    return _swap(model, THEIRS, _why_not_restored)


def _swap(
    model: torch.nn.Module,
    classes: dict[type, type],
    why_kept: Callable[[torch.nn.Module], str | None],
    subclasses: bool = False,
) -> Report:
    if not isinstance(model, torch.nn.Module):
        refuse_type("model", model, "torch.nn.Module")
    report = Report()
    for name, module in model.named_modules():
        written = _written(module)
        target = classes.get(written)
        if classes is THEIRS and target is None:
            target = vars(written).get(WRITTEN)
        reason = None if target is not None and "forward" not in vars(module) else why_kept(module)
        if classes is OURS and target is None and reason is None and adopter_of(written) is not None:
            target, reason = _adopted(module, written)
        if subclasses and reason is not None and "forward" not in vars(module) and reason != ALREADY:
            target, reason = _on_top(module, written)
        if target is not None and reason is None:
            report.replaced.append(Entry(name, target.__name__, module))
            report._undo.append(_become(module, target))
        elif reason is not None:
            report.kept.append(Entry(name, type(module).__name__, module, reason))
    return report


def _adopted(module: torch.nn.Module, written: type[torch.nn.Module]) -> tuple[type | None, str | None]:
    """The class for a module of another library's, or why there is none."""
    adopter = adopter_of(written)
    assert adopter is not None
    reason = adopter.objection(module)
    return (target_of(written, adopter), None) if reason is None else (None, reason)


def _on_top(module: torch.nn.Module, written: type) -> tuple[type | None, str | None]:
    """The class for a module of a user's subclass, or why there is none."""
    ours = next((ours for theirs, ours in OURS.items() if issubclass(written, theirs)), None)
    if ours is None:
        return None, _why_kept(module)
    try:
        target = on_top(written, ours)
    except TypeError as error:
        return None, f"no class on top of {written.__qualname__}: {error}"
    return target, objection(module, target)


def _unseen(model: torch.nn.Module) -> list[Entry]:
    """Recurrent modules in plain lists, tuples and dictionaries: no part of the model for torch either."""
    known = set(map(id, model.modules()))
    found = []
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or not isinstance(value, list | tuple | dict):
                continue
            for key, part in value.items() if isinstance(value, dict) else enumerate(value):
                if isinstance(part, tuple(OURS)) and id(part) not in known:
                    place = f"{name}.{attribute}[{key!r}]".removeprefix(".")
                    reason = (
                        f"in a plain {type(value).__name__}, so it is no part of the model: take torch.nn.ModuleList"
                    )
                    found.append(Entry(place, type(part).__name__, part, reason))  # type: ignore[arg-type]
    return found


def _written(module: torch.nn.Module) -> type:
    """The class that the user wrote: register_parametrization gives every module a class of its own on top of it."""
    cls = type(module)
    return cls.__bases__[0] if is_parametrized(module) else cls


def _become(module: torch.nn.Module, target: type) -> Callable[[], None]:
    """Change the class; the function returned changes it back."""
    before = _written(module)

    def change(to: type) -> None:
        if is_parametrized(module):
            # A class for this module alone: the one that it has may be that of its copies, too.
            cls = type(module)
            own = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
            to = type(cls.__name__, (to,), own)
        module.__class__ = to
        forget(module)

    change(target)
    return lambda: change(before)


def _why_kept(module: torch.nn.Module) -> str | None:
    """Why a recurrent module is left alone; None for a module of another kind."""
    cls = _written(module)
    theirs = next((theirs for theirs in OURS if issubclass(cls, theirs)), None)
    if theirs is None and adopter_of(cls) is not None:
        if issubclass(cls, Accelerated):
            return ALREADY
        return "its forward was replaced in the instance" if "forward" in vars(module) else None
    if theirs is None and not issubclass(cls, Accelerated) and (base := known_base(cls)) is not None:
        return f"{cls.__qualname__} is a subclass of {base.__qualname__}, which alone is known"
    if theirs is None:
        scripted = getattr(module, "original_name", None) if isinstance(module, torch.jit.ScriptModule) else None
        return "compiled by TorchScript" if scripted in {theirs.__name__ for theirs in OURS} else None
    if "forward" in vars(module):
        return "its forward was replaced in the instance"
    if issubclass(cls, Accelerated):
        return ALREADY
    if cls.forward is not theirs.forward:  # type: ignore[attr-defined]
        return f"{cls.__qualname__} has a forward of its own: try subclasses=True"
    return f"{cls.__qualname__} is a subclass: try subclasses=True, or derive it from fastlstm.torch.{theirs.__name__}"


def _why_not_restored(module: torch.nn.Module) -> str | None:
    """Why one of our modules stays; None for other modules."""
    cls = _written(module)
    if not issubclass(cls, Accelerated):
        return None
    if "forward" in vars(module):
        return "its forward was replaced in the instance"
    return f"{cls.__qualname__} is a subclass of fastlstm.torch.{cls.original.__name__}"
