"""einops with a literal pattern of plain names: rearrange and reduce."""

from __future__ import annotations

from ..dims import Dim
from ..values import Axis, Const, Opaque, Part, Tensor, Value, resolve
from .registry import Site, function

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
    axes: dict[str, tuple[Part, ...]] = {"1": (Part(Dim.of(1)),)}
    for names, axis in zip(before, source.axes, strict=True):
        if len(names) == 1:
            axes[names[0]] = axis.parts
        elif len(names) == len(axis.parts):
            for name, part in zip(names, axis.parts, strict=True):
                axes[name] = (part,)
        else:
            return None
    if any(name not in axes for names in after for name in names):
        return None
    return source.replaced(Axis(tuple(part for name in names for part in axes[name]) or axes["1"]) for names in after)


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
