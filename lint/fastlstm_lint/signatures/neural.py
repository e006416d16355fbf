"""The laws of Linear, Embedding, the norms, convolution and pooling: what each takes, and what it gives."""

from __future__ import annotations

from collections.abc import Callable

from ..contract import BATCH, FEATURE
from ..dims import Dim, product, words
from ..tensors import CONTIGUOUS, GUESSED
from ..values import Axis, Const, Module, Opaque, Rows, Tensor, Tup, Value, dim_of, int_of, resolve
from . import dtypes
from .refusal import Refusal, differ, text
from .registry import dims_of, flag_value, unknown_size


def size_of(module: Module, name: str) -> Dim:
    """A size that the constructor was given; unknown where it was not."""
    found = dim_of(module.config.get(name))
    return unknown_size(name) if found is None else found


def feature(module: Module, name: str) -> Axis:
    """A feature axis of the size that the constructor was given."""
    return Axis.of(size_of(module, name), FEATURE)


LOST = frozenset(words("created random softmax log_softmax"))
"""What is no longer so of a value behind a Linear."""


def with_last(value: Value, last: Axis, same_rank: bool) -> Value | None:
    """The value with its last axis replaced (`same_rank`) or with one more axis."""
    if isinstance(value, Tensor):
        if same_rank:
            if not value.rank:
                return None
            origin = None if value.origin is None or value.origin.role == "created" else value.origin.through()
            return Tensor((*value.axes[:-1], last), origin, value.traits - LOST)
        return Tensor((*value.axes, last))
    return Rows(value, last, same_rank) if isinstance(value, Opaque) else None


def no_tensor(kind: str, value: Tup) -> Refusal:
    """A module that takes a tensor was given a tuple or a list."""
    word = "list" if value.is_list else "tuple"
    names = {"Linear": "linear", "Embedding": "embedding", "Conv1d": "conv1d", "LayerNorm": "layer_norm"}
    name = names.get(kind, kind.lower())
    return Refusal("type", f"{name}(): argument 'input' (position 1) must be Tensor, not {word}", sure=True)


def is_plain(module: Module) -> bool:
    """Whether a module's weights are of torch's usual type: nothing converts it, and it is no part of another one."""
    return "converted" not in module.config


def of_weights(value: Tensor, sentence: str, plain: bool = False) -> None:
    """Weights are floating numbers: integers are refused, and float64 where they are `plain`."""
    if dtypes.is_whole(value.dtype) or (plain and value.dtype == dtypes.DOUBLE):
        word = dtypes.spoken(value.dtype or "")
        raise Refusal("dtype", sentence.format(word, dtypes.in_cpp(value.dtype or ""), value.dtype), value, sure=True)


def linear(module: Module, value: Value) -> Value | None:
    """(..., in_features) -> (..., out_features)."""
    if isinstance(value, Tensor):
        wanted, rows = size_of(module, "in_features"), product(value.sizes[:-1])
        if not value.rank:
            raise Refusal("module", "both arguments to linear need to be at least 1D, but they are 0D and 2D", value)
        if "in_features" in module.config and differ(value.sizes[-1], wanted):
            shapes = f"{rows}x{value.sizes[-1]} and {wanted}x{size_of(module, 'out_features')}"
            raise Refusal("module", f"mat1 and mat2 shapes cannot be multiplied ({shapes})", value, sure=True)
        of_weights(value, "mat1 and mat2 must have the same dtype, but got {0} and Float", is_plain(module))
    result = with_last(value, feature(module, "out_features"), same_rank=True)
    if isinstance(result, Tensor) and isinstance(value, Tensor):
        return result.typed(value.dtype, CONTIGUOUS)
    return result


def check_tokens(module: Module, value: Value) -> None:
    """An Embedding takes whole numbers below num_embeddings."""
    if not isinstance(value, Tensor):
        return
    if value.dtype not in (None, dtypes.LONG, "int32"):
        word = "CPUBoolType" if value.dtype == "bool" else f"torch.{dtypes.spoken(value.dtype)}Tensor"
        raise Refusal(
            "dtype",
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{word} instead (while checking arguments for embedding)",
            value,
            sure=True,
        )
    count = size_of(module, "num_embeddings").value
    for number in value.contents or ():
        if count is not None and not 0 <= number < count:
            raise Refusal("dim", f"index out of range in self: {number} of {count}", value)


