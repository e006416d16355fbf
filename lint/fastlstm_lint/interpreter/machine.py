"""The abstract machine: the state of one walk through a module, and the order in which its code is visited.

First the module runs from top to bottom, calls followed. Then every function and method that nothing called is entered
with unknown arguments, `forward` first. Nothing of the program is ever executed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .. import cst
from ..dims import words
from ..facts import CameFrom, Fact, Refused, Where
from ..values import Class, Const, Flag, Function, Instance, Name, Opaque, Tensor, Value
from . import arguments, assign, calls, expressions, items, objects, statements
from .budget import Budget
from .imports import FileScope
from .program import SourceFile
from .scope import Frame, Scope
from .walk import Walk, Watch

Listener = Callable[[Fact], None]

HANDLERS = expressions.HANDLERS

CUSTOMARY = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional"}
"""What these names mean where nothing defines them: the import is behind a `*`, or in another part of a notebook."""

MOST_AXES = 64
"""Axes of a tensor: torch's own limit."""

CALL, TELLING, STATEMENT = 10, 5, 2
"""Units of work of a call that is followed, of a fact with what the rules make of it, and of a statement."""

ABROAD = 1_000
"""Statements of other files that may be walked, beside twice those of the linted file, before calls there are no longer
followed: a compiler that mentions an LSTM calls through half of its package."""

LINES_ABROAD = 5_000
"""Lines of other files that are parsed for one linted file."""

DEPTH = 12
"""Calls followed inside calls. Deeper nests were not seen in 220 files of recurrent code."""


MOST_FLAGS = 2
"""Flags of one constructor whose values are tried."""

BOOLEANS = {"True": True, "False": False}

SETTINGS = frozenset(words("args arg config cfg conf opt opts options params hparams argv device flags _"))
"""Parameters of a `main` that say nothing about the shape of a tensor."""


def _asks_for_nothing(function: Function) -> bool:
    """Whether a function may be called without saying what tensors are: by nothing, or by the program's settings."""
    params = function.node.params
    asked = [each for each in (*params.posonly_params, *params.params, *params.kwonly_params) if each.default is None]
    return all(each.name.value in SETTINGS for each in asked)


