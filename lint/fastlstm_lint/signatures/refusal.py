"""What torch refuses: the exception that a law raises, and how it is told to the rules.

A law raises `Refusal` only where torch would raise for every value of the sizes' symbols; each is at least 1. What is
not known never refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .. import cst
from ..dims import Dim, never_equal
from ..facts import Refused
from ..nodes import code_of, read_names, walk
from ..tensors import ARRAY, GUESSED
from ..values import Many, Opaque, Tensor, Tup, Value, int_of, resolve
from .caller import Caller


class Refusal(Exception):
    """torch refuses a call: the kind of law (the rules FL7xx have one each), its sentence, and the values it is about.

    `about` is empty where it is about all tensors given. A `sure` one does not depend on a guessed number of axes.
    """

    def __init__(self, law: str, sentence: str, *about: Value, sure: bool = False) -> None:
        super().__init__(sentence)
        self.law, self.sentence, self.about, self.sure = law, sentence, about, sure


def tell(
    vm: Caller, node: cst.CSTNode, refusal: Refusal, operands: Sequence[tuple[str, cst.CSTNode | None, Value]]
) -> Opaque:
    """Tell the rules of a refusal; the value of what was refused is not known.

    `operands` are the arguments: a name for each, its expression, its value.
    """
    if (refusal.law == "dtype" and vm.other_floats) or vm.expects_errors():
        return Opaque("?")
    if (asked := vm.asked()) and any(asked & read_names(each) for _, each, _ in operands if each is not None):
        return Opaque("?")  # `if is_batched(x): x.permute(0, 2, 1)`
    if _of_self(asked) and _of_self(read_names(node)):
        return Opaque("?")  # `if self.method == "dot": self.attn(h)`: what else follows from a setting is not known
    tensors = [each for _, _, value in operands for each in _tensors(value)]
    if refusal.law == "dtype" and any(ARRAY in tensor.traits for tensor in tensors):
        return Opaque("?")  # NumPy takes the mean of truth values
    if refusal.sure or not any(GUESSED in tensor.traits for tensor in tensors):
        named = [(_label(name, expression), expression, value) for name, expression, value in operands]
        chosen = [each for each in named if not refusal.about or any(each[2] is one for one in refusal.about)]
        shown = tuple((label, value) for label, _, value in chosen or named if isinstance(value, (Tensor, Tup)))
        made = tuple(_bindings(vm, node, [expression for _, expression, _ in chosen or named]))
        vm.emit(Refused(node, vm.where(), refusal.law, refusal.sentence, shown, made))
    return Opaque("?")


def _of_self(names: frozenset[str]) -> bool:
    """Whether names are of attributes of the object."""
    return any(name.startswith("self.") for name in names)


def _tensors(value: Value) -> Iterator[Tensor]:
    value = resolve(value)
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Tup):
        for item in value.items:
            yield from _tensors(item)
    elif isinstance(value, Many):
        yield from _tensors(value.item)


def _label(name: str, expression: cst.CSTNode | None) -> str:
    """What the program calls an argument, if that is short; else its parameter's name."""
    if isinstance(expression, cst.Name):
        return expression.value
    text = "" if expression is None else code_of(expression)
    return text if 0 < len(text) <= 40 and "\n" not in text else name


def _bindings(
    vm: Caller, node: cst.CSTNode, expressions: Iterable[cst.CSTNode | None]
) -> Iterator[tuple[str, cst.CSTNode]]:
    """The last statement before `node` that binds each of the names used."""
    body = vm.body()
    wanted = dict.fromkeys(name for part in expressions if part is not None for name in _names(part))
    if not wanted:
        return
    found: dict[str, cst.CSTNode] = {}
    for each in _in_order(body):
        if isinstance(each, (cst.Assign, cst.AugAssign, cst.AnnAssign)):
            targets = [one.target for one in each.targets] if isinstance(each, cst.Assign) else [each.target]
            if any(inner is node for inner in walk(each)):
                break
            for target in targets:
                found |= {name: each for name in _names(target) if name in wanted}
        elif any(inner is node for inner in walk(each)):
            break
    yield from ((name, found[name]) for name in wanted if name in found)


def _in_order(body: cst.CSTNode) -> list[cst.CSTNode]:
    """The simple statements below a node, in the order in which they are written."""
    found: list[cst.CSTNode] = []
    stack: list[cst.CSTNode] = [body]
    while stack:
        each = stack.pop()
        if isinstance(each, cst.BaseSmallStatement):
            found.append(each)
        elif isinstance(each, (cst.Module, cst.BaseSuite)):
            stack.extend(reversed(each.body))
        else:
            inner = [getattr(each, name, None) for name in ("body", "orelse", "finalbody")]
            stack.extend(part for part in reversed(inner) if isinstance(part, cst.CSTNode))
    return found


def _names(node: cst.CSTNode) -> list[str]:
    return [each.value for each in walk(node) if isinstance(each, cst.Name)]


def differ(a: Dim | int, b: Dim | int) -> bool:
    """Whether two sizes differ for all values of their symbols."""
    return never_equal(Dim.of(a), Dim.of(b))


def text(sizes: Iterable[Any]) -> str:
    """Sizes as torch writes them: `[3, 4]`."""
    return f"[{', '.join('?' if size is None else str(size) for size in sizes)}]"


def dimension(value: Value | None, rank: int, extra: int = 0, source: Value | None = None) -> int | None:
    """A `dim` argument counted from the front; None where it is not known. `extra` is 1 where an axis is put in."""
    number = int_of(value)
    if number is None:
        return None
    span = max(rank + extra, 1)
    if not -span <= number < span:
        about = () if source is None else (source,)
        raise Refusal(
            "dim",
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {number})",
            *about,
        )
    return number % span


__all__ = ["Refusal", "differ", "dimension", "tell", "text"]
