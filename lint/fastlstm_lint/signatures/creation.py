"""Tensors made from sizes or from literals."""

from __future__ import annotations

from fastlstm.contract import FEATURE

from ..dims import Dim
from ..values import Axis, Num, Opaque, Origin, Rows, SizesOf, Tensor, Tup, Value, dim_of, resolve
from .registry import Site, dims_of, function, method, unknown_size

RANDOM = ("randn", "rand", "normal", "randint")


def filled(site: Site, size: Value, trait: str) -> Value | None:
    """A tensor of the sizes given."""
    if isinstance(size, SizesOf):
        return Opaque("?")
    sizes = dims_of(size)
    if not sizes:
        return None
    axes = tuple(Axis.of(unknown_size(site.name) if each is None else each) for each in sizes)
    return site.applied({"size": size}, Tensor(axes, made(site, trait), frozenset({trait, "created"})))


def made(site: Site, trait: str) -> Origin:
    """The origin of a tensor that the program makes here."""
    inside = site.vm.in_model()
    return Origin("created", None, site.node, inside=inside, drawn=site.node if trait == "random" else None)


@function("torch.zeros", "torch.ones", "torch.empty", variadic=True)
def constant(site: Site, size: Value) -> Value | None:
    return filled(site, size, site.name)


@function("torch.full")
def full(site: Site, size: Value, fill_value: Value | None = None) -> Value | None:
    return filled(site, size, site.name)


@function("torch.randn", "torch.rand", variadic=True)
def random(site: Site, size: Value) -> Value | None:
    return filled(site, size, "random")


@method("new_zeros", "new_ones", "new_empty", variadic=True)
def new(site: Site, input: Value, size: Value) -> Value | None:
    return filled(site, size, site.name)


@method("new", variadic=True)
def old_new(site: Site, input: Value, size: Value) -> Value | None:
    return filled(site, size, site.name) if isinstance(size, Tup) and len(size.items) > 1 else None


@method("new_full")
def new_full(site: Site, input: Value, size: Value) -> Value | None:
    return filled(site, size, site.name)


@function("torch.zeros_like", "torch.ones_like", "torch.empty_like", "torch.full_like")
def like(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return source
    trait = site.name.removesuffix("_like")
    return Tensor(source.axes, made(site, trait), frozenset({trait, "created"}))


@function("torch.randn_like", "torch.rand_like")
def random_like(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    return (
        Tensor(source.axes, made(site, "random"), frozenset({"random", "created"}))
        if isinstance(source, Tensor)
        else None
    )


@function("torch.randint")
def randint(site: Site, low: Value, high: Value | None = None, size: Value | None = None) -> Value | None:
    shape = size if size is not None else high
    return filled(site, shape, "integer") if isinstance(shape, Tup) else None


@function("torch.arange", "torch.range")
def arange(site: Site, start: Value, end: Value | None = None, step: Value | None = None) -> Value | None:
    if step is not None:
        return Tensor((Axis.of(unknown_size("arange")),))
    low, high = (Dim.of(0), dim_of(start)) if end is None else (dim_of(start), dim_of(end))
    return None if low is None or high is None else Tensor((Axis.of(high - low),))


@function("torch.eye")
def eye(site: Site, n: Value, m: Value | None = None) -> Value | None:
    rows = dim_of(n)
    columns = rows if m is None else dim_of(m)
    return None if rows is None or columns is None else Tensor((Axis.of(rows), Axis.of(columns)))


@function("torch.tensor", "torch.LongTensor", "torch.FloatTensor", "torch.Tensor", "torch.as_tensor", "torch.IntTensor")
def literal(site: Site, data: Value, more: Value | None = None) -> Value | None:
    """Nested lists of known lengths; `torch.Tensor(2, 3)` and a single number are left unknown."""
    source = resolve(data)
    if isinstance(source, Tensor):
        return source
    sizes: list[Dim] = []
    while isinstance(source, Tup):
        if not source.items or more is not None:
            return None
        sizes.append(Dim.of(len(source.items)))
        source = source.items[0]
    if not sizes or (not isinstance(source, (Num,)) and type(source).__name__ != "Const"):
        return None
    return Tensor(tuple(Axis.of(size) for size in sizes))


@function("torch.nn.functional.one_hot")
def one_hot(site: Site, tensor: Value, num_classes: Value | None = None) -> Value | None:
    source, classes = resolve(tensor), dim_of(num_classes)
    last = Axis.of(unknown_size("num_classes") if classes is None else classes, FEATURE)
    if isinstance(source, Opaque):
        return Rows(source, last, same_rank=False)
    return Tensor((*source.axes, last)) if isinstance(source, Tensor) else None
