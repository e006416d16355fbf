"""torch.nn.utils.rnn: padding and packing of sequences of different lengths."""

from __future__ import annotations

from fastlstm.contract import BATCH, TIME

from ..dims import Dim
from ..values import Axis, Many, Opaque, Packed, Tensor, Tup, Value, resolve
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
        settled = source.as_tensor(3)
        source = source if settled is None else settled
    bound = {"input": source, "lengths": lengths, "batch_first": batch_first, "enforce_sorted": enforce_sorted}
    arguments = {name: value for name, value in bound.items() if value is not None}
    sizes: tuple[Dim, ...] = (unknown_size("batch"), unknown_size("time"))
    feature = Axis.of(unknown_size("features"))
    if isinstance(source, Tensor) and source.rank >= 2:
        feature = source.axes[-1]
        if first is not None:
            sizes = source.sizes[:2] if first else source.sizes[1::-1]
    packed = Packed(sizes[0], sizes[1], feature, None, flag_value(enforce_sorted, True), site.node, first)
    site.applied(arguments, packed)
    if isinstance(source, Tensor) and first is not None and source.rank == 3:
        for axis, word in zip(source.axes, (BATCH, TIME) if first else (TIME, BATCH), strict=False):
            symbol = axis.size.symbol
            if symbol is not None and symbol.meaning is None:
                symbol.meaning = word
    return packed


@function(*_names("pack_sequence"))
def pack_sequence(site: Site, sequences: Value, enforce_sorted: Value | None = None) -> Value | None:
    arguments = {"sequences": sequences} | ({} if enforce_sorted is None else {"enforce_sorted": enforce_sorted})
    packed = Packed(
        _count(sequences), unknown_size("time"), _feature(sequences), None, flag_value(enforce_sorted, True), site.node
    )
    return site.applied(arguments, packed)


@function(*_names("pad_packed_sequence"))
def pad_packed_sequence(site: Site, sequence: Value, batch_first: Value | None = None) -> Value | None:
    source = resolve(sequence)
    first = flag_value(batch_first, False) if site.complete else None
    arguments = {"sequence": source} | ({} if batch_first is None else {"batch_first": batch_first})
    if not isinstance(source, (Packed, Opaque, Tensor)):
        return site.applied(arguments, None)
    batch, time, feature, origin = unknown_size("batch"), unknown_size("time"), Axis.of(unknown_size("features")), None
    if isinstance(source, Packed):
        batch, time, feature, origin = source.batch, source.time, source.feature, source.origin
    elif isinstance(source, Tensor) and source.rank == 3:  # of a layer whose unknown input was packed after all
        feature, origin = source.axes[-1], source.origin
        at = source.find(BATCH), source.find(TIME)
        if at[0] is not None and at[1] is not None:
            batch, time = source.sizes[at[0]], source.sizes[at[1]]
    pair = [Axis.of(batch, BATCH), Axis.of(time, TIME)]
    if first is None:
        pair = [Axis.of(unknown_size("?")), Axis.of(unknown_size("?"))]
    elif not first:
        pair.reverse()
    output = Tensor((*pair, feature), origin, frozenset({"padded"}))
    lengths = Tensor((Axis.of(batch, BATCH),))
    return site.applied(arguments, Tup((output, lengths)))


@function(*_names("pad_sequence"))
def pad_sequence(site: Site, sequences: Value, batch_first: Value | None = None) -> Value | None:
    first = flag_value(batch_first, False) if site.complete else None
    given = resolve(sequences)
    arguments = {"sequences": given} | ({} if batch_first is None else {"batch_first": batch_first})
    item = resolve(given.item) if isinstance(given, Many) else None
    if isinstance(given, Tup) and given.items:
        item = resolve(given.items[0])
    if not isinstance(item, Tensor) or not item.rank or first is None:
        meanings = {} if first is None else {0: BATCH, 1: TIME} if first else {0: TIME, 1: BATCH}
        return site.applied(arguments, Opaque("padded", meanings=meanings))
    pair = [Axis.of(_count(sequences), BATCH), Axis.of(unknown_size("longest"), TIME)]
    if not first:
        pair.reverse()
    return site.applied(arguments, Tensor((*pair, *item.axes[1:])))


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
