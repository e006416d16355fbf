"""Shapes and axis meanings of recurrent layers: the one place where these rules are written.

The run-time checks, the linter and `fastlstm explain` read this module and nothing else. It uses the standard
library only, and does no arithmetic on sizes beyond `*` and `+`: a size may be an `int` or any object with these two
operators, such as the linter's symbolic sizes.

Letters: T time steps, B batch, I input_size, H hidden_size, P proj_size (or H), L num_layers, D directions,
G gates (LSTM 4, GRU 3, RNN 1). The rules are those of torch.nn.LSTM, GRU, RNN and their cells
(https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

Size = Any  # an int, or anything with * and +

TIME, BATCH, LAYER, DIRECTION, FEATURE, GATE, UNIT = (
    "time",
    "batch",
    "layer",
    "direction",
    "feature",
    "gate",
    "unit",
)


class Axis(NamedTuple):
    """One axis: its size, the letters of that size, and what its entries mean.

    `meaning` holds one word for a plain axis and several, slowest first, for a merged one: the last axis of a
    bidirectional output is `("direction", "feature")`, the first of h_n is `("layer", "direction")`.
    """

    size: Size
    letters: str
    meaning: tuple[str, ...]

    def __str__(self) -> str:
        return f"{'*'.join(self.meaning)} {self.letters}={self.size}"


Shape = tuple[Axis, ...]

GATES = {
    "LSTM": ("i", "f", "g", "o"),
    "GRU": ("r", "z", "n"),
    "RNN": ("h",),
}
"""Gate names in the order in which torch stacks them in every weight and bias."""

ROUNDED = {
    "int8": {"weight_ih": "int16", "weight_hh": "int8", "weight_hr": "int16"},
    "float16": {"weight_ih": "float16", "weight_hh": "float16", "weight_hr": "float16"},
}
"""What `fastlstm.quantize(layer, weights)` makes of a layer's matrices. Beside integers stand their rows' scales."""

STATES = {"LSTM": ("h", "c"), "GRU": ("h",), "RNN": ("h",)}
"""The states a cell carries. An LSTM takes and returns a tuple of both; the others a single array."""


def rounded(name: str, weights: str) -> str:
    """The dtype of a quantized layer's parameter of this name."""
    return ROUNDED[weights].get(name.rpartition("_l")[0], "float32")


class Part(NamedTuple):
    """One direction of one layer of a stack, and what torch's names of its parameters end in: "_l0", "_l1_reverse"."""

    layer: int
    direction: int
    suffix: str


def parts(num_layers: int, directions: int) -> list[Part]:
    """The parts of a stack in torch's order: that of its parameters, and of the first axis of its states."""
    return [
        Part(layer, direction, f"_l{layer}" + "_reverse" * direction)
        for layer in range(num_layers)
        for direction in range(directions)
    ]


def sizes(shape: Shape) -> tuple[Size, ...]:
    """The bare sizes of a shape."""
    return tuple(axis.size for axis in shape)


