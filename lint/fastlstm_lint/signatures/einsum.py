"""torch.einsum: letters carry axes across, `...` stands for axes that are broadcast."""

from __future__ import annotations

from ..dims import Dim
from ..tensors import Strides
from ..values import Axis, Const, Tensor, Tup, Value, resolve
from . import dtypes, memory
from .refusal import Refusal, differ, text
from .registry import Site, function


@function("torch.einsum", variadic=True)
def einsum(site: Site, equation: Value, operands: Value) -> Value | None:
    """The result of a literal equation."""
    if not isinstance(equation, Const) or not isinstance(equation.value, str) or not isinstance(operands, Tup):
        return None
    tensors = [resolve(item) for item in operands.items]
    for at, each in enumerate(tensors):
        if isinstance(each, Tup):
            word = "list" if each.is_list else "tuple"
            raise Refusal("type", f"expected Tensor as element {at} in argument 1, but got {word}", each, sure=True)
    left, arrow, right = equation.value.replace(" ", "").partition("->")
    terms = left.split(",")
    for at, letter in enumerate(equation.value):
        if not (letter.isascii() and letter.isalpha()) and letter not in " ,.->":
            raise _refusal(
                f"invalid subscript given at index {at} in the equation string, subscripts must be in [a-zA-Z]"
            )
    if len(terms) != len(tensors):
        fewer = len(tensors) < len(terms)
        than = "fewer operands were provided than" if fewer else "more operands were provided than"
        raise _refusal(f"{than} specified in the equation")
    found = [each for each in tensors if isinstance(each, Tensor)]
    if len(found) != len(tensors):
        return None
    axes: dict[str, Axis] = {}
    spread: list[Axis] = []
    for operand, (term, tensor) in enumerate(zip(terms, found, strict=True)):
        _carry(operand, term, tensor, axes, spread)
    wanted = right if arrow else _implicit(left)
    result: list[Axis] = []
    for at, letter in enumerate(wanted.replace("...", ".")):
        if letter == ".":
            result += spread
        elif letter not in axes:
            raise _refusal(f"output subscript {letter} does not appear in the equation for any input operand")
        elif letter in wanted[:at]:
            raise _refusal(f"output subscript {letter} appears more than once in the output")
        else:
            result.append(axes[letter])
    return Tensor(tuple(result), None, frozenset(), _dtype(found, terms, wanted), _strides(found, terms, wanted))


def _strides(tensors: list[Tensor], terms: list[str], wanted: str) -> Strides:
    """Those of a single operand whose axes are exchanged; of a product they depend on how torch computes it."""
    strides = memory.strides_of(tensors[0]) if len(tensors) == 1 else None
    if strides is None or sorted(terms[0]) != sorted(wanted) or len(set(wanted)) != len(wanted) or "." in wanted:
        return None
    return tuple(strides[terms[0].index(letter)] for letter in wanted)


def _refusal(sentence: str, *about: Value) -> Refusal:
    return Refusal("product", f"einsum(): {sentence}", *about)


def _carry(operand: int, term: str, tensor: Tensor, axes: dict[str, Axis], spread: list[Axis]) -> None:
    """The axes of one operand under its letters; those under `...` into `spread`."""
    letters = term.replace("...", "")
    rest = tensor.rank - len(letters)
    if "..." in term and rest < 0:
        raise _refusal(
            f"the number of subscripts in the equation ({len(letters)}) is more than the number of dimensions "
            f"({tensor.rank}) for operand {operand}",
            tensor,
        )
    if "..." not in term and rest:
        raise _refusal(
            f"the number of subscripts in the equation ({len(letters)}) "
            f"{'does not match' if rest > 0 else 'is more than'} "
            f"the number of dimensions ({tensor.rank}) for operand {operand}"
            f"{' and no ellipsis was given' if rest > 0 else ''}",
            tensor,
        )
    at = 0
    own: dict[str, Axis] = {}
    for letter in term.replace("...", "."):
        if letter == ".":
            _spread(spread, tensor.axes[at : at + rest])
            at += rest
            continue
        axis = tensor.axes[at]
        at += 1
        if letter in own and differ(axis.size, own[letter].size):
            raise _refusal(
                f"subscript {letter} is repeated for operand {operand} but the sizes don't match, "
                f"{axis.size} != {own[letter].size}",
                tensor,
            )
        own[letter] = axis
        known = axes.get(letter)
        if known is not None and _clash(known.size, axis.size):
            raise _refusal(
                f"subscript {letter} has size {axis.size} for operand {operand} which does not "
                "broadcast with previously "
                f"seen size {known.size}"
            )
        if known is None or known.size == 1 or (axis.size != 1 and all(word is None for word in known.meaning)):
            axes[letter] = axis


def _clash(a: Dim, b: Dim) -> bool:
    return differ(a, b) and differ(a, 1) and differ(b, 1)


def _spread(spread: list[Axis], more: tuple[Axis, ...]) -> None:
    """Broadcast the axes under one `...` with those seen so far."""
    spread[:0] = [Axis.of(1)] * (len(more) - len(spread))
    for i in range(1, len(more) + 1):
        a, b = spread[-i].size, more[-i].size
        if _clash(a, b):
            raise _refusal(
                f"dimension {len(spread) - i} covered by ellipsis has sizes {text((a, b))} that do not broadcast"
            )
        if a == 1:
            spread[-i] = more[-i]


def _implicit(left: str) -> str:
    """The output where no `->` is written: `...`, then the letters that occur once, sorted."""
    letters = [letter for letter in left if letter not in ",."]
    return ("..." if "..." in left else "") + "".join(sorted(each for each in letters if letters.count(each) == 1))


def _dtype(tensors: list[Tensor], terms: list[str], wanted: str) -> str | None:
    """The common type. A sum over a letter is a product of matrices, which promotes nothing."""
    found = {tensor.dtype for tensor in tensors}
    if None not in found and len(found) > 1:
        summed = {letter for term in terms for letter in term} - set(wanted) - {"."}
        shared = [letter for letter in summed if sum(letter in term for term in terms) > 1]
        if len(tensors) == 2 and shared:
            a, b = (dtypes.spoken(tensor.dtype or "") for tensor in tensors)
            raise Refusal("dtype", f"expected scalar type {a} but found {b}")
        return dtypes.promoted(tensors) if not summed else None
    return found.pop() if len(found) == 1 else None
