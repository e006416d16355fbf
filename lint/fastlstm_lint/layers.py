"""Recurrent layers and cells as values: what the contract says about them, in the linter's symbolic sizes.

The shape rules themselves are in `fastlstm_lint.contract`; here its axes become tensors, and a configuration
may be partly unknown.
"""

from __future__ import annotations

from typing import Any

from . import contract
from .contract import BATCH, DIRECTION, FEATURE, LAYER, TIME
from .dims import Dim
from .records import changing, field
from .values import Axis, Origin, Part, Tensor, Value

LEADING = (TIME, BATCH)
"""The axes whose order `batch_first` decides."""


@changing
class Recurrent(Value):
    """An nn.LSTM, GRU, RNN or one of their cells. None stands for what is not known.

    `kinds` holds several names where branches choose between classes. `directions` is 1, 2 or a symbol.
    """

    kinds: tuple[str, ...]
    is_cell: bool
    input_size: Dim
    hidden_size: Dim
    num_layers: Dim
    directions: Dim
    batch_first: bool | None
    proj_size: Dim
    library: str
    node: Any
    arguments: dict[str, Value]
    subclass: bool = False
    states: tuple[str, ...] | None = None
    """The states of a cell that torch has not, by name; None where it is not known, or torch's."""

    fed: set[Dim] = field(default_factory=set)
    """The sizes of the features that the program gives it."""

    stepped: bool = False
    """Whether the program somewhere hands it a state of its own: it may be called step by step."""

    _rules: contract.Layer | contract.Cell | None = field(init=False)

    def __post_init__(self) -> None:
        self._rules = None

    @property
    def kind(self) -> str:
        return self.kinds[0]

    @property
    def label(self) -> str:
        """As the program calls it: `nn.LSTM`, `nn.GRUCell`."""
        prefix = "nn." if self.library == "torch.nn" else f"{self.library}."
        return prefix + "/".join(self.kinds) + ("Cell" if self.is_cell else "")

    @property
    def has_cell_state(self) -> bool | None:
        """Whether the state is a tuple of two, (h, c), or one tensor; None where it is neither, or not known."""
        count = self._count(self.kinds[0])
        if len(self.kinds) > 1 and any(self._count(kind) != count for kind in self.kinds):
            return None
        return count == 2 if 1 <= count <= 2 else None

    def _count(self, kind: str) -> int:
        """How many states there are; 0 where that is not known."""
        return len(contract.STATES.get(kind, self.states or ()))

    @property
    def output_size(self) -> Dim:
        """P: the width of h."""
        return self.hidden_size if self.proj_size == 0 else self.proj_size

    @property
    def rows(self) -> Dim:
        """L*D, the first size of every state."""
        return self.num_layers * self.directions

    @property
    def rules(self) -> contract.Layer | contract.Cell:
        """The contract of this configuration, which does not change."""
        if self._rules is None:
            self._rules = self._contract()
        return self._rules

    def _contract(self) -> contract.Layer | contract.Cell:
        if self.is_cell:
            return contract.Cell(self.kind, self.input_size, self.hidden_size)
        directions = self.directions.value
        return contract.Layer(
            self.kind,
            self.input_size,
            self.hidden_size,
            self.num_layers,
            batch_first=bool(self.batch_first),
            bidirectional=self.directions if directions is None else directions == 2,
            proj_size=0 if self.proj_size == 0 else self.proj_size,
        )

    def input(self, T: Dim, B: Dim | None) -> Tensor:
        """The input this layer takes."""
        config = self.rules
        return self._tensor(config.input(B) if isinstance(config, contract.Cell) else config.input(T, B))

    def output(self, T: Dim, B: Dim | None, origin: Origin | None = None) -> Tensor:
        """The output; with `batch_first` unknown, its first two axes have no meaning."""
        config = self.rules
        assert isinstance(config, contract.Layer)
        return self._tensor(config.output(T, B), origin)

    def state(self, name: str, B: Dim | None, origin: Origin | None = None) -> Tensor:
        """State `h` or `c`, before and after."""
        return self._tensor(self.rules.state(name, B), origin)

    def _tensor(self, shape: contract.Shape, origin: Origin | None = None) -> Tensor:
        return Tensor(tuple([self._axis(axis) for axis in shape]), origin)

    def _axis(self, axis: contract.Axis) -> Axis:
        size = Dim.of(axis.size)
        if len(axis.meaning) == 1:
            word = (
                None
                if self.batch_first is None and not self.is_cell and axis.meaning[0] in LEADING
                else axis.meaning[0]
            )
            return Axis((Part(size, word),))
        counts = {LAYER: self.num_layers, DIRECTION: self.directions}
        parts: list[Part] = []
        for word in axis.meaning:
            if word == axis.meaning[-1]:
                parts.append(Part(size, word))
            else:
                parts.append(Part(counts[word], word))
                size = size.exact_div(counts[word]) or size
        return Axis(tuple(parts))


__all__ = ["BATCH", "DIRECTION", "FEATURE", "LAYER", "TIME", "Recurrent"]
