"""GRU with layer normalisation.

    (z, r) = LN(W_h h; alpha_1, beta_1) + LN(W_x x; alpha_2, beta_2)
    n = tanh(LN(W x; alpha_3, beta_3) + sigmoid(r) * LN(U h; alpha_4, beta_4))
    h' = (1 - sigmoid(z)) * h + sigmoid(z) * n

Ba et al. 2016 (arXiv 1607.06450), supplement. z lets the candidate in, so it is 1 - z of torch's GRU. LN
of z and r takes mean and variance over their 2*H numbers, that of n over H. Build the layer with bias=False: the betas
do the biases' work.

Gates z r n; state h (B, H). Unit parameters (H,): gain_uz gain_ur gain_un, shift_uz .. of the recurrent products,
gain_xz .., shift_xz .. of the input products. Begin with gains 1 and shifts 0:

    cell = fastlstm.cells.LayerNormGRU
    begin = {name: float(name.startswith("gain")) for name in cell.unit}
    layer = fastlstm.Recurrent(cell, 64, 128, bias=False, unit=begin)
    output, h_n = layer(x)
"""

from ..spec import cell


@cell(
    gates="z r n",
    states="h",
    unit=[f"{word}_{part}{gate}" for part in "ux" for word in ("gain", "shift") for gate in "zrn"],
)
def LayerNormGRU(m, x, u, state, unit):
    z_u, r_u = m.layer_norm((u.z, u.r), (unit.gain_uz, unit.gain_ur), (unit.shift_uz, unit.shift_ur))
    z_x, r_x = m.layer_norm((x.z, x.r), (unit.gain_xz, unit.gain_xr), (unit.shift_xz, unit.shift_xr))
    z, r = m.sigmoid(z_u + z_x), m.sigmoid(r_u + r_x)
    candidate = m.layer_norm(x.n, unit.gain_xn, unit.shift_xn)
    n = m.tanh(candidate + r * m.layer_norm(u.n, unit.gain_un, unit.shift_un))
    return (1 - z) * state.h + z * n
