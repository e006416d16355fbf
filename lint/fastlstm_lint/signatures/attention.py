"""nn.MultiheadAttention and the transformer's layers: sequence-first as recurrent layers are, unless told otherwise."""

from __future__ import annotations

from typing import Any

from ..contract import FEATURE
from ..dims import Dim, words
from ..facts import ModuleCalled
from ..tensors import CONTIGUOUS, GUESSED, Strides
from ..values import Axis, Module, Opaque, Tensor, Tup, Value, dim_of, resolve
from . import attending, memory
from .refusal import Refusal, differ, tell
from .registry import Site, flag_value, unknown_size

PARAMETERS = {
    "MultiheadAttention": "embed_dim num_heads dropout bias add_bias_kv add_zero_attn kdim vdim batch_first",
    "TransformerEncoderLayer": "d_model nhead dim_feedforward dropout activation layer_norm_eps batch_first",
    "TransformerDecoderLayer": "d_model nhead dim_feedforward dropout activation layer_norm_eps batch_first",
    "TransformerEncoder": "encoder_layer num_layers norm",
    "TransformerDecoder": "decoder_layer num_layers norm",
}
"""Constructor parameters by position."""

GIVEN = {
    "MultiheadAttention": words("query key value"),
    "TransformerEncoderLayer": words("src"),
    "TransformerEncoder": words("src"),
    "TransformerDecoderLayer": words("tgt memory"),
    "TransformerDecoder": words("tgt memory"),
}
"""The sequences that a call takes, by position."""


def batch_first(module: Module) -> bool | None:
    """Whether the batch is the first axis of what a module is given; None where that is not known."""
    inner = module.config.get("encoder_layer") or module.config.get("decoder_layer")
    if module.kind in ("TransformerEncoder", "TransformerDecoder"):
        return batch_first(inner) if isinstance(inner, Module) and inner.kind in GIVEN else None
    return flag_value(module.config.get("batch_first"), False)


def call(site: Site, module: Module, arguments: Any) -> Value:
    """What a module of the transformer gives: of the shape of its first sequence."""
    names = GIVEN[module.kind]
    given = [
        resolve(value)
        for i, name in enumerate(names)
        if (value := arguments.positional[i] if i < len(arguments.positional) else arguments.keywords.get(name))
        is not None
    ]
    first: Value = given[0] if given else Opaque("?")
    result: Value = Opaque("?")
    weights: Value | None = None
    refusal: Refusal | None = None
    if module.kind == "MultiheadAttention":
        try:
            weights = attending.weights(module, arguments)
        except Refusal as each:
            refusal = each
    elif module.kind == "TransformerEncoderLayer" and isinstance(first, Tensor):
        width = dim_of(module.config.get("d_model"))
        if first.rank not in (2, 3):
            refusal = Refusal("module", f"expected 2D or 3D src, but got {first.rank}D", first)
        elif width is not None and differ(first.sizes[-1], width):
            sentence = f"was expecting embedding dimension of {width}, but got {first.sizes[-1]}"
            refusal = Refusal("module", sentence, first, sure=True)
    elif module.kind == "TransformerDecoderLayer" and len(given) == 2:
        refusal = _refused(module, *given)
    if isinstance(first, Tensor) and first.rank in (2, 3) and refusal is None:
        size = dim_of(module.config.get("embed_dim"))
        last = Axis.of(unknown_size("embed_dim") if size is None else Dim.of(size), FEATURE)
        kept = last if module.kind == "MultiheadAttention" else first.axes[-1]
        strides = _strides(module, first) if module.kind == "MultiheadAttention" else None
        result = Tensor((*first.axes[:-1], kept), None, first.traits & {"padded", GUESSED}, first.dtype, strides)
    if module.kind == "MultiheadAttention" and refusal is None:
        result = Tup((result, Opaque("weights") if weights is None else weights))
    site.emit(ModuleCalled, site.node, site.node, module, first, result, tuple(given[1:]))
    if refusal is not None:
        nodes = [*arguments.nodes, *arguments.keyword_nodes.values()]
        values = [resolve(each) for each in (*arguments.positional, *arguments.keywords.values())]
        tell(site.vm, site.node, refusal, [("argument", *each) for each in zip(nodes, values, strict=False)])
    return result


def _refused(module: Module, target: Value, memory: Value) -> Refusal | None:
    """Why a decoder's layer does not take its two sequences."""
    if not isinstance(target, Tensor) or not isinstance(memory, Tensor):
        return None
    width = dim_of(module.config.get("d_model"))
    if target.rank not in (2, 3) or target.rank != memory.rank:
        return Refusal("module", f"expected tgt and memory of 2D or 3D, but got {target.rank}D and {memory.rank}D")
    for each in (target, memory):
        if width is not None and differ(each.sizes[-1], width):
            sentence = f"was expecting embedding dimension of {width}, but got {each.sizes[-1]}"
            return Refusal("module", sentence, each, sure=True)
    first = batch_first(module)
    if target.rank == 3 and first is not None and differ(target.sizes[not first], memory.sizes[not first]):
        sizes = f"{target.sizes[not first]} and {memory.sizes[not first]}"
        return Refusal("module", f"the batches of tgt and memory differ: {sizes}", target, memory)
    return None


def _strides(module: Module, query: Tensor) -> Strides:
    """Attention is computed (T, B, ...) whatever batch_first says, and its output transposed."""
    sizes, first = query.numbers, batch_first(module)
    if query.rank == 2 or first is False:
        return CONTIGUOUS
    if sizes is None or first is None:
        return None
    strides = memory.written((sizes[1], sizes[0], sizes[2]))
    return (strides[1], strides[0], strides[2])
