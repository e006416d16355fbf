"""The command `fastlstm`: the linter's commands, and its own."""

from __future__ import annotations

import click
from fastlstm_lint.cli import PLACES
from fastlstm_lint.cli.group import LazyGroup
from fastlstm_lint.color import wanted

from fastlstm import __version__

COMMANDS = {
    "lint": PLACES["lint"],
    "rules": PLACES["rules"],
    "shapes": PLACES["shapes"],
    "prove": ("fastlstm.cli.prove:prove", "Run a model: does a sample's output depend on another's input?"),
    "report": PLACES["report"],
    "playground": PLACES["playground"],
    "lsp": PLACES["lsp"],
    "explain": ("fastlstm.cli.explain:explain", PLACES["explain"][1]),
    "demo": ("fastlstm.cli.demo:demo", "See the library at work on real data."),
    "bench": ("fastlstm.cli.bench:bench", "Time this machine, beside what is installed."),
    "info": ("fastlstm.cli.info:info", "Show versions, CPU, threads and backends."),
    "warmup": ("fastlstm.cli.warmup:warmup", "Compile and cache what a first call would need."),
}
"""Where each subcommand lives, and its line in `fastlstm --help`, which is printed without importing any."""


@click.group("fastlstm", cls=LazyGroup, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="fastlstm")
@click.pass_context
def main(context: click.Context) -> None:
    """LSTMs, GRUs and RNNs fast on a CPU, and a linter for the shape mistakes that torch lets through.

    Completion, for bash (zsh and fish likewise): eval "$(_FASTLSTM_COMPLETE=bash_source fastlstm)"
    """
    context.color = wanted()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
