"""Element types: what a `dtype` argument names, what operands promote to, and what torch calls them."""

from __future__ import annotations

from collections.abc import Iterable

from ..values import Const, Flag, Name, Num, Tensor, Value, resolve

FLOAT, DOUBLE, LONG, BOOL = "float32", "float64", "int64", "bool"

ALIASES = {"float": FLOAT, "double": DOUBLE, "long": LONG, "int": "int32", "half": "float16", "short": "int16"}

SPOKEN = {
    FLOAT: ("Float", "float"),
    DOUBLE: ("Double", "double"),
    LONG: ("Long", "long int"),
    BOOL: ("Bool", "bool"),
    "int32": ("Int", "int"),
    "uint8": ("Byte", "unsigned char"),
    "float16": ("Half", "c10::Half"),
}
"""What torch's sentences call a type: as a scalar type, and as a type of C++."""

ORDER = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
"""Known types; a later one holds the earlier ones, but for uint8 with int8 and float16 with bfloat16."""

PYTHON = {"builtins.float": DOUBLE, "builtins.int": LONG, "builtins.bool": BOOL}


def spoken(dtype: str) -> str:
    """`Float`, `Long`: as torch's messages have it."""
    return SPOKEN.get(dtype, (dtype.capitalize(), ""))[0]


def in_cpp(dtype: str) -> str:
    """`float`, `long int`: as other messages of torch have it."""
    return SPOKEN.get(dtype, ("", dtype))[1]


def named(value: Value | None, default: str | None) -> str | None:
    """The type that a `dtype` argument names; `default` where it is not given, None where it is not known."""
    if value is None or value == Const(None):
        return default
    found = value.only if isinstance(value, Name) else None
    if found in PYTHON:
        return PYTHON[found]
    word = (found or "").removeprefix("torch.")
    word = ALIASES.get(word, word)
    return word if word in ORDER else None


def is_float(dtype: str | None) -> bool | None:
    """Whether a type is a floating one; None where it is not known."""
    return None if dtype is None else "float" in dtype


def is_whole(dtype: str | None) -> bool:
    """Whether a type is known to be one of integers or bool."""
    return is_float(dtype) is False


def _category(dtype: str) -> int:
    return 0 if dtype == BOOL else 2 if "float" in dtype else 1


def promoted(operands: Iterable[Value]) -> str | None:
    """The type of the result of arithmetic: tensors with axes count before those without, and those before numbers."""
    groups: list[list[str]] = [[], [], []]
    for operand in operands:
        value = resolve(operand)
        if isinstance(value, Tensor):
            if value.dtype is None:
                return None
            groups[0 if value.rank else 1].append(value.dtype)
        elif isinstance(value, Num):
            groups[2].append(LONG)
        elif isinstance(value, Const) and isinstance(value.value, (bool, float)):
            groups[2].append(FLOAT if isinstance(value.value, float) else BOOL)
        elif isinstance(value, Flag):
            groups[2].append(BOOL)
        else:
            return None
    if not groups[0] and not groups[1]:
        return None
    best: str | None = None
    for group in groups:
        top = max(group, key=ORDER.index) if group else None
        if top is not None and (best is None or _category(top) > _category(best)):
            best = top
    return best


def divided(operands: Iterable[Value]) -> str | None:
    """The type of a true division, and of functions such as exp: a floating one."""
    found = promoted(operands)
    return FLOAT if is_whole(found) else found
