"""LSTM whose forget gate is what the input gate leaves: f = 1 - i (CIFG).

    i = sigmoid(W_i x + R_i h + b_i)
    c' = (1 - i) * c + i * tanh(W_z x + R_z h + b_z)
    o = sigmoid(W_o x + R_o h + b_o)
    h' = o * tanh(c')

Greff et al. 2017, "LSTM: A Search Space Odyssey", variant CIFG; theirs has peepholes as well, this
one has none. Gates i g o; states h, c (B, H).

    layer = fastlstm.Recurrent(fastlstm.cells.CoupledLSTM, 64, 128)
    output, (h_n, c_n) = layer(x)
"""

from ..spec import cell


@cell(gates="i g o", states="h c")
def CoupledLSTM(m, gate, state):
    i = m.sigmoid(gate.i)
    c = (1 - i) * state.c + i * m.tanh(gate.g)
    return m.sigmoid(gate.o) * m.tanh(c), c
