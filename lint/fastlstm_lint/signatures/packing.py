"""torch.nn.utils.rnn: padding and packing of sequences of different lengths."""

from __future__ import annotations

from itertools import pairwise

from .. import cst
from ..contract import BATCH, TIME
from ..dims import Dim
from ..tensors import CONTIGUOUS, GUESSED, Strides
from ..values import Axis, Const, Many, Num, Opaque, Packed, Tensor, Tup, Value, int_of, resolve
from . import memory
from .refusal import Refusal, differ, text
from .registry import Site, flag_value, function, unknown_size

RNN = "torch.nn.utils.rnn"


def _names(name: str) -> tuple[str, ...]:
    return f"{RNN}.{name}", f"fastlstm.{name}"


@function(*_names("pack_padded_sequence"))
def pack_padded_sequence(
    site: Site,
    input: Value,
    lengths: Value | None = None,
    batch_first: Value | None = None,
    enforce_sorted: Value | None = None,
) -> Value | None:
    first = flag_value(batch_first, False) if site.complete else None
    source = resolve(input)
    if isinstance(source, Opaque):
        settled = source.as_tensor(3, sure=False)
        source = source if settled is None else settled
    bound = {"input": source, "lengths": lengths, "batch_first": batch_first, "enforce_sorted": enforce_sorted}
    arguments = {name: value for name, value in bound.items() if value is not None}
    sizes: tuple[Dim, ...] = (unknown_size("batch"), unknown_size("time"))
    feature = Axis.of(unknown_size("features"))
    if isinstance(source, Tensor) and source.rank >= 2:
        feature = source.axes[-1]
        if first is not None:
            sizes = source.sizes[:2] if first else source.sizes[1::-1]
    ordered = flag_value(enforce_sorted, True) if site.complete or enforce_sorted is not None else None
    rank = source.rank if isinstance(source, Tensor) else 3
    try:
        count, entries = _check_lengths(source, lengths, ordered, sizes[0])
    except Refusal:
        site.applied(arguments, None)
        raise
    time = sizes[1]
    if time.value is not None:
        time = Dim.of(max(entries)) if entries else unknown_size("time")
    short = entries is not None and sizes[1].value is not None and max(entries) > sizes[1].value
    dtype = source.dtype if isinstance(source, Tensor) else None
    packed = Packed(count, time, feature, None, ordered, site.node, first, rank, dtype, entries, short)
    site.applied(arguments, packed)
    if isinstance(source, Tensor) and first is not None and source.rank == 3:
        for axis, word in zip(source.axes, (BATCH, TIME) if first else (TIME, BATCH), strict=False):
            symbol = axis.size.symbol
            if symbol is not None and symbol.meaning is None:
                symbol.meaning = word
    return packed


def _check_lengths(
    source: Value, lengths: Value | None, ordered: bool | None, batch: Dim
) -> tuple[Dim, tuple[int, ...] | None]:
    """Refuse what torch refuses of the lengths; how many sequences are packed, and their lengths where known."""
    if isinstance(source, Tensor) and source.rank < 2:
        raise Refusal("lengths", "Dimension out of range (expected to be in range of [-1, 0], but got 1)", source)
    given = None if lengths is None else resolve(lengths)
    count, entries = None, None
    if isinstance(given, Tensor):
        if given.rank != 1:
            sentence = f"'lengths' argument should be a 1D CPU int64 tensor, but got {given.rank}D cpu Long tensor"
            raise Refusal("lengths", sentence, given)
        count, entries = given.sizes[0], given.contents
    elif isinstance(given, Tup):
        count = Dim.of(len(given.items))
        numbers = [int_of(resolve(item)) for item in given.items]
        entries = None if None in numbers else tuple(number for number in numbers if number is not None)
    elif isinstance(given, Many):
        count = given.length
    if count is not None and differ(count, batch):
        if ordered is None:
            return unknown_size("batch"), None
        if ordered or (count.value or 0) > (batch.value or 0):
            sentence = f"Expected `len(lengths)` to be equal to batch_size, but got {count} (batch_size={batch})"
            raise Refusal("lengths", sentence)
        batch = count  # torch picks the sequences by the order of the lengths, and leaves the others out
    if not entries:
        return batch, None
    _check_order(entries, ordered)
    return batch, entries


def _check_order(entries: tuple[int, ...], ordered: bool | None) -> None:
    if ordered and any(a < b for a, b in pairwise(entries)):
        sentence = "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True."
        raise Refusal("lengths", sentence, sure=True)
    if min(entries) <= 0:
        raise Refusal(
            "lengths",
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0",
            sure=True,
        )


@function(*_names("pack_sequence"))
def pack_sequence(site: Site, sequences: Value, enforce_sorted: Value | None = None) -> Value | None:
    arguments = {"sequences": sequences} | ({} if enforce_sorted is None else {"enforce_sorted": enforce_sorted})
    ordered = flag_value(enforce_sorted, True)
    longest, rank = _stacked(sequences)
    items = [resolve(item) for item in given.items] if isinstance(given := resolve(sequences), Tup) else []
    first = [item.sizes[0].value for item in items if isinstance(item, Tensor) and item.rank]
    lengths = tuple(size for size in first if size is not None)
    if lengths and len(lengths) == len(items):
        _check_order(lengths, ordered)
    packed = Packed(_count(sequences), longest, _feature(sequences), None, ordered, site.node, None, rank)
    return site.applied(arguments, packed)