def layer_norm(module: Module, value: Tensor) -> Value | None:
    """The last axes are those of normalized_shape."""
    return layer_normed(module.config.get("normalized_shape"), value)


def layer_normed(shape: Value | None, value: Tensor) -> Value | None:
    """A layer norm over the last axes, which `shape` gives."""
    wanted = dims_of(shape)
    if wanted is None:
        return value
    tail = value.sizes[value.rank - len(wanted) :] if len(wanted) <= value.rank else None
    if tail is None or any(b is not None and differ(a, b) for a, b in zip(tail, wanted, strict=True)):
        rest = text(("*", *wanted))
        raise Refusal(
            "module",
            f"Given normalized_shape={text(wanted)}, expected input with shape {rest}, but got input of size"
            f"{text(value.sizes)}",
            value,
            sure=tail is not None and len(wanted) == 1,
        )
    of_weights(value, "mixed dtype (CPU): all inputs must share same datatype.")
    return value.replaced(value.axes, value.origin, strides=CONTIGUOUS)


def trains(module: Module) -> bool:
    """Whether a module is as it was made, in training: neither `eval` was called nor is it part of another module."""
    return "training" not in module.config


def batch_norm(module: Module, value: Tensor) -> Value | None:
    """(B, C) or (B, C, T), with C = num_features."""
    if value.rank not in (2, 3):
        raise Refusal("module", f"expected 2D or 3D input (got {value.rank}D input)", value)
    wanted = size_of(module, "num_features")
    if differ(value.sizes[1], wanted):
        name = "running_mean"
        if flag_value(module.config.get("track_running_stats"), True) is False:
            if flag_value(module.config.get("affine"), True) is False:
                return value
            name = "weight"
        raise Refusal("module", f"{name} should contain {value.sizes[1]} elements not {wanted}", value)
    of_weights(value, "\"batch_norm\" not implemented for '{0}'")
    values = product(value.sizes) if value.numbers is not None else None
    if trains(module) and values is not None and wanted.value and values == wanted:
        sizes = f"torch.Size({text(value.sizes)})"
        raise Refusal("module", f"Expected more than 1 value per channel when training, got input size {sizes}", value)
    return value.replaced(value.axes, value.origin, strides=CONTIGUOUS)


def _number(module: Module, name: str, default: int | None) -> int | None:
    """An integer of the constructor, or the only item of a tuple; None where it is not known."""
    value = module.config.get(name)
    if value is None or value == Const(None):
        return default
    value = resolve(value)
    if isinstance(value, Tup) and len(value.items) == 1:
        value = resolve(value.items[0])
    return int_of(value)


def conv(module: Module, value: Tensor) -> Value | None:
    """(B, C, T) or (C, T) -> (B, out_channels, T'), with C = in_channels."""
    if value.rank not in (2, 3):
        raise Refusal(
            "module",
            f"Expected 2D (unbatched) or 3D (batched) input to conv1d, but got input of size: {text(value.sizes)}",
            value,
        )
    kernel, groups = _number(module, "kernel_size", None), _number(module, "groups", 1)
    wanted, given = size_of(module, "in_channels"), value.sizes[-2]
    out = size_of(module, "out_channels")
    if differ(given, wanted):
        inner = wanted if groups is None else wanted.exact_div(groups) or wanted
        sizes = value.sizes if value.rank == 3 else (1, *value.sizes)
        raise Refusal(
            "module",
            f"Given groups={groups}, weight of size {text((out, inner, kernel))}, expected input{text(sizes)} to have "
            f"{wanted} channels, but got {given} channels instead",
            value,
        )
    of_weights(value, "Input type ({1}) and bias type (float) should be the same", is_plain(module))
    padding = module.config.get("padding")
    if isinstance(padding, Const) and padding.value == "same":
        length = value.sizes[-1]
    else:
        length = _windows(module, value.sizes[-1], kernel, 1)
    lead = (samples(value.axes[0]),) if value.rank == 3 else ()
    return Tensor((*lead, Axis.of(out), Axis.of(length)), None, value.traits & {GUESSED}, value.dtype, CONTIGUOUS)


