"""Stepping through a sequence with the state carried gives the same as the whole sequence at once."""

import numpy as np

import fastlstm

inputs = np.random.default_rng(0).normal(size=(5, 1, 3)).astype(np.float32)  # five steps of one sequence

for layer in (fastlstm.LSTM(3, 3, seed=1), fastlstm.GRU(3, 3, seed=1), fastlstm.RNN(3, 3, seed=1)):
    layer.eval()  # nothing is kept for backward
    state = None  # zeros
    for t in range(5):
        step, state = layer(inputs[t : t + 1], state)  # t : t + 1 keeps the time axis, (1, 1, 3)
    output, final = layer(inputs)

    assert output.shape == (5, 1, 3)
    np.testing.assert_allclose(step[-1], output[-1], rtol=1e-4, atol=1e-6)

    # An LSTM's state is the pair (h, c); a GRU's or RNN's is h alone.
    h_n = final[0] if isinstance(layer, fastlstm.LSTM) else final
    assert h_n.shape == (1, 1, 3)
    np.testing.assert_array_equal(h_n[-1], output[-1])

    kind = type(layer)
    both, final = kind(3, 3, bidirectional=True)(inputs)
    h_n = final[0] if kind is fastlstm.LSTM else final
    assert both.shape == (5, 1, 6)
    assert h_n.shape == (2, 1, 3)  # one state for each direction
    np.testing.assert_array_equal(h_n[0], both[-1, :, :3])  # forward ends at the last step
    np.testing.assert_array_equal(h_n[1], both[0, :, 3:])  # backward ends at the first
    print(kind.__name__, "steps and sequence agree")

cell = fastlstm.LSTMCell(3, 3, seed=1)
h = c = np.zeros((1, 3), np.float32)
for x in inputs:  # a cell takes one step without the time axis, (1, 3)
    h, c = cell(x, (h, c))
assert h.shape == (1, 3)
