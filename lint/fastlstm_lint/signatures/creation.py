"""Tensors made from sizes or from literals."""

from __future__ import annotations

from ..contract import FEATURE
from ..dims import Dim
from ..tensors import CONTIGUOUS
from ..values import Axis, Const, Foreign, Num, Opaque, Origin, Rows, SizesOf, Tensor, Tup, Value, dim_of, resolve
from . import dtypes
from .dtypes import BOOL, FLOAT, LONG
from .refusal import Refusal, text
from .registry import Site, dims_of, function, guessed, method, unknown_size

FEW = 64
"""Entries of an arange up to which they are remembered."""

RANDOM = ("randn", "rand", "normal", "randint")


@function(
    "torch.set_default_dtype",
    "torch.set_default_tensor_type",
    "torch.autocast",
    "torch.amp.autocast",
    "torch.cuda.amp.autocast",
)
def other_floats(site: Site) -> Value | None:
    site.vm.other_floats = True
    return None


def filled(site: Site, size: Value, trait: str, dtype: str | None = None) -> Value | None:
    """A tensor of the sizes given."""
    if isinstance(size, SizesOf):
        return Opaque("?")
    lone = resolve(size)
    unsure = isinstance(lone, Opaque) and not lone.is_counted  # one size, as most are, or a shape
    sizes = [None] if unsure else dims_of(size)
    if sizes is None:
        return None
    for each in sizes:
        if each is not None and each.value is not None and each.value < 0:
            raise Refusal("view", f"Trying to create tensor with negative dimension {each}: {text(sizes)}")
    axes = tuple(Axis.of(unknown_size(site.name) if each is None else each) for each in sizes)
    result = Tensor(axes, made(site, trait), frozenset({trait, "created"}), dtype, CONTIGUOUS)
    return site.applied({"size": size}, guessed(result) if unsure else result)


def made(site: Site, trait: str) -> Origin:
    """The origin of a tensor that the program makes here."""
    inside = site.vm.in_model()
    return Origin("created", None, site.node, inside=inside, drawn=site.node if trait == "random" else None)


@function("torch.zeros", "torch.ones", "torch.empty", variadic=True)
def constant(site: Site, size: Value) -> Value | None:
    return filled(site, size, site.name, site.dtype(FLOAT))


@function("torch.full")
def full(site: Site, size: Value, fill_value: Value | None = None) -> Value | None:
    return filled(site, size, site.name, site.dtype(_scalar(fill_value)))


@function("torch.randn", "torch.rand", variadic=True)
def random(site: Site, size: Value) -> Value | None:
    return filled(site, size, "random", site.dtype(FLOAT))


@method("new_zeros", "new_ones", "new_empty", variadic=True)
def new(site: Site, input: Value, size: Value) -> Value | None:
    return filled(site, size, site.name, site.dtype(_of(input)))


@method("new", variadic=True)
def old_new(site: Site, input: Value, size: Value) -> Value | None:
    return filled(site, size, site.name, _of(input)) if isinstance(size, Tup) and len(size.items) > 1 else None


@method("new_full")
def new_full(site: Site, input: Value, size: Value) -> Value | None:
    return filled(site, size, site.name, site.dtype(_of(input)))


