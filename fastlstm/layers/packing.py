"""Sequences of unequal length without padding, as torch.nn.utils.rnn has them.

Rows are ordered by time: step 0 of every sequence, longest sequence first, then step 1 of those that have one, and so
on. `batch_sizes[t]` is how many have a step t.

The gradient of packing is padding and the reverse: where `packed = pack_padded_sequence(x, lengths)`, the gradient of
x is `pad_packed_sequence(grad_packed)`, and where `y, _ = pad_packed_sequence(packed)`, that of `packed` is
`pack_padded_sequence(grad_y, lengths)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from ..errors import refuse_shape, refuse_type


class PackedSequence(NamedTuple):
    """Packed rows and how to find the sequences in them.

    data: (N, ...) rows, N the sum of all lengths. batch_sizes: (T,) int64, non-increasing.
    sorted_indices: (B,) int64, the sequence that stands k-th by length, or None where the order did not change;
    unsorted_indices: (B,) int64, its inverse.
    """

    data: Any  # an ndarray; None inside a layer's bookkeeping
    batch_sizes: ndarray
    sorted_indices: ndarray | None = None
    unsorted_indices: ndarray | None = None


def pack_padded_sequence(
    input: ndarray, lengths: Sequence[int] | ndarray, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs a padded batch (T, B, ...), or (B, T, ...) with `batch_first`.

    lengths: (B,) ints from 1 to T. They must fall unless `enforce_sorted` is False, in which case the packing sorts and
    remembers the order. ValueError for anything else.
    """
    if not isinstance(input, ndarray):
        refuse_type("input", input, "numpy array")
    if input.ndim < 2:
        refuse_shape("input", input.shape, "(B, T, ...)" if batch_first else "(T, B, ...)")
    by_time = input.swapaxes(0, 1) if batch_first else input
    lengths = _checked_lengths(lengths, by_time.shape[0], by_time.shape[1], batch_first)
    order = None
    if not enforce_sorted:
        order = np.argsort(-lengths, kind="stable")
        lengths = lengths[order]
    elif np.any(np.diff(lengths) > 0):
        raise ValueError(
            f"lengths are {lengths.tolist()}, expected longest first: sort the batch, or pass enforce_sorted=False"
        )
    valid = np.arange(lengths[0])[:, None] < lengths
    steps, sequences = np.nonzero(valid)
    rows = by_time[steps, sequences if order is None else order[sequences]]
    return PackedSequence(rows, valid.sum(axis=1), order, None if order is None else np.argsort(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[ndarray, ndarray]:
    """The padded batch (T, B, ...), or (B, T, ...) with `batch_first`, and the lengths (B,), in the original order.

    T is the longest length, or `total_length` where that is given. ValueError where `total_length` is too short.
    """
    check_packed(sequence)
    data, batch_sizes = sequence.data, sequence.batch_sizes
    longest, B = len(batch_sizes), int(batch_sizes[0])
    T = longest if total_length is None else total_length
    if longest > T:
        raise ValueError(f"total_length is {T}, expected at least {longest}, the longest sequence")
    valid = np.arange(B) < batch_sizes[:, None]
    steps, sequences = np.nonzero(valid)
    lengths = valid.sum(axis=0)
    if sequence.sorted_indices is not None:
        sequences, lengths = sequence.sorted_indices[sequences], lengths[sequence.unsorted_indices]
    lead, at = ((B, T), (sequences, steps)) if batch_first else ((T, B), (steps, sequences))
    padded = np.full((*lead, *data.shape[1:]), padding_value, data.dtype)
    padded[at] = data
    return padded, lengths


def pad_sequence(sequences: Sequence[ndarray], batch_first: bool = False, padding_value: float = 0.0) -> ndarray:
    """Sequences (T_b, ...) as one batch (T, B, ...), or (B, T, ...) with `batch_first`; T is the longest."""
    _check_sequences(sequences)
    T, rest = max(map(len, sequences)), sequences[0].shape[1:]
    padded = np.full((len(sequences), T, *rest), padding_value, sequences[0].dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded if batch_first else np.ascontiguousarray(padded.swapaxes(0, 1))


def pack_sequence(sequences: Sequence[ndarray], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences (T_b, ...). They must come longest first unless `enforce_sorted` is False."""
    padded = pad_sequence(sequences)
    return pack_padded_sequence(padded, [len(sequence) for sequence in sequences], enforce_sorted=enforce_sorted)


def check_packed(packed: PackedSequence, features: int | None = None) -> None:
    """`packed` is consistent, and its rows have `features` numbers; made by hand, it may be anything."""
    data, batch_sizes = packed.data, packed.batch_sizes
    if not isinstance(data, ndarray):
        refuse_type("data of the PackedSequence", data, "numpy array")
    if not isinstance(batch_sizes, ndarray) or batch_sizes.dtype.kind not in "iu" or batch_sizes.ndim != 1:
        raise ValueError("batch_sizes of the PackedSequence are no array (T,) of ints")
    if not len(batch_sizes) or batch_sizes[-1] < 1 or np.any(np.diff(batch_sizes.astype(np.int64)) > 0):
        raise ValueError(f"batch_sizes are {batch_sizes.tolist()}, expected positive and never rising")
    N, B = int(batch_sizes.sum()), int(batch_sizes[0])
    if data.ndim < 1 or len(data) != N:
        refuse_shape("data of the PackedSequence", data.shape, f"(N, ...) with N = {N}, the sum of batch_sizes")
    if features is not None and data.shape != (N, features):
        refuse_shape("data of the PackedSequence", data.shape, f"(N, I) = ({N}, {features})")
    order, back = packed.sorted_indices, packed.unsorted_indices
    if order is None and back is None:
        return
    if order is None or back is None or order.shape != (B,) or not np.array_equal(np.argsort(order), back):
        raise ValueError(f"sorted_indices and unsorted_indices are no order of the {B} sequences and its inverse")
    if not np.array_equal(order[back], np.arange(B)):
        raise ValueError(f"sorted_indices are no order of the {B} sequences")


def _checked_lengths(lengths: Any, T: int, B: int, batch_first: bool) -> ndarray:
    lengths = np.asarray(lengths)
    if lengths.dtype.kind not in "iu":
        raise ValueError(f"lengths are {lengths.dtype}, expected ints")
    if lengths.shape != (B,):
        slip = f"the input's first axis is {'batch' if batch_first else 'time'}; "
        slips = [(lengths.shape == (T,), slip + f"is it the other one? Then pass batch_first={not batch_first}")]
        refuse_shape("lengths", lengths.shape, f"(B,) = ({B},)", slips)
    if B == 0:
        raise ValueError("lengths are empty, expected at least one sequence")
    if lengths.min() < 1 or lengths.max() > T:
        slip = f"; time is axis {1 if batch_first else 0} of the input, batch_first is {batch_first}"
        raise ValueError(f"lengths are {lengths.tolist()}, expected 1 to {T}{slip}")
    return lengths.astype(np.int64)


def _check_sequences(sequences: Sequence[ndarray]) -> None:
    if isinstance(sequences, ndarray) or not sequences:
        refuse_type("sequences", sequences, "non-empty list of numpy arrays")
    for k, sequence in enumerate(sequences):
        if not isinstance(sequence, ndarray):
            refuse_type(f"sequences[{k}]", sequence, "numpy array")
        if sequence.ndim < 1 or sequence.shape[1:] != sequences[0].shape[1:]:
            refuse_shape(f"sequences[{k}]", sequence.shape, f"(T, ...) with ... = {sequences[0].shape[1:]}")
        if sequence.dtype != sequences[0].dtype:
            raise ValueError(f"sequences[{k}] is {sequence.dtype}, expected {sequences[0].dtype} as the first")
