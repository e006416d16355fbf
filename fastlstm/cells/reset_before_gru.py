"""GRU with the reset gate before the recurrent product, as it was published.

    r = sigmoid(W_r x + U_r h + b_r)
    z = sigmoid(W_z x + U_z h + b_z)
    n = tanh(W x + U (r * h) + b)
    h' = z * h + (1 - z) * n

Cho et al. 2014 (arXiv 1406.1078). ONNX's linear_before_reset = 0 and Keras's reset_after=False;
`fastlstm.GRU` has the reset after the product, as torch. Gates r z n; state h (B, H).

    layer = fastlstm.Recurrent(fastlstm.cells.ResetBeforeGRU, 64, 128)
    output, h_n = layer(x)
"""

from ..spec import cell


@cell(gates="r z n", states="h")
def ResetBeforeGRU(m, x, u, state):
    r = m.sigmoid(x.r + u.r)
    z = m.sigmoid(x.z + u.z)
    n = m.tanh(x.n + u.n(r * state.h))
    return z * state.h + (1 - z) * n
