"""JANET: just another network, an LSTM with the forget gate alone.

    s = W_f x + U_f h + b_f
    h' = sigmoid(s) * h + (1 - sigmoid(s - beta)) * tanh(W_c x + U_c h + b_c),   beta = 1

van der Westhuizen and Lasenby 2018 (arXiv 1804.04849), the form with beta. Their c and h are one.
Gates f c; state h (B, H).

    layer = fastlstm.Recurrent(fastlstm.cells.JANET, 64, 128)
    output, h_n = layer(x)
"""

from ..spec import cell

BETA = 1.0


@cell(gates="f c", states="h")
def JANET(m, gate, state):
    return m.sigmoid(gate.f) * state.h + (1 - m.sigmoid(gate.f - BETA)) * m.tanh(gate.c)
