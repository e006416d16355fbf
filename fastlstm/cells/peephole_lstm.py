"""LSTM with peephole connections: the gates see the cell state.

    i = sigmoid(W_xi x + W_hi h + w_ci * c + b_i)
    f = sigmoid(W_xf x + W_hf h + w_cf * c + b_f)
    c' = f * c + i * tanh(W_xc x + W_hc h + b_c)
    o = sigmoid(W_xo x + W_ho h + w_co * c' + b_o)
    h' = o * tanh(c')

Gers and Schmidhuber 2000, "Recurrent nets that time and count"; the equations are those of Graves 2013
(arXiv 1308.0850). Gates i f g o; states h, c (B, H); unit parameters p_i, p_f, p_o (H,), Graves' w_ci, w_cf, w_co.

    layer = fastlstm.Recurrent(fastlstm.cells.PeepholeLSTM, 64, 128)
    output, (h_n, c_n) = layer(x)
"""

from ..spec import cell


@cell(gates="i f g o", states="h c", unit="p_i p_f p_o")
def PeepholeLSTM(m, gate, state, unit):
    i = m.sigmoid(gate.i + unit.p_i * state.c)
    f = m.sigmoid(gate.f + unit.p_f * state.c)
    c = f * state.c + i * m.tanh(gate.g)
    o = m.sigmoid(gate.o + unit.p_o * c)
    return o * m.tanh(c), c
