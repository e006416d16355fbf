"""Modules of torch.nn other than the recurrent ones: what their constructors keep and what a call gives."""

from __future__ import annotations

from typing import Any

from fastlstm.contract import BATCH, FEATURE

from ..dims import Dim, words
from ..facts import Made, ModuleCalled
from ..layers import Recurrent
from ..values import Axis, Function, Instance, Many, Module, Num, Opaque, Rows, Tensor, Tup, Value, dim_of, resolve
from . import attention
from .losses import LOSS_MODULES
from .registry import CONSTRUCTORS, Signature, Site, function, unknown_size
from .same import with_trait
from .views import flatten, unflatten

PARAMETERS = {
    "Linear": "in_features out_features bias",
    "LazyLinear": "out_features bias",
    "Embedding": "num_embeddings embedding_dim padding_idx",
    "BatchNorm1d": "num_features",
    "LayerNorm": "normalized_shape",
    "Conv1d": "in_channels out_channels kernel_size stride padding dilation",
    "MaxPool1d": "kernel_size stride padding",
    "AvgPool1d": "kernel_size stride padding",
    "AdaptiveAvgPool1d": "output_size",
    "AdaptiveMaxPool1d": "output_size",
    "Conv2d": "in_channels out_channels kernel_size stride padding dilation",
    "Dropout": "p inplace",
    "Softmax": "dim",
    "LogSoftmax": "dim",
    "Flatten": "start_dim end_dim",
    "Unflatten": "dim unflattened_size",
}
"""Constructor parameters by position, for the modules whose arguments matter."""

POINTWISE = words(
    "Dropout Dropout1d Dropout2d AlphaDropout FeatureAlphaDropout ReLU Tanh Sigmoid GELU ELU LeakyReLU SELU SiLU "
    "Softplus Identity LayerNorm RMSNorm Hardtanh ReLU6 LogSigmoid Mish CELU PReLU RReLU Softsign Hardswish "
    "Hardsigmoid Tanhshrink Softshrink Hardshrink Threshold"
)

LOST = frozenset(words("created random softmax log_softmax"))
"""What is no longer so of a value behind a Linear."""


def _maker(kind: str) -> Signature:
    def handler(site: Site, **bound: Value) -> Value:
        return make(site, kind, bound)

    return Signature(handler, False, PARAMETERS.get(kind, "").split() or ["reduction"])


PARAMETERS |= attention.PARAMETERS

for _kind in (*PARAMETERS, *POINTWISE, *LOSS_MODULES):
    CONSTRUCTORS.setdefault(f"torch.nn.{_kind}", _maker(_kind))
CONSTRUCTORS["torch.utils.data.DataLoader"] = Signature(
    lambda site, **bound: make(site, "DataLoader", bound), False, ["dataset", "batch_size"]
)
CONSTRUCTORS["fastlstm.Linear"] = _maker("Linear")
CONSTRUCTORS["fastlstm.Embedding"] = _maker("Embedding")
CONSTRUCTORS["fastlstm.Dropout"] = _maker("Dropout")


def make(site: Site, kind: str, bound: dict[str, Value], items: tuple[Value, ...] = ()) -> Module:
    """The module that a constructor call makes."""
    module = Module(kind, {name: resolve(value) for name, value in bound.items()}, site.node, items)
    site.emit(Made, site.node, module, module.config, site.nodes, site.node, site.positional)
    return module


def unknown_module(site: Site, arguments: Any) -> Value | None:
    """A module of torch.nn without a signature: made, but its calls are unknown."""
    kind = site.name.rpartition(".")[2]
    return make(site, kind, {}) if kind[:1].isupper() else None


@function("torch.nn.Sequential", variadic=True)
def sequential(site: Site, modules: Value) -> Value | None:
    given = modules.items if isinstance(modules, Tup) else ()
    return make(site, "Sequential", {}, tuple(resolve(item) for item in given))


@function("torch.nn.ModuleList")
def module_list(site: Site, modules: Value | None = None) -> Value | None:
    given = None if modules is None else resolve(modules)
    if isinstance(given, Many):
        return given
    return Module("ModuleList", {}, site.node, given.items) if isinstance(given, Tup) else None


@function("torch.jit.script", "torch.compile", "torch.nn.DataParallel")
def wrapper(site: Site, module: Value) -> Value | None:
    return resolve(module)


