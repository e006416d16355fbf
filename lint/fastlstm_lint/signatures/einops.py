"""einops with a literal pattern of plain names: rearrange and reduce.

A pattern is three steps: the groups on its left are split, as a view splits them; the axes take another order; the
groups on its right are merged.
"""

from __future__ import annotations

from ..dims import Dim
from ..values import Axis, Const, Opaque, Part, Tensor, Value, dim_of, resolve
from .registry import Site, function, unknown_size
from .views import viewed

Groups = list[list[str]]


@function("einops.rearrange", "einops.reduce")
def rearrange(site: Site, tensor: Value, pattern: Value, reduction: Value | None = None) -> Value | None:
    if not isinstance(pattern, Const) or not isinstance(pattern.value, str):
        return None
    left, arrow, right = pattern.value.partition("->")
    before, after = _parse(left), _parse(right)
    if not arrow or before is None or after is None:
        return None
    if isinstance(tensor, Opaque):
        tensor.as_tensor(len(before))
    source = resolve(tensor)
    if not isinstance(source, Tensor) or source.rank != len(before):
        return None
    split = _split(site, source, before)
    if split is None:
        return None
    names = [name for group in before for name in group or ["1"]]
    axes = dict(zip(names, (axis.parts for axis in split.axes), strict=True)) | {"1": (Part(Dim.of(1)),)}
    if any(name not in axes for group in after for name in group):
        return None
    merged = [Axis(tuple(part for name in group for part in axes[name]) or axes["1"]) for group in after]
    return split.replaced(merged, split.origin if reduction is None else None)


def _split(site: Site, source: Tensor, groups: Groups) -> Tensor | None:
    """The tensor with an axis for each name: a group's sizes are those that the call gives, one of them worked out."""
    target: list[Dim] = []
    for names, axis in zip(groups, source.axes, strict=True):
        if len(names) < 2:
            target.append(axis.size)
            continue
        given = [Dim.of(1) if name == "1" else _size(site, name) for name in names]
        open_ = [i for i, size in enumerate(given) if size is None]
        if len(open_) == len(names) == len(axis.parts):  # as the axis was merged
            given = [part.size for part in axis.parts]
        elif len(open_) == 1:
            rest: Dim | None = axis.size
            for size in given:
                rest = rest if rest is None or size is None else rest.exact_div(size)
            given[open_[0]] = unknown_size(names[open_[0]]) if rest is None else rest
        elif open_:
            return None
        target += [size for size in given if size is not None]
    if len(target) == source.rank:
        return source
    result = viewed(site, source, target)
    return result if isinstance(result, Tensor) else None


def _size(site: Site, name: str) -> Dim | None:
    value = site.keywords.get(name)
    return None if value is None else dim_of(resolve(value))


def _parse(text: str) -> Groups | None:
    groups: Groups = []
    inside: list[str] | None = None
    for token in text.replace("(", " ( ").replace(")", " ) ").split():
        if token == "(":
            inside = []
        elif token == ")" and inside is not None:
            groups.append(inside)
            inside = None
        elif not (token.isidentifier() or token == "1"):
            return None
        elif inside is not None:
            inside.append(token)
        else:
            groups.append([token])
    return groups
