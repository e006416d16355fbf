"""Minimal gated unit: one gate.

    f = sigmoid(W_f x + U_f h + b_f)
    n = tanh(W_n x + b_n + f * (U_n h + b_un))
    h' = (1 - f) * h + f * n

Zhou et al. 2016 (arXiv 1603.09420), with the gate after the recurrent product, as cuDNN and torch have it in
the GRU; theirs is U_n (f * h), which a step writes as `u.n(f * state.h)`. Gates f n; state h (B, H).

    layer = fastlstm.Recurrent(fastlstm.cells.MGU, 64, 128)
    output, h_n = layer(x)
"""

from ..spec import cell


@cell(gates="f n", states="h")
def MGU(m, x, u, state):
    f = m.sigmoid(x.f + u.f)
    n = m.tanh(x.n + f * u.n)
    return (1 - f) * state.h + f * n
