"""IndRNN: every unit sees its own past only.

    h' = relu(W x + u * h + b)

Li et al. 2018 (arXiv 1803.04831). u is `weight_hh_l0`, (H,). Gate h; state h (B, H).

    layer = fastlstm.Recurrent(fastlstm.cells.IndRNN, 64, 128)
    output, h_n = layer(x)
"""

from ..spec import cell


@cell(gates="h", states="h", recurrent="diagonal")
def IndRNN(m, gate):
    return m.relu(gate.h)
