"""An LSTM written out with one weight per gate, and the same weights in the fused layer."""

import numpy as np

import fastlstm

T, B, V, H = 6, 2, 8, 16
rng = np.random.default_rng(0)
tokens = rng.integers(0, V, size=(B, T))
one_hot = np.eye(V, dtype=np.float32)[tokens.T]  # (T, B, V): transposed, not reshaped
assert one_hot.shape == (T, B, V)


def weight(*shape):
    return rng.normal(scale=0.1, size=shape).astype(np.float32)


# The textbook's names: W_x (V, H), W_h (H, H), b (H,) for input gate, forget gate, candidate and output gate.
GATES = {"i": "i", "f": "f", "c": "g", "o": "o"}  # the textbook's candidate c is torch's g
W_x = {gate: weight(V, H) for gate in GATES}
W_h = {gate: weight(H, H) for gate in GATES}
b = {gate: weight(H) for gate in GATES}
W_q, b_q = weight(H, V), weight(V)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


h, c = np.zeros((B, H), np.float32), np.zeros((B, H), np.float32)
outputs = []
for x in one_hot:
    i, f, o = (sigmoid(x @ W_x[gate] + h @ W_h[gate] + b[gate]) for gate in "ifo")
    c = f * c + i * np.tanh(x @ W_x["c"] + h @ W_h["c"] + b["c"])
    h = o * np.tanh(c)
    outputs.append(h @ W_q + b_q)
by_hand = np.concatenate(outputs)  # (T*B, V), time slowest

# The layer stacks the gates in the order i f g o and keeps each weight as (out, in), hence .T.
lstm = fastlstm.LSTM(V, H)
lstm.weight_ih_l0 = fastlstm.stack_gates("LSTM", {GATES[gate]: W.T for gate, W in W_x.items()})
lstm.weight_hh_l0 = fastlstm.stack_gates("LSTM", {GATES[gate]: W.T for gate, W in W_h.items()})
lstm.bias_ih_l0 = fastlstm.stack_gates("LSTM", {GATES[gate]: value for gate, value in b.items()})
lstm.bias_hh_l0 = np.zeros(4 * H)  # torch has two biases where one would do
head = fastlstm.Linear(H, V)
head.weight, head.bias = W_q.T, b_q

output, (h_n, c_n) = lstm(one_hot)
logits = head(output.reshape(T * B, H))
assert logits.shape == (T * B, V)
np.testing.assert_allclose(logits, by_hand, rtol=1e-4, atol=1e-6)
np.testing.assert_allclose(h_n[0], h, rtol=1e-4, atol=1e-6)
np.testing.assert_allclose(c_n[0], c, rtol=1e-4, atol=1e-6)

# And back: the candidate's input weight, as the textbook has it.
np.testing.assert_array_equal(fastlstm.split_gates("LSTM", lstm.weight_ih_l0)["g"].T, W_x["c"])
print("twelve weights and the fused layer agree on", logits.shape)