@function("torch.zeros_like", "torch.ones_like", "torch.empty_like", "torch.full_like")
def like(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return source
    trait = site.name.removesuffix("_like")
    strides = CONTIGUOUS if source.strides == CONTIGUOUS else None
    return Tensor(source.axes, made(site, trait), frozenset({trait, "created"}), site.dtype(source.dtype), strides)


@function("torch.randn_like", "torch.rand_like")
def random_like(site: Site, input: Value) -> Value | None:
    source = resolve(input)
    if not isinstance(source, Tensor):
        return None
    dtype = site.dtype(source.dtype)
    if dtypes.is_whole(dtype):
        word = dtypes.spoken(dtype or "")
        kernel = "normal_kernel_cpu" if site.name == "randn_like" else "check_uniform_bounds"
        raise Refusal("dtype", f"\"{kernel}\" not implemented for '{word}'")
    strides = CONTIGUOUS if source.strides == CONTIGUOUS else None
    return Tensor(source.axes, made(site, "random"), frozenset({"random", "created"}), dtype, strides)


@function("torch.randint")
def randint(site: Site, low: Value, high: Value | None = None, size: Value | None = None) -> Value | None:
    shape = size if size is not None else high
    return filled(site, shape, "integer", site.dtype(LONG)) if isinstance(shape, Tup) else None


@function("torch.arange", "torch.range")
def arange(site: Site, start: Value, end: Value | None = None, step: Value | None = None) -> Value | None:
    whole = all(each is None or isinstance(resolve(each), Num) for each in (start, end, step))
    dtype = site.dtype(LONG if whole and site.name == "arange" else None)
    low, high = (Dim.of(0), dim_of(start)) if end is None else (dim_of(start), dim_of(end))
    size = None if low is None or high is None or step is not None or site.name == "range" else high - low
    if step is not None and low is not None and high is not None:
        numbers = (low.value, high.value, None if (by := dim_of(step)) is None else by.value)
        if None not in numbers and numbers[2] and site.name == "arange":
            size = Dim.of(len(range(*numbers)))  # type: ignore[arg-type]
    if size is None:
        return Tensor((Axis.of(unknown_size("arange")),), None, frozenset(), dtype, CONTIGUOUS)
    if size.value is not None and size.value < 0:
        raise Refusal("view", "upper bound and lower bound inconsistent with step sign")
    first, count = None if low is None else low.value, size.value
    by = Dim.of(1) if step is None else dim_of(step)
    stride = None if by is None else by.value
    contents = None
    if dtype == LONG and first is not None and stride is not None and count is not None and count <= FEW:
        contents = tuple(first + stride * i for i in range(count))
    return Tensor((Axis.of(size),), None, frozenset(), dtype, CONTIGUOUS, contents)


@function("torch.eye")
def eye(site: Site, n: Value, m: Value | None = None) -> Value | None:
    rows = dim_of(n)
    columns = rows if m is None else dim_of(m)
    if rows is None or columns is None:
        return None
    return Tensor((Axis.of(rows), Axis.of(columns)), None, frozenset(), site.dtype(FLOAT), CONTIGUOUS)


@function("torch.tensor", "torch.LongTensor", "torch.FloatTensor", "torch.Tensor", "torch.as_tensor", "torch.IntTensor")
def literal(site: Site, data: Value, more: Value | None = None) -> Value | None:
    """Nested lists of known lengths; `torch.Tensor(2, 3)` is left unknown."""
    source = resolve(data)
    dtype = site.dtype({"LongTensor": LONG, "FloatTensor": FLOAT, "Tensor": FLOAT, "IntTensor": "int32"}.get(site.name))
    if isinstance(source, Foreign) and source.holds is not None:
        source = source.holds
    if isinstance(source, Tensor):
        return source.typed(dtype or source.dtype)
    sizes: list[Dim] = []
    entries: list[Value] = [source]
    while isinstance(source, Tup):
        if more is not None:
            return None
        sizes.append(Dim.of(len(source.items)))
        entries = [resolve(item) for each in entries for item in (each.items if isinstance(each, Tup) else (each,))]
        source = resolve(source.items[0]) if source.items else Const(0.0)
    if _scalar(source) is None or (not sizes and site.name not in ("tensor", "as_tensor")):
        return None
    if site.name in ("tensor", "as_tensor"):
        dtype = site.dtype(_common(entries))
    contents = tuple(each.dim.value for each in entries if isinstance(each, Num) and each.dim.value is not None)
    known = len(sizes) == 1 and len(contents) == len(entries)
    axes = tuple(Axis.of(size) for size in sizes)
    return Tensor(axes, None, frozenset(), dtype, CONTIGUOUS, contents if known else None)


def _common(entries: list[Value]) -> str | None:
    """The element type of a tensor made of these numbers."""
    kinds = {_scalar(entry) for entry in entries}
    return FLOAT if FLOAT in kinds or not kinds else kinds.pop() if len(kinds) == 1 else None


def _scalar(value: Value | None) -> str | None:
    """The element type that a number of Python becomes."""
    value = None if value is None else resolve(value)
    if isinstance(value, Num):
        return LONG
    if isinstance(value, Const) and isinstance(value.value, (bool, float)):
        return BOOL if isinstance(value.value, bool) else FLOAT
    return None


def _of(input: Value) -> str | None:
    source = resolve(input)
    return source.dtype if isinstance(source, Tensor) else None


@function("torch.nn.functional.one_hot")
def one_hot(site: Site, tensor: Value, num_classes: Value | None = None) -> Value | None:
    source, classes = resolve(tensor), dim_of(num_classes)
    last = Axis.of(unknown_size("num_classes") if classes is None or classes == -1 else classes, FEATURE)
    if isinstance(source, Opaque):
        return Rows(source, last, same_rank=False)
    if not isinstance(source, Tensor):
        return None
    if source.dtype is not None and source.dtype != LONG:
        raise Refusal("dtype", "one_hot is only applicable to index tensor of type LongTensor.")
    return Tensor((*source.axes, last), None, frozenset(), LONG)
