"""LSTM with layer normalisation.

    (i, f, g, o) = LN(W_h h; alpha_1, beta_1) + LN(W_x x; alpha_2, beta_2) + b
    c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h' = sigmoid(o) * tanh(LN(c'; alpha_3, beta_3))

Ba et al. 2016 (arXiv 1607.06450), supplement. LN of the products takes mean and variance over all 4*H
numbers of a sample, that of c' over H. The state c' itself stays as it is; torch's fastrnns benchmark carries LN(c')
instead. Biases of the layer would enter before LN: build it with bias=False, the betas do their work, as in fastrnns.

Gates i f g o; states h, c (B, H). Unit parameters (H,): gain_ui .. gain_uo and shift_ui .. shift_uo (alpha_1, beta_1),
gain_xi .., shift_xi .. (alpha_2, beta_2), gain_c, shift_c (alpha_3, beta_3). Begin with gains 1 and shifts 0:

    cell = fastlstm.cells.LayerNormLSTM
    begin = {name: float(name.startswith("gain")) for name in cell.unit}
    layer = fastlstm.Recurrent(cell, 64, 128, bias=False, unit=begin)
    output, (h_n, c_n) = layer(x)
"""

from ..spec import cell

_UNIT = [f"{word}_{part}{gate}" for part in "ux" for word in ("gain", "shift") for gate in "ifgo"]


@cell(gates="i f g o", states="h c", unit=[*_UNIT, "gain_c", "shift_c"])
def LayerNormLSTM(m, x, u, state, unit):
    recurrent = m.layer_norm(
        (u.i, u.f, u.g, u.o),
        (unit.gain_ui, unit.gain_uf, unit.gain_ug, unit.gain_uo),
        (unit.shift_ui, unit.shift_uf, unit.shift_ug, unit.shift_uo),
    )
    inputs = m.layer_norm(
        (x.i, x.f, x.g, x.o),
        (unit.gain_xi, unit.gain_xf, unit.gain_xg, unit.gain_xo),
        (unit.shift_xi, unit.shift_xf, unit.shift_xg, unit.shift_xo),
    )
    i, f, g, o = (a + b for a, b in zip(recurrent, inputs, strict=True))
    c = m.sigmoid(f) * state.c + m.sigmoid(i) * m.tanh(g)
    return m.sigmoid(o) * m.tanh(m.layer_norm(c, unit.gain_c, unit.shift_c)), c
