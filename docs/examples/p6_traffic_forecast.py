"""A day of 307 traffic detectors to the next hour: every step's output goes into the head."""

import numpy as np

import fastlstm

B, T, I, n = 16, 24, 307, 32
rng = np.random.default_rng(0)
hours = np.arange(T + 1) + rng.integers(0, 24, size=(B, 1))
phase = rng.uniform(0, 2 * np.pi, size=I)
traffic = np.sin(2 * np.pi * hours[..., None] / 24 + phase).astype(np.float32)  # (B, T + 1, I)
x, target = traffic[:, :T], traffic[:, T]
assert x.shape == (B, 24, 307)

lstm = fastlstm.LSTM(I, n, batch_first=True, seed=0)
dropout = fastlstm.Dropout(0.2, seed=0)
wide = fastlstm.Linear(24 * n, 256, seed=0)
out = fastlstm.Linear(256, I, seed=0)
modules = [lstm, dropout, wide, out]
optimiser = fastlstm.Adam(modules, lr=1e-3)


def forward(x):
    output, _ = lstm(x)
    assert output.shape == (len(x), 24, n)
    hidden = wide(dropout(output).reshape(len(x), 24 * n))  # (B, 24 * n)
    return hidden, out(np.maximum(hidden, 0))


losses = []
for _ in range(30):
    hidden, prediction = forward(x)
    assert hidden.shape == (B, 256)
    assert prediction.shape == (B, I)
    loss, grad = fastlstm.mse_loss(prediction, target)
    grad = wide.backward(out.backward(grad) * (hidden > 0))  # back through the ReLU
    lstm.backward(dropout.backward(grad.reshape(B, 24, n)))
    optimiser.step()
    optimiser.zero_grad()
    losses.append(loss)
assert losses[-1] < losses[0] / 4

for module in modules:
    module.eval()
np.testing.assert_array_equal(forward(x)[1], forward(x)[1])  # no dropout any more
print(f"mean squared error {losses[0]:.3f} at first, {losses[-1]:.3f} at last")