class Machine(Walk):
    """One walk through one module. `emit` receives every fact; `home` is its file, to find what it imports."""

    def __init__(self, module: cst.Module, emit: Listener, home: SourceFile | None = None) -> None:
        self.module = module
        self.listener = emit
        self.home = home
        self._scopes: dict[SourceFile, Scope] = {}
        self._lines_abroad = 0
        self._steps_abroad = 0
        self._left_at: int | None = None  # the step at which the walk went into another file
        self.scope = Scope()  # of the module
        self.frames: list[Frame] = [Frame(self.scope, "<module>", node=module)]
        self.defined: list[Function] = []
        self.classes: list[Class] = []
        self.called: set[cst.CSTNode] = set()
        self.receivers: dict[cst.Call, Value] = {}
        self.ranks: dict[cst.CSTNode, set[int]] = {}
        self.flags: dict[str, tuple[cst.CSTNode, str]] = {}
        self.decided: set[tuple[cst.CSTNode, str]] = set()
        self._supposed: dict[str, Const] = {}  # what is supposed of a flag while a class is entered once more
        self._given = ""  # the same in words
        self.guessed: list[Class] = []  # classes whose object a parameter's name made up, while it is being made
        self.grown: dict[cst.CSTNode, tuple[cst.BaseExpression, ...]] = {}
        self.steps = 0
        self.again = False
        self.silent = False
        self.budget = Budget()
        self.too_deep = module.text.too_deep  # whether a statement was left because it nests too deeply
        self.other_floats = False
        self.watch: Watch | None = None  # told of every name that is bound; `fastlstm shapes` sets it

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def walk(self) -> None:
        """Visit everything."""
        self.declare()
        self.hear()
        self.enter()

    def forget(self) -> None:
        """Let go of all names: a scope holds functions that hold the scope, and finding such circles is dear."""
        for scope in (self.scope, *self._scopes.values()):
            scope.names.clear()
        for cls in self.classes:
            cls.forget()
        self._scopes.clear()
        self.frames.clear()

    def hear(self) -> None:
        """Enter the functions that ask for nothing, such as `main`: what they give to the file's classes counts."""
        for function in self.defined:
            if function.node not in self.called and function.owner is None and _asks_for_nothing(function):
                self.call(function, [], {}, entry=True)

    def enter(self) -> None:
        """Enter what may be called from outside, with unknown arguments."""
        opened = []
        for cls in self.classes:
            self.flags.clear()
            self._enter_class(cls)
            opened.append((cls, dict(self.flags)))
        for cls, flags in opened:  # all have been heard of what they give to each other
            self._try_flags(cls, flags)
        for function in self.defined:
            if function.node not in self.called and function.owner is None:
                self.call(function, [], {}, entry=True)

    def declare(self) -> None:
        """Run the module's top level only, for the names it defines; facts are dropped."""
        self.run(self.module.body)

    def _try_flags(self, cls: Class, flags: dict[str, tuple[cst.CSTNode, str]]) -> None:
        """Enter a class once for each value of a flag that decides on the directions or the layout of its layers."""
        open_flags = [(name, choice) for name, choice in flags.items() if choice not in self.decided]
        for name, (_, argument) in open_flags[:MOST_FLAGS]:
            for value in self._values(cls, name) if argument == "batch_first" else (True, False):
                test, compares = name if value else name.replace(" == ", " != "), " == " in name
                self._supposed, self._given = {name: Const(value)}, test if compares else f"{name} is {value}"
                watch, self.watch = self.watch, None  # what is shown holds for either value
                self._enter_class(cls)
                self._supposed, self._given, self.watch = {}, "", watch

    def _values(self, cls: Class, name: str) -> tuple[bool, ...]:
        """The value that a constructor's flag has where it is not given; no layout is right for both."""
        init = cls.find("__init__")
        params = init.node.params if isinstance(init, Function) else None
        for param in () if params is None else (*params.posonly_params, *params.params, *params.kwonly_params):
            if param.name.value == name and isinstance(param.default, cst.Name) and param.default.value in BOOLEANS:
                return (BOOLEANS[param.default.value],)
        return ()

    def _enter_class(self, cls: Class) -> None:
        self.frames = self.frames[:1]
        methods = [value for value in cls.body.values() if isinstance(value, Function)]
        inherited = cls.find("forward")
        if methods and "forward" not in cls.body and isinstance(inherited, Function):
            methods.append(inherited)  # with what this class makes of the methods that it calls
        if all(method.node in self.called and method.name != "forward" for method in methods):
            return
        instance = objects.make_instance(self, cls, [], {}, entry=True)
        if not isinstance(instance, Instance):
            return
        for method in sorted(methods, key=lambda method: method.name != "forward"):
            if method.node in self.called and method.name != "forward":
                continue
            bound = objects.bind_method(method, instance)
            if isinstance(bound, Function):
                self.call(bound, [], {}, entry=True)

    def evaluate(self, node: cst.BaseExpression) -> Value:
        """The value of an expression."""
        handler = HANDLERS.get(node.__class__)
        if handler is None or not self.budget.take():
            return Opaque("?")
        value = handler(self, node)
        if self._supposed and isinstance(value, (Opaque, Flag)) and value.name in self._supposed:
            return self._supposed[value.name]
        return Opaque("?") if value.__class__ is Tensor and len(value.axes) > MOST_AXES else value

    def run(self, body: Sequence[cst.CSTNode]) -> None:
        """Run statements until the path ends."""
        statements.run_body(self, body)

    def call(
        self,
        function: Function,
        positional: Sequence[Value],
        keywords: dict[str, Value],
        *,
        complete: bool = True,
        entry: bool = False,
    ) -> Value:
        """Follow a call into the program's own code; with `entry`, parameters not given are unknown."""
        self.budget.take(CALL)
        return calls.call_function(self, function, positional, keywords, complete=complete, entry=entry)

    def item_of(self, iterable: Value, node: cst.BaseExpression) -> Value:
        """What iterating over a value yields first."""
        return items.item_of(self, iterable, node)

    def apply_values(self, node: cst.Call, callee: Value, values: list[Value]) -> Value:
        """Call a value with values, as one module of a Sequential hands on to the next."""
        given = arguments.Arguments()
        given.positional = values
        given.nodes = [node.func] * len(values)
        return calls.apply(self, node, callee, given) if self.budget.take(CALL) else Opaque("?")

    def rebind(self, node: cst.BaseExpression, value: Value, held: Value | None = None) -> None:
        """Let the name that held a value hold what a call made of it in place; with `held`, all its names."""
        for name, other in self.frame.scope.names.items() if held is not None else ():
            if other is held:
                self.frame.scope.names[name] = value
        assign.rebind(self, node, value)

    def spend(self) -> bool:
        """Count one statement; False when the file has used up its share."""
        self.steps += 1
        return self.budget.take(STATEMENT)

    def may_call(self, scope: Scope) -> bool:
        """Whether a call of a function defined in a scope is followed."""
        if self.budget.low or len(self.frames) > DEPTH:
            return False
        if scope.top is self.scope:
            return True
        abroad = self._steps_abroad + (0 if self._left_at is None else self.steps - self._left_at)
        return abroad < ABROAD + 2 * (self.steps - abroad)

    def body(self) -> cst.CSTNode:
        node = self.frame.node
        return node.node if isinstance(node, Function) else self.module

    def where(self) -> Where:
        frame = self.frame
        node = frame.node.node if isinstance(frame.node, Function) else None
        foreign = frame.scope.top is not self.scope
        small = frame.small
        body = node or self.module
        came = self._came_from()
        return Where(
            frame.function, frame.loops, node, frame.instance, frame.large, small, self._given, foreign, body, came
        )

    def _came_from(self) -> CameFrom | None:
        """The call by which the innermost function was entered."""
        caller = self.frames[-2] if len(self.frames) > 1 else None
        if caller is None or caller.calling is None:
            return None
        around = caller.node.node if isinstance(caller.node, Function) else self.module
        return CameFrom(caller.calling, caller.loops, around)

    @property
    def file(self) -> SourceFile | None:
        """The file whose code is being walked."""
        top = self.frame.scope.top
        return top.file if isinstance(top, FileScope) else self.home

    def scope_of(self, file: SourceFile) -> Scope:
        """The names of a file: those of the walked module itself for its own file."""
        if file is self.home:
            return self.scope
        if file not in self._scopes:
            self._scopes[file] = FileScope(self, file)
        return self._scopes[file]

    def may_parse(self, lines: int) -> bool:
        """Count lines of another file; False when the linted file has used up its share of them."""
        self._lines_abroad += lines
        return self._lines_abroad <= LINES_ABROAD

    def leave(self, scope: Scope) -> bool:
        """Note that the walk goes on in a scope; True if that is where it leaves the linted file."""
        left = self._left_at is None and scope.top is not self.scope
        if left:
            self._left_at = self.steps
        return left

    def come_back(self, left: bool) -> None:
        """The other end of what `leave` began."""
        if left and self._left_at is not None:
            self._steps_abroad += self.steps - self._left_at
            self._left_at = None

    def define(self, value: Function | Class) -> None:
        """Remember a function or class to be entered; not those of other files."""
        if self.frame.scope.top is not self.scope:
            return
        if isinstance(value, Function):
            self.defined.append(value)
        else:
            self.classes.append(value)

    def expects_errors(self) -> bool:
        """Whether what is being walked may raise, by the program's own words: `try`, `with pytest.raises(...)`."""
        return self.frame.guarded > 0

    def asked(self) -> frozenset[str]:
        """The names that a test around the place is about, where nobody knows how it comes out."""
        return self.frame.asked

    def in_model(self) -> bool:
        """Whether a method of a model is being walked, and no constructor."""
        if any(frame.function == "__init__" for frame in self.frames):
            return False
        instances = (frame.instance for frame in self.frames)
        return any(isinstance(each, Instance) and objects.is_module_class(each.cls) for each in instances)

    def emit(self, fact: Fact) -> None:
        if self.silent or (self.again and not isinstance(fact, Refused)):
            return
        if self.budget.take(TELLING):
            self.listener(fact)
            self.budget.look()

    def lookup(self, name: str) -> Value:
        """A name in the present scope; one that nothing defines is an unknown, the same at every mention."""
        value = self.frame.scope.get(name)
        if value is None:
            if name == "reveal_shape":
                return Name(("fastlstm.testing.reveal_shape",))
            if name in expressions.BUILTINS:
                return Name((f"builtins.{name}",))
            if name in CUSTOMARY:
                return Name((CUSTOMARY[name],))
            value = Opaque(name)
            self.frame.scope.top.names[name] = value
        return value
