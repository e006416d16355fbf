"""A walk through a program that remembers the value of every name bound and of every expression.

Functions entered with unknown arguments come last, and what they show holds for every call; so it counts before the
calls seen in the file. Where a function is only called, what all calls have in common is shown.
"""

from __future__ import annotations

from collections.abc import Callable

from .. import cst
from ..contract import BATCH, FEATURE, TIME
from ..dims import Dim, Symbol
from ..facts import Applied, Fact, LayerCalled, ModuleCalled
from ..interpreter.budget import WORK, Budget
from ..interpreter.machine import Machine
from ..interpreter.program import SourceFile
from ..interpreter.scope import Frame
from ..layers import Recurrent
from ..values import Packed, Tensor, Value, dim_of, resolve
from .tell import tell
from .words import PROGRAM_NAME, Namer, Words, describe, meet, size_words

Seen = tuple[Frame, bool, Value]
"""The frame in which a value was seen, whether that frame's arguments were unknown, and the value."""


def _ignore(fact: Fact) -> None:
    """Where nobody asks the rules."""


class Recorder(Machine):
    """A machine that remembers; `walk` it, then ask for `words(node)`.

    Its `listener` is told the same as another machine's: a program is walked once for its findings and its shapes.
    """

    def __init__(self, module: cst.Module, home: SourceFile | None = None) -> None:
        super().__init__(module, _ignore, home)
        self.watch = self._remember
        self.budget = Budget(2 * WORK)  # of loops a second turn is walked
        self.walked = False  # to the end
        self.general = False
        self.ids: list[Value] = []  # what is given to an Embedding
        self.assumes_batch = False  # whether an unknown given to a layer was taken to have a batch axis
        self.assumes_features = False  # whether an unknown that is packed was taken to have a feature axis
        self._seen: dict[cst.CSTNode, list[Seen]] = {}
        self._namers: dict[Frame, Namer] = {}
        self._called: dict[cst.CSTNode, set[cst.CSTNode]] = {}  # the calls that made the layers that a call calls
        self._stands_for: dict[Symbol, Dim] = {}
        self._read_as: dict[Tensor, tuple[str | None, ...]] = {}

    def walk(self) -> None:
        super().walk()
        for symbol in self._stands_for:
            symbol.meaning = symbol.meaning or FEATURE
        self.walked = True

    def enter(self) -> None:
        self.general = True
        super().enter()

    def evaluate(self, node: cst.BaseExpression) -> Value:
        value = super().evaluate(node)
        if not self._supposed:
            self._remember(node, value)
        return value

    def emit(self, fact: Fact) -> None:
        if not self._supposed and not self.again:
            self._listen(fact)
        super().emit(fact)

    def _remember(self, node: cst.CSTNode, value: Value) -> None:
        self._seen.setdefault(node, []).append((self.frame, self.general, value))

    def _listen(self, fact: Fact) -> None:
        """The last axis of what a layer is given has the size that the layer was made for."""
        if isinstance(fact, LayerCalled):
            self.assumes_batch = self.assumes_batch or fact.assumed
            self._is_given(fact.input, fact.layer.input_size)
            self._is_read(fact)
            self._called.setdefault(fact.call, set()).add(fact.layer.node)
        elif isinstance(fact, Applied) and fact.name == "pack_padded_sequence":
            self.assumes_features = True
        elif isinstance(fact, ModuleCalled) and fact.module.kind == "Embedding":
            self.ids.append(fact.input)
        elif isinstance(fact, ModuleCalled) and fact.module.kind == "Linear":
            self._is_given(fact.input, dim_of(fact.module.config.get("in_features")))

    def _is_given(self, value: Value, size: Dim | None) -> None:
        value = resolve(value)
        if size is None or not (isinstance(value, Packed) or (isinstance(value, Tensor) and value.axes)):
            return
        symbol = (value.feature if isinstance(value, Packed) else value.axes[-1]).size.symbol
        if symbol is None or symbol in size.symbols() or symbol.alias is not None or symbol.meaning is not None:
            return
        if not PROGRAM_NAME.fullmatch(symbol.name):
            self._stands_for.setdefault(symbol, size)

    def _is_read(self, fact: LayerCalled) -> None:
        """The axes of what a layer is given mean what the layer takes them for, unless they are known better."""
        value, layer = resolve(fact.input), fact.layer
        if not isinstance(value, Tensor) or layer.batch_first is None or value.rank != (2 if layer.is_cell else 3):
            return
        lead = (BATCH,) if layer.is_cell else (BATCH, TIME) if layer.batch_first else (TIME, BATCH)
        if all(known in (None, wanted) for known, wanted in zip(fact.meanings, lead, strict=False)):
            self._read_as[value] = (*lead, FEATURE)

    def values(self, node: cst.CSTNode) -> list[Seen]:
        """Every value a node had: those that hold for any caller, or else those of the calls seen."""
        seen = self._seen.get(node, [])
        general = [each for each in seen if each[1]]
        return general if any(self._say(*each) is not None for each in general) else seen

    def words(self, node: cst.CSTNode) -> Words | None:
        """What is known of a node's shape, in words: what all its values have in common."""
        result: Words | None = None
        for i, seen in enumerate(self.values(node)):
            said = self._say(*seen)
            result = said if i == 0 or said is None or result is None else meet(result, said)
            if result is None:
                return None
        return result

    def tell(self, node: cst.CSTNode) -> str | None:
        """What is known of a node, tensor or not; None where it is nothing, or not the same every time."""
        words = self.words(node)
        if words is not None:
            return str(words)
        told = {tell(value, self._named_in(frame)) for frame, _, value in self.values(node)}
        return told.pop() if len(told) == 1 else None

    def layer_made(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The call that made the layer which a node is, or calls; None for no layer, or not the same one every time."""
        values = [resolve(value) for _, _, value in self.values(node)]
        made = {value.node for value in values if isinstance(value, Recurrent)} | self._called.get(node, set())
        return made.pop() if len(made) == 1 else None

    def sizes(self, node: cst.CSTNode) -> dict[str, Dim]:
        """The sizes that have a name where a node's value was first seen, by their names."""
        seen = self.values(node)
        return self._namers.setdefault(seen[0][0], Namer()).names() if seen else {}

    def _say(self, frame: Frame, general: bool, value: Value) -> Words | None:
        return describe(value, self._named_in(frame), self._read_as)

    def _named_in(self, frame: Frame) -> Callable[[Symbol], str]:
        """The naming of sizes in one frame."""
        namer = self._namers.setdefault(frame, Namer())

        def name(symbol: Symbol) -> str:
            size = self._stands_for.get(symbol)
            if size is None:
                return namer.name(symbol)
            text = size_words(size, namer.name)
            return text if "+" not in text and "-" not in text else f"({text})"

        return name
