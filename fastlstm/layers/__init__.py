"""The layers a user holds: NumPy in, NumPy out, or both on a GPU, with `backward`.

`module.py` owns parameters, `recurrent.py` the call of LSTM, GRU and RNN, `user_cell.py` that of a cell of one's own,
`cell.py` that of the cells, `checks.py` the
diagnosis of a wrong call, `places.py` what host and GPU do each in their way; the rest is what training needs around
them.
"""

from .cell import GRUCell, LSTMCell, RNNCell
from .family import GRU, LSTM, RNN
from .gates import split_gates, stack_gates
from .heads import Dropout, Embedding, Linear
from .losses import cross_entropy, mse_loss
from .module import Module
from .optim import SGD, Adam, clip_grad_norm
from .packing import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence
from .storage import load, save
from .user_cell import Recurrent

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "Dropout",
    "Embedding",
    "GRUCell",
    "LSTMCell",
    "Linear",
    "Module",
    "PackedSequence",
    "RNNCell",
    "Recurrent",
    "clip_grad_norm",
    "cross_entropy",
    "load",
    "mse_loss",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "save",
    "split_gates",
    "stack_gates",
]
