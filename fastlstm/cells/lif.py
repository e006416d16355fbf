"""Leaky integrate-and-fire neurons with a surrogate gradient.

    a' = ALPHA * a + W x + V s              synaptic current
    v' = BETA * v * (1 - s) + a'            membrane, back to zero after a spike
    s' = 1 where v' > 1, else 0

The surrogate, 1 / (1 + SLOPE * |v - 1|)^2, is that of Zenke and Ganguli 2018 (SuperSpike, Neural Computation 30), the
neuron the usual discrete one (Neftci et al. 2019, arXiv 1901.09948). Gradients pass through the reset too. Gate a;
states s, v, a (B, H); the output is the spikes.

    layer = fastlstm.Recurrent(fastlstm.cells.LIF, 700, 128, bias=False)
    spikes, (s_n, v_n, a_n) = layer(x)
"""

from ..spec import cell

ALPHA, BETA, SLOPE = 0.8, 0.9, 10.0


def leaky_step(m, gate, state, fires):
    """A step whose output is fires(v - 1), with the slope of a function that is one: x / (1 + SLOPE |x|)."""
    spike = m.custom(fires, lambda over: 1 / (1 + SLOPE * m.abs(over)) ** 2)
    a = ALPHA * state.a + gate.a
    v = BETA * state.v * (1 - state.s) + a
    return spike(v - 1), v, a


@cell(gates="a", states="s v a")
def LIF(m, gate, state):
    return leaky_step(m, gate, state, lambda over: m.where(over > 0, 1.0, 0.0))
