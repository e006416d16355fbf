"""What recurrent programs use beside others: norms over groups, images, shuffled channels, attention, pairs."""

from __future__ import annotations

from collections.abc import Callable

from ..dims import Dim
from ..tensors import GUESSED
from ..values import Axis, Const, Module, Num, Tensor, Tup, Value, resolve
from .alignment import broadcast
from .neural import size_of
from .refusal import Refusal, differ, text
from .registry import Site, axis_number, flag_value, function

PARAMETERS = {
    "GroupNorm": "num_groups num_channels eps affine",
    "InstanceNorm1d": "num_features eps momentum affine track_running_stats",
    "InstanceNorm2d": "num_features eps momentum affine track_running_stats",
    "BatchNorm2d": "num_features eps momentum affine track_running_stats",
    "ConvTranspose1d": "in_channels out_channels kernel_size stride padding output_padding groups bias dilation",
    "ConvTranspose2d": "in_channels out_channels kernel_size stride padding output_padding groups bias dilation",
    "RMSNorm": "normalized_shape eps elementwise_affine",
    "PixelShuffle": "upscale_factor",
    "ChannelShuffle": "groups",
    "LocalResponseNorm": "size alpha beta k",
    "Bilinear": "in1_features in2_features out_features bias",
    "CosineSimilarity": "dim eps",
    "PairwiseDistance": "p eps keepdim",
    "Upsample": "size scale_factor mode align_corners",
}
"""Constructor parameters by position."""


def _check_rank(kind: str, value: Tensor, *ranks: int) -> None:
    if value.rank not in ranks:
        wanted = " or ".join(f"{rank}D" for rank in ranks)
        raise Refusal("module", f"{kind}: expected {wanted} input (got {value.rank}D input)", value)


def _check_channels(module: Module, value: Tensor, at: int, name: str) -> None:
    if name in module.config and differ(value.sizes[at], size_of(module, name)):
        sentence = (
            f"expected input{text(value.sizes)} to have {size_of(module, name)} channels, but got {value.sizes[at]}"
        )
        raise Refusal("module", f"{module.kind}: {sentence}", value)


def _same(value: Tensor) -> Tensor:
    return value.replaced(value.axes, value.origin)


def group_norm(module: Module, value: Tensor) -> Value | None:
    """(B, C, ...), with C channels in groups of the same size."""
    channels, groups = size_of(module, "num_channels"), size_of(module, "num_groups")
    if (a := channels.value) is not None and (b := groups.value) and a % b:
        raise Refusal("module", f"num_channels ({channels}) must be divisible by num_groups ({groups})", sure=True)
    if value.rank < 2:
        raise Refusal("module", f"Expected at least 2 dimensions for input tensor but received {value.rank}", value)
    _check_channels(module, value, 1, "num_channels")
    return _same(value)


def instance_norm(module: Module, value: Tensor) -> Value | None:
    """(B, C, ...) or (C, ...). Without weights another number of channels is told as a warning only."""
    ranks = (2, 3) if module.kind.endswith("1d") else (3, 4)
    _check_rank(module.kind, value, *ranks)
    if flag_value(module.config.get("affine"), False):
        _check_channels(module, value, value.rank - ranks[0], "num_features")
    return None


def rms_norm(module: Module, value: Tensor) -> Value | None:
    """The last axis is that of normalized_shape."""
    wanted = resolve(module.config["normalized_shape"]) if "normalized_shape" in module.config else None
    if isinstance(wanted, Num) and (not value.rank or differ(value.sizes[-1], wanted.dim)):
        sizes = f"[{wanted.dim}], expected input with shape [*, {wanted.dim}], but got input of size{text(value.sizes)}"
        raise Refusal("module", f"Given normalized_shape={sizes}", value, sure=value.rank > 0)
    return _same(value)


def images(module: Module, value: Tensor) -> None:
    """What a convolution or norm of images takes: (B, C, height, width), a convolution (C, height, width) as well."""
    if module.kind == "BatchNorm2d":
        _check_rank(module.kind, value, 4)
        _check_channels(module, value, 1, "num_features")
    elif module.kind == "Conv2d":
        _check_rank(module.kind, value, 3, 4)
        _check_channels(module, value, value.rank - 3, "in_channels")


