"""The one place where the layers choose what computes for them."""

from ..reference import Reference as Engine

__all__ = ["Engine"]