def call(site: Site, module: Module, value: Value, arguments: Any) -> Value | None:
    """What a module gives for `value`."""
    if module.kind in attention.GIVEN:
        return attention.call(site, module, arguments)
    result = _result(site, module, value, arguments)
    known = Opaque("?") if result is None else result
    others = tuple(resolve(other) for other in arguments.positional[1:])
    site.emit(ModuleCalled, site.node, site.node, module, value, known, others)
    return known


def _result(site: Site, module: Module, value: Value, arguments: Any) -> Value | None:
    kind = module.kind
    if kind in POINTWISE:
        return None if isinstance(value, Tup) and kind != "Identity" else value
    if kind == "Sequential":
        for item in module.items:
            if not isinstance(item, (Module, Recurrent, Instance, Function)):
                return None
            if isinstance(value, Tup) and value.kind == "layer" and not _takes_tuples(item):
                return None  # FL507 says so, once
            value = resolve(site.vm.apply_values(site.node, item, [value]))
        return value
    if kind == "Linear":
        return with_last(value, _feature(module, "out_features"), same_rank=True)
    if kind == "Embedding":
        return with_last(value, _feature(module, "embedding_dim"), same_rank=False)
    if kind in ("Softmax", "LogSoftmax"):
        return with_trait(value, "softmax" if kind == "Softmax" else "log_softmax")
    if kind in LOSS_MODULES:
        return Tensor(()) if "reduction" not in module.config else None
    if kind == "Flatten" and isinstance(value, Tensor):
        start, end = module.config.get("start_dim"), module.config.get("end_dim")
        return flatten(site, value, start or Num(Dim.of(1)), end)
    if kind == "Unflatten" and isinstance(value, Tensor) and len(module.config) == 2:
        return unflatten(site, value, module.config["dim"], module.config["unflattened_size"])
    if kind == "BatchNorm1d":
        return value
    if kind in ("Conv2d", "MaxPool2d", "AvgPool2d", "BatchNorm2d", "AdaptiveAvgPool2d"):
        return images(value, _size(module, "out_channels") if kind == "Conv2d" else None)
    if kind in ("Conv1d", "AdaptiveAvgPool1d", "AdaptiveMaxPool1d", "MaxPool1d", "AvgPool1d"):
        if isinstance(value, Tensor) and value.rank == 3:
            channels = Axis.of(_size(module, "out_channels")) if kind == "Conv1d" else value.axes[1]
            return Tensor((value.axes[0], channels, Axis.of(unknown_size("length"))))
        return None
    return None


def _takes_tuples(module: Value) -> bool:
    """Whether a module may be given what a recurrent layer returns: one's own, or Identity."""
    return isinstance(module, (Instance, Function)) or (isinstance(module, Module) and module.kind == "Identity")


def images(value: Value, channels: Dim | None) -> Value | None:
    """(batch, channels, height, width) from a convolution or pooling; the first axis is the batch."""
    if isinstance(value, Opaque):
        settled = value.as_tensor(4)
        value = value if settled is None else settled
    if not isinstance(value, Tensor) or value.rank != 4:
        return None
    batch = value.axes[0]
    if (symbol := batch.size.symbol) is not None and symbol.meaning is None:
        symbol.meaning = BATCH
    second = value.axes[1] if channels is None else Axis.of(channels)
    return Tensor((batch, second, Axis.of(unknown_size("height")), Axis.of(unknown_size("width"))))


@function("torch.nn.functional.linear")
def linear(site: Site, input: Value, weight: Value) -> Value | None:
    rows = resolve(weight)
    size = rows.sizes[0] if isinstance(rows, Tensor) and rows.rank == 2 else unknown_size("out_features")
    return with_last(resolve(input), Axis.of(size, FEATURE), same_rank=True)


@function("torch.nn.functional.max_pool2d", "torch.nn.functional.avg_pool2d", "torch.nn.functional.adaptive_avg_pool2d")
def pool2d(site: Site, input: Value) -> Value | None:
    return images(resolve(input), None)


def _size(module: Module, name: str) -> Dim:
    found = dim_of(module.config.get(name))
    return unknown_size(name) if found is None else found


def _feature(module: Module, name: str) -> Axis:
    return Axis.of(_size(module, name), FEATURE)


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