def transposed(module: Module, value: Tensor) -> Value | None:
    """A transposed convolution's input has its channels in front of the one or two axes it goes along."""
    along = 1 if module.kind.endswith("1d") else 2
    _check_rank(module.kind, value, along + 1, along + 2)
    _check_channels(module, value, value.rank - along - 1, "in_channels")
    return None


def pixel_shuffle(module: Module, value: Tensor) -> Value | None:
    if value.rank < 3:
        sentence = (
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {value.rank} dimension(s)"
        )
        raise Refusal("module", sentence, value)
    factor, channels = size_of(module, "upscale_factor").value, value.sizes[-3].value
    if factor and channels is not None and channels % factor**2:
        sentence = (
            f"expects 'channel' to be divisible by the square of upscale_factor, but {channels} is not divisible by"
        )
        raise Refusal("module", f"pixel_shuffle {sentence} {factor**2}", value)
    return None


def channel_shuffle(module: Module, value: Tensor) -> Value | None:
    if value.rank < 3:
        raise Refusal("module", f"channel_shuffle expects input with > 2 dims, but got {text(value.sizes)}", value)
    groups, channels = size_of(module, "groups").value, value.sizes[1].value
    if groups and channels is not None and channels % groups:
        sentence = f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        raise Refusal("module", sentence, value)
    return _same(value)


def local_response_norm(module: Module, value: Tensor) -> Value | None:
    if value.rank < 3:
        raise Refusal("module", f"Expected 3D or higher dimensionality input (got {value.rank} dimensions)", value)
    return _same(value)


ALONG = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}
"""The axes of what each mode of interpolation takes."""


def upsample(module: Module, value: Tensor) -> Value | None:
    """(B, C, ...) with one to three axes that are stretched."""
    _check_stretched(value, module.config.get("size"), module.config.get("mode"))
    return None


@function("torch.nn.functional.interpolate")
def interpolate(
    site: Site,
    input: Value,
    size: Value | None = None,
    scale_factor: Value | None = None,
    mode: Value | None = None,
) -> Value | None:
    value = resolve(input)
    if isinstance(value, Tensor) and site.complete:
        _check_stretched(value, size, mode)
    return None


def _check_stretched(value: Tensor, size: Value | None, mode: Value | None) -> None:
    if value.rank not in (3, 4, 5):
        raise Refusal("module", f"Only 3D, 4D and 5D input Tensors supported (got {value.rank}D)", value)
    word = mode.value if isinstance(mode, Const) else None
    rank = ALONG.get(word) if isinstance(word, str) else None
    if rank is not None and rank != value.rank:
        raise Refusal("module", f"Got {value.rank}D input, but {word} mode needs {rank}D input", value)
    asked = None if size is None else resolve(size)
    if isinstance(asked, Tup) and len(asked.items) != value.rank - 2:
        sentence = "Input and output must have the same number of spatial dimensions"
        raise Refusal("module", f"{sentence}, but got {value.rank - 2} and {len(asked.items)}", value)


def bilinear(module: Module, a: Tensor, b: Tensor) -> Value | None:
    """(..., I1) and (..., I2) -> (..., O); the axes in front must be the same."""
    if a.rank != b.rank:
        raise Refusal("module", f"bilinear(): input dimensions do not match: got {a.rank} and {b.rank}", a, b)
    for i, (x, y) in enumerate(zip(a.sizes[:-1], b.sizes[:-1], strict=True)):
        if differ(x, y):
            raise Refusal(
                "module", f"bilinear(): input batch dimensions do not match at dim {i}: got {x} and {y}", a, b
            )
    for number, each in enumerate((a, b), 1):
        wanted = size_of(module, f"in{number}_features")
        if each.rank and differ(each.sizes[-1], wanted):
            sizes = f"got {each.sizes[-1]} but expected {wanted}"
            raise Refusal("module", f"bilinear(): input{number} size does not match weight size: {sizes}", each)
    return Tensor((*a.axes[:-1], Axis.of(size_of(module, "out_features"))), None, (a.traits | b.traits) & {GUESSED})


PAIRS: dict[str, Callable[[Module, Tensor, Tensor], Value | None]] = {
    "Bilinear": bilinear,
    "CosineSimilarity": lambda module, a, b: pair("cosine_similarity", a, b, module.config.get("dim")),
    "PairwiseDistance": lambda module, a, b: pair("pairwise_distance", a, b, None),
}
"""Modules that take two tensors."""

