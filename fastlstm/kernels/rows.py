"""Rows of numbers: the copies between the caller's widths and the kernels' padded ones."""

from fastlstm.kernels.jit import at, inner, put


@inner
def copy(source, target, count):
    """target[:count] = source[:count]."""
    for i in range(count):
        put(target, i, source[i])


@inner
def fill(target, value, count):
    """target[:count] = value."""
    for i in range(count):
        put(target, i, value)


@inner
def add(source, target, count):
    """target[:count] += source[:count]."""
    for i in range(count):
        put(target, i, target[i] + source[i])


@inner
def multiply(source, target, count):
    """target[:count] *= source[:count]."""
    for i in range(count):
        put(target, i, target[i] * source[i])


@inner
def copy_padded(source, target, count, width):
    """target[:count] = source[:count] and zeros up to `width`."""
    copy(source, target, count)
    fill(at(target, count), 0.0, width - count)
