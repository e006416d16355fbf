"""Sequences of unequal length without padding, as torch.nn.utils.rnn has them.

Rows are ordered by time: step 0 of every sequence, longest sequence first, then step 1 of those that have one, and so
on. `batch_sizes[t]` is how many have a step t.

The gradient of packing is padding and the reverse: where `packed = pack_padded_sequence(x, lengths)`, the gradient of
x is `pad_packed_sequence(grad_packed)`, and where `y, _ = pad_packed_sequence(packed)`, that of `packed` is
`pack_padded_sequence(grad_y, lengths)`.

Rows are NumPy arrays, or arrays on a GPU (`__cuda_array_interface__` or DLPack), and stay where they are; lengths,
batch_sizes and orders are always NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy import ndarray

from ..errors import refuse_shape, refuse_type
from .rows import array_of, joined, on_gpu, rows_at, rows_to


class PackedSequence(NamedTuple):
    """Packed rows and how to find the sequences in them.

    data: (N, ...) rows, N the sum of all lengths. batch_sizes: (T,) int64, non-increasing.
    sorted_indices: (B,) int64, the sequence that stands k-th by length, or None where the order did not change;
    unsorted_indices: (B,) int64, its inverse.
    """

    data: ndarray  # on a GPU an array of its own kind; None inside a layer's bookkeeping
    batch_sizes: ndarray
    sorted_indices: ndarray | None = None
    unsorted_indices: ndarray | None = None


Sequences = ndarray | PackedSequence
S = TypeVar("S", bound=Sequences)
"""What goes into a layer, and comes out as: an array or a PackedSequence."""


def pack_padded_sequence(
    input: Any, lengths: Sequence[int] | ndarray, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs a padded batch (T, B, ...), or (B, T, ...) with `batch_first`.

    lengths: (B,) ints from 1 to T. They must fall unless `enforce_sorted` is False, in which case the packing sorts and
    remembers the order. ValueError for anything else.
    """
    input = array_of("input", input)
    if input.ndim < 2:
        refuse_shape("input", input.shape, "(B, T, ...)" if batch_first else "(T, B, ...)")
    B, T = input.shape[:2] if batch_first else (input.shape[1], input.shape[0])
    lengths = _checked_lengths(lengths, T, B, batch_first)
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
    if order is not None:
        sequences = order[sequences]
    rows = rows_at(input, *((sequences, steps) if batch_first else (steps, sequences)))
    return PackedSequence(rows, valid.sum(axis=1), order, None if order is None else np.argsort(order))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, ndarray]:
    """The padded batch (T, B, ...), or (B, T, ...) with `batch_first`, and the lengths (B,), in the original order.

    T is the longest length, or `total_length` where that is given. ValueError where `total_length` is too short.
    """
    data, batch_sizes = array_of("data of the PackedSequence", sequence.data), sequence.batch_sizes
    check_packed(sequence._replace(data=data))
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
    return rows_to(data, *at, lead, padding_value), lengths


def pad_sequence(sequences: Sequence[Any], batch_first: bool = False, padding_value: float = 0.0) -> Any:
    """Sequences (T_b, ...) as one batch (T, B, ...), or (B, T, ...) with `batch_first`; T is the longest."""
    sequences = _checked_sequences(sequences)
    lengths = np.array([sequence.shape[0] for sequence in sequences])
    T, B = int(lengths.max()), len(lengths)
    owner, steps = np.nonzero(np.arange(T) < lengths[:, None])
    lead, at = ((B, T), (owner, steps)) if batch_first else ((T, B), (steps, owner))
    return rows_to(joined(sequences), *at, lead, padding_value)


def pack_sequence(sequences: Sequence[Any], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences (T_b, ...). They must come longest first unless `enforce_sorted` is False."""
    lengths = [sequence.shape[0] for sequence in _checked_sequences(sequences)]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def check_packed(packed: PackedSequence, features: int | None = None) -> None:
    """`packed`, whose data are an array, is consistent, and its rows have `features` numbers.

    Made by hand, it may be anything.
    """
    data, batch_sizes = packed.data, packed.batch_sizes
    if not isinstance(batch_sizes, ndarray) or batch_sizes.dtype.kind not in "iu" or batch_sizes.ndim != 1:
        raise ValueError("batch_sizes of the PackedSequence are no array (T,) of ints")
    if not len(batch_sizes) or batch_sizes[-1] < 1 or np.any(np.diff(batch_sizes.astype(np.int64)) > 0):
        raise ValueError(f"batch_sizes are {batch_sizes.tolist()}, expected positive and never rising")
    N, B = int(batch_sizes.sum()), int(batch_sizes[0])
    if data.ndim < 1 or data.shape[0] != N:
        refuse_shape("data of the PackedSequence", data.shape, f"(N, ...) with N = {N}, the sum of batch_sizes")
    if features is not None and tuple(data.shape) != (N, features):
        refuse_shape("data of the PackedSequence", data.shape, f"(N, I) = ({N}, {features})")
    order, back = packed.sorted_indices, packed.unsorted_indices
    if order is None and back is None:
        return
    for name, indices in (("sorted_indices", order), ("unsorted_indices", back)):
        if indices is not None and not isinstance(indices, ndarray):
            refuse_type(f"{name} of the PackedSequence", indices, "numpy array")
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


def _checked_sequences(sequences: Sequence[Any]) -> list[Any]:
    if isinstance(sequences, ndarray) or on_gpu(sequences) or not sequences:
        refuse_type("sequences", sequences, "non-empty list of numpy arrays")
    checked: list[Any] = []
    for k, sequence in enumerate(sequences):
        sequence = array_of(f"sequences[{k}]", sequence)
        first = checked[0] if checked else sequence
        if isinstance(sequence, ndarray) != isinstance(first, ndarray):
            raise ValueError(f"sequences[{k}] and the first are not both on the host, or both on the GPU")
        if sequence.ndim < 1 or sequence.shape[1:] != first.shape[1:]:
            refuse_shape(f"sequences[{k}]", sequence.shape, f"(T, ...) with ... = {first.shape[1:]}")
        if sequence.dtype != first.dtype:
            raise ValueError(f"sequences[{k}] is {sequence.dtype}, expected {first.dtype} as the first")
        checked.append(sequence)
    return checked
