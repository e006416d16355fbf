"""LSTMs, GRUs and RNNs several times faster on a CPU: NumPy layers and drop-in torch modules."""

__version__ = "0.1.0"
