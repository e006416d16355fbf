"""Arithmetic between tensors, with broadcasting."""

from __future__ import annotations

from .. import cst
from ..dims import words
from ..records import replace
from ..tensors import CONTIGUOUS, GUESSED
from ..values import Const, Num, Opaque, Origin, Tensor, Tup, Value, resolve
from . import dtypes, memory
from .alignment import broadcast, broadcast_all
from .caller import Caller
from .dtypes import BOOL
from .linalg import matmul_shape
from .refusal import Refusal, differ, tell, text
from .registry import Site, function, method, tensor_op

COMPARED = words("Compare eq ne gt lt ge le isclose logical_and logical_or logical_xor")
"""Operators and functions that give truth values."""

DIVIDED = words("Divide div true_divide div_ true_divide_ divide divide_ atan2")

BITWISE = words("BitAnd BitOr BitXor LeftShift RightShift bitwise_and bitwise_or bitwise_xor")

SUBTRACTED = words("Subtract sub sub_ subtract")


def operator(vm: Caller, node: cst.CSTNode, name: str, left: Value, right: Value) -> Value:
    """`left name right` where at least one is a tensor; `name` is the operator's name in `cst`.

    `left += right` works in place where `left` is a tensor.
    """
    in_place = isinstance(node, cst.AugAssign) and isinstance(left, Tensor)
    try:
        _no_sequence(name, left, right)
        if name == "MatrixMultiply":
            result = matmul_shape(left, right)  # `@=` makes a new tensor, too
            return Opaque("?") if result is None else result
        product = combine(left, right, name, in_place)
        return weighed(left, right, product) if name == "Multiply" else product
    except Refusal as refusal:
        expressions: tuple[cst.CSTNode | None, cst.CSTNode | None] = (None, None)
        if isinstance(node, cst.BinaryOperation):
            expressions = (node.left, node.right)
        elif isinstance(node, cst.AugAssign):
            expressions = (node.target, node.value)
        elif isinstance(node, cst.Comparison):
            expressions = (node.left, node.comparisons[0].comparator)
        return tell(vm, node, refusal, [("left", expressions[0], left), ("right", expressions[1], right)])


def weighed(left: Value, right: Value, result: Value) -> Value:
    """A product, marked where it picks log-probabilities by class: `log_probs * one_hot`."""
    if not isinstance(left, Tensor) or not isinstance(right, Tensor) or not isinstance(result, Tensor):
        return result
    full = left.rank == right.rank >= 2 and left.sizes[-1] != 1 and right.sizes[-1] != 1
    if full and "log_softmax" in left.traits | right.traits:
        return result.replaced(result.axes, None, result.traits | {"picked"}, result.strides)
    return result


def negated(vm: Caller, node: cst.UnaryOperation, value: Tensor) -> Value:
    """`-x`, `+x` and `~x`."""
    refusal: Refusal | None = None
    if isinstance(node.operator, cst.Minus) and value.dtype == BOOL:
        refusal = Refusal("dtype", "Negation, the `-` operator, on a bool tensor is not supported.", sure=True)
    if isinstance(node.operator, cst.BitInvert) and dtypes.is_float(value.dtype):
        refusal = Refusal(
            "dtype", "~ (operator.invert) is only implemented on integer and Boolean-type tensors", sure=True
        )
    if refusal is not None:
        return tell(vm, node, refusal, [("it", node.expression, value)])
    return memory.elementwise(value)


def _no_sequence(name: str, left: Value, right: Value) -> None:
    """A tuple of tensors is no operand; a list of numbers is none of an arithmetic operator."""
    for each in (left, right):
        if isinstance(each, Tup) and name in SYMBOLS and each.kind != "shape":
            kinds = [_python(value) for value in (left, right)]
            sign = SYMBOLS[name]
            raise Refusal("type", f"unsupported operand type(s) for {sign}: '{kinds[0]}' and '{kinds[1]}'", sure=True)


SYMBOLS = {"Add": "+", "Subtract": "-", "Multiply": "*", "Divide": "/", "MatrixMultiply": "@", "Power": "** or pow()"}


def _python(value: Value) -> str:
    return "Tensor" if isinstance(value, Tensor) else "list" if isinstance(value, Tup) and value.is_list else "tuple"


def _of_steps(left: Tensor, right: Tensor) -> Origin | None:
    """The origin of one of two tensors, if that is what a layer of one direction gives for every step."""
    for origin in (left.origin, right.origin):
        if origin is not None and origin.role == "output" and origin.layer.directions == 1:
            return origin.through()
    return None


