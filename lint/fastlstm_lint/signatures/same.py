"""Operations that keep the shape and the meaning of every axis: activations, dropout, copies, devices, types."""

from __future__ import annotations

from ..dims import words
from ..records import replace
from ..tensors import CONTIGUOUS
from ..values import NONE, Foreign, Opaque, Same, Tensor, Value, resolve
from . import dtypes, memory
from .alignment import broadcast_all
from .dtypes import BOOL, DOUBLE, FLOAT, LONG
from .refusal import Refusal
from .registry import Site, axis_number, function, method, tensor_op

COPIES = words("cuda cpu requires_grad_ pin_memory retain_grad clone")

TYPES = {"float": FLOAT, "double": DOUBLE, "long": LONG, "int": "int32", "half": "float16", "bool": BOOL}
TYPES |= {"bfloat16": "bfloat16", "short": "int16"}

KEPT = words(
    "relu abs neg clamp clamp_min clamp_max round floor ceil square sign nan_to_num relu_ abs_ neg_ clamp_ round_ "
    "fill_ zero_ triu tril"
)
"""Pointwise functions that keep the element type."""

FLOATING = words(
    "tanh sigmoid exp sqrt rsqrt sin cos erf reciprocal log1p expm1 log2 log10 tan sinh cosh atan asin acos"
)
"""Pointwise functions whose result is floating whatever they are given."""

ACTIVATIONS = words("gelu elu leaky_relu selu silu softplus logsigmoid hardtanh hardswish mish")
"""Functions of torch.nn.functional that take floating numbers only."""

FUNCTIONAL = words("dropout alpha_dropout normalize feature_dropout")