LAWS: dict[str, Callable[[Module, Tensor], Value | None]] = {
    "GroupNorm": group_norm,
    "InstanceNorm1d": instance_norm,
    "InstanceNorm2d": instance_norm,
    "RMSNorm": rms_norm,
    "ConvTranspose1d": transposed,
    "ConvTranspose2d": transposed,
    "PixelShuffle": pixel_shuffle,
    "ChannelShuffle": channel_shuffle,
    "LocalResponseNorm": local_response_norm,
    "Upsample": upsample,
}


@function("torch.nn.functional.group_norm")
def group_norm_function(site: Site, input: Value, num_groups: Value) -> Value | None:
    value = resolve(input)
    if not isinstance(value, Tensor) or value.rank < 2:
        return group_norm(Module("GroupNorm", {}), value) if isinstance(value, Tensor) else None
    config: dict[str, Value] = {"num_groups": resolve(num_groups), "num_channels": Num(value.sizes[1])}
    return group_norm(Module("GroupNorm", config), value)


@function("torch.nn.functional.conv2d")
def conv2d(site: Site, input: Value, weight: Value, bias: Value | None = None) -> Value | None:
    value, kernel = resolve(input), resolve(weight)
    if (
        not isinstance(value, Tensor)
        or not isinstance(kernel, Tensor)
        or "groups" in site.keywords
        or not site.complete
    ):
        return None
    if kernel.rank != 4:
        raise Refusal("module", f"conv2d expects a weight of 4 dimensions, but got {kernel.rank}", kernel)
    images(Module("Conv2d", {"in_channels": Num(kernel.sizes[1])}), value)
    return None


@function("torch.nn.functional.scaled_dot_product_attention")
def attention(site: Site, query: Value, key: Value, value: Value, attn_mask: Value | None = None) -> Value | None:
    """(..., T, E), (..., S, E), (..., S, V) -> (..., T, V)."""
    q, k, v = (resolve(each) for each in (query, key, value))
    if not isinstance(q, Tensor) or not isinstance(k, Tensor) or not isinstance(v, Tensor):
        return None
    if min(each.rank for each in (q, k, v)) < 2:
        ranks = f"query.dim: {q.rank} key.dim: {k.rank} value.dim: {v.rank}"
        raise Refusal("product", f"Expected query, key, and value to all be at least 2 dimensional, but got {ranks}")
    if differ(q.sizes[-1], k.sizes[-1]) or differ(k.sizes[-2], v.sizes[-2]):
        shapes = f"{text(q.sizes)}, {text(k.sizes)} and {text(v.sizes)}"
        raise Refusal("product", f"the sizes of query, key and value do not fit: {shapes}", q, k, v)
    mask = None if attn_mask is None else resolve(attn_mask)
    if isinstance(mask, Tensor):
        due: tuple[Dim, ...] = (*q.sizes[:-2], q.sizes[-2], k.sizes[-2])
        pairs = zip(reversed(mask.sizes), reversed(due), strict=False)
        if any(differ(a, b) and differ(a, 1) and differ(b, 1) for a, b in pairs):
            raise Refusal("broadcast", f"attn_mask of {text(mask.sizes)} does not fit attention of {text(due)}", mask)
    return None


@function("torch.nn.functional.cosine_similarity", "torch.nn.functional.pairwise_distance")
def paired(site: Site, x1: Value, x2: Value, dim: Value | None = None) -> Value | None:
    return pair(site.name, resolve(x1), resolve(x2), dim if site.name == "cosine_similarity" else None)


def pair(name: str, a: Value, b: Value, dim: Value | None) -> Tensor | None:
    """How alike or far apart two tensors are along one axis."""
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return None
    both = broadcast(a, b)
    if name == "pairwise_distance":
        return None if not both.rank else both.replaced(both.axes[:-1])
    at = min(1, both.rank - 1) if dim is None and both.rank > 1 else 1 if dim is None else axis_number(dim, both.rank)
    if at is None or at >= both.rank:
        return None
    return both.replaced(axis for i, axis in enumerate(both.axes) if i != at)
