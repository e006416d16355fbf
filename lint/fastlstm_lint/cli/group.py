"""A group of commands each of which is imported when it is called, so that the others cost nothing."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import click

from ..program import named
from ..visible import visible

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
    """A group that knows its commands by name: `places` has the place of each, and its line in `--help`."""

    def __init__(self, *args: Any, places: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **{"invoke_without_command": True, **options})  # alone, it shows its help
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.places:
            close = ELSEWHERE.get(cmd_name) or next(iter(get_close_matches(cmd_name, self.places, 1)), None)
            hint = f" Did you mean '{self.name} {close}'?" if close else ""
            raise click.UsageError(f"No such command {visible(cmd_name)!r}.{hint}", ctx)
        module, _, attribute = self.places[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        command.help = command.help and named(command.help)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.places.items()])