@method(*COPIES)
def copies(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if isinstance(source, Tensor) and site.name == "clone":
        return _kept(source, source.dtype)
    return source


@method("contiguous")
def contiguous(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    return source.typed(source.dtype, CONTIGUOUS) if isinstance(source, Tensor) else source


@method(*TYPES)
def cast(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    return _cast(source, TYPES[site.name]) if isinstance(source, Tensor) else source


@method("numpy")
def array(site: Site, input: Value) -> Value | None:
    """An array of NumPy's: its methods are called as those of tensors, and do other things."""
    return Foreign("array")


@method("to", "type")
def to(site: Site, input: Value, other: Value | None = None, second: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return source
    asked = [each for each in (other, second, site.keywords.get("dtype")) if each is not None]
    if not asked and site.complete:
        return source
    named = [dtypes.named(each, None) for each in asked]
    model = resolve(asked[0]) if asked else None
    if isinstance(model, Tensor):
        return _cast(source, model.dtype)
    found = [dtype for dtype in named if dtype is not None]
    return _cast(source, found[0] if found else None)


@method("type_as")
def type_as(site: Site, input: Value, other: Value) -> Value | None:
    source, model = resolve(input), resolve(other)
    if not isinstance(source, Tensor):
        return source
    return _cast(source, model.dtype if isinstance(model, Tensor) else None)


def _cast(source: Tensor, dtype: str | None) -> Tensor:
    if dtype is not None and dtype == source.dtype:
        return source
    result = _kept(source, dtype)
    keeps = source.contents is not None and dtype in (LONG, "int32")
    contents = source.contents if keeps else None
    return Tensor(result.axes, result.origin, result.traits, dtype, result.strides, contents)


def _kept(source: Tensor, dtype: str | None) -> Tensor:
    result = memory.elementwise(source)
    return result if dtype == source.dtype else result.typed(dtype, result.strides)


@tensor_op("log")
def log(site: Site, input: Value) -> Value | None:
    """The logarithm of a softmax is what a log-softmax gives: no probabilities any more."""
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    result = _kept(source, FLOAT if dtypes.is_whole(source.dtype) else source.dtype)
    return Tensor(source.axes, source.origin, source.traits - {"softmax"}, result.dtype, result.strides)


@method("detach", "detach_")
def detached(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if isinstance(source, Opaque):
        return Same(source)
    return with_trait(source, "detached") if isinstance(source, Tensor) else source


@tensor_op(*KEPT)
def kept(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return source
    if source.dtype == BOOL and site.name in ("relu", "neg", "relu_", "neg_", "abs"):
        raise Refusal("dtype", REFUSES_BOOL[site.name.rstrip("_")], sure=True)
    bounds = [resolve(site.keywords[name]) for name in ("min", "max") if name in site.keywords]
    if any(isinstance(each, Tensor) for each in bounds):
        both = broadcast_all([source, *(each for each in bounds if isinstance(each, Tensor))])
        return source if site.name.endswith("_") else both.typed(None)
    return source if site.name.endswith("_") else _kept(source, source.dtype)


REFUSES_BOOL = {
    "relu": "Boolean inputs not supported for relu",
    "neg": "Negation, the `-` operator, on a bool tensor is not supported.",
    "abs": "\"abs_cpu\" not implemented for 'Bool'",
}


@tensor_op(*FLOATING)
def floating(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return source
    return _kept(source, FLOAT if dtypes.is_whole(source.dtype) else source.dtype)


@method("tanh_", "sigmoid_", "exp_", "sqrt_")
def floating_in_place(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if isinstance(source, Tensor) and dtypes.is_whole(source.dtype):
        word = dtypes.spoken(source.dtype or "")
        raise Refusal("dtype", f"result type Float can't be cast to the desired output type {word}", sure=True)
    return source


@tensor_op("cumsum", "cumprod")
def cumulative(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    """Sums and products of all that comes before."""
    source = resolve(input)
    if not isinstance(source, Tensor):
        return source
    axis_number(dim, source.rank)
    return source.typed(LONG if dtypes.is_whole(source.dtype) else source.dtype, CONTIGUOUS)


@tensor_op("flip", variadic=True)
def flip(site: Site, input: Value, dims: Value | None = None) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return source
    for each in getattr(resolve(dims), "items", ()) if dims is not None else ():
        axis_number(resolve(each), source.rank)
    return source.replaced(source.axes, source.origin)


@function(*(f"torch.nn.functional.{name}" for name in FUNCTIONAL), "torch.autograd.Variable")
def functional(site: Site, input: Value, p: Value | None = None, dim: Value | None = None) -> Value | None:
    source = resolve(input)
    if isinstance(source, Tensor):
        return _kept(source, None if dtypes.is_whole(source.dtype) else source.dtype)
    return source


@function(*(f"torch.nn.functional.{name}" for name in ("relu", "tanh", "sigmoid")))
def plain(site: Site, input: Value) -> Value | None:
    return kept(site, input) if site.name == "relu" else floating(site, input)


@function(*(f"torch.nn.functional.{name}" for name in ACTIVATIONS))
def activation(site: Site, input: Value) -> Value | None:
    return activated(resolve(input), site.name)


def activated(source: Value, name: str) -> Value:
    """An activation that is defined for floating numbers only."""
    if not isinstance(source, Tensor):
        return source
    if dtypes.is_whole(source.dtype):
        word = dtypes.spoken(source.dtype or "")
        raise Refusal("dtype", f"\"{name}_cpu\" not implemented for '{word}'", sure=True)
    return _kept(source, source.dtype)


DRAWN = words(
    "uniform_ normal_ trunc_normal_ xavier_uniform_ xavier_normal_ kaiming_uniform_ kaiming_normal_ orthogonal_ "
    "sparse_ xavier_uniform xavier_normal kaiming_uniform kaiming_normal uniform normal orthogonal"
)
SET = words("constant_ ones_ zeros_ eye_ dirac_ constant")


@method("normal_", "uniform_")
def drawn_method(site: Site, input: Value) -> Value | None:
    return _filled_in_place(site, input, "input", {"random"})


@function(*(f"torch.nn.init.{name}" for name in DRAWN))
def drawn(site: Site, tensor: Value) -> Value | None:
    return _filled_in_place(site, tensor, "tensor", {"random"})


@function(*(f"torch.nn.init.{name}" for name in SET))
def constant(site: Site, tensor: Value) -> Value | None:
    return _filled_in_place(site, tensor, "tensor", set())


def _filled_in_place(site: Site, tensor: Value, name: str, trait: set[str]) -> Value:
    """A tensor that the program made, with other numbers in it, under the name it has."""
    source = resolve(tensor)
    if not isinstance(source, Tensor) or "created" not in source.traits:
        return source
    origin = source.origin
    if origin is not None and trait:
        origin = replace(origin, drawn=site.node, inside=site.vm.in_model())
    result = Tensor(source.axes, origin, frozenset({"created"} | trait), source.dtype, source.strides)
    if (node := site.nodes.get(name)) is not None:
        site.vm.rebind(node, result)
    return result


@function("torch.nn.Parameter", "torch.nn.parameter.Parameter")
def parameter(site: Site, data: Value) -> Value | None:
    """A parameter is what training makes of it: how it was first filled does not matter, unless that is each time."""
    source = resolve(data)
    if isinstance(source, Tensor) and "random" in source.traits and site.vm.in_model():
        return source
    return (
        Tensor(source.axes, None, frozenset(), source.dtype, source.strides) if isinstance(source, Tensor) else source
    )


@function("torch.autograd.variable.Variable", "torch.clone", "torch.detach")
def wrapped(site: Site, input: Value) -> Value | None:
    return resolve(input)


@function("fastlstm.testing.reveal_shape")
def reveal_shape(site: Site, value: Value) -> Value | None:
    """The linter's question about a value: it is returned as it came."""
    return value


@tensor_op("softmax", "log_softmax")
def softmax(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    if dim is None and isinstance(resolve(input), Tensor) and site.complete:
        raise Refusal("dim", f'{site.name}() missing 1 required positional arguments: "dim"', sure=True)
    return _softmax(site, input, dim)


@function("torch.nn.functional.softmax", "torch.nn.functional.log_softmax", "torch.nn.functional.softmin")
def softmax_function(
    site: Site, input: Value, dim: Value | None = None, _stacklevel: Value | None = None
) -> Value | None:
    return _softmax(site, input, dim)


def _softmax(site: Site, input: Value, dim: Value | None) -> Value | None:
    source = resolve(input)
    arguments = {"input": source} if dim is None else {"input": source, "dim": dim}
    result = normalized(source, dim, site.name, site.dtype(source.dtype if isinstance(source, Tensor) else None))
    return site.applied(arguments, result)


def normalized(source: Value, dim: Value | None, trait: str, dtype: str | None) -> Value:
    """The result of a softmax over `dim`."""
    if not isinstance(source, Tensor):
        return with_trait(source, trait)
    if dim is not None and dim != NONE:
        axis_number(dim, source.rank)
    if dtypes.is_whole(dtype):
        word = dtypes.spoken(dtype or "")
        raise Refusal("dtype", f"\"{trait}_lastdim_kernel_impl\" not implemented for '{word}'", sure=True)
    return Tensor(source.axes, source.origin, source.traits | {trait}, dtype, CONTIGUOUS)


def with_trait(source: Value, trait: str) -> Value:
    """The same value, marked; an unknown gets a twin that shares nothing but its name."""
    if isinstance(source, Tensor):
        return Tensor(source.axes, source.origin, source.traits | {trait}, source.dtype, source.strides)
    twin = Opaque(source.name if isinstance(source, Opaque) else "?")
    twin.traits = frozenset({trait})
    return twin
