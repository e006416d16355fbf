"""The command `fastlstm`. Each subcommand is imported when it is called, so that the others cost nothing."""

from __future__ import annotations

import importlib
from difflib import get_close_matches

import click
from fastlstm_lint.color import wanted
from fastlstm_lint.visible import visible

from fastlstm import __version__

COMMANDS = {
    "lint": ("fastlstm_lint.cli:lint", "Find shape mistakes in code that uses recurrent layers."),
    "rules": ("fastlstm.cli.rules:rules", "List what lint looks for."),
    "shapes": ("fastlstm.cli.shapes:shapes", "Show a program with the shapes beside its lines."),
    "prove": ("fastlstm.cli.prove:prove", "Run a model: does a sample's output depend on another's input?"),
    "lsp": ("fastlstm.cli.lsp:lsp", "Serve an editor: diagnostics, shapes, quick fixes."),
    "explain": ("fastlstm.cli.explain:explain", "Show every shape of a layer, drawn as text."),
    "demo": ("fastlstm.cli.demo:demo", "See the library at work on real data."),
    "bench": ("fastlstm.cli.bench:bench", "Time this machine, beside what is installed."),
    "info": ("fastlstm.cli.info:info", "Show versions, CPU, threads and backends."),
    "warmup": ("fastlstm.cli.warmup:warmup", "Compile and cache what a first call would need."),
}
"""Where each subcommand lives, and its line in `fastlstm --help`, which is printed without importing any."""


ELSEWHERE = {
    "check": "lint",
    "fix": "lint --fix",
    "rule": "explain",
    "why": "explain",
    "help": "--help",
    "version": "--version",
    "completion": "--help",
    "server": "lsp",
}
"""What other tools call it, and what it is called here."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            close = ELSEWHERE.get(cmd_name) or next(iter(get_close_matches(cmd_name, COMMANDS, 1)), None)
            hint = f" Did you mean 'fastlstm {close}'?" if close else ""
            raise click.UsageError(f"No such command {visible(cmd_name)!r}.{hint}", ctx)
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="fastlstm")
@click.pass_context
def main(context: click.Context) -> None:
    """LSTMs, GRUs and RNNs fast on a CPU, and a linter for the shape mistakes that torch lets through.

    Completion, for bash (zsh and fish likewise): eval "$(_FASTLSTM_COMPLETE=bash_source fastlstm)"
    """
    context.color = wanted()
