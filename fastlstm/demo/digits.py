"""A two-layer LSTM reads handwritten digits row by row."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from time import perf_counter

import numpy as np

import fastlstm
from fastlstm.demo.showing import Part, Showing, Watch

HIDDEN = 96
EPOCHS = 20
RATE = 4e-3
BATCH = 32
PROMISE = 0.95


class Classifier:
    """Images (B, 8 rows as time steps, 8 pixels) -> LSTM -> last layer's h_n -> Linear -> one logit per class."""

    def __init__(self, seed: int = 0) -> None:
        self.lstm = fastlstm.LSTM(8, HIDDEN, num_layers=2, batch_first=True, seed=seed)
        self.head = fastlstm.Linear(HIDDEN, 10, seed=seed + 1)
        self.optimiser = fastlstm.Adam([self.lstm, self.head], lr=RATE)

    def logits(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, 10), and h_n (2, B, H) of both layers."""
        _, (h_n, _) = self.lstm(images)
        return self.head(h_n[-1]), h_n

    def learn(self, images: np.ndarray, labels: np.ndarray) -> None:
        """One step of Adam on one batch."""
        logits, h_n = self.logits(images)
        _, grad = fastlstm.cross_entropy(logits, labels)
        grad_h_n = np.zeros_like(h_n)
        grad_h_n[-1] = self.head.backward(grad)
        self.lstm.backward(None, (grad_h_n, None))
        self.optimiser.step()
        self.optimiser.zero_grad()

    def accuracy(self, images: np.ndarray, labels: np.ndarray) -> float:
        """Share of right answers."""
        for module in (self.lstm, self.head):
            module.eval()
        logits, _ = self.logits(images)
        return float((logits.argmax(1) == labels).mean())


def data(seed: int = 0) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """(images, labels) to learn from and a held-out quarter; images (N, 8, 8), float32, 0 to 1."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.images))
    images, labels = (digits.images[order] / 16).astype(np.float32), digits.target[order]
    held_out = len(order) // 4
    return (images[held_out:], labels[held_out:]), (images[:held_out], labels[:held_out])


def batches(count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Indices of all samples in random order, BATCH at a time."""
    yield from np.array_split(rng.permutation(count), -(-count // BATCH))


def run(watch: Watch) -> Showing:
    (images, labels), held_out = data()
    model, rng = Classifier(), np.random.default_rng(0)
    begun = perf_counter()
    for epoch in watch(range(EPOCHS), "learning"):
        model.optimiser.lr = RATE * (1 - epoch / EPOCHS)  # ends still, whatever the last batch says
        for chosen in batches(len(images), rng):
            model.learn(images[chosen], labels[chosen])
    seconds = perf_counter() - begun
    accuracy = model.accuracy(*held_out)
    return Showing(
        f"{accuracy:.1%} of {len(held_out[1])} digits it never saw are read right, after {seconds:.1f} s of learning "
        f"from {len(labels)} others.",
        accuracy >= PROMISE,
    )


def missing() -> str | None:
    return None if find_spec("sklearn") else "scikit-learn, which has the digits: pip install 'fastlstm[demo]'"


PART = Part(f"Handwritten digits, row by row: LSTM(8, {HIDDEN}, num_layers=2)", run, missing)
