"""What every argument of the constructor changes."""

import numpy as np

import fastlstm

x = np.random.default_rng(0).normal(size=(10, 3, 28)).astype(np.float32)  # (batch, time, features)

lstm = fastlstm.LSTM(28, 4, batch_first=True)
assert lstm.weight_ih_l0.shape == (16, 28)  # four gates of four units
assert lstm.weight_hh_l0.shape == (16, 4)
output, (h_n, c_n) = lstm(x)  # states default to zeros
assert output.shape == (10, 3, 4)
assert h_n.shape == c_n.shape == (1, 10, 4)  # batch_first is about input and output only
zeros = np.zeros((1, 10, 4), np.float32)
np.testing.assert_array_equal(lstm(x, (zeros, zeros))[0], output)
np.testing.assert_array_equal(output[:, -1], h_n[-1])  # output[-1] would be the last sequence, not the last step

without_bias = fastlstm.LSTM(28, 4, bias=False)
assert list(without_bias.state_dict()) == ["weight_ih_l0", "weight_hh_l0"]

deep = fastlstm.LSTM(28, 4, num_layers=2, batch_first=True, bidirectional=True, dropout=0.5, seed=0)
assert deep.weight_ih_l1.shape == (16, 8)  # layer 1 reads both directions of layer 0
output, (h_n, c_n) = deep(x)
assert output.shape == (10, 3, 8)
assert h_n.shape == c_n.shape == (4, 10, 4)  # layers * directions
forward, backward = np.moveaxis(output.reshape(10, 3, 2, 4), 2, 0)  # the last axis is (direction, feature)
np.testing.assert_array_equal(h_n.reshape(2, 2, 10, 4)[-1, 0], forward[:, -1])
np.testing.assert_array_equal(h_n.reshape(2, 2, 10, 4)[-1, 1], backward[:, 0])

# Dropout acts on what layer 0 hands to layer 1, in training mode: output itself has no zeros in it.
assert output.all()
assert not np.array_equal(deep(x)[0], output)
deep.eval()
np.testing.assert_array_equal(deep(x)[0], deep(x)[0])

# Sequences of unequal length go in packed, and come out packed.
packed = fastlstm.pack_padded_sequence(x, [3, 1, 2, 3, 3, 1, 2, 2, 3, 1], batch_first=True, enforce_sorted=False)
output, (h_n, c_n) = deep(packed)
assert isinstance(output, fastlstm.PackedSequence)
padded, lengths = fastlstm.pad_packed_sequence(output, batch_first=True)
assert padded.shape == (10, 3, 8)
assert lengths.tolist() == [3, 1, 2, 3, 3, 1, 2, 2, 3, 1]
np.testing.assert_array_equal(h_n.reshape(2, 2, 10, 4)[-1, 0], padded[np.arange(10), lengths - 1, :4])
print("output", padded.shape, "h_n", h_n.shape)
