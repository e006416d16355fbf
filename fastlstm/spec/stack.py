"""A stack of recurrent layers of one cell: what it takes, gives and learns, with the interface of `contract.Layer`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastlstm_lint.contract import BATCH, FEATURE, GATE, UNIT, Axis, Layer, Shape, Size

from .cell import Cell


@dataclass(frozen=True, slots=True)
class Stack(Layer):
    """The configuration of `fastlstm.Recurrent`. `kind` is the cell's name, which is for people only.

    Letters: T time steps, B batch, I input_size, H hidden_size, L num_layers, D directions, G gates, N heads.
    """

    cell: Cell = None  # type: ignore[assignment]  # Layer's fields have defaults
    num_heads: int = 1

    @property
    def gates(self) -> tuple[str, ...]:
        return self.cell.gates

    @property
    def state_names(self) -> tuple[str, ...]:
        return self.cell.states

    def state(self, name: str, B: Size | None) -> Shape:
        """Shape of every initial and final state: (L*D, B, H), never batch-first; (L*D, H) unbatched."""
        first = Layer.state(self, "h", B)[0]
        batch = () if B is None else (Axis(B, "B", (BATCH,)),)
        return (first, *batch, Axis(self.hidden_size, "H", (FEATURE,)))

    def step_inputs(self, T: Size, B: Size | None) -> dict[str, Shape]:
        """Step inputs by name: (T, B, H), with the axes of the input before the last."""
        shape = (*self.input(T, B)[:-1], Axis(self.hidden_size, "H", (FEATURE,)))
        return dict.fromkeys(self.cell.step, shape)

    def constructor(self) -> str:
        """The constructor call that makes it: `Recurrent(sLSTM, 5, 6, num_heads=2)`."""
        heads = [f"num_heads={self.num_heads}"] if self.num_heads != 1 else []
        return f"Recurrent({', '.join([self.cell.name, *self._options(), *heads])})"

    def _parameters(self) -> Iterator[tuple[str, Shape]]:
        H, G, cell = self.hidden_size, len(self.gates), self.cell
        rows = Axis(G * H, "G*H", (GATE, UNIT))
        for layer, _, suffix in self.parts():
            size = self.layer_input_size(layer)
            letter = "I" if layer == 0 else "D*H" if self.bidirectional else "H"
            if cell.input == "dense":
                yield f"weight_ih{suffix}", (rows, Axis(size, letter, (FEATURE,)))
            if cell.recurrent == "dense":
                yield f"weight_hh{suffix}", (rows, Axis(H, "H", (FEATURE,)))
            elif cell.recurrent == "heads":
                N = self.num_heads
                yield (
                    f"weight_hh{suffix}",
                    (
                        Axis(N, "N", ("head",)),
                        Axis(G * H // N, "G*H/N", (GATE, UNIT)),
                        Axis(H // N, "H/N", (FEATURE,)),
                    ),
                )
            elif cell.recurrent == "diagonal":
                yield f"weight_hh{suffix}", (rows,)
            if self.bias:
                if cell.input == "dense":
                    yield f"bias_ih{suffix}", (rows,)
                if cell.recurrent != "none":
                    yield f"bias_hh{suffix}", (rows,)
            for name in cell.unit:
                yield f"{name}{suffix}", (Axis(H, "H", (UNIT,)),)
