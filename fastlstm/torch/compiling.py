"""torch.compile and torch.fx take the modules as they take others.

Dynamo refuses every instance of nn.LSTM, GRU and RNN by its class, because it would unroll the steps of torch's own
(`torch._dynamo.config.allow_rnn`). Ours are one operator each, so for them, and for them alone, the refusal is lifted:
dynamo's check runs with allow_rnn set. With a torch that has no such check nothing is changed; where the check cannot
be found the graph breaks at the layer, which then runs as without torch.compile.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch
from torch.fx import Proxy

from fastlstm.torch.module import Accelerated

_DYNAMO = "torch._dynamo"
_OPAQUE = (
    "fastlstm.torch.recurrent",
    "fastlstm.torch.cards",
    "fastlstm.torch.adopters",
    "fastlstm.torch.runner",
    "fastlstm.torch.device",
    "fastlstm.torch.memory",
    "fastlstm.engine",
    "fastlstm.cuda",
)


def teach_dynamo() -> None:
    """Lift the refusal and register our operators, now or when dynamo is imported: by itself that takes a second, which
    not all programs need."""
    if _DYNAMO in sys.modules:
        _lift()
    else:
        sys.meta_path.insert(0, _AtImport())


class _AtImport(MetaPathFinder):
    """Finds dynamo's module with Python's other finders, and is done."""

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != _DYNAMO:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_lift(module: ModuleType) -> None:
                execute(module)
                _lift()

            spec.loader.exec_module = execute_and_lift  # type: ignore[method-assign]
        return spec


def _lift() -> None:
    importlib.import_module("fastlstm.torch.graphs")  # before a graph is traced that may hold its operators
    builder = sys.modules.get(f"{_DYNAMO}.variables.builder")
    check = getattr(getattr(builder, "VariableBuilder", None), "wrap_module", None)
    config: Any = getattr(builder, "config", None)
    if check is None or not hasattr(config, "allow_rnn"):
        return

    @functools.wraps(check)
    def wrap_module(self: Any, value: torch.nn.Module) -> Any:
        if isinstance(value, Accelerated):
            with config.patch(allow_rnn=True):
                return check(self, value)
        return check(self, value)

    builder.VariableBuilder.wrap_module = wrap_module  # type: ignore[union-attr]
    # Compiled autograd traces the backward of an eager call, too: there the graph breaks and the kernels run as always.
    skip = getattr(sys.modules.get(f"{_DYNAMO}.trace_rules"), "add", lambda name: None)
    for name in _OPAQUE:
        skip(name)


def is_symbolic(*arguments: Any) -> bool:
    """torch.fx is tracing: an argument stands for a value that is not there yet."""
    return next(_proxies(arguments), None) is not None


def leaf(module: torch.nn.Module, input: Any, **options: Any) -> Any:
    """The call as one node of torch.fx's graph: what its tracer makes of a module of torch.nn."""
    options = {name: value for name, value in options.items() if value is not None}
    tracer: Any = next(_proxies((input, *options.values()))).tracer
    return tracer.create_proxy("call_module", tracer.path_of_module(module), (input,), options)


def _proxies(arguments: Any) -> Iterator[Proxy]:
    for argument in arguments:
        if isinstance(argument, Proxy):
            yield argument
        elif isinstance(argument, tuple | list):
            yield from _proxies(argument)
