"""The packing helpers give what torch.nn.utils.rnn gives, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.utils import rnn

import fastlstm


def same(found: np.ndarray | None, expected: torch.Tensor | None) -> None:
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.dtype == expected.numpy().dtype
        np.testing.assert_array_equal(found, expected.numpy())


def draw(seed: int) -> tuple[np.ndarray, np.ndarray, bool, bool]:
    """A padded batch, its lengths, batch_first, and whether the lengths fall."""
    rng = np.random.default_rng(seed)
    T, B = rng.integers(1, 9, size=2)
    batch_first, is_sorted = bool(rng.integers(2)), bool(rng.integers(2))
    lengths = rng.permutation(20)[:B] % T + 1 if seed % 2 else rng.integers(1, T + 1, size=B)
    lengths = np.sort(lengths)[::-1].copy() if is_sorted else lengths
    rest = tuple(rng.integers(1, 4, size=rng.integers(0, 3)))
    lead = (B, T) if batch_first else (T, B)
    return rng.normal(size=(*lead, *rest)), lengths, batch_first, is_sorted


@pytest.mark.parametrize("seed", range(40))
def test_packing_and_padding_agree_with_torch(seed: int) -> None:
    x, lengths, batch_first, is_sorted = draw(seed)
    packed = fastlstm.pack_padded_sequence(x, lengths, batch_first, is_sorted)
    truth = rnn.pack_padded_sequence(torch.tensor(x), torch.tensor(lengths), batch_first, is_sorted)
    for found, expected in zip(packed, truth, strict=True):
        same(found, expected)
    assert packed.data.flags.c_contiguous
    for options in ({}, {"batch_first": True, "padding_value": -2.5, "total_length": 11}):
        padded, found_lengths = fastlstm.pad_packed_sequence(packed, **options)
        padded_truth, lengths_truth = rnn.pad_packed_sequence(truth, **options)
        same(padded, padded_truth)
        same(found_lengths, lengths_truth)
        assert padded.flags.c_contiguous


@pytest.mark.parametrize("seed", range(20))
def test_lists_of_sequences_agree_with_torch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 7, size=rng.integers(1, 6))
    sequences = [rng.normal(size=(length, 3)).astype(np.float32) for length in lengths]
    tensors = [torch.tensor(sequence) for sequence in sequences]
    for batch_first in (False, True):
        found = fastlstm.pad_sequence(sequences, batch_first, padding_value=7.0)
        same(found, rnn.pad_sequence(tensors, batch_first, padding_value=7.0))
    packed = fastlstm.pack_sequence(sequences, enforce_sorted=False)
    for found, expected in zip(packed, rnn.pack_sequence(tensors, enforce_sorted=False), strict=True):
        same(found, expected)


def test_what_stands_in_the_padding_is_never_read() -> None:
    x = np.random.default_rng(1).normal(size=(5, 3, 2)).astype(np.float32)
    lengths = [2, 5, 4]
    for b, length in enumerate(lengths):
        x[length:, b] = np.nan
    packed = fastlstm.pack_padded_sequence(x, lengths, enforce_sorted=False)
    lstm = fastlstm.LSTM(2, 3, bidirectional=True, seed=1)
    output, (h_n, _) = lstm(packed)
    assert np.isfinite(output.data).all()
    padded, _ = fastlstm.pad_packed_sequence(output)
    for b, length in enumerate(lengths):
        alone, (h_alone, _) = lstm(x[:length, b])
        np.testing.assert_allclose(padded[:length, b], alone, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(h_n[:, b], h_alone, rtol=1e-5, atol=1e-7)


def test_a_packed_gradient_has_the_order_of_the_packed_input() -> None:
    x, lengths = np.random.default_rng(2).normal(size=(4, 3, 2)), [1, 4, 2]
    gru = fastlstm.GRU(2, 5, dtype=np.float64)
    packed = fastlstm.pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, _ = gru(packed)
    grad, _ = gru.backward(output)
    assert isinstance(grad, fastlstm.PackedSequence)
    np.testing.assert_array_equal(grad.sorted_indices, packed.sorted_indices)
    assert grad.data.shape == packed.data.shape


def test_a_gradient_packed_otherwise_is_refused() -> None:
    x = np.zeros((3, 2, 2))
    gru = fastlstm.GRU(2, 2, dtype=np.float64)
    gru(fastlstm.pack_padded_sequence(x, [3, 1]))
    with pytest.raises(ValueError, match="batch_sizes of grad_output are not those of the output"):
        gru.backward(fastlstm.pack_padded_sequence(x, [2, 2]))
    with pytest.raises(TypeError, match=r"grad_output is a numpy.ndarray, expected PackedSequence: as the output"):
        gru.backward(np.zeros((4, 2)))