def letters(shape: Shape) -> str:
    """A shape in the field's letters: `(T, B, D*H)`."""
    inner = ", ".join(axis.letters for axis in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


@dataclass(frozen=True, slots=True)
class Cell:
    """The configuration of one cell, as given to torch.nn.LSTMCell, GRUCell or RNNCell.

    `nonlinearity`, "tanh" or "relu", is read where `kind` is "RNN".
    """

    kind: str
    input_size: Size
    hidden_size: Size
    bias: bool = True
    nonlinearity: str = "tanh"

    @property
    def gates(self) -> tuple[str, ...]:
        return GATES[self.kind]

    @property
    def state_names(self) -> tuple[str, ...]:
        return STATES[self.kind]

    def input(self, B: Size | None) -> Shape:
        """Shape of the input, (B, I), or (I,) when `B` is None (unbatched)."""
        return (*_batch(B), Axis(self.input_size, "I", (FEATURE,)))

    def state(self, name: str, B: Size | None) -> Shape:
        """Shape of state `h` or `c`, before and after the step: (B, H), or (H,) unbatched."""
        return (*_batch(B), Axis(self.hidden_size, "H", (FEATURE,)))

    def parameters(self) -> dict[str, Shape]:
        """Shapes by torch's names: weight_ih, weight_hh, bias_ih, bias_hh."""
        return dict(_weights(self, self.input_size, "I", "", self.hidden_size))

    def constructor(self) -> str:
        """The constructor call that makes it, with what is not as it is by default: `GRUCell(5, 6, bias=False)`."""
        return f"{self.kind}Cell({self.input_size}, {self.hidden_size}{'' if self.bias else ', bias=False'})"

    def layer(self) -> Layer:
        """The layer that does the same when it is called with T = 1."""
        return Layer(self.kind, self.input_size, self.hidden_size, bias=self.bias, nonlinearity=self.nonlinearity)


@dataclass(frozen=True, slots=True)
class Layer:
    """The configuration of a layer stack, as given to torch.nn.LSTM, GRU or RNN.

    `kind` is "LSTM", "GRU" or "RNN". Sizes may be symbolic; `num_layers` must be an int where parameters are listed.
    `nonlinearity`, "tanh" or "relu", is read where `kind` is "RNN".
    """

    kind: str
    input_size: Size
    hidden_size: Size
    num_layers: Size = 1
    bias: bool = True
    batch_first: bool = False
    bidirectional: bool | Size = False
    proj_size: Size = 0
    nonlinearity: str = "tanh"

    @property
    def gates(self) -> tuple[str, ...]:
        return GATES[self.kind]

    @property
    def state_names(self) -> tuple[str, ...]:
        return STATES[self.kind]

    @property
    def mode(self) -> str:
        """The equations' name, torch's `mode`: the kind, and of an RNN its nonlinearity too, "RNN_TANH"."""
        return f"RNN_{self.nonlinearity.upper()}" if self.kind == "RNN" else self.kind

    @property
    def directions(self) -> Size:
        if isinstance(self.bidirectional, int):
            return 2 if self.bidirectional else 1
        return self.bidirectional

    @property
    def projected(self) -> bool:
        return not (isinstance(self.proj_size, int) and self.proj_size == 0)

    @property
    def output_size(self) -> Size:
        """P: the width of h, proj_size where there is a projection, else hidden_size."""
        return self.proj_size if self.projected else self.hidden_size

    def input(self, T: Size, B: Size | None) -> Shape:
        """Shape of the input: (T, B, I), (B, T, I) with batch_first, (T, I) when `B` is None (unbatched)."""
        return self._sequence(T, B, Axis(self.input_size, "I", (FEATURE,)))

    def output(self, T: Size, B: Size | None) -> Shape:
        """Shape of the output: as the input, with D*P features, the forward direction's P first."""
        letter = "P" if self.projected else "H"
        if self.bidirectional:
            return self._sequence(T, B, Axis(self.directions * self.output_size, f"D*{letter}", (DIRECTION, FEATURE)))
        return self._sequence(T, B, Axis(self.output_size, letter, (FEATURE,)))

    def state(self, name: str, B: Size | None) -> Shape:
        """Shape of h_0 and h_n (`name` "h"), or c_0 and c_n ("c"): (L*D, B, P) and (L*D, B, H).

        Never batch-first, whatever `batch_first` says; (L*D, P) unbatched. Entry l*D + d belongs to layer l,
        direction d.
        """
        if self.bidirectional:
            first = Axis(self.num_layers * self.directions, "L*D", (LAYER, DIRECTION))
        else:
            first = Axis(self.num_layers, "L", (LAYER,))
        width, letter = (self.hidden_size, "H") if name == "c" else (self.output_size, "P" if self.projected else "H")
        return (first, *_batch(B), Axis(width, letter, (FEATURE,)))

    def states(self, B: Size | None) -> dict[str, Shape]:
        """The shape of each state, in the order in which it is passed."""
        return {name: self.state(name, B) for name in self.state_names}

    def step_inputs(self, T: Size, B: Size | None) -> dict[str, Shape]:
        """The shapes of what each step is given beside the input, by name. None here: cells of one's own have some."""
        return {}

    def constructor(self) -> str:
        """The constructor call that makes it, with what is not as it is by default: `LSTM(5, 6, num_layers=2)`."""
        return f"{self.kind}({', '.join(self._options())})"

    def _options(self) -> list[str]:
        flags = [f"{flag}=True" for flag in ("batch_first", "bidirectional") if getattr(self, flag)]
        return [
            f"{self.input_size}, {self.hidden_size}",
            *([f"num_layers={self.num_layers}"] if self.num_layers != 1 else []),
            *flags,
            *([f"proj_size={self.proj_size}"] if self.projected else []),
            *([] if self.bias else ["bias=False"]),
        ]

    def layer_input_size(self, layer: int) -> Size:
        """I of layer `layer`: input_size for the first, D*P for the rest."""
        return self.input_size if layer == 0 else self.directions * self.output_size

    def parts(self) -> list[Part]:
        """Its layers and directions in torch's order."""
        return parts(self.num_layers, self.directions)

    def parts_of(self, layer: int) -> list[Part]:
        """The directions of one layer."""
        return self.parts()[layer * self.directions : (layer + 1) * self.directions]

    def parameters(self) -> dict[str, Shape]:
        """Shapes by torch's names and in torch's order: weight_ih_l0 (G*H, I), weight_hh_l0 (G*H, P), bias_ih_l0 ..."""
        return dict(self._parameters())

    def parameter_count(self) -> Size:
        """How many numbers all parameters hold together."""
        total: Size = 0
        for shape in self.parameters().values():
            count: Size = 1
            for axis in shape:
                count = axis.size * count
            total = count + total
        return total

    def _parameters(self) -> Iterator[tuple[str, Shape]]:
        width, letter = (self.proj_size, "P") if self.projected else (self.hidden_size, "H")
        for layer, _, suffix in self.parts():
            size = self.layer_input_size(layer)
            size_letter = "I" if layer == 0 else (f"D*{letter}" if self.bidirectional else letter)
            yield from _weights(self, size, size_letter, suffix, width)
            if self.projected:
                yield f"weight_hr{suffix}", (Axis(width, "P", (FEATURE,)), Axis(self.hidden_size, "H", (UNIT,)))

    def _sequence(self, T: Size, B: Size | None, last: Axis) -> Shape:
        time = Axis(T, "T", (TIME,))
        if B is None:
            return (time, last)
        batch = Axis(B, "B", (BATCH,))
        return (batch, time, last) if self.batch_first else (time, batch, last)


def _batch(B: Size | None) -> Shape:
    return () if B is None else (Axis(B, "B", (BATCH,)),)


def _weights(
    config: Layer | Cell, size: Size, size_letter: str, suffix: str, width: Size
) -> Iterator[tuple[str, Shape]]:
    """Input and recurrent weights and both biases of one layer and direction, in torch's order."""
    rows = Axis(len(config.gates) * config.hidden_size, "G*H", (GATE, UNIT))
    letter = "P" if isinstance(config, Layer) and config.projected else "H"
    yield f"weight_ih{suffix}", (rows, Axis(size, size_letter, (FEATURE,)))
    yield f"weight_hh{suffix}", (rows, Axis(width, letter, (FEATURE,)))
    if config.bias:
        yield f"bias_ih{suffix}", (rows,)
        yield f"bias_hh{suffix}", (rows,)
