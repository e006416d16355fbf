"""Ten sequences of five steps to two classes: the last step of the top layer, a linear layer, a softmax."""

import numpy as np

import fastlstm

x = np.random.default_rng(0).normal(size=(10, 5, 3)).astype(np.float32)  # (batch, time, features)
lstm = fastlstm.LSTM(3, 5, num_layers=2, batch_first=True, seed=0)
head = fastlstm.Linear(5, 2, seed=0)

h_0 = np.zeros((2, 10, 5), np.float32)
output, (h_n, _) = lstm(x, (h_0, np.zeros_like(h_0)))
assert output.shape == (10, 5, 5)
last = output[:, -1]  # batch-first: the last step is on axis 1
np.testing.assert_array_equal(last, h_n[-1])
logits = head(last)
assert logits.shape == (10, 2)

exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)  # over the classes, not over the batch
np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)

# One step of training: the gradient of the last step goes into zeros of the output's shape.
loss, grad = fastlstm.cross_entropy(logits, (x.sum(axis=(1, 2)) > 0).astype(int))
grad_output = np.zeros_like(output)
grad_output[:, -1] = head.backward(grad)
lstm.backward(grad_output)
fastlstm.SGD([lstm, head], lr=0.1).step()
after, _ = fastlstm.cross_entropy(head(lstm(x)[0][:, -1]), (x.sum(axis=(1, 2)) > 0).astype(int))
assert after < loss
print(f"probabilities {probabilities.shape}, loss {loss:.3f} then {after:.3f}")
