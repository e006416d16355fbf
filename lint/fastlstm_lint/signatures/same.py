"""Operations that keep the shape and the meaning of every axis: activations, dropout, copies, devices, types."""

from __future__ import annotations

from dataclasses import replace

from ..dims import words
from ..values import Opaque, Same, Tensor, Value, resolve
from .registry import Site, function, method, tensor_op

COPIES = words(
    "contiguous clone to cuda cpu float double half bfloat16 long int bool type requires_grad_ "
    "pin_memory type_as retain_grad"
)

POINTWISE = words(
    "relu tanh sigmoid exp abs neg sqrt rsqrt sin cos clamp clamp_min clamp_max round floor ceil erf "
    "square sign reciprocal log1p expm1 nan_to_num relu_ tanh_ sigmoid_ masked_fill masked_fill_ fill_ zero_ "
    "pow cumsum flip"
)

FUNCTIONAL = words(
    "relu tanh sigmoid gelu elu leaky_relu selu silu hardtanh softplus dropout alpha_dropout layer_norm "
    "normalize logsigmoid feature_dropout"
)


@method(*COPIES)
def copies(site: Site, input: Value) -> Value | None:
    return resolve(input)


@tensor_op("log")
def log(site: Site, input: Value) -> Value | None:
    """The logarithm of a softmax is what a log-softmax gives: no probabilities any more."""
    source = resolve(input)
    return (
        source.replaced(source.axes, source.origin, source.traits - {"softmax"}) if isinstance(source, Tensor) else None
    )


@method("detach", "detach_")
def detached(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if isinstance(source, Opaque):
        return Same(source)
    return with_trait(source, "detached") if isinstance(source, Tensor) else source


@tensor_op(*POINTWISE)
def pointwise(site: Site, input: Value) -> Value | None:
    return resolve(input)


@function(*(f"torch.nn.functional.{name}" for name in FUNCTIONAL), "torch.autograd.Variable")
def functional(site: Site, input: Value) -> Value | None:
    return resolve(input)


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
    result = Tensor(source.axes, origin, frozenset({"created"} | trait))
    if (node := site.nodes.get(name)) is not None:
        site.vm.rebind(node, result)
    return result


@function("torch.nn.Parameter", "torch.nn.parameter.Parameter")
def parameter(site: Site, data: Value) -> Value | None:
    """A parameter is what training makes of it: how it was first filled does not matter."""
    source = resolve(data)
    return Tensor(source.axes) if isinstance(source, Tensor) else source


@function("torch.autograd.variable.Variable", "torch.clone", "torch.detach")
def wrapped(site: Site, input: Value) -> Value | None:
    return resolve(input)


@function("fastlstm.testing.reveal_shape")
def reveal_shape(site: Site, value: Value) -> Value | None:
    """The linter's question about a value: it is returned as it came."""
    return value


@tensor_op("softmax", "log_softmax")
def softmax(site: Site, input: Value, dim: Value | None = None) -> Value | None:
    return _softmax(site, input, dim)


@function("torch.nn.functional.softmax", "torch.nn.functional.log_softmax", "torch.nn.functional.softmin")
def softmax_function(
    site: Site, input: Value, dim: Value | None = None, _stacklevel: Value | None = None
) -> Value | None:
    return _softmax(site, input, dim)


def _softmax(site: Site, input: Value, dim: Value | None) -> Value | None:
    source = resolve(input)
    arguments = {"input": source} if dim is None else {"input": source, "dim": dim}
    return site.applied(arguments, with_trait(source, site.name))


def with_trait(source: Value, trait: str) -> Value:
    """The same value, marked; an unknown gets a twin that shares nothing but its name."""
    if isinstance(source, Tensor):
        return Tensor(source.axes, source.origin, source.traits | {trait})
    twin = Opaque(source.name if isinstance(source, Opaque) else "?")
    twin.traits = frozenset({trait})
    return twin
