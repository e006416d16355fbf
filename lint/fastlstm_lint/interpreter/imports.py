"""Imports: library names by their full dotted path, and classes of neighbouring files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from ..values import Name, Value

if TYPE_CHECKING:
    from .machine import Machine

SAME_AS = {
    "torch.nn.modules.rnn": "torch.nn",
    "torch.nn.modules": "torch.nn",
    "torch.functional": "torch",
    "fastlstm.torch": "torch.nn",
    "tensor": "torch",
}
"""Modules whose names are those of another one, as far as shapes are concerned."""


def dotted(node: cst.BaseExpression | None) -> str:
    """`a.b.c` as text; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return ""
    parts.append(node.value)
    return ".".join(reversed(parts))


def import_plain(vm: Machine, statement: cst.Import) -> None:
    """`import a.b as c`."""
    for alias in statement.names:
        full = dotted(alias.name)
        if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
            vm.frame.scope.names[alias.asname.name.value] = vm.library(full)
        else:
            top = full.split(".")[0]
            vm.frame.scope.names[top] = vm.library(top)


def import_from(vm: Machine, statement: cst.ImportFrom) -> None:
    """`from a.b import c as d`; a file of the same tree is asked for its names."""
    if isinstance(statement.names, cst.ImportStar):
        return
    module = dotted(statement.module)
    for alias in statement.names:
        name = dotted(alias.name)
        asname = alias.asname.name.value if alias.asname and isinstance(alias.asname.name, cst.Name) else name
        local: Value | None = None
        if not module.startswith(("torch", "fastlstm")) and vm.importer is not None:
            local = vm.importer(module, len(statement.relative), name)
        if local is not None:
            vm.frame.scope.names[asname] = local
        elif statement.relative:
            vm.frame.scope.names[asname] = Name((f".{module}.{name}",))
        else:
            vm.frame.scope.names[asname] = vm.library(f"{module}.{name}")