@function(*_names("pad_packed_sequence"))
def pad_packed_sequence(
    site: Site,
    sequence: Value,
    batch_first: Value | None = None,
    padding_value: Value | None = None,
    total_length: Value | None = None,
) -> Value | None:
    source = resolve(sequence)
    first = flag_value(batch_first, False) if site.complete else None
    arguments = {"sequence": source} | ({} if batch_first is None else {"batch_first": batch_first})
    if isinstance(source, Tensor) and GUESSED not in source.traits:
        site.applied(arguments, None)
        raise Refusal("type", "'Tensor' object has no attribute 'batch_sizes'", source, sure=True)
    if not isinstance(source, (Packed, Opaque, Tensor)) or (isinstance(source, Packed) and source.rank != 3):
        return site.applied(arguments, None)
    batch, time, feature, origin = unknown_size("batch"), unknown_size("time"), Axis.of(unknown_size("features")), None
    if isinstance(source, Packed):
        batch, time, feature, origin = source.batch, source.time, source.feature, source.origin
    elif isinstance(source, Tensor) and source.rank == 3:  # of a layer whose unknown input was packed after all
        feature, origin = source.axes[-1], source.origin
        at = source.find(BATCH), source.find(TIME)
        if at[0] is not None and at[1] is not None:
            batch, time = source.sizes[at[0]], source.sizes[at[1]]
    if total_length is not None and total_length != Const(None):
        asked = total_length.dim if isinstance(total_length, Num) else unknown_size("time")
        if asked.value is not None and time.value is not None and asked.value < time.value:
            raise Refusal(
                "lengths",
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={asked} and max sequence length being {time}",
            )
        time = asked
    pair = [Axis.of(batch, BATCH), Axis.of(time, TIME)]
    sizes = (batch.value, time.value, feature.size.value)
    strides: Strides = CONTIGUOUS
    if first is None:
        pair = [Axis.of(unknown_size("?")), Axis.of(unknown_size("?"))]
    elif not first:
        pair.reverse()
    elif not isinstance(source, Packed) or source.enforce_sorted is not False:
        # The sequences are transposed; where they were sorted, picking them in their own order has copied them.
        known = None not in sizes and isinstance(source, Packed) and source.enforce_sorted
        written = memory.written((sizes[1] or 0, sizes[0] or 0, sizes[2] or 0))
        strides = (written[1], written[0], written[2]) if known else None
    dtype, contents = (source.dtype, source.lengths) if isinstance(source, Packed) else (None, None)
    output = Tensor((*pair, feature), origin, frozenset({"padded"}), dtype, strides)
    lengths = Tensor((Axis.of(batch, BATCH),), None, frozenset(), "int64", CONTIGUOUS, contents)
    return site.applied(arguments, Tup((output, lengths)))


@function(*_names("pad_sequence"))
def pad_sequence(site: Site, sequences: Value, batch_first: Value | None = None) -> Value | None:
    first = flag_value(batch_first, False) if site.complete else None
    given = resolve(sequences)
    arguments = {"sequences": given} | ({} if batch_first is None else {"batch_first": batch_first})
    item = resolve(given.item) if isinstance(given, Many) else None
    if isinstance(given, Tup):
        if not given.items:
            if isinstance(site.nodes.get("sequences"), cst.List):
                raise Refusal("lengths", "received an empty list of sequences")
            return site.applied(arguments, None)
        item = resolve(given.items[0])
    longest, _ = _stacked(sequences)
    if not isinstance(item, Tensor) or not item.rank or first is None:
        meanings = {} if first is None else {0: BATCH, 1: TIME} if first else {0: TIME, 1: BATCH}
        return site.applied(arguments, Opaque("padded", meanings=meanings))
    pair = [Axis.of(_count(sequences), BATCH), Axis.of(longest, TIME)]
    if not first:
        pair.reverse()
    traits = item.traits & {GUESSED}
    return site.applied(arguments, Tensor((*pair, *item.axes[1:]), None, traits, item.dtype, CONTIGUOUS))


def _stacked(sequences: Value) -> tuple[Dim, int]:
    """The longest of the sequences where all are known, and their rank with a batch axis.

    Their axes but the first must be those of the first sequence.
    """
    given = resolve(sequences)
    items = [resolve(item) for item in given.items] if isinstance(given, Tup) else []
    tensors = [item for item in items if isinstance(item, Tensor) and item.rank]
    for each in tensors[1:]:
        first = tensors[0]
        for i, (a, b) in enumerate(zip(first.sizes[1:], each.sizes[1:], strict=False)):
            if each.rank == first.rank and differ(a, b) and differ(b, 1):
                sizes = f"tensor a ({a}) must match the size of tensor b ({b})"
                sentence = f"The size of {sizes} at non-singleton dimension {i + 1}"
                if a == 1:
                    sentence = (
                        f"output with shape {text(first.sizes)} doesn't match the broadcast shape {text(each.sizes)}"
                    )
                raise Refusal("lengths", sentence, first, each)
    numbers = [each.sizes[0].value for each in tensors]
    rank = tensors[0].rank + 1 if tensors else 3
    if tensors and len(tensors) == len(items) and None not in numbers:
        return Dim.of(max(number for number in numbers if number is not None)), rank
    return unknown_size("longest"), rank


def _count(sequences: Value) -> Dim:
    given = resolve(sequences)
    if isinstance(given, Tup):
        return Dim.of(len(given.items))
    length = given.length if isinstance(given, Many) else None
    return unknown_size("batch") if length is None else length


def _feature(sequences: Value) -> Axis:
    given = resolve(sequences)
    item = given.items[0] if isinstance(given, Tup) and given.items else getattr(given, "item", None)
    found = resolve(item) if isinstance(item, Value) else None
    return found.axes[-1] if isinstance(found, Tensor) and found.rank > 1 else Axis.of(unknown_size("features"))