def combine(left: Value, right: Value, name: str = "", in_place: bool = False) -> Value:
    """The broadcast of two values; an unknown beside a tensor may be of any shape."""
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        result = broadcast(left, right)
        if left.rank == right.rank == 3 and left.sizes == right.sizes:
            result = replace(result, origin=_of_steps(left, right))  # a sum of steps and of others like them
    else:
        tensor, other = (left, right) if isinstance(left, Tensor) else (right, left)
        if not isinstance(tensor, Tensor):
            return Opaque("?")
        if isinstance(other, (Num, Const)):
            result = tensor
        elif not isinstance(other, (Tensor, Opaque)):
            return tensor.typed(None)
        elif tensor.rank >= 2 and all(size != 1 for size in tensor.sizes):
            # A mask, a scale or a bias: it cannot make the tensor smaller, and hardly ever makes it larger.
            origin = tensor.origin if name in ("Multiply", "mul") else None
            return Tensor(tensor.axes, origin, tensor.traits | {GUESSED})
        else:
            return Opaque("?")
    dtype = _dtype(name, left, right)
    if in_place and isinstance(left, Tensor):
        _fits(left, result)
        _holds(left, dtype)
        return result.typed(left.dtype, left.strides)
    tensors = [each for each in (left, right) if isinstance(each, Tensor)]
    strides = memory.pointwise(tensors, result.numbers)
    return Tensor(result.axes, result.origin, result.traits, dtype, strides)


def _dtype(name: str, left: Value, right: Value) -> str | None:
    given = [each.dtype for each in (left, right) if isinstance(each, Tensor)]
    if name in SUBTRACTED and BOOL in given:
        kind = "two bool tensors" if given == [BOOL, BOOL] else "a bool tensor"
        raise Refusal("dtype", f"Subtraction, the `-` operator, with {kind} is not supported.", sure=True)
    if name in BITWISE and any(dtypes.is_float(dtype) for dtype in given):
        word = next(dtypes.spoken(dtype) for dtype in given if dtype is not None and dtypes.is_float(dtype))
        raise Refusal("dtype", f"\"{name.lower()}_cpu\" not implemented for '{word}'")
    if name in COMPARED:
        return BOOL
    return dtypes.divided((left, right)) if name in DIVIDED else dtypes.promoted((left, right))


def _fits(target: Tensor, result: Tensor) -> None:
    """What is written in place keeps its shape, and each of its entries has a place of its own."""
    lead = result.rank - target.rank
    if lead > 0 or any(differ(a, b) for a, b in zip(result.sizes, target.sizes, strict=lead == 0)):
        raise Refusal(
            "broadcast",
            f"output with shape {text(target.sizes)} doesn't match the broadcast shape {text(result.sizes)}",
        )
    strides = memory.strides_of(target)
    if strides is not None and any(
        step == 0 and differ(size, 1) for step, size in zip(strides, target.sizes, strict=True)
    ):
        raise Refusal(
            "broadcast",
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation.",
            target,
        )


def _holds(target: Tensor, dtype: str | None) -> None:
    """A tensor of integers does not take floating results, one of bool no numbers."""
    if target.dtype is None or dtype is None or target.dtype == dtype:
        return
    if (dtypes.is_float(dtype) and not dtypes.is_float(target.dtype)) or target.dtype == BOOL:
        a, b = dtypes.spoken(dtype), dtypes.spoken(target.dtype)
        raise Refusal("dtype", f"result type {a} can't be cast to the desired output type {b}", sure=True)


PLAIN = words("add sub mul div maximum minimum eq ne gt lt ge le true_divide divide atan2 logical_and logical_or hypot")
IN_PLACE = words("add_ sub_ mul_ div_ true_divide_ divide_ pow_")


@tensor_op(
    *PLAIN, "pow", "fmod", "remainder", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "subtract", "isclose"
)
def arithmetic(site: Site, input: Value, other: Value) -> Value | None:
    return combine(resolve(input), resolve(other), site.name)


@tensor_op("lerp", "addcmul", "addcdiv")
def of_three(site: Site, input: Value, tensor1: Value, tensor2: Value) -> Value | None:
    """Arithmetic of three tensors; the last of `lerp` may be a number."""
    given = [resolve(each) for each in (input, tensor1, tensor2)]
    found = [each for each in given if isinstance(each, Tensor)]
    if len(found) < 3 and (site.name != "lerp" or not isinstance(given[2], (Num, Const)) or len(found) < 2):
        return None
    return broadcast_all(found)


@method(*IN_PLACE)
def in_place(site: Site, input: Value, other: Value) -> Value | None:
    return combine(resolve(input), resolve(other), site.name, True)


@method("copy_")
def copy(site: Site, input: Value, src: Value) -> Value | None:
    target, source = resolve(input), resolve(src)
    if isinstance(target, Tensor) and isinstance(source, Tensor):
        lead = source.rank - target.rank
        pairs = zip(target.sizes[-source.rank :] if source.rank else (), source.sizes[max(lead, 0) :], strict=False)
        if lead > 0 or any(differ(a, b) and differ(b, 1) for a, b in pairs):
            raise _expanded(target, source)
    return target


def _expanded(target: Tensor, source: Tensor) -> Refusal:
    if source.rank > target.rank:
        return Refusal(
            "broadcast",
            f"output with shape {text(target.sizes)} doesn't match the broadcast shape {text(source.sizes)}",
        )
    for i in range(1, source.rank + 1):
        a, b = target.sizes[-i], source.sizes[-i]
        if differ(a, b) and differ(b, 1):
            break
    return Refusal(
        "broadcast",
        f"The expanded size of the tensor ({a}) must match the existing size ({b}) at non-singleton dimension "
        f"{target.rank - i}.  Target sizes: {text(target.sizes)}.  Tensor sizes: {text(source.sizes)}",
    )


