"""Modules of torch.nn other than the recurrent ones: what their constructors keep and what a call gives."""

from __future__ import annotations

from typing import Any

from ..dims import Dim, words
from ..facts import Made, ModuleCalled
from ..layers import Recurrent
from ..tensors import CONTIGUOUS, GUESSED
from ..values import Axis, Const, Function, Instance, Many, Module, Num, Opaque, Tensor, Tup, Value, resolve
from . import attention, dtypes, grids, losses, memory, neural
from .dtypes import FLOAT
from .losses import LOSS_MODULES
from .neural import feature, size_of, with_last
from .refusal import Refusal, tell
from .registry import CONSTRUCTORS, Signature, Site, function, guessed, unknown_size
from .same import activated, normalized
from .views import flatten, unflatten

PARAMETERS = {
    "Linear": "in_features out_features bias",
    "LazyLinear": "out_features bias",
    "Embedding": "num_embeddings embedding_dim padding_idx",
    "BatchNorm1d": "num_features eps momentum affine track_running_stats",
    "LayerNorm": "normalized_shape eps elementwise_affine bias",
    "Conv1d": "in_channels out_channels kernel_size stride padding dilation groups",
    "MaxPool1d": "kernel_size stride padding dilation return_indices ceil_mode",
    "AvgPool1d": "kernel_size stride padding ceil_mode count_include_pad",
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
    "Softplus Identity Hardtanh ReLU6 LogSigmoid Mish CELU PReLU RReLU Softsign Hardswish Hardsigmoid "
    "Tanhshrink Softshrink Hardshrink Threshold"
)

FLOATS_ONLY = words("GELU ELU LeakyReLU SELU SiLU Softplus LogSigmoid Mish CELU Hardswish")


def _maker(kind: str) -> Signature:
    def handler(site: Site, **bound: Value) -> Value:
        return make(site, kind, bound)

    return Signature(handler, False, PARAMETERS.get(kind, "").split() or ["reduction", *losses.OLD])


PARAMETERS |= attention.PARAMETERS | grids.PARAMETERS

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
    if "dtype" in site.keywords or not site.complete:
        module.config["converted"] = Const(None)
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
    others = tuple(resolve(other) for other in arguments.positional[1:])
    refusal: Refusal | None = None
    try:
        result = _result(site, module, value, arguments)
    except Refusal as each:
        refusal, result = each, None
    known = Opaque("?") if result is None else result
    if isinstance(value, Tensor) and GUESSED in value.traits and isinstance(known, Tensor):
        known = guessed(known)
    site.emit(ModuleCalled, site.node, site.node, module, value, known, others)
    if refusal is not None:
        nodes = [*arguments.nodes, *arguments.keyword_nodes.values()]
        values = [value, *others, *(resolve(each) for each in arguments.keywords.values())]
        names = ("input", "target") if module.kind in LOSS_MODULES else ("input", *("argument",) * len(values))
        tell(site.vm, site.node, refusal, list(zip(names, nodes, values, strict=False)))
    return known


