"""`fastlstm demo`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from fastlstm.demo.showing import Part

PARTS = ("digits", "letters", "mistakes", "speed")
Item = TypeVar("Item")


@click.command()
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Run this part only (repeat for more).")
def demo(only: tuple[str, ...]) -> None:
    """See the library at work on real data, without torch: four parts, about two minutes.

    Exit code 1 where a part did not reach what it promises.
    """
    all_reached = True
    for number, name in enumerate(only or PARTS, 1):
        part = load(name)
        click.secho(f"{number}. {part.title}", bold=True)
        lacking = part.missing()
        if lacking:
            click.echo(f"   Left out: it needs {lacking}\n")
            continue
        showing = part.run(watch)
        click.echo("".join(f"   {line}\n" for line in showing.detail), nl=False)
        click.secho(f"   {showing.line}", fg="green" if showing.reached else "red")
        click.echo()
        all_reached &= showing.reached
    if not all_reached:
        click.echo("A part did not reach what it promises.", err=True)
        raise SystemExit(1)


def load(name: str) -> Part:
    """The part that the module of this name holds."""
    part: Part = import_module(f"fastlstm.demo.{name}").PART
    return part


def watch(items: Iterable[Item], label: str, length: int | None = None) -> Iterator[Item]:
    """The items, with a progress bar on a terminal and silently elsewhere."""
    if not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, length=length, label=f"   {label}", file=sys.stderr) as bar:
        yield from bar
