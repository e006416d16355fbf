"""`%load_ext fastlstm`: the help below tracebacks in IPython, and `%%shapes`, a cell with shapes beside its lines."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any

from fastlstm.tracebacks.help import ERRORS
from fastlstm.tracebacks.hook import tell

LOADED = "_fastlstm_before"
"""Where a shell keeps what was there before: its handler of exceptions."""


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext fastlstm` calls."""
    if getattr(shell, LOADED, None) is not None:
        return
    setattr(shell, LOADED, (shell.custom_exceptions, shell.CustomTB))
    shell.set_custom_exc(ERRORS, _shown)
    shell.register_magic_function(_shapes_of(shell), "cell", "shapes")


def unload_ipython_extension(shell: Any) -> None:
    """What `%unload_ext fastlstm` calls: the shell's own handler is put back."""
    before = getattr(shell, LOADED, None)
    if before is None:
        return
    shell.custom_exceptions, shell.CustomTB = before
    setattr(shell, LOADED, None)
    shell.magics_manager.magics["cell"].pop("shapes", None)


def _shown(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """The traceback as IPython shows it, then the help."""
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
    tell(error, "en", cells_of(shell))


def cells_of(shell: Any) -> tuple[str, ...]:
    """The cells that were run so far, the one that runs now among them."""
    kept = getattr(shell, "user_ns", {}).get("In", [])
    return tuple(str(cell) for cell in kept[1:])


def _shapes_of(shell: Any) -> Any:
    def shapes(line: str, cell: str) -> None:
        """Show the cell with the inferred shapes beside its lines, then run it: `%%shapes`, `%%shapes --only`."""
        print(shapes_of_cell(cell, cells_of(shell)[:-1]))
        if "--only" not in line.split():
            shell.run_cell(cell)

    return shapes


def shapes_of_cell(cell: str, before: tuple[str, ...] = ()) -> str:
    """A cell's text with what is known beside its lines, the cells before it read as well; nothing is run."""
    from fastlstm_lint.shapes.document import Document
    from fastlstm_lint.shapes.lines import Unreadable

    cells = [{"cell_type": "code", "source": text, "metadata": {}} for text in (*before, cell)]
    try:
        shown = Document(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}), "notebook.ipynb").shown()
    except (Unreadable, SyntaxError, RecursionError) as error:
        return f"{cell}\n# {error}"
    return shown.rpartition(f"# --- cell {len(cells)}\n")[2].rstrip("\n")
