"""minLSTM: an LSTM whose gates do not see the past, and add up to one.

    f = sigmoid(W_f x + b_f)    i = sigmoid(W_i x + b_i)
    h' = f / (f + i) * h + i / (f + i) * (W_h x + b_h)

f / (f + i) is computed as sigmoid(log f - log i), which does not divide zero by zero where both gates are shut.

Feng et al. 2024 (arXiv 2410.01201), with the gates normalised and without the positive candidate g of
their version in logarithms. Gates f i n; state h (B, H). There is no weight_hh.

    layer = fastlstm.Recurrent(fastlstm.cells.minLSTM, 64, 128)
    output, h_n = layer(x)
"""

from ..spec import cell


@cell(gates="f i n", states="h", recurrent="none")
def minLSTM(m, x, state):
    share = m.sigmoid(m.log_sigmoid(x.f) - m.log_sigmoid(x.i))
    return share * state.h + (1 - share) * x.n
