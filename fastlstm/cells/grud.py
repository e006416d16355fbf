"""GRU-D: the state decays with the time since the last observation.

    gamma = exp(-max(0, W_gamma delta + b_gamma))
    k = gamma * h
    r = sigmoid(W_r x + U_r k + b_r)    z = sigmoid(W_z x + U_z k + b_z)
    n = tanh(W x + U (r * k) + b)
    h' = (1 - z) * k + z * n

Che et al. 2018 (Scientific Reports 8, 6085), the equations of GRU-D. The recurrent products are of the decayed state,
and the reset gate acts before its product. x is the input with its gaps filled and the mask of what was observed, side
by side, so W holds their W and V. Gates r z n; state h (B, H); step input d: W_gamma delta + b_gamma, (T, B, H), or
(T, B, 1).

    layer = fastlstm.Recurrent(fastlstm.cells.GRUD, 2 * 33, 64)
    output, h_n = layer(np.concatenate([filled, mask], axis=2), step={"d": decay(delta)})
"""

from ..spec import cell


@cell(gates="r z n", states="h", step="d")
def GRUD(m, x, u, state, step):
    k = m.exp(-m.relu(step.d)) * state.h
    r = m.sigmoid(x.r + u.r(k))
    z = m.sigmoid(x.z + u.z(k))
    n = m.tanh(x.n + u.n(r * k))
    return (1 - z) * k + z * n
