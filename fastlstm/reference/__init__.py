"""The specification: LSTM, GRU and RNN forward and backward as plain NumPy loops that read like the textbook.

Every compiled kernel is tested against this package, values and gradients. It is slow on purpose: one step of one
layer and direction at a time. The equations of a cell stand in its own file (`lstm.py`, `gru.py`, `rnn.py`), the walk
over time in `sequence.py`, layers, directions and layouts in `stack.py`.
"""

from .stack import Reference

__all__ = ["Reference"]
