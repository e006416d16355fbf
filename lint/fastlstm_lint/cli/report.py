"""The command `report`."""

from __future__ import annotations

from pathlib import Path

import click

from ..visible import visible

LARGEST = 16_000_000
"""Bytes of a proof."""


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option(
    "--output", "-o", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file to write."
)
@click.option("--title", help="What stands above it; the folder's name by default.")
@click.option(
    "--proof",
    "proofs",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What `prove` has printed, or drawn (.svg, .png), to be added. Repeatable.",
)
def report(paths: tuple[str, ...], output: Path, title: str | None, proofs: tuple[Path, ...]) -> None:
    """Write the programs of PATH with their shapes and findings as one HTML file. Nothing of them is executed.

    PATH are programs, notebooks or folders, the current folder by default. The file needs no other one and no network:
    to hand in, or to hand round.
    """
    from .. import disk
    from ..config import ConfigError
    from ..handout.gather import gather
    from ..handout.page import page
    from ..nearest import Nearest

    paths = paths or (".",)
    for path in paths:
        if not Path(path).exists():
            raise click.UsageError(visible(f"no such file or folder: {path}"))
    try:
        programs = gather(paths, Nearest())
        shown = [(str(proof), disk.read(proof, LARGEST)) for proof in proofs]
    except ConfigError as error:
        raise click.UsageError(visible(str(error))) from error
    except OSError as error:
        raise click.UsageError(visible(f"a proof cannot be read: {error.strerror}")) from error
    name = title or ", ".join(Path(path).resolve().name for path in paths)
    try:
        output.write_text(page(programs, shown, name), encoding="utf-8")
    except OSError as error:
        raise click.ClickException(visible(f"{output}: {error.strerror}")) from error
    click.echo(visible(f"{output}: {len(programs)} file{'' if len(programs) == 1 else 's'}"), err=True)
