"""minGRU: a GRU whose gates do not see the past.

    z = sigmoid(W_z x + b_z)
    h' = (1 - z) * h + z * (W_h x + b_h)

Feng et al. 2024 (arXiv 2410.01201), without the positive candidate g of their version in logarithms. Gates
z n; state h (B, H). There is no weight_hh.

    layer = fastlstm.Recurrent(fastlstm.cells.minGRU, 64, 128)
    output, h_n = layer(x)
"""

from ..spec import cell


@cell(gates="z n", states="h", recurrent="none")
def minGRU(m, x, state):
    z = m.sigmoid(x.z)
    return (1 - z) * state.h + z * x.n
