"""Records what Keras computes, for test_keras.py: KERAS_BACKEND=jax python tests/interop/record_keras.py

Keras is 64 MB with what it needs and takes 6 s to import, so the tests read its results from keras.npz instead.
Recorded with Keras 3.15.1.
"""

from __future__ import annotations

from pathlib import Path

import keras  # type: ignore[import-not-found]
import numpy as np

B, T, I, H = 2, 5, 3, 4
CASES = {
    "LSTM": {},
    "LSTM-bidirectional-2": {"L": 2, "D": 2},
    "LSTM-no-bias": {"use_bias": False},
    "GRU": {},
    "GRU-bidirectional-2": {"L": 2, "D": 2},
    "SimpleRNN-2": {"L": 2},
    "SimpleRNN-relu": {"activation": "relu"},
}


def main() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(B, T, I)).astype(np.float32)
    found = {"x": x}
    for name, options in CASES.items():
        L, D = options.pop("L", 1), options.pop("D", 1)
        weights, output = [], x
        for _ in range(L):
            layer = getattr(keras.layers, name.partition("-")[0])(H, return_sequences=True, **options)
            layer = keras.layers.Bidirectional(layer) if D == 2 else layer
            layer.build(output.shape)
            # Biases as they are after some training: Keras begins with zeros and ones.
            layer.set_weights([rng.normal(scale=0.5, size=value.shape) for value in layer.get_weights()])
            weights += layer.get_weights()
            output = np.asarray(layer(output))
        found |= {f"{name}/weight/{k:02}": value for k, value in enumerate(weights)}
        found[f"{name}/output"] = output
    np.savez_compressed(Path(__file__).with_name("keras.npz"), **found)


if __name__ == "__main__":
    main()
