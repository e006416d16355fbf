"""What torch.nn.MultiheadAttention takes, in the order in which torch looks."""

from __future__ import annotations

from typing import Any

from ..dims import Dim
from ..tensors import GUESSED
from ..values import NONE, Axis, Module, Tensor, Value, resolve
from . import dtypes
from .neural import of_weights, size_of
from .refusal import Refusal, differ, text
from .registry import flag_value

ARGUMENTS = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask", "average_attn_weights")


def weights(module: Module, arguments: Any) -> Value | None:
    """The attention's weights, None where they are not known, where torch takes the arguments."""
    given = dict(zip(ARGUMENTS, arguments.positional, strict=False)) | arguments.keywords
    values = [resolve(given[name]) if name in given else None for name in ARGUMENTS[:3]]
    query, key, value = values
    if not isinstance(query, Tensor) or not isinstance(key, Tensor) or not isinstance(value, Tensor):
        return None
    _check_ranks(query, key, value, _mask(given, "key_padding_mask"), _mask(given, "attn_mask"))
    first = flag_value(module.config.get("batch_first"), False)
    width, heads = size_of(module, "embed_dim"), size_of(module, "num_heads")
    sizes = [size_of(module, name) if name in module.config else width for name in ("kdim", "vdim")]
    if query.rank == 3 and first is None:
        return None
    target, batch = _axes(query, first)
    source, other = _axes(key, first)
    if differ(query.sizes[-1], width):
        sentence = f"was expecting embedding dimension of {width}, but got {query.sizes[-1]}"
        raise Refusal("module", sentence, query, sure=True)
    if sizes != [width, width]:
        if differ(key.sizes[-1], sizes[0]) or differ(value.sizes[-1], sizes[1]):
            raise Refusal("module", f"expecting key and value of {sizes[0]} and {sizes[1]} features", key, value)
    elif any(map(differ, key.sizes, value.sizes)):
        shapes = f"torch.Size({text(key.sizes)}) does not match value shape torch.Size({text(value.sizes)})"
        raise Refusal("module", f"key shape {shapes}", key, value)
    elif differ(key.sizes[-1], width):
        shapes = f"{other * source}x{key.sizes[-1]} and {width}x{width}"
        raise Refusal("module", f"mat1 and mat2 shapes cannot be multiplied ({shapes})", key)
    if sizes != [width, width] and any(map(differ, key.sizes[:-1], value.sizes[:-1])):
        raise Refusal("module", f"key's sequence and batch dims {text(key.sizes[:2])} do not match value's", key, value)
    of_weights(query, "mat1 and mat2 must have the same dtype, but got {0} and Float")
    if differ(batch, other):
        shape = text((source, batch * heads, width.exact_div(heads)))
        raise Refusal("module", f"shape '{shape}' is invalid for input of size {source * other * width}", query, key)
    _check_masks(_mask(given, "attn_mask"), _mask(given, "key_padding_mask"), batch, target, source, heads)
    averaged, wanted = (flag_value(given.get(name), True) for name in ("average_attn_weights", "need_weights"))
    if wanted is False:
        return NONE
    if averaged is None or wanted is None:
        return None
    lead = [Axis.of(batch)] if query.rank == 3 else []
    each = [] if averaged else [Axis.of(heads)]
    return Tensor((*lead, *each, Axis.of(target), Axis.of(source)), None, query.traits & {GUESSED}, query.dtype)


def _mask(given: dict[str, Value], name: str) -> Tensor | None:
    found = resolve(given[name]) if name in given else None
    return found if isinstance(found, Tensor) else None


def _axes(tensor: Tensor, first: bool | None) -> tuple[Dim, Dim]:
    """The sizes of time and batch; an unbatched sequence is a batch of one."""
    if tensor.rank == 2:
        return tensor.sizes[0], Dim.of(1)
    return (tensor.sizes[1], tensor.sizes[0]) if first else (tensor.sizes[0], tensor.sizes[1])


def _check_ranks(query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None) -> None:
    if query.rank not in (2, 3):
        sentence = f"query should be unbatched 2D or batched 3D tensor but received {query.rank}-D query tensor"
        raise Refusal("module", sentence, query)
    word = "batched" if query.rank == 3 else "unbatched"
    begin = f"For {word} ({query.rank}-D) `query`, expected"
    if key.rank != query.rank or value.rank != query.rank:
        ranks = f"{key.rank}-D and {value.rank}-D tensors respectively"
        raise Refusal("module", f"{begin} `key` and `value` to be {query.rank}-D but found {ranks}", query, key, value)
    if padding is not None and padding.rank != query.rank - 1:
        sentence = (
            f"{begin} `key_padding_mask` to be `None` or {query.rank - 1}-D but found {padding.rank}-D tensor instead"
        )
        raise Refusal("module", sentence, padding)
    if mask is not None and mask.rank not in (2, 3):
        raise Refusal(
            "module", f"{begin} `attn_mask` to be `None`, 2-D or 3-D but found {mask.rank}-D tensor instead", mask
        )


def _check_masks(mask: Tensor | None, padding: Tensor | None, batch: Dim, target: Dim, source: Dim, heads: Dim) -> None:
    for each in (mask, padding):
        if each is not None and dtypes.is_whole(each.dtype) and each.dtype != "bool":
            name = "attn_mask" if each is mask else "key_padding_mask"
            raise Refusal("dtype", f"only bool and floating types of {name} are supported", each)
    if mask is not None:
        wanted = (target, source) if mask.rank == 2 else (batch * heads, target, source)
        if any(map(differ, mask.sizes, wanted)):
            shape = f"torch.Size({text(mask.sizes)}), but should be ({', '.join(str(size) for size in wanted)})"
            raise Refusal("module", f"The shape of the {mask.rank}D attn_mask is {shape}.", mask)
    if padding is not None:
        due = (batch, source) if padding.rank == 2 else (source,)
        for i, (a, b) in enumerate(zip(padding.sizes, due, strict=True)):
            if differ(a, b):
                raise Refusal("module", f"Expected key_padded_mask.shape[{i}] to be {b}, but got {a}", padding)
