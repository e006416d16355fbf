"""The linter's syntax tree, made from Python's own."""

from .statements import build

__all__ = ["build"]