def store(vm: Caller, node: cst.CSTNode, place: Value, value: Value) -> None:
    """`tensor[...] = value`: the value must fit into the place."""
    target, source = resolve(place), resolve(value)
    if not isinstance(target, Tensor) or not isinstance(source, Tensor):
        return
    try:
        lead = max(source.rank - target.rank, 0)
        rest = Tensor(source.axes[lead:], None, source.traits)
        pairs = list(zip(target.sizes[target.rank - rest.rank :], rest.sizes, strict=True))
        if any(differ(size, 1) for size in source.sizes[:lead]) or any(differ(a, b) and differ(b, 1) for a, b in pairs):
            raise Refusal(
                "broadcast",
                f"shape mismatch: value tensor of shape {text(source.sizes)} cannot be broadcast to indexing result of "
                f"shape {text(target.sizes)}",
            )
    except Refusal as refusal:
        tell(vm, node, refusal, [("the place", None, target), ("the value", None, source)])


@tensor_op("where")
def where(site: Site, condition: Value, input: Value | None = None, other: Value | None = None) -> Value | None:
    if isinstance(resolve(condition), Tensor) and site.nodes.get("condition") is _receiver(site):
        condition, input = input or condition, resolve(condition)  # x.where(condition, other)
    if input is None or other is None:
        return None
    test, a, b = resolve(condition), resolve(input), resolve(other)
    if isinstance(test, Tensor) and test.dtype not in (None, BOOL, "uint8"):
        word = dtypes.spoken(test.dtype)
        raise Refusal("dtype", f"where expected condition to be a boolean tensor, but got a tensor with dtype {word}")
    given = [each for each in (test, a, b) if isinstance(each, Tensor)]
    if not given or any(isinstance(each, Opaque) for each in (test, a, b)):
        return None
    result = broadcast_all(given)
    chosen = [each for each in (a, b) if isinstance(each, Tensor)]
    traits = chosen[0].traits if len(chosen) == 1 else result.traits
    return Tensor(result.axes, None, traits, dtypes.promoted((a, b)), memory.pointwise(given, result.numbers))


def _receiver(site: Site) -> cst.CSTNode | None:
    func = site.node.func
    return func.value if isinstance(func, cst.Attribute) else None


@tensor_op("masked_fill")
def masked_fill(site: Site, input: Value, mask: Value, value: Value | None = None) -> Value | None:
    return _masked(input, mask)


@method("masked_fill_")
def masked_fill_in_place(site: Site, input: Value, mask: Value, value: Value | None = None) -> Value | None:
    source, chosen = resolve(input), resolve(mask)
    result = _masked(input, mask)
    if isinstance(source, Tensor) and isinstance(result, Tensor) and isinstance(chosen, Tensor):
        _fits(source, result)
        return source
    return result


def _masked(input: Value, mask: Value) -> Value | None:
    source, chosen = resolve(input), resolve(mask)
    if not isinstance(source, Tensor) or not isinstance(chosen, Tensor):
        return source
    if chosen.dtype not in (None, BOOL):
        word = dtypes.in_cpp(chosen.dtype)
        raise Refusal("dtype", f"masked_fill_ only supports boolean masks, but got mask with dtype {word}", sure=True)
    result = broadcast(source, chosen)
    axes = tuple(a if a.size == b.size else b for a, b in zip(source.axes, result.axes, strict=False))
    same = source.rank == result.rank and all(a.size == b.size for a, b in zip(source.axes, axes, strict=True))
    if same:
        return source.typed(source.dtype, CONTIGUOUS)
    return Tensor(result.axes, None, source.traits | result.traits & {GUESSED}, source.dtype, CONTIGUOUS)


@function("torch.broadcast_tensors", variadic=True)
def broadcast_tensors(site: Site, tensors: Value) -> Value | None:
    given = [resolve(each) for each in tensors.items] if isinstance(tensors, Tup) else []
    found = [each for each in given if isinstance(each, Tensor)]
    if not found or len(found) != len(given):
        return None
    result = broadcast_all(found)
    return Tup(tuple(Tensor(result.axes, None, result.traits, each.dtype) for each in found))


@method("expand_as")
def expand_as(site: Site, input: Value, other: Value) -> Value | None:
    source, model = resolve(input), resolve(other)
    if not isinstance(model, Tensor):
        return None
    if isinstance(source, Tensor):
        pairs = zip(source.sizes[::-1], model.sizes[::-1], strict=False)
        if source.rank > model.rank or any(differ(a, b) and differ(a, 1) for a, b in pairs):
            raise _expanded(model, source)
    return Tensor(model.axes, None, frozenset(), source.dtype if isinstance(source, Tensor) else None)


__all__ = ["combine", "operator", "store"]
