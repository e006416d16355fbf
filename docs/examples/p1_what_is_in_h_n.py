"""Two layers: what output shows, what h_n holds, and which axis is which."""

import numpy as np

import fastlstm

lstm = fastlstm.LSTM(input_size=5, hidden_size=6, num_layers=2, seed=0)

# Axis 0 is time, axis 1 the batch: one step of three sequences. Read the other way round, as "a batch of 1 with
# 3 steps", nothing crashes, but the three rows never see each other. Build the layer with batch_first=True for that.
x = np.random.default_rng(0).normal(size=(1, 3, 5)).astype(np.float32)
h_0 = np.zeros((2, 3, 6), np.float32)  # (layers, batch, hidden), never batch-first
c_0 = np.zeros((2, 3, 6), np.float32)
output, (h_n, c_n) = lstm(x, (h_0, c_0))

assert output.shape == (1, 3, 6)
assert h_n.shape == (2, 3, 6)
assert c_n.shape == (2, 3, 6)

# The last entry of h_n is the top layer's state, which output ends with; h_n[0] is layer 0, which output never shows.
np.testing.assert_array_equal(h_n[-1], output[-1])
assert not np.allclose(h_n[0], output[-1])


# Layer 0 by its equations, gates in the order i f g o.
def sigmoid(a):
    return 1 / (1 + np.exp(-a))


gates = x[0] @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + h_0[0] @ lstm.weight_hh_l0.T + lstm.bias_hh_l0
i, f, g, o = np.split(gates, 4, axis=1)
c = sigmoid(f) * c_0[0] + sigmoid(i) * np.tanh(g)
h = sigmoid(o) * np.tanh(c)
np.testing.assert_allclose(h_n[0], h, rtol=1e-4, atol=1e-6)
np.testing.assert_allclose(c_n[0], c, rtol=1e-4, atol=1e-6)
print("output", output.shape, "h_n", h_n.shape, "c_n", c_n.shape)
