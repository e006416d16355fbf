"""The attributes that torch's layers and cells have, and that is all they can be: read.

A layer's memory, kernels and parameters are made for them; another size is another layer.
"""

from __future__ import annotations

from fastlstm_lint.contract import Cell, Layer

from ..spec import Cell as OwnCell
from ..spec import Stack


class CellAttributes:
    """Of one step: LSTMCell, GRUCell, RNNCell."""

    config: Cell | Layer

    @property
    def input_size(self) -> int:
        """I: how many features the input has."""
        return self.config.input_size

    @property
    def hidden_size(self) -> int:
        """H: how many units a layer has in one direction."""
        return self.config.hidden_size

    @property
    def bias(self) -> bool:
        """Whether there are biases."""
        return self.config.bias


class LayerAttributes(CellAttributes):
    """Of a stack of layers: LSTM, GRU, RNN."""

    config: Layer
    _dropout: float

    @property
    def num_layers(self) -> int:
        """L: how many layers there are."""
        return self.config.num_layers

    @property
    def batch_first(self) -> bool:
        """Whether input and output are (B, T, features)."""
        return self.config.batch_first

    @property
    def dropout(self) -> float:
        """p of the dropout on the output of every layer but the last, in training mode."""
        return self._dropout

    @property
    def bidirectional(self) -> bool:
        """Whether there is a second direction, from the last step to the first."""
        return self.config.bidirectional

    @property
    def proj_size(self) -> int:
        """P: the width of h where it is projected, which an LSTM's can be, else 0."""
        return self.config.proj_size


class OwnAttributes(LayerAttributes):
    """Of layers of a user's cell, on arrays and in torch."""

    config: Stack

    @property
    def cell(self) -> OwnCell:
        """The cell."""
        return self.config.cell

    @property
    def num_heads(self) -> int:
        """N: how many heads the recurrent product has."""
        return self.config.num_heads
