"""Drop-in modules for PyTorch: torch's own classes, computed by this library's kernels on the CPU, and on a GPU where
they are the faster.

`accelerate(model)` is all that a model needs; docs/torch.md says what it does and what is left to torch.
"""

from fastlstm.torch.cells import GRUCell, LSTMCell, RNNCell
from fastlstm.torch.comparing import Comparison, compare
from fastlstm.torch.compiling import teach_dynamo
from fastlstm.torch.episodes import one_call
from fastlstm.torch.layers import GRU, LSTM, RNN
from fastlstm.torch.recurrent import Recurrent
from fastlstm.torch.swap import Report, accelerate, restore

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Comparison",
    "GRUCell",
    "LSTMCell",
    "RNNCell",
    "Recurrent",
    "Report",
    "accelerate",
    "compare",
    "one_call",
    "restore",
]

teach_dynamo()
