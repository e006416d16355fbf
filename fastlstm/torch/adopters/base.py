"""What adopted modules have in common: when the kernels serve, and a first trial."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from fastlstm.reference import Reference
from fastlstm.spec import Stack
from fastlstm.torch.cards import CardRunner, Tensors
from fastlstm.torch.module import RUNNER, Accelerated, forget
from fastlstm.torch.runner import DTYPES
from fastlstm.torch.serve import objection, surroundings, warn_once
from fastlstm.torch.wrapped import PICKLED, WRITTEN

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Adopted(Accelerated):
    """Comes before a class of another library's, which keeps everything but `forward`."""

    tolerance: ClassVar[float] = 1e-4
    """Between their values and ours in the trial, of values that lie between -1 and 1."""

    note: ClassVar[str] = ""
    """What a report says of a module that was replaced."""

    @classmethod
    def before(cls, written: type[torch.nn.Module]) -> type[Adopted]:
        """A class of theirs, with this one before it. Pickles as theirs."""
        own = {WRITTEN: written, "__module__": written.__module__, "original": written}
        return type(written.__name__, (cls, written), own | PICKLED)

    @classmethod
    def unlike(cls, module: Any) -> str | None:
        """Why a module is not what this class knows, by its attributes; None where it is."""
        raise NotImplementedError

    @classmethod
    def trial(cls, module: Any) -> tuple[Tensors, Tensors]:
        """Values of theirs and of ours for the same small input, ours by the reference, which compiles nothing; none
        where the parameters are not on the CPU or of a dtype that the kernels lack.
        """
        raise NotImplementedError

    @classmethod
    def objection(cls, module: Any) -> str | None:
        """Why a module of theirs may not be replaced: by its attributes, then by a trial of its equations."""
        try:
            reason = cls.unlike(module)
            if reason is not None:
                return reason
            with torch.no_grad():
                due, found = cls.trial(module)
        except Exception as error:
            return f"its step could not be tried: {type(error).__name__}: {error}".split("\n")[0]
        if not due:
            return "its step could not be tried: its parameters are on another device, or of a dtype without kernels"
        same = all(
            torch.allclose(a.double(), b.double(), rtol=cls.tolerance, atol=cls.tolerance, equal_nan=True)
            for a, b in zip(due, found, strict=True)
        )
        return None if same else "its step gives other values than the equations known here"

    def _unfit(self, tensors: Sequence[Tensor]) -> str | None:
        """Why the kernels do not serve a call with these tensors, of which the first says the dtype."""
        reason = surroundings() or objection(tensors)
        if reason is None and any(tensor.dtype is not tensors[0].dtype for tensor in tensors):
            reason = f"the tensors are {', '.join(sorted({str(tensor.dtype) for tensor in tensors}))}, expected one"
        return reason

    def _theirs(self, reason: str | None, *args: Any, **options: Any) -> Any:
        """Their own forward, and why; without a reason it raises what is wrong."""
        result = super().forward(*args, **options)
        if not torch.compiler.is_compiling():
            self._decline(reason)
            if reason is not None:
                warn_once(reason)
        return result

    def _card_runner(self, config: Stack, dtype: torch.dtype, laid_out: Callable[[Tensors], Tensors]) -> CardRunner:
        """The kernels of the present configuration."""
        runner = self.__dict__.get(RUNNER)
        if runner is None or runner.dtype is not dtype or runner.config != config:
            runner = self.__dict__[RUNNER] = CardRunner(config, dtype, laid_out)
        return runner

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        # Theirs may hold objects that hold the module: it is known before they are copied.
        memo[id(self)] = made = torch.nn.Module.__new__(type(self))
        made.__dict__ = copy.deepcopy(self.__getstate__(), memo)
        return made

    def __prepare_scriptable__(self) -> torch.nn.Module:
        plain: torch.nn.Module = copy.copy(self)
        plain.__class__ = getattr(type(self), WRITTEN)
        forget(plain)
        return plain


def by_reference(config: Stack, dtype: torch.dtype, laid_out: Callable[[Tensors], Tensors]) -> CardRunner:
    """What computes as the kernels do, slowly, and compiles nothing."""
    runner = CardRunner(config, dtype, laid_out)
    runner.engine = Reference(config, DTYPES[dtype])
    return runner


def waves(*shape: int, like: Tensor) -> Tensor:
    """Numbers between -2 and 2, the same ones in every process."""
    count = torch.Size(shape).numel()
    return (2 * torch.arange(count, dtype=torch.float64).mul(1.7).cos()).reshape(shape).to(like)


def hooks_of(module: torch.nn.Module) -> str | None:
    """Why a module inside may not be passed by; None where nobody listens to its calls."""
    if any(getattr(module, name, None) for name in _HOOKS):
        return f"a {type(module).__name__} inside has hooks, which the kernels would not call"
    return None
