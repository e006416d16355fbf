"""Imports: library names by their full dotted path, and what other files of the program define.

Of another file only those top-level statements are walked that bind a name that is asked for; nothing is executed.
"""

from __future__ import annotations

from .. import cst
from ..values import Name, Value
from .program import SourceFile, SourceStatement
from .scope import Frame, Pending, Scope
from .walk import Walk

SAME_AS = {
    "torch.nn.modules.rnn": "torch.nn",
    "torch.nn.modules": "torch.nn",
    "torch.functional.F": "torch.nn.functional",
    "torch.functional": "torch",
    "fastlstm.torch": "torch.nn",
    "tensor": "torch",
}
"""Modules whose names are those of another one, as far as shapes are concerned."""


class FileModule(Value):
    """A module object: `import package.model as m` where that is a file of the program."""

    __slots__ = ("full", "scope")

    def __init__(self, scope: Scope, full: str) -> None:
        self.scope, self.full = scope, full


class FileScope(Scope):
    """The names of an imported file, each found when it is first asked for."""

    __slots__ = ("_begun", "file", "vm")

    def __init__(self, vm: Walk, file: SourceFile) -> None:
        super().__init__()
        self.vm, self.file = vm, file
        self._begun: set[SourceStatement] = set()

    def load(self, name: str) -> Value | None:
        outline = self.file.outline
        for statement in outline.statements.get(name, ()):
            if statement not in self._begun:
                self._begun.add(statement)
                self._walk(statement)
        if (value := self.own(name)) is not None:
            return value
        for module, level in outline.stars if not name.startswith("_") else ():
            source = self.file.find(module, level)
            if source is not None and name in source.exported():
                self.names[name] = Pending(self.vm.scope_of(source), name, Name((f"{module}.{name}",)))
                return self.own(name)
        return None

    def _walk(self, statement: SourceStatement) -> None:
        vm = self.vm
        module = statement.module if vm.may_parse(statement.lines) else None
        if module is None:
            return
        frames, vm.frames = vm.frames, [Frame(self, "<module>", node=module)]
        left = vm.leave(self)
        vm.run(module.body)
        vm.come_back(left)
        vm.frames = frames


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


def canonical(full: str) -> str:
    """The name under which a library function's signature is kept."""
    for alias, real in SAME_AS.items():
        if full.startswith(alias + "."):
            return real + full[len(alias) :]
    return full


def import_plain(vm: Walk, statement: cst.Import) -> None:
    """`import a.b as c`."""
    for alias in statement.names:
        target = alias.name.split(".")[0] if alias.asname is None else alias.name
        name = alias.asname or target
        source = None if vm.file is None else vm.file.find(target, 0)
        vm.frame.scope.names[name] = Name((target,)) if source is None else module_of(vm, source, target)


def module_of(vm: Walk, source: SourceFile, full: str) -> FileModule:
    """The module object of a file."""
    return FileModule(vm.scope_of(source), full)


def member(vm: Walk, module: FileModule, name: str) -> Value:
    """`module.name`: what the file binds, or a submodule."""
    value = module.scope.get(name)
    if value is not None:
        return value
    full = f"{module.full}.{name}"
    source = module.scope.file.submodule(name) if isinstance(module.scope, FileScope) else None
    return Name((full,)) if source is None else module_of(vm, source, full)


def import_from(vm: Walk, statement: cst.ImportFrom) -> None:
    """`from a.b import c as d`; a file of the program is asked for its names."""
    module, level = statement.module, statement.level
    source = None if vm.file is None else vm.file.find(module, level)
    names = vm.frame.scope.names
    if statement.names[0].name == "*":
        if source is not None:
            scope = vm.scope_of(source)
            names |= {name: Pending(scope, name, Name((f"{module}.{name}",))) for name in source.exported()}
        return
    prefix = f".{module}" if level else module
    in_class = isinstance(vm.frame.node, cst.ClassDef)
    for alias in statement.names:
        name = alias.name
        value: Value = Name((f"{prefix}.{name}",))
        if source is not None:
            inner = source.submodule(name)  # which a name that the package itself binds hides
            fallback = value if inner is None else module_of(vm, inner, f"{prefix}.{name}")
            value = Pending(vm.scope_of(source), name, fallback)
        # A class hands its names on by another way than `Scope.get`.
        names[alias.asname or name] = value.force() if in_class and isinstance(value, Pending) else value
