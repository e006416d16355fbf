"""The command `lsp`."""

from __future__ import annotations

import click

from ..program import named


@click.command()
def lsp() -> None:
    """Serve an editor over standard input and output: diagnostics, shapes on hover and as inlay hints, quick fixes.

    Started by the editor, not by hand. The lines for VS Code, Neovim, Helix and Emacs:
    https://fastlstm.github.io/fastlstm/editor/
    """
    try:
        from ..lsp.server import make
    except ModuleNotFoundError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        needs = named("the language server needs pygls: pip install 'fastlstm[lsp]'")
        raise click.UsageError(needs) from error
    make().start_io()
