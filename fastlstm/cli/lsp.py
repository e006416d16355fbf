"""`fastlstm lsp`."""

from __future__ import annotations

import click


@click.command()
def lsp() -> None:
    """Serve an editor over standard input and output: diagnostics, shapes on hover and as inlay hints, quick fixes.

    Started by the editor, not by hand; docs/editor.md has the lines for VS Code, Neovim, Helix and Emacs.
    """
    try:
        from fastlstm_lint.lsp.server import make
    except ModuleNotFoundError as error:
        if error.name not in ("pygls", "lsprotocol"):
            raise
        raise click.UsageError("the language server needs pygls: pip install 'fastlstm[lsp]'") from error
    make().start_io()