def _result(site: Site, module: Module, value: Value, arguments: Any) -> Value | None:
    kind = module.kind
    if kind == "Sequential":
        if not module.items:
            return None  # filled somewhere by add_module
        for item in module.items:
            if not isinstance(item, (Module, Recurrent, Instance, Function)):
                return None
            if isinstance(value, Tup) and value.kind == "layer" and not _takes_tuples(item):
                return None  # FL507 says so, once
            value = resolve(site.vm.apply_values(site.node, item, [value]))
        return value
    if isinstance(value, Tup) and kind in TAKE_TENSORS and kind != "Identity":
        raise neural.no_tensor(kind, value)
    if kind in POINTWISE:
        if kind in FLOATS_ONLY:
            return activated(value, kind.lower())
        if kind == "Dropout" and isinstance(value, Tensor) and dtypes.is_whole(value.dtype):
            if neural.trains(module) and not site.vm.in_model():
                word = dtypes.spoken(value.dtype or "")
                raise Refusal("dtype", f"result type Float can't be cast to the desired output type {word}", value)
            return value.typed(None)
        if not isinstance(value, Tensor) or kind == "Identity":
            return value
        made = memory.elementwise(value)
        if dtypes.is_whole(value.dtype) and kind != "ReLU":
            return made.typed(FLOAT if kind in ("Tanh", "Sigmoid") else None, made.strides)
        return made
    if kind == "Linear":
        return neural.linear(in_use(module) if site.vm.in_model() else module, value)
    if kind == "Embedding":
        neural.check_tokens(module, value)
        result = with_last(value, feature(module, "embedding_dim"), same_rank=False)
        return result.typed(FLOAT, CONTIGUOUS) if isinstance(result, Tensor) else result
    if kind in ("Softmax", "LogSoftmax"):
        trait = "softmax" if kind == "Softmax" else "log_softmax"
        return normalized(value, module.config.get("dim"), trait, value.dtype if isinstance(value, Tensor) else None)
    if kind in LOSS_MODULES:
        target = arguments.positional[1] if len(arguments.positional) > 1 else arguments.keywords.get("target")
        reduction = module.config.get("reduction")
        return losses.outcome(
            losses.FUNCTION_OF[kind],
            value,
            resolve(target or Opaque("target")),
            reduction,
            losses.OLD.isdisjoint(module.config),
        )
    if kind == "Conv1d" and isinstance(value, Opaque):
        settled = value.as_tensor(3, sure=False)
        value = value if settled is None else settled
    if kind in grids.PAIRS:
        other = resolve(arguments.positional[1]) if len(arguments.positional) > 1 else None
        if not isinstance(value, Tensor) or not isinstance(other, Tensor):
            return None
        return grids.PAIRS[kind](module, value, other)
    if not isinstance(value, Tensor):
        return images(value, size_of(module, "out_channels")) if kind == "Conv2d" else value if kind in NORMS else None
    if kind == "Flatten":
        start, end = module.config.get("start_dim"), module.config.get("end_dim")
        return flatten(site, value, start or Num(Dim.of(1)), end)
    if kind == "Unflatten" and {"dim", "unflattened_size"} <= module.config.keys():
        return unflatten(site, value, module.config["dim"], module.config["unflattened_size"])
    grids.images(module, value)
    if kind in ("Conv2d", "MaxPool2d", "AvgPool2d", "BatchNorm2d", "AdaptiveAvgPool2d"):
        return images(value, size_of(module, "out_channels") if kind == "Conv2d" else None)
    law = neural.LAWS.get(kind) or grids.LAWS.get(kind)
    if law is None:
        return None
    return law(in_use(module) if site.vm.in_model() else module, value)


def in_use(module: Module) -> Module:
    """A module as part of a model, of which nothing says whether it trains, and of which type its weights are."""
    config = {**module.config, "training": Const(None), "converted": Const(None)}
    return Module(module.kind, config, module.node, module.items)


def change_mode(module: Module | Recurrent, name: str) -> None:
    """`module.eval()`, `module.double()` and their like: what they do is not followed any further."""
    word = "training" if name in ("eval", "train") else "converted"
    if name in ("cuda", "cpu", "requires_grad_"):
        return
    if isinstance(module, Recurrent):
        module.arguments[word] = Const(None)
        return
    module.config[word] = Const(None)
    for item in module.items:
        if isinstance(item, (Module, Recurrent)):
            change_mode(item, name)


NORMS = ("BatchNorm1d", "LayerNorm", "RMSNorm")

TAKE_TENSORS = ("Linear", "Embedding", "Conv1d", "LayerNorm", "BatchNorm1d", "Flatten", *POINTWISE)


def _takes_tuples(module: Value) -> bool:
    """Whether a module may be given what a recurrent layer returns: one's own, or Identity."""
    return isinstance(module, (Instance, Function)) or (isinstance(module, Module) and module.kind == "Identity")


def images(value: Value, channels: Dim | None) -> Value | None:
    """(batch, channels, height, width) from a convolution or pooling; the first axis is the batch."""
    if isinstance(value, Opaque):
        settled = value.as_tensor(4, sure=False)
        value = value if settled is None else settled
    if not isinstance(value, Tensor) or value.rank != 4:
        return None
    batch = neural.samples(value.axes[0])
    second = value.axes[1] if channels is None else Axis.of(channels)
    return Tensor((batch, second, Axis.of(unknown_size("height")), Axis.of(unknown_size("width"))))


@function("torch.nn.functional.max_pool2d", "torch.nn.functional.avg_pool2d", "torch.nn.functional.adaptive_avg_pool2d")
def pool2d(site: Site, input: Value) -> Value | None:
    return images(resolve(input), None)