def samples(axis: Axis) -> Axis:
    """The first axis of what a convolution takes: the batch, where nothing else is known of it."""
    if len(axis.parts) > 1 or axis.parts[0].meaning is not None or axis.parts[0].known is not None:
        return axis
    if (symbol := axis.size.symbol) is None:
        return Axis.of(axis.size, BATCH)
    symbol.meaning = BATCH
    return axis


def _windows(module: Module, length: Dim, kernel: int | None, stride: int | None) -> Dim:
    """How many windows of a convolution or pooling fit into `length`."""
    step = _number(module, "stride", stride)
    padding = module.config.get("padding")
    pad = 0 if isinstance(padding, Const) and padding.value == "valid" else _number(module, "padding", 0)
    spread, size = _number(module, "dilation", 1), length.value
    if kernel is None or step is None or pad is None or spread is None or size is None or not step:
        return unknown_size("length")
    span = spread * (kernel - 1) + 1
    padded = size + 2 * pad
    if padded < span or (module.kind == "Conv1d" and not size):
        raise Refusal("module", _too_short(module.kind, padded, span))
    count = (padded - span) // step + 1
    if flag_value(module.config.get("ceil_mode"), False) is not False:
        more = -(-(padded - span) // step) + 1
        count = more - 1 if (more - 1) * step >= size + pad else more
    return Dim.of(count)


def _too_short(kind: str, padded: int, span: int) -> str:
    if kind == "Conv1d":
        return (
            f"Calculated padded input size per channel: ({padded}). Kernel size: ({span}). Kernel "
            "size can't be greater "
            "than actual input size"
        )
    return "max_pool1d() Invalid computed output size: 0" if kind == "MaxPool1d" else "Output size is too small"


def pool(module: Module, value: Tensor) -> Value | None:
    """(B, C, T) or (C, T) -> (B, C, T')."""
    maximum = module.kind == "MaxPool1d"
    _check_pool(module, value)
    kernel = _number(module, "kernel_size", None)
    pad = _number(module, "padding", 0)
    if kernel is not None and pad is not None and pad > kernel // 2:
        word = "max_pool1d() padding" if maximum else "pad"
        sentence = f"{word} should be at most half of kernel size, but got padding={pad} and kernel_size={kernel}"
        raise Refusal("module", sentence)
    if flag_value(module.config.get("return_indices"), False) is not False:
        return None
    return _pooled(value, _windows(module, value.sizes[-1], kernel, kernel))


def adaptive_pool(module: Module, value: Tensor) -> Value | None:
    """(B, C, T) or (C, T) -> (B, C, output_size)."""
    _check_pool(module, value)
    number = _number(module, "output_size", None)
    return _pooled(value, unknown_size("output_size") if number is None else Dim.of(number))


def _pooled(value: Tensor, length: Dim) -> Tensor:
    return Tensor((*value.axes[:-1], Axis.of(length)), None, value.traits & {GUESSED}, value.dtype, CONTIGUOUS)


def _check_pool(module: Module, value: Tensor) -> None:
    if value.rank not in (2, 3):
        sentence = (
            f"max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:"
            f"{text(value.sizes)}"
        )
        if module.kind != "MaxPool1d":
            sentence = f"Expected 2 to 3 dimensions, but got {value.rank}-dimensional tensor for argument #1 'self'"
        raise Refusal("module", sentence, value)
    if module.kind != "AvgPool1d":
        of_weights(value, '"' + module.kind + "\" not implemented for '{0}'")


LAWS: dict[str, Callable[[Module, Tensor], Value | None]] = {
    "LayerNorm": layer_norm,
    "BatchNorm1d": batch_norm,
    "Conv1d": conv,
    "MaxPool1d": pool,
    "AvgPool1d": pool,
    "AdaptiveAvgPool1d": adaptive_pool,
    "AdaptiveMaxPool1d": adaptive_pool,
}
