"""A character model learns English from Python's own help texts, and writes a line."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

import numpy as np

import fastlstm
from fastlstm.demo.showing import Part, Showing, Watch

HIDDEN = 256
EMBEDDING = 32
STREAMS = 32
CHUNK = 64
STEPS = 300
PROMISE = 2.6
HELD_OUT = 0.05

State = tuple[np.ndarray, np.ndarray]


def text() -> str:
    """The help texts that every Python carries: about 700,000 characters."""
    from pydoc_data.topics import topics

    return "\n".join(topics[name] for name in sorted(topics))


class CharacterModel:
    """Tokens (T, B) -> Embedding -> LSTM -> Linear -> a logit per character of the alphabet."""

    def __init__(self, alphabet: str, seed: int = 0) -> None:
        self.alphabet = alphabet
        self.embedding = fastlstm.Embedding(len(alphabet), EMBEDDING, seed=seed)
        self.lstm = fastlstm.LSTM(EMBEDDING, HIDDEN, seed=seed + 1)
        self.head = fastlstm.Linear(HIDDEN, len(alphabet), seed=seed + 2)
        self.modules = [self.embedding, self.lstm, self.head]
        self.optimiser = fastlstm.Adam(self.modules, lr=4e-3)

    def encode(self, text: str) -> np.ndarray:
        """Positions in the alphabet; characters outside it are left out."""
        place = {letter: number for number, letter in enumerate(self.alphabet)}
        return np.array([place[letter] for letter in text if letter in place])

    def logits(self, tokens: np.ndarray, state: State | None) -> tuple[np.ndarray, State]:
        """(T, B, alphabet) and the state to go on from."""
        output, state = self.lstm(self.embedding(tokens), state)
        return self.head(output), state

    def learn(self, tokens: np.ndarray, state: State | None) -> tuple[float, State]:
        """One step of Adam on (T + 1, B) tokens, each the target of the one before. Gradients end at `state`."""
        logits, state = self.logits(tokens[:-1], state)
        loss, grad = fastlstm.cross_entropy(logits, tokens[1:])
        grad_embedded, _ = self.lstm.backward(self.head.backward(grad))
        self.embedding.backward(grad_embedded)
        fastlstm.clip_grad_norm(self.modules, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return loss, state

    def eval(self) -> None:
        for module in self.modules:
            module.eval()

    def bits(self, tokens: np.ndarray) -> float:
        """Bits per character of one long text (N,), read from its beginning with the state carried."""
        self.eval()
        losses, state = [], None
        for chunk in chunks(tokens[:, None], 512):
            logits, state = self.logits(chunk[:-1], state)
            losses.append(fastlstm.cross_entropy(logits, chunk[1:])[0] * (len(chunk) - 1))
        return sum(losses) / (len(tokens) - 1) / float(np.log(2))

    def write(self, beginning: str, length: int, rng: np.random.Generator, temperature: float = 0.6) -> str:
        """`beginning` and what the model goes on with, one character at a time, to the length given."""
        self.eval()
        tokens = list(self.encode(beginning))
        logits, state = self.logits(np.array(tokens)[:, None], None)
        while len(tokens) < length:
            # argmax of logits plus Gumbel noise draws from their softmax
            tokens.append(int((logits[-1, 0] / temperature + rng.gumbel(size=len(self.alphabet))).argmax()))
            logits, state = self.logits(np.array([[tokens[-1]]]), state)
        return "".join(self.alphabet[token] for token in tokens)


def chunks(tokens: np.ndarray, length: int) -> Iterator[np.ndarray]:
    """(length + 1, B) pieces of (N, B), the last token of one the first of the next; the last piece may be shorter."""
    for start in range(0, len(tokens) - 1, length):
        yield tokens[start : start + length + 1]


def endless(tokens: np.ndarray) -> Iterator[tuple[np.ndarray, bool]]:
    """Chunks of STREAMS parts of a text read side by side, again and again; True where the reading starts anew."""
    streams = tokens[: len(tokens) // STREAMS * STREAMS].reshape(STREAMS, -1).T
    while True:
        for number, chunk in enumerate(chunks(streams, CHUNK)):
            yield chunk, number == 0


def run(watch: Watch) -> Showing:
    whole = text()
    model = CharacterModel("".join(sorted(set(whole))))
    tokens = model.encode(whole)
    held_out = int(len(tokens) * HELD_OUT)
    source = endless(tokens[:-held_out])
    state: State | None = None
    begun = perf_counter()
    for _ in watch(range(STEPS), "learning"):
        chunk, anew = next(source)
        _, state = model.learn(chunk, None if anew else state)
    seconds = perf_counter() - begun
    bits = model.bits(tokens[-held_out:])
    written = " ".join(model.write("The ", 200, np.random.default_rng(1)).split())[:100]
    return Showing(
        f"{bits:.2f} bits per character on text it never saw, after {seconds:.0f} s of learning with carried state "
        f"({STEPS * CHUNK * STREAMS / seconds:,.0f} characters a second).",
        bits < PROMISE,
        [f'It writes: "{written} ..."'],
    )


PART = Part(f"A character model on Python's help texts: LSTM({EMBEDDING}, {HIDDEN})", run)
