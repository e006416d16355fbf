"""sLSTM: exponential gates, a normaliser n and a stabiliser m, memory mixing within heads.

    m' = max(log f + m, log i)              log f = log_sigmoid(f~), log i = i~
    i' = exp(log i - m')    f' = min(1, exp(log f + m - m'))
    c' = f' * c + i' * tanh(z~)
    n' = f' * n + i'
    h' = sigmoid(o~) * c' / n'

Beck et al. 2024 (arXiv 2405.04517), eq. 8 to 17, with the sigmoid forget gate of eq. 13 and tanh for z. Where nothing
has entered yet (n = 0) m' is log i, as in the authors' code: max would let a small first i underflow; h' is the same
for every m'. Only there f' could exceed 1, and overflow where log i is below -88; it multiplies zeros there, and the
bound, as in TiRex's code, makes them zeros and not NaN. f~ and its fellows are W x + R h + b; R is block-diagonal over
heads.

Gates i f z o; states h, c, n, m (B, H), zeros at first.

    layer = fastlstm.Recurrent(fastlstm.cells.sLSTM, 64, 128, num_heads=4)
    output, (h_n, c_n, n_n, m_n) = layer(x)
"""

from ..spec import cell


@cell(gates="i f z o", states="h c n m", recurrent="heads")
def sLSTM(m, gate, state):
    log_f = m.log_sigmoid(gate.f) + state.m
    peak = m.where(state.n == 0, gate.i, m.maximum(log_f, gate.i))
    i, f = m.exp(gate.i - peak), m.exp(m.clip(log_f - peak, high=0.0))
    c = f * state.c + i * m.tanh(gate.z)
    n = f * state.n + i
    return m.sigmoid(gate.o) * c / n, c, n, peak
