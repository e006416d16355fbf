"""A character model around any of RNN, GRU and LSTM, trained on real text with truncated back-propagation."""

import pydoc_data.topics

import numpy as np

import fastlstm

text = " ".join(" ".join(pydoc_data.topics.topics[name].split()) for name in ("assert", "if", "while", "for"))
alphabet = sorted(set(text))
V, H, T, B = len(alphabet), 48, 16, 8


class CharacterModel:
    """Tokens (B, T) to logits (T*B, V)."""

    def __init__(self, layer):
        self.layer = layer
        self.head = fastlstm.Linear(H * layer.config.directions, V, seed=1)
        self.modules = [self.layer, self.head]

    def begin_state(self, B):
        """Zeros: one array for a GRU or RNN, a pair for an LSTM; twice as many when bidirectional."""
        zeros = np.zeros((self.layer.config.num_layers * self.layer.config.directions, B, H), np.float32)
        return (zeros, zeros) if isinstance(self.layer, fastlstm.LSTM) else zeros

    def __call__(self, tokens, state):
        one_hot = np.eye(V, dtype=np.float32)[tokens.T]  # (T, B, V)
        output, state = self.layer(one_hot, state)
        self.shape = output.shape
        return self.head(output.reshape(-1, output.shape[-1])), state

    def backward(self, grad):
        self.layer.backward(self.head.backward(grad).reshape(self.shape))


# Eight readers start at eight places of the text; chunk k of each continues its chunk k - 1.
numbers = np.array([alphabet.index(character) for character in text])
steps = (len(numbers) - 1) // B
inputs, targets = numbers[: steps * B].reshape(B, steps), numbers[1 : steps * B + 1].reshape(B, steps)

for kind in (fastlstm.RNN, fastlstm.GRU, fastlstm.LSTM):
    model = CharacterModel(kind(V, H, seed=0))
    optimiser = fastlstm.Adam(model.modules, lr=1e-2)
    losses = []
    for _ in range(6):
        state = model.begin_state(B)
        for start in range(0, steps - T + 1, T):
            # The state is carried on, the gradient is not: arrays have no history, so there is nothing to detach.
            logits, state = model(inputs[:, start : start + T], state)
            assert logits.shape == (T * B, V)
            loss, grad = fastlstm.cross_entropy(logits, targets[:, start : start + T].T.reshape(-1))
            model.backward(grad)
            fastlstm.clip_grad_norm(model.modules, 1.0)
            optimiser.step()
            optimiser.zero_grad()
            losses.append(loss)
    first, last = np.exp(losses[0]), np.exp(np.mean(losses[-20:]))
    assert first > 0.8 * V  # knows nothing yet
    assert last < 0.3 * V
    print(f"{kind.__name__}: perplexity {first:.1f} at first, {last:.1f} at last, of {V} characters")

both = CharacterModel(fastlstm.LSTM(V, H, bidirectional=True))
state = both.begin_state(B)
assert state[0].shape == state[1].shape == (2, B, H)
assert both(inputs[:, :T], state)[0].shape == (T * B, V)
