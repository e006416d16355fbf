"""Where a fix puts an import that a program lacks."""

from __future__ import annotations

import ast

from .finding import Edit, Place


def is_imported(tree: ast.Module, name: str) -> bool:
    """Whether the head of a module has `import name`."""
    return any(
        alias.name == name and alias.asname is None
        for statement in _head(tree)
        if isinstance(statement, ast.Import)
        for alias in statement.names
    )


def insertion(tree: ast.Module, name: str) -> Edit | None:
    """The edit that adds `import name` below the module's other imports.

    None where there are none, or where other code stands on their last line.
    """
    head = _head(tree)
    others = tree.body[len(head) :]
    row = head[-1].end_lineno if head else None
    if row is None or (others and others[0].lineno <= row):
        return None
    return Edit(Place(row + 1, 1), Place(row + 1, 1), f"import {name}\n")


def _head(tree: ast.Module) -> list[ast.stmt]:
    """The docstring and the imports with which a module begins."""
    count = 0
    for number, statement in enumerate(tree.body):
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and number == 0
        if not is_text and not isinstance(statement, (ast.Import, ast.ImportFrom)):
            break
        count += 1
    return tree.body[:count]
