"""A tagger, a forecast of one series, the count of parameters, and every step's output of all three layers."""

import numpy as np

import fastlstm

# A tagger: words to vectors, one sentence as (time, 1, features), a tag for every word.
sentences = [("the dog ate the apple", "D N V D N"), ("everybody read that book", "N V D N")]
words = {word: k for k, word in enumerate(sorted({word for text, _ in sentences for word in text.split()}))}
tags = {"D": 0, "N": 1, "V": 2}
embedding, lstm, head = (
    fastlstm.Embedding(len(words), 6, seed=0),
    fastlstm.LSTM(6, 6, seed=0),
    fastlstm.Linear(6, 3, seed=0),
)
optimiser = fastlstm.SGD([embedding, lstm, head], lr=0.5)
for _ in range(150):
    right = 0
    for text, truth in sentences:
        tokens = np.array([words[word] for word in text.split()])
        vectors = embedding(tokens)
        output, _ = lstm(vectors.reshape(len(tokens), 1, -1))
        logits = head(output.reshape(len(tokens), -1))
        assert logits.shape == (len(tokens), 3)
        target = np.array([tags[tag] for tag in truth.split()])
        _, grad = fastlstm.cross_entropy(logits, target)
        grad_x, _ = lstm.backward(head.backward(grad).reshape(output.shape))
        embedding.backward(grad_x.reshape(vectors.shape))
        optimiser.step()
        optimiser.zero_grad()
        right += (logits.argmax(axis=1) == target).sum()
assert right == 9
print("all nine words tagged")

# One series of single numbers has a feature axis too: 12 months as (time, batch, 1).
series = np.sin(np.arange(48) * 2 * np.pi / 12).astype(np.float32)
output, _ = fastlstm.LSTM(1, 10)(series[:12].reshape(12, 1, 1))
assert output.shape == (12, 1, 10)

# torch's two biases for each gate are counted both.
I, H = 20, 30
state = fastlstm.LSTM(I, H).state_dict()
assert sum(value.size for value in state.values()) == 4 * (H * (I + H) + 2 * H)

for kind in (fastlstm.LSTM, fastlstm.GRU, fastlstm.RNN):
    output, _ = kind(I, H)(np.zeros((7, 2, I), np.float32))
    assert output.shape == (7, 2, H)  # one for every step
