"""The command `fastlstm-lint`, and what `fastlstm` has of it."""

from __future__ import annotations

import click

from .. import __version__
from ..color import wanted
from .group import LazyGroup

PLACES = {
    "lint": ("fastlstm_lint.cli.lint:lint", "Find shape mistakes in code that uses recurrent layers."),
    "rules": ("fastlstm_lint.cli.rules:rules", "List what lint looks for."),
    "shapes": ("fastlstm_lint.cli.shapes:shapes", "Show a program with the shapes beside its lines."),
    "explain": ("fastlstm_lint.cli.explain:explain", "Answer a question: a layer, h_n, a rule, an error of torch."),
    "report": ("fastlstm_lint.cli.report:report", "Write a folder's programs, shapes and findings as one HTML file."),
    "playground": ("fastlstm_lint.cli.playground:playground", "Open a page to try the linter in."),
    "lsp": ("fastlstm_lint.cli.lsp:lsp", "Serve an editor: diagnostics, shapes, quick fixes."),
}
"""Where each subcommand lives, and its line in `--help`, which is printed without importing any."""


@click.group(
    "fastlstm-lint", cls=LazyGroup, places=PLACES, context_settings={"help_option_names": ["-h", "--help"]}
)  # fmt: skip
@click.version_option(__version__, "-V", "--version", prog_name="fastlstm-lint")
@click.pass_context
def main(context: click.Context) -> None:
    """A linter for the shape mistakes in recurrent code that torch lets through.

    Completion, for bash (zsh and fish likewise): eval "$(_FASTLSTM_LINT_COMPLETE=bash_source fastlstm-lint)"
    """
    context.color = wanted()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
