"""EA-LSTM: the input gate comes from what does not change, such as a catchment's attributes.

    i = sigmoid(W_i x_s + b_i)              once for each sequence
    f = sigmoid(W_f x + U_f h + b_f)
    c' = f * c + i * tanh(W_g x + U_g h + b_g)
    o = sigmoid(W_o x + U_o h + b_o)
    h' = o * tanh(c')

Kratzert et al. 2019 (HESS 23, 5089). Gates f g o; states h, c (B, H); step input i: W_i x_s + b_i, (B, H).

    layer = fastlstm.Recurrent(fastlstm.cells.EALSTM, 5, 64)
    gate = fastlstm.Linear(27, 64)
    output, (h_n, c_n) = layer(x, step={"i": gate(attributes)})
"""

from ..spec import cell


@cell(gates="f g o", states="h c", step="i")
def EALSTM(m, gate, state, step):
    c = m.sigmoid(gate.f) * state.c + m.sigmoid(step.i) * m.tanh(gate.g)
    return m.sigmoid(gate.o) * m.tanh(c), c
